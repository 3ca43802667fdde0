"""Whom a file on this machine may belong to, and who may read or write it, before botd believes what stands in it.

As ssh has it (OpenSSH 9.2, sshkey_perm_ok in authfile.c and SSHCONF_CHECKPERM in readconf.c), with two differences. A
secret that belongs to a third user is refused: ssh looks at no mode there, but that user can read it. And a
configuration that its owner's private group may write is taken, as Debian's ssh takes it: umask 0002 makes such files.
"""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from botd.errors import ConfigError

VARIABLE = "BOTD_STRICT_MODES"
"""The environment variable that turns all of this off, as sshd's StrictModes does. It is no setting of the
configuration, because a file that others can write does not vouch for itself."""

_GROUP_READS, _GROUP_WRITES, _OTHERS_WRITE, _OTHERS = 0o040, 0o020, 0o002, 0o077


def check_private(path: Path, what: str) -> None:
    """Raises ConfigError for a secret that others can read or write, and OSError when there is no such file.

    root's file may be read by its group, which is how an agent that is not root reads it: `root:botd-agent`, 0640.
    """
    found = os.stat(path)
    granted = _GROUP_READS if found.st_uid == 0 and os.geteuid() != 0 else 0
    if found.st_mode & _OTHERS & ~granted:
        _refuse(path, what, f"has mode {_mode(found)}, so that others can read or write it", "chmod 600")
    _check_owner(path, what, found)


def check_unwritable(path: Path, what: str) -> None:
    """Raises ConfigError for a file that others can write, and OSError when there is no such file."""
    found = os.stat(path)
    if found.st_mode & _OTHERS_WRITE or (found.st_mode & _GROUP_WRITES and not _is_private_group(found)):
        _refuse(path, what, f"has mode {_mode(found)}, so that others can write it", "chmod go-w")
    _check_owner(path, what, found)


def _check_owner(path: Path, what: str, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        why = f"belongs to the user {_name_of(found.st_uid)}, and neither to root nor to the user who runs botd"
        _refuse(path, what, why, "chown")


def _refuse(path: Path, what: str, why: str, step: str) -> None:
    if os.environ.get(VARIABLE, "").lower() != "no":
        raise ConfigError(f"{what} {path} {why}: {step} it, or set {VARIABLE}=no")


def _is_private_group(found: os.stat_result) -> bool:
    """Whether the group is the one that useradd(8) makes for a user: of the owner's name, with nobody else in it."""
    try:
        owner, group = pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    return group.gr_name == owner and set(group.gr_mem) <= {owner}


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _mode(found: os.stat_result) -> str:
    return f"{found.st_mode & 0o7777:04o}"
