"""Where the ledger lies: a directory and a file that nobody but the agent and root can write, and nobody else read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from botd.errors import LedgerUnavailable
from botd.file_modes import others_may_write

ELSEWHERE = "or name another place in [ledger] url"


def make_place(path: Path) -> None:
    """Makes the file, and its directory where only that is missing. Raises LedgerUnavailable."""
    directory = path.parent
    try:
        if not directory.exists():
            directory.mkdir(mode=0o700)
        if why := others_may_write(directory):
            raise LedgerUnavailable(_refusal(why))
        make_file(path)
    except OSError as error:
        raise LedgerUnavailable(
            f"the ledger {path} cannot be made ({error.strerror}): make {directory}, with mode 0700 "
            f"and for the agent's user, {ELSEWHERE}"
        ) from error


def make_file(path: Path) -> bool:
    """Makes an empty file for nobody else to read, unless one is there; whether it did. Raises OSError."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        return False
    return True


def check_place(path: Path) -> None:
    """Raises LedgerUnavailable where others can write the file, its directory or a parent, or read it.

    Cheap enough to be done before every transaction: some lstat(2) for each component of the path.
    """
    try:
        if why := others_may_write(path):
            raise LedgerUnavailable(_refusal(why))
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise LedgerUnavailable(f"the ledger {path} cannot be looked at: {error.strerror}") from error
    if mode & 0o077:
        raise LedgerUnavailable(f"the ledger {path} has mode {mode:04o}, so that others can read it: chmod 600 it")


def _refusal(why: str) -> str:
    return f"{why}: let nobody but root and the agent's user write there, {ELSEWHERE}"
