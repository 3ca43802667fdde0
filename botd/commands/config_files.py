"""The files of a configuration, as the agent would read them: keys, ssh_config, host keys, groups, secrets."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from botd.access.places import groups_named
from botd.agent.people.roles_file import read_roles
from botd.commands.places import Level, Told
from botd.config import command_words, header_secret, read_secret, resolve_path
from botd.errors import ConfigError
from botd.file_modes import check_unwritable
from botd.inventory.groups import read_groups, why_not_believed
from botd.settings import Config
from botd.transport.addresses import Resolver
from botd.transport.notify import make_ways
from botd.transport.ssh.keys import read_key
from botd.transport.ssh.known_hosts import KnownHosts, fingerprint
from botd.transport.ssh.routes import Routes

Report = Iterator[Told]


def check_files(config: Config) -> Report:
    """What each file is, and what is wrong with it; one that fails keeps none of the others from being read."""
    steps: tuple[tuple[str, str, Callable[[Config], Report]], ...] = (
        ("ssh", "[ssh] key_file", _key),
        ("ssh", "[ssh] config", _routes),
        ("nodes", "[nodes] hosts_file", _hosts),
        ("bmc", "[bmc] password_file", _password),
        ("actions", "[actions] bmc_password_file", _acting_password),
        ("groups", "[groups]", _groups),
        ("ping", "[ping] command", _fping),
        ("access", "[access] roles_file", _roles),
        ("access", "[access] allowed_signers", _signers),
        ("access", "[access] header_secret_file", _header),
        ("notify", "[notify] webhook_file", _notify),
    )
    for section, at, step in steps:
        with _heard(section) as warnings:
            try:
                told = list(step(config))
            except ConfigError as error:
                told = [Told(Level.FAIL, section, str(error), error.at or at)]
        yield from [*warnings, *told]


@contextmanager
def _heard(section: str) -> Iterator[list[Told]]:
    """What botd logs in the meantime, as lines of the report and not of the log."""
    heard: list[Told] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            level = Level.FAIL if record.levelno >= logging.ERROR else Level.WARN
            heard.append(Told(level, section, record.getMessage()))

    log, listener = logging.getLogger("botd"), Listener(logging.WARNING)
    log.addHandler(listener)
    log.propagate = False
    try:
        yield heard
    finally:
        log.propagate = True
        log.removeHandler(listener)


def _path(config: Config, text: str) -> Path | None:
    return resolve_path(config, text) if text else None


def _roles(config: Config) -> Report:
    if path := _path(config, config.access.roles_file):
        state = read_roles(path)
        yield Told(Level.OK, "access", f"{path}: {len(state.roles.roles)} roles")
        groups, _ = read_groups(config.groups, partial(resolve_path, config))
        for name in groups_named(state.roles.protected):
            why = why_not_believed(groups[name], config.groups, partial(resolve_path, config)) if name in groups else ""
            if why:
                yield Told(Level.FAIL, "access", f"nothing may act while {why}", "[access] roles_file")


def _signers(config: Config) -> Report:
    if path := _path(config, config.access.allowed_signers):
        try:
            check_unwritable(path, "the allowed signers")
        except OSError as error:
            raise ConfigError(f"the allowed signers {path} cannot be read: {error.strerror}") from error
        yield Told(Level.OK, "access", f"{path}: the keys that people sign with")


def _header(config: Config) -> Report:
    """What a proxy shares with the web part, whose user may be another one than the agent's."""
    path = _path(config, config.access.header_secret_file)
    if path and _is_closed(path):
        yield Told(Level.SKIP, "access", f"{path}: it is the web part's, and this user cannot read it")
    elif header_secret(config):
        yield Told(Level.OK, "access", f"{path}: what a proxy sends beside {config.access.header}")


def _notify(config: Config) -> Report:
    """The ways of notices, of which none is tried: `botd notify-test` does that."""
    for way in make_ways(config):
        yield Told(Level.OK, "notify", f"{way.name} to {way.goes_to}")


def _is_closed(path: Path) -> bool:
    """Whether this user may not read a file."""
    try:
        path.open("rb").close()
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def _key(config: Config) -> Report:
    path = _path(config, config.ssh.key_file)
    if path:
        key = read_key(path, read_secret(config, "", "BOTD_SSH_PASSPHRASE"))
        yield Told(Level.OK, "ssh", f"key {path}: {key.get_name()} {fingerprint(key.asbytes())}")
    elif config.ssh.agent:
        yield Told(Level.OK, "ssh", "the keys are those of the ssh-agent at SSH_AUTH_SOCK")
    else:
        told = "no key_file and no agent: only keys that ssh_config names are offered; set [ssh] key_file"
        yield Told(Level.OK if config.ssh.config else Level.WARN, "ssh", told, "[ssh]")


def _routes(config: Config) -> Report:
    """ssh_config, and the host keys."""
    routes = Routes(config.ssh, _path(config, config.ssh.config), _path(config, config.ssh.known_hosts))
    if config.ssh.config:
        yield Told(Level.OK, "ssh", f"ssh_config {_path(config, config.ssh.config)} can be followed")
    files, policy = routes.known_hosts, config.ssh.host_key_policy
    count, names = KnownHosts(files).count, " ".join(map(str, files))
    if count:
        yield Told(Level.OK, "ssh", f"host keys of {count} names in {names}")
    elif policy == "reject":
        told = f"no host key in {names}: every login would end as host-key; write it with ssh-keyscan, and compare"
        yield Told(Level.FAIL, "ssh", told, "[ssh] known_hosts")
    if policy == "accept-any":
        told = "host_key_policy takes any host key: who takes a node's place can answer for it"
        yield Told(Level.WARN, "ssh", told, "[ssh] host_key_policy")


def _hosts(config: Config) -> Report:
    if config.nodes.hosts_file:
        Resolver(config)
        yield Told(Level.OK, "nodes", f"hosts file {_path(config, config.nodes.hosts_file)}")


def _password(config: Config) -> Report:
    secret = read_secret(config, config.bmc.password_file, "BOTD_BMC_PASSWORD")
    if not config.bmc.user:
        yield Told(Level.OK, "bmc", "no user: BMCs are asked whether they are there, and none for its power")
    elif secret:
        yield Told(Level.OK, "bmc", f"user {config.bmc.user}, with a password")
    else:
        told = f"user {config.bmc.user} has no password: set [bmc] password_file, or BOTD_BMC_PASSWORD"
        yield Told(Level.WARN, "bmc", told, "[bmc] user")


def _acting_password(config: Config) -> Report:
    """That of the user who acts on BMCs, where there is one."""
    user, file = config.actions.bmc_user, config.actions.bmc_password_file
    if user and file and read_secret(config, file, ""):
        yield Told(Level.OK, "actions", f"BMC user {user}, with a password")
    elif user or file:
        told = "bmc_user and bmc_password_file need each other, and the file a password in it"
        yield Told(Level.WARN, "actions", told, f"[actions] {'bmc_user' if user else 'bmc_password_file'}")


def _groups(config: Config) -> Report:
    groups, problems = read_groups(config.groups, partial(resolve_path, config))
    yield from (Told(Level.WARN, "groups", problem) for problem in problems)
    count = len({node for group in groups.values() for node in group.nodes})
    yield Told(Level.OK, "groups", f"{len(groups)} groups from files, with {count} nodes")


def _fping(config: Config) -> Report:
    program = (command_words(config.ping.command) or [""])[0]
    if shutil.which(program):
        yield Told(Level.OK, "ping", f"{program} is there")
    else:
        told = f"there is no {program}: one ping per node is started in its place; install fping"
        yield Told(Level.WARN, "ping", told, "[ping] command")
