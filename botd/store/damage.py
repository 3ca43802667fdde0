"""A damaged SQLite file: seen when the agent starts, kept aside under another name, and never silently replaced."""

from __future__ import annotations

import logging
import sqlite3
from datetime import datetime
from pathlib import Path

MAGIC = b"SQLite format 3\0"
"""How every SQLite file begins (https://sqlite.org/fileformat.html). A file that does not is somebody else's."""

COMPANIONS = ("", "-wal", "-shm")

log = logging.getLogger(__name__)


def set_aside_if_damaged(path: Path, now: datetime) -> str:
    """Renames a damaged database and says so in a sentence; empty where there is nothing wrong.

    Reads the whole file, so it is done once, by the agent, before it uses it. Raises OSError.
    """
    damage = find_damage(path)
    if not damage:
        return ""
    kept = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%SZ}")
    for suffix in COMPANIONS:
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{kept}{suffix}")
    note = f"the database was damaged ({damage}) and is kept as {kept.name}; the history begins anew at {now:%FT%TZ}"
    log.error("%s; `sqlite3 %s .recover` may save what is in it", note, kept)
    return note


def find_damage(path: Path) -> str:
    """What SQLite finds wrong with a database of its own, empty where nothing or where the file is none."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return ""
    except FileNotFoundError:
        return ""
    database = sqlite3.connect(path, timeout=30)
    try:
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError:
        return ""  # locked, or not readable: no damage, and said by who uses it
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        database.close()
    return "" if found == "ok" else " ".join(str(found).split())
