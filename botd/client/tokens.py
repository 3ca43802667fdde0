"""Sessions, kept for the next command in a file that nobody else reads.

One JSON object: of each URL its token, so that none ever goes to another address than that which gave it.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from botd.client.sites import Site
from botd.client.trouble import Unusable

MAX_FILE = 1_000_000
"""Bytes."""


def token_of(site: Site, environ: Mapping[str, str] = os.environ) -> str:
    """The token to show this site: that of its file, else of the session. Empty for nobody. Raises Unusable."""
    if site.token_file:
        return _read_private(Path(site.token_file)).strip()
    return _sessions(sessions_path(environ)).get(site.url, "")


def keep(site: Site, token: str, environ: Mapping[str, str] = os.environ) -> None:
    """Keeps the token of a session, or forgets it where it is empty. Raises Unusable."""
    path = sessions_path(environ)
    sessions = {url: kept for url, kept in _sessions(path).items() if url != site.url}
    if token:
        sessions[site.url] = token
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)  # of mode 0600
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(sessions, file)
        os.replace(name, path)
    except OSError as error:
        raise Unusable(f"cannot write {path}: {error.strerror}; set XDG_STATE_HOME to a place of your own") from error


def sessions_path(environ: Mapping[str, str]) -> Path:
    """Where sessions are kept (XDG Base Directory Specification)."""
    home = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "/"), ".local", "state")
    return Path(home) / "bofhbot" / "sessions.json"


def _sessions(path: Path) -> dict[str, str]:
    try:
        found = json.loads(_read_private(path))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(token, str) and token.isascii() for token in found.values()):
        raise Unusable(f"{path} is damaged: remove it, and log in again")
    return found


def _read_private(path: Path) -> str:
    """The text of a file that nobody else can read. Raises Unusable, FileNotFoundError."""
    try:
        with open(path, "rb") as file:
            held = os.fstat(file.fileno())
            if held.st_uid not in (os.getuid(), 0) or stat.S_IMODE(held.st_mode) & 0o077:
                raise Unusable(f"others could read {path}, which holds a token: end that, and chmod 600 {path}")
            return file.read(MAX_FILE).decode("ascii", "replace")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unusable(f"cannot read {path}: {error.strerror}") from error
