"""Whom a file on this machine may belong to, and who may read or write it, before botd believes what stands in it.

As ssh has it (OpenSSH 9.2, sshkey_perm_ok in authfile.c and SSHCONF_CHECKPERM in readconf.c), with two differences. A
secret that belongs to a third user is refused: ssh looks at no mode there, but that user can read it. And a
configuration that its owner's private group may write is taken, as Debian's ssh takes it: umask 0002 makes such files.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from botd.errors import ConfigError

VARIABLE = "BOTD_STRICT_MODES"
"""The environment variable that turns all of this off, as sshd's StrictModes does. It is no setting of the
configuration, because a file that others can write does not vouch for itself."""

_MAX_LINKS = 40
"""As many symbolic links as Linux follows on one way (path_resolution(7))."""

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
    if _is_open(found):
        _refuse(path, what, f"has mode {_mode(found)}, so that others can write it", "chmod go-w")
    _check_owner(path, what, found)


def others_may_write(path: Path) -> str:
    """Who besides root and the user who runs botd could write a file or put another in its place; empty where nobody.

    Looked at are the file, its directory, every parent, and the way of every symbolic link. A parent with the sticky
    bit that root owns, such as /tmp, is no objection where the next component belongs to one of the two: nobody else
    can then rename or remove that (unlink(2)). BOTD_STRICT_MODES changes nothing here. Raises OSError where there is
    no such file.
    """
    # What SQLite puts beside its file is not there yet, and lies where the links end.
    ends = {path.absolute(), Path(os.path.realpath(path))} if not path.is_dir() else set()
    for directory, entry in _way(path):
        found = os.stat(directory)
        holds_files = entry in ends
        if (why := _why_open(directory, found)) and (holds_files or not _keeps(found, os.lstat(entry))):
            return why
    return _why_open(path, os.stat(path))


def _way(path: Path) -> Iterator[tuple[Path, Path]]:
    """Each directory that is gone through on the way to a file, with what is looked for in it."""
    directory, ahead, links = Path("/"), list(reversed(path.absolute().parts)), 0
    while ahead:
        name = ahead.pop()
        entry = directory / name
        if name in ("/", ".."):
            directory = entry if name == "/" else directory.parent
            continue
        yield directory, entry
        if entry.is_symlink():
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            ahead += reversed(entry.readlink().parts)
        else:
            directory = entry


def _keeps(directory: os.stat_result, entry: os.stat_result) -> bool:
    """Whether a directory that others can write keeps what is in it from being replaced by them."""
    return bool(directory.st_mode & stat.S_ISVTX) and directory.st_uid == 0 and _is_trusted(entry)


def _why_open(path: Path, found: os.stat_result) -> str:
    """Why others can write there, empty where they cannot. An access control list shows in the bits of the group."""
    if not _is_trusted(found):
        return f"{path} {_stranger(found)}"
    has_list = "system.posix_acl_access" in os.listxattr(path)
    if _is_open(found) or (has_list and found.st_mode & _GROUP_WRITES):
        return f"{path} has mode {_mode(found)}, so that others can write it"
    return ""


def _is_open(found: os.stat_result) -> bool:
    """Whether the mode lets others write."""
    return bool(found.st_mode & _OTHERS_WRITE or (found.st_mode & _GROUP_WRITES and not _is_private_group(found)))


def _is_trusted(found: os.stat_result) -> bool:
    return found.st_uid in (0, os.geteuid())


def _stranger(found: os.stat_result) -> str:
    return f"belongs to the user {_name_of(found.st_uid)}, and neither to root nor to the user who runs botd"


def _check_owner(path: Path, what: str, found: os.stat_result) -> None:
    if not _is_trusted(found):
        _refuse(path, what, _stranger(found), "chown")


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
