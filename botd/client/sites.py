"""Which botd is asked: BOFHBOT_URL, or the sites of a file::

    default = "brc"

    [sites.brc]
    url = "https://botd.brc.example.edu"
    ca_file = "/etc/ssl/our-ca.pem"          # default: the authorities of the system
    token_file = "~/.config/bofhbot.token"   # a token for a script, in place of a session
    ssh_key = "~/.ssh/id_ed25519.pub"        # what signs requests to act
    cluster = "brc"                          # [site] name of that botd; default: the name of the table
    agent_user = "botd-agent"                # who may read a credential of munge

All but `url` may be left out.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botd.client.trouble import Unusable
from botd.errors import did_you_mean
from botd.text import shown

ALL = "all"
"""The name that stands for every site."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEYS = ("url", "ca_file", "token_file", "ssh_key", "cluster", "agent_user")


@dataclass(frozen=True)
class Site:
    """One botd. `name` is empty for the one of BOFHBOT_URL."""

    name: str
    url: str
    ca_file: str = ""
    token_file: str = ""
    ssh_key: str = ""
    cluster: str = ""
    agent_user: str = "botd-agent"

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can listen: https, or this machine itself."""
        parts = urlsplit(self.url)
        return parts.scheme == "https" or _is_loopback(parts.hostname or "")


def chosen_sites(named: str | None, environ: Mapping[str, str] = os.environ) -> list[Site]:
    """The sites to ask: that which is named, all of them for `all`, else BOFHBOT_URL, else the default of the file.

    Raises Unusable.
    """
    if named is None and (url := environ.get("BOFHBOT_URL", "")):
        return [Site("", read_url("BOFHBOT_URL", url))]
    path = config_path(environ)
    sites, default = _read_file(path)
    if named == ALL and sites:
        return list(sites.values())
    name = named or default or (next(iter(sites)) if len(sites) == 1 else "")
    if name in sites:
        return [sites[name]]
    raise Unusable(_unknown(name, sites, path))


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the file of sites is looked for (XDG Base Directory Specification)."""
    return Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/"), ".config")) / "bofhbot.toml"


def parse_sites(document: Mapping[str, Any]) -> tuple[dict[str, Site], str]:
    """The sites of a file by name, and which is the default. Raises Unusable."""
    if odd := sorted(set(document) - {"default", "sites"}):
        raise Unusable(f'there is no "{shown(odd[0])}"{did_you_mean(odd[0], ["default", "sites"])}')
    tables, default = document.get("sites", {}), document.get("default", "")
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise Unusable('write each site as a table: [sites.brc] with url = "https://..."')
    sites = {name: _site(name, table) for name, table in tables.items()}
    if default and default not in sites:
        raise Unusable(f'default = "{shown(str(default))}" is none of the sites: {", ".join(sites) or "there is none"}')
    return sites, default


def read_url(where: str, text: str) -> str:
    """The URL of a botd without the slash at its end. Raises Unusable, naming the setting."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isprintable() or " " in text:
        raise Unusable(f'{where}: "{shown(text)}" is no URL; write it as in https://botd.example.edu')
    if parts.username is not None or parts.query or parts.fragment:
        raise Unusable(f"{where}: give scheme, host, port and path alone; bofhbot login is how one says who one is")
    return text.rstrip("/")


def _site(name: str, table: Mapping[str, Any]) -> Site:
    at = f"[sites.{shown(name)}]"
    if not _NAME.fullmatch(name) or name == ALL:
        raise Unusable(f'{at}: a name has letters, digits, ".", "_" and "-", and "all" stands for every site')
    for key, value in table.items():
        if key not in _KEYS:
            raise Unusable(f'{at} has no "{shown(key)}"{did_you_mean(key, _KEYS)}')
        if not isinstance(value, str):
            raise Unusable(f"{at} {key} must be a text")
    if "url" not in table:
        raise Unusable(f'{at} needs url = "https://..."')
    files = {key: os.path.expanduser(table.get(key, "")) for key in ("ca_file", "token_file", "ssh_key")}
    names = {"cluster": name, **{key: table[key] for key in ("cluster", "agent_user") if key in table}}
    return Site(name, read_url(f"{at} url", table["url"]), **files, **names)


def _read_file(path: Path) -> tuple[dict[str, Site], str]:
    try:
        return parse_sites(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        raise Unusable(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"cannot read {path} as TOML: {shown(str(error), 200)}") from error
    except Unusable as error:
        raise Unusable(f"{path}: {error}") from error


def _unknown(name: str, sites: Mapping[str, Site], path: Path) -> str:
    if not sites:
        return f"which botd? set BOFHBOT_URL, as in BOFHBOT_URL=http://localhost:5000, or name sites in {path}"
    if not name:
        return f"which botd? name one with --site: {', '.join(sites)}, or {ALL}; or write default = ... into {path}"
    return f'there is no site "{shown(name)}" in {path}{did_you_mean(name, sites) or "; there is " + ", ".join(sites)}'


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
