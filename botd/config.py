"""The reader of the configuration: TOML into the typed settings of `botd.settings`.

An unknown key, a wrong type or a value that makes no sense is a ConfigError that names the key and the nearest known
one. Secrets never stand in the file: they come from files that it names, or from the environment.
"""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from botd.addresses import networks
from botd.errors import ConfigError, did_you_mean
from botd.file_modes import check_private, check_unwritable
from botd.hours import time_of_day, zone
from botd.patterns import bounded
from botd.settings import SECTIONS, Config, CustomCheck, NetworkSettings, NotifySettings, default_of
from botd.text import is_number


def load_config(path: str | None = None) -> Config:
    """The configuration of a file, by default the one named by BOTD_CONFIG, else all defaults.

    Raises ConfigError when the file cannot be read, others can write it, or it holds what cannot be used.
    """
    path = path or os.environ.get("BOTD_CONFIG", "")
    if not path:
        return Config()
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
        check_unwritable(Path(path), "the configuration")
    except (OSError, ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError, as is a number too long
        raise ConfigError(f"cannot read the configuration {path}: {error}") from error
    return parse_config(document, path=path)


def parse_config(document: Mapping[str, Any], *, path: str = "") -> Config:
    """The configuration in a parsed TOML document; relative paths in it are relative to `path`.

    Raises ConfigError for an unknown section or key, a wrong type, or a value outside its range.
    """
    known = (*SECTIONS, "mounts", "tail", "checks", "check", "network")
    for name in document:
        if name not in known:
            raise ConfigError(f'unknown section "{name}" in the configuration{did_you_mean(name, known)}', f"[{name}]")
    sections = {name: read_section(cls, f"[{name}]", document.get(name, {})) for name, cls in SECTIONS.items()}
    config = Config(
        **sections,
        mounts=_mounts(_table("[mounts]", document.get("mounts", {}))),
        tail=_logs(_table("[tail]", document.get("tail", {}))),
        checks={
            name: _table(f"[checks.{name}]", t) for name, t in _table("[checks]", document.get("checks", {})).items()
        },
        check=_list(CustomCheck, "check", document),
        network=_list(NetworkSettings, "network", document),
        path=path,
    )
    _check_ranges(config)
    return config


def resolve_path(config: Config, path: str) -> Path:
    """A path of the configuration: `~` is the user's home, a relative one starts at the configuration file.

    Raises ConfigError for the home of nobody, `~name`.
    """
    try:
        expanded = Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"cannot find the home directory in {path}: {error}") from None
    return expanded if expanded.is_absolute() or not config.path else Path(config.path).parent / expanded


def command_words(command: str) -> list[str]:
    """The words of a configured command line, split as a shell would, but never given to one."""
    return shlex.split(command)


def listen_address(listen: str) -> tuple[str, int]:
    """Host, without brackets, and port of `address:port`. Raises ConfigError."""
    host, colon, port = listen.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536):
        raise ConfigError(
            f'cannot listen on "{listen}": [server] listen and --listen take "address:port", with a port up to 65535'
        )
    return host.strip("[]"), int(port)


def mail_server(text: str) -> tuple[str, int]:
    """Host and port of `[notify] smtp`. Raises ConfigError."""
    try:
        host, port = listen_address(text)
    except ConfigError:
        where = "[notify] smtp"
        raise ConfigError(f'{where} takes "address:port", such as "localhost:25", not "{text[:60]}"', where) from None
    return host, port


def read_secret(config: Config, file_name: str, variable: str) -> str:
    """A secret from its file, else from the environment variable, else empty. Raises ConfigError, without it."""
    if not file_name:
        return os.environ.get(variable, "")
    path = resolve_path(config, file_name)
    try:
        secret = path.read_text(encoding="utf-8-sig").rstrip("\r\n")
        check_private(path, "the secret in")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read the secret in {file_name}: {reason}") from None
    return secret


def header_secret(config: Config) -> str:
    """What a proxy and botd share, empty for nothing. Raises ConfigError for what others know or could guess."""
    access = config.access
    secret = read_secret(config, access.header_secret_file, "") if access.header_secret_file else ""
    if access.header_secret_file and len(secret) < _LEAST_SECRET:
        raise ConfigError(
            f"the secret in {access.header_secret_file} has fewer than {_LEAST_SECRET} characters: "
            "write one with `openssl rand -hex 32`",
            "[access] header_secret_file",
        )
    return secret


def typed(where: str, default: Any, kind: str, value: Any) -> Any:
    """The value in the type that its setting has. Raises ConfigError naming `where`.

    A whole number is taken where a fraction is asked for; nothing else is converted.
    """
    if isinstance(value, int) and is_number(value) and kind.startswith("float") and abs(value) < 2**53:
        return float(value)
    if isinstance(value, list) and kind.startswith("tuple"):
        if all(isinstance(item, str) for item in value):
            return tuple(value)
        raise ConfigError(f"{where} must be a list of texts", where)
    wanted = kind.partition("[")[0].partition(" ")[0]
    if type(value).__name__ != wanted:
        raise ConfigError(f"{where} must be {_WORDS[wanted]}, not {value!r}; the default is {default!r}", where)
    return value


_WORDS = {"str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false", "tuple": "a list"}


def _table(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be a table, not {value!r}", where)
    return value


def _list(cls: type, name: str, document: Mapping[str, Any]) -> tuple[Any, ...]:
    """The settings of each `[[name]]`."""
    tables = document.get(name, [])
    if not isinstance(tables, list):
        raise ConfigError(f"write [[{name}]] with two brackets: it is a list of {name}s", f"[{name}]")
    return tuple(read_section(cls, f"[[{name}]]", table) for table in tables)


def read_section(cls: type, where: str, table: Any) -> Any:
    """The settings of a table as this dataclass has them. Raises ConfigError naming `where` and the key at fault."""
    known = {f.name: f for f in fields(cls)}
    values = {}
    for key, value in _table(where, table).items():
        if key not in known:
            raise ConfigError(f'unknown key "{key}" in {where}{did_you_mean(key, known)}', f"{where} {key}")
        values[key] = typed(f"{where} {key}", default_of(known[key]), str(known[key].type), value)
    return cls(**values)


def _mounts(table: Mapping[str, Any]) -> Mapping[str, str]:
    for name, path in table.items():
        if not name.replace("_", "").isalnum() or name != name.lower() or not name.isascii():
            raise ConfigError(
                f'[mounts] "{name}": use lower-case letters, digits and "_" for the name of a mount', f"[mounts] {name}"
            )
        if not isinstance(path, str) or (path and not path.startswith("/")) or "\0" in path or "\n" in path:
            raise ConfigError(f"[mounts] {name} must be an absolute path, not {path!r}", f"[mounts] {name}")
    return dict(table)


_LOG = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_WHERE = re.compile(r"journal:[A-Za-z0-9_][A-Za-z0-9@:._\\-]{0,254}|/.{0,500}")
"""A unit of systemd (systemd.unit(5)), or an absolute path."""


def _logs(table: Mapping[str, Any]) -> Mapping[str, str]:
    """The logs that may be followed, by their names. Raises ConfigError."""
    for name, where in table.items():
        if not _LOG.fullmatch(name):
            raise ConfigError(
                f'[tail] "{name}": use lower-case letters, digits, "_" and "-" for the name of a log', f"[tail] {name}"
            )
        if not isinstance(where, str) or not where.isprintable() or not _WHERE.fullmatch(where):
            raise ConfigError(
                f'[tail] {name} must be an absolute path, or a unit as in "journal:slurmd", not {where!r}',
                f"[tail] {name}",
            )
    return dict(table)


_MAY_BE_ZERO = {
    ("sweep", "interval"),
    ("sweep", "least_age"),
    ("sweep", "queue"),
    ("ssh", "keep"),
    ("ping", "interval"),
    *(("advice", name) for name in ("press", "time", "harm", "least_p", "confident")),
}

_SHARES = {("advice", "least_p"), ("advice", "confident")}
"""What is at most 1."""

_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_LEAST_SECRET = 20
"""Characters of what a proxy and botd share."""

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
"""Without `_`: gunicorn drops headers that have one."""

_OTHER_HEADERS = frozenset(
    {"host", "cookie", "authorization", "origin", "content-type", "content-length", "x-botd-secret", "x-botd-form"}
)

_TICKET_URL = re.compile(r"https?://[!#-;=?-~]+")
"""No blanks, no quotes, no angles; the number is written in with its own signs escaped."""

_MAIL = re.compile(r"[\w.+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
"""The plain addresses of RFC 5321: nothing that is another header, another address or an option."""

_COMMANDS = (
    ("slurm", "sinfo"),
    ("slurm", "scontrol"),
    ("slurm", "squeue"),
    ("slurm", "sacct"),
    ("ping", "command"),
    ("access", "ssh_keygen"),
    ("access", "unmunge"),
    ("actions", "slurm"),
    ("notify", "command"),
)


def _check_ranges(config: Config) -> None:
    """Values that would make the program do nothing, or too much, are refused at the start."""
    for section in SECTIONS:
        for name, value in vars(getattr(config, section)).items():
            if is_number(value):
                _check_number(section, name, value)
    for section, name in _COMMANDS:
        _check_command(f"[{section}] {name}", getattr(getattr(config, section), name))
    _check_words(config)
    try:
        listen_address(config.server.listen)
    except ConfigError as error:
        raise ConfigError(str(error), "[server] listen") from None
    _check_proxies(config.server.proxies)
    _check_header(config)
    _check_tickets(config.tickets.pattern, config.tickets.url)
    _check_notify(config.notify)
    if not _SITE.fullmatch(config.site.name):
        raise ConfigError(
            f'[site] name must be letters, digits, ".", "_" and "-", at most 64, not "{config.site.name[:80]}"',
            "[site] name",
        )


def _check_proxies(proxies: tuple[str, ...]) -> None:
    """Raises ConfigError for what is neither an address nor a net."""
    try:
        networks(proxies)
    except ValueError as error:
        raise ConfigError(
            f'[server] proxies takes addresses and nets, such as "192.0.2.7" and "10.1.0.0/24": {error}',
            "[server] proxies",
        ) from None


def _check_header(config: Config) -> None:
    """Raises ConfigError for what is no header that a proxy could add."""
    header = config.access.header
    if header and (not _HEADER.fullmatch(header) or header.lower() in _OTHER_HEADERS):
        raise ConfigError(
            f'[access] header must be a header that nothing else uses, such as "X-Remote-User", not "{header[:60]}"',
            "[access] header",
        )
    if config.access.header_secret_file and not header:
        raise ConfigError("[access] header_secret_file needs [access] header", "[access] header_secret_file")


def _check_tickets(pattern: str, url: str) -> None:
    """Raises ConfigError for what makes no links, or could make a page slow."""
    if bool(pattern) != bool(url):
        raise ConfigError("[tickets] needs both pattern and url, or neither", "[tickets]")
    try:
        bounded(pattern)
    except ValueError as error:
        raise ConfigError(f"[tickets] pattern cannot be used: {error}", "[tickets] pattern") from None
    if url and not (_TICKET_URL.fullmatch(url) and url.count("{}") == 1):
        raise ConfigError(
            f'[tickets] url must be like "https://rt.example.org/{{}}", with {{}} once, not "{url}"', "[tickets] url"
        )


def _check_notify(settings: NotifySettings) -> None:
    """Raises ConfigError for what mail could not be sent by."""
    mail_server(settings.smtp)
    for name, given in (("mail_from", [settings.mail_from]), ("mail_to", settings.mail_to)):
        for text in filter(None, given):
            if not _MAIL.fullmatch(text):
                where = f"[notify] {name}"
                raise ConfigError(f'{where} takes addresses such as "botd@example.org", not "{text[:60]}"', where)
    if settings.mail_to and not settings.mail_from:
        raise ConfigError("[notify] mail_to needs mail_from: the address that mail comes from", "[notify] mail_to")
    if settings.digest:
        _check_digest(settings)


def _check_digest(settings: NotifySettings) -> None:
    """Raises ConfigError for a digest at no time, or to nobody."""
    for name, read, text in (
        ("digest", time_of_day, settings.digest),
        ("digest_zone", zone, settings.digest_zone),
    ):
        try:
            read(text)
        except ValueError as error:
            raise ConfigError(f"[notify] {name}: {error}", f"[notify] {name}") from None
    if not (settings.command or settings.webhook_file or settings.mail_to):
        raise ConfigError(
            "[notify] digest needs whom to send it to: command, webhook_file or mail_to", "[notify] digest"
        )


_WORDS_OF = {
    ("ssh", "host_key_policy"): ("reject", "accept-new", "accept-any"),
    ("access", "read"): ("anyone", "known"),
    ("notes", "writers"): ("nobody", "anyone"),
    ("actions", "mode"): ("off", "dry-run", "on"),
    ("actions", "clock"): ("synchronised", "trusted"),
}
"""Settings that are one of a few words."""


def _check_words(config: Config) -> None:
    for (section, name), words in _WORDS_OF.items():
        value = getattr(getattr(config, section), name)
        if value not in words:
            told = ", ".join(f'"{word}"' for word in words[:-1]) + f' or "{words[-1]}"'
            where = f"[{section}] {name}"
            raise ConfigError(f'{where} must be {told}, not "{value[:60]}"', where)


def _check_number(section: str, name: str, value: float) -> None:
    may_be_zero = (section, name) in _MAY_BE_ZERO
    if not (value > 0 or (value == 0 and may_be_zero)) or value > 1e7:
        raise ConfigError(
            f"[{section}] {name} must be above 0 and below 10,000,000, not {value!r}", f"[{section}] {name}"
        )
    if (section, name) in _SHARES and value > 1:
        raise ConfigError(f"[{section}] {name} must be at most 1, not {value!r}", f"[{section}] {name}")
    if name == "port" and value > 65535:
        raise ConfigError(f"[{section}] port must be at most 65535, not {value!r}", f"[{section}] port")


def _check_command(where: str, command: str) -> None:
    try:
        command_words(command)
    except ValueError as error:
        raise ConfigError(f"{where} cannot be split into words: {error}", where) from None
