"""A damaged SQLite file: seen when the agent starts, kept aside under another name, and never silently replaced."""

from __future__ import annotations

import logging
import sqlite3
import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from botd.errors import ConfigError

MAGIC = b"SQLite format 3\0"
"""How every SQLite file begins (https://sqlite.org/fileformat.html). A file that does not is somebody else's."""

COMPANIONS = ("", "-wal", "-shm")

DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_MISMATCH)

log = logging.getLogger(__name__)


def check_kind(path: Path, setting: str) -> None:
    """Raises ConfigError where something else than a file stands in its place: SQLite would say little of it."""
    with suppress(OSError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "neither a file nor a directory"
            raise ConfigError(f"{setting} names {path}, which is {kind}; name a file, which need not exist yet")


def set_aside(path: Path, damage: str, now: datetime) -> str:
    """Renames a damaged database and says so in a sentence. Raises OSError."""
    kept = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%SZ}")
    for suffix in COMPANIONS:
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{kept}{suffix}")
    note = f"the database was damaged ({damage}) and is kept as {kept.name}; the history begins anew at {now:%FT%TZ}"
    log.error("%s; `sqlite3 %s .recover` may save what is in it", note, kept)
    return note


def is_ours(path: Path) -> bool:
    """Whether a file is an SQLite database, or what damage has left of one."""
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
    except OSError:
        return False
    wrong = sum(a != b for a, b in zip(head, MAGIC, strict=False))
    return bool(head) and wrong <= 1


def find_damage(path: Path) -> str:
    """What SQLite finds wrong with a database of its own, empty where nothing or where the file is none.

    Reads the whole file, so it is done once, by the agent, before it uses it. An index that is at odds with its table
    is made anew.
    """
    if not is_ours(path):
        return ""
    database = sqlite3.connect(path, timeout=30)
    try:
        found = _says(database, "quick_check")
        if not found and _says(database, "integrity_check"):
            database.execute("REINDEX")
            found = _says(database, "integrity_check")
        return found or _odd_header(path)
    except UnicodeDecodeError:  # sqlite3 cannot even say what it has found
        return "names in its schema are no text"
    except sqlite3.IntegrityError as error:  # of an index that is made anew: a name is there twice
        return str(error)
    except sqlite3.Error as error:
        return str(error) if is_damage(error) else ""
    finally:
        database.close()


def is_damage(error: BaseException | None) -> bool:
    """Whether an error of SQLite says that the file, or something in it, is not as it was written."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ


def _says(database: sqlite3.Connection, check: str) -> str:
    """What a check of SQLite finds first, empty where nothing."""
    found = str(database.execute(f"PRAGMA {check}(1)").fetchone()[0])
    return "" if found == "ok" else " ".join(found.split())


def _odd_header(path: Path) -> str:
    """What SQLite takes for a file of a version to come, which it only reads."""
    with path.open("rb") as file:
        versions = file.read(20)[18:]
    return "" if set(versions) <= {1, 2} else f"file format {versions[0]} for writing, {versions[1]} for reading"
