"""Who runs this program, as ssh sees it: by passwd(5), and not by USER and HOME, which `runuser -u` leaves alone."""

from __future__ import annotations

import functools
import getpass
import os
import pwd


def own_name() -> str:
    """The name of the user who runs this program."""
    entry = _entry()
    return entry.pw_name if entry else getpass.getuser()


def in_home(path: str) -> str:
    """The path with `~` and `~user` at its beginning filled in."""
    if path == "~" or path.startswith("~/"):
        entry = _entry()
        if entry:
            return entry.pw_dir + path[1:]
    return os.path.expanduser(path)


@functools.cache
def _entry() -> pwd.struct_passwd | None:
    """The user's line in passwd(5), asked for once: behind it may stand a directory service. None in a container whose
    user has no line.
    """
    try:
        return pwd.getpwuid(os.getuid())
    except KeyError:
        return None
