"""`botd audit`, `rearm`, `keys` and `ledger`: what the ledger's owner does with it, on the machine of the agent."""

from __future__ import annotations

import os
import pwd
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from botd.audit import Checkpoint, Event, canonical, lines, read_checkpoint, verify
from botd.errors import BadRequest, ConfigError, LedgerUnavailable, StoreUnavailable
from botd.ledger import Ledger
from botd.ledger.chain import read_chain
from botd.ledger.keys import key_file
from botd.ledger.place import make_file
from botd.model import utc_now
from botd.settings import Config
from botd.store import Store
from botd.text import escaped

SECRETS = "it holds the secrets that codes are worked out from: whoever reads it can work out the codes of all in it"


def me() -> str:
    """Who runs this, for the audit. What sudo says is as good as the one who may run this anyway."""
    with suppress(KeyError):
        name = pwd.getpwuid(os.getuid()).pw_name
        return f"{os.environ.get('SUDO_USER') or name} (command line)"
    return f"uid {os.getuid()} (command line)"


@contextmanager
def owned(config: Config) -> Iterator[Ledger]:
    """The ledger, for the user that it belongs to. Raises ConfigError for anybody else, and LedgerUnavailable.

    Another user, and be it root, would leave files beside it that the agent cannot write.
    """
    ledger = Ledger(config)
    _check_owner(ledger.path)
    ledger.open(utc_now())
    try:
        yield ledger
    finally:
        ledger.close()


def _check_owner(path: Path) -> None:
    """Raises ConfigError for who is not the owner of a ledger, or of the directory that waits for one."""
    owner = _owner(path)
    if owner is None:
        owner = _owner(path.parent) or None  # root's directory does not say who the agent is
    if owner is not None and owner != os.geteuid():
        raise ConfigError(f"the ledger belongs to {_name(owner)}: run this as that user, `runuser -u {_name(owner)}`")


def _owner(path: Path) -> int | None:
    """Whose a file or directory is, None where that cannot be told."""
    try:
        return path.stat().st_uid
    except OSError:
        return None


def audit_verify(config: Config, file: str | None) -> int:
    """Says whether the audit is whole, also against a file of checkpoints: 0 whole, 1 broken, 2 it cannot be read."""
    try:
        points = list(lines(Path(file).read_text(encoding="ascii"))) if file else []
        verdict = verify(read_chain(Ledger(config).path), points)
    except (LedgerUnavailable, OSError, ValueError) as error:
        print(f"botd: the audit cannot be verified: {error}", file=sys.stderr)
        return 2
    # Who has forged rows may have written for this terminal.
    for note in verdict.notes:
        print(escaped(note))
    if verdict.broken_at is not None:
        print(escaped(f"broken at row {verdict.broken_at}: {verdict.why}"))
        return 1
    print(f"whole: {verdict.size} rows, head {verdict.head}" + (f", {len(points)} checkpoints" if file else ""))
    return 0


def rearm(config: Config, reason: str) -> int:
    """Allows acting by a ledger that was restored, or whose keys or checkpoints are gone. Raises BadRequest."""
    if not reason.strip():
        raise BadRequest("say why acting is to be allowed again: `botd rearm REASON`")
    with owned(config) as ledger:
        ledger.rearm(me(), reason, utc_now(), _told(config))
    print("acting is allowed again as far as the ledger is concerned; the agent sees it within half a minute")
    return 0


def keys_rotate(config: Config) -> int:
    """Puts new keys in the place of the old ones."""
    with owned(config) as ledger:
        ledger.rotate(me(), utc_now())
    print("new keys are in place; logins that were sealed to the old one are good for 5 minutes more")
    return 0


def ledger_backup(config: Config, file: str) -> int:
    """Copies the ledger whole while the agent runs. Raises ConfigError where a file is there already."""
    path, source = Path(file), Ledger(config).path
    _check_owner(source)
    if not source.exists():  # the backups of before are not to be replaced by one of nothing
        raise LedgerUnavailable(f"there is no ledger {source} to copy: does [ledger] url name it?")
    with owned(config) as ledger:
        copy_whole(source, path)
        with ledger.write() as db:
            ledger.chain.add(db, Event("backup", me(), about=str(path)), utc_now())
    print(f"copied to {path}, for you alone; {SECRETS}")
    print(f"the keys are not in it: copy {key_file(source)} to another place, once and after each `botd keys rotate`")
    return 0


def copy_whole(source: Path, path: Path) -> None:
    """Copies a database whole, or makes no file. Raises ConfigError, LedgerUnavailable."""
    try:
        if not make_file(path):
            raise ConfigError(f"there is a file {path} already; name another one")
        try:
            with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(path)) as copy:
                old.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")  # one file, and nothing beside it
        except BaseException:
            path.unlink()
            raise
    except (OSError, sqlite3.Error) as error:
        raise LedgerUnavailable(f"the ledger cannot be copied to {path}: {error}") from error


def _told(config: Config) -> Checkpoint | None:
    """The checkpoint that the shared database has, None where it has none or cannot be asked."""
    store = Store(config)
    with suppress(StoreUnavailable, ValueError, TypeError, RecursionError):
        return read_checkpoint(canonical(store.copies.get("ledger", "head")))
    return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
