"""The ledger's file: where it may lie, and what is said where it cannot be acted by."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from botd.config import parse_config
from botd.errors import ConfigError, LedgerUnavailable
from botd.ledger import Ledger
from botd.ledger.schema import metadata
from botd.model import utc_now
from tests.conftest import leave_out

NOW = utc_now()

Open = Callable[[], Ledger]


def test_it_is_made_for_the_agent_alone(ledger: Ledger, path: Path) -> None:
    assert path.parent.stat().st_mode & 0o7777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert ledger.state(NOW).is_usable


def test_the_umask_gives_nothing_to_others(open_ledger: Open, path: Path) -> None:
    before = os.umask(0)
    try:
        assert open_ledger().state(NOW).why == ""
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o077 for file in [path.parent, *path.parent.iterdir()]} == {0}


def test_what_is_written_is_on_the_disk_when_the_transaction_is_over(ledger: Ledger) -> None:
    with ledger.read() as db:
        assert db.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


def test_the_migrations_make_the_tables_of_the_schema(ledger: Ledger, path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as db:
        assert compare_metadata(MigrationContext.configure(db), metadata) == []
    engine.dispose()


@pytest.mark.parametrize("url", ["postgresql://ledger", "sqlite://", "nonsense"])
def test_it_is_a_file(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[ledger\] url"):
        Ledger(parse_config({"ledger": {"url": url}}, path=str(tmp_path / "botd.toml")))


# ---- out of place ----


def refuses(ledger: Ledger, *words: str) -> None:
    """It says why it cannot be acted by, and lets nobody read or write."""
    why = ledger.state(NOW).why
    for word in words:
        assert word in why
    for transaction in (ledger.read, ledger.write):
        with pytest.raises(LedgerUnavailable), transaction():
            pytest.fail("a ledger that cannot be trusted was used")


def test_a_directory_that_others_can_write_is_no_place(open_ledger: Open, path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o2777)
    refuses(open_ledger(), "has mode 2777, so that others can write it", "name another place in [ledger] url")
    assert not path.exists()


def test_a_directory_that_becomes_writable_ends_the_acting_until_it_is_mended(ledger: Ledger, path: Path) -> None:
    path.parent.chmod(0o777)
    refuses(ledger, "has mode 0777, so that others can write it")
    path.parent.chmod(0o700)
    assert ledger.state(NOW).is_usable


def test_a_file_that_others_can_read_tells_secrets(ledger: Ledger, path: Path) -> None:
    path.chmod(0o640)
    refuses(ledger, "has mode 0640, so that others can read it: chmod 600 it")


def test_a_place_without_a_parent_is_said_with_the_next_step(tmp_path: Path) -> None:
    ledger = Ledger(parse_config({"ledger": {"url": "sqlite:///no/where/ledger.db"}}, path=f"{tmp_path}/botd.toml"))
    refuses(ledger, f"make {tmp_path}/no/where, with mode 0700")


def test_a_link_that_somebody_has_laid_there_is_not_followed_to_a_new_file(
    open_ledger: Open, path: Path, tmp_path: Path
) -> None:
    path.parent.mkdir(mode=0o700)
    path.symlink_to(tmp_path / "elsewhere.db")
    refuses(open_ledger())
    assert not (tmp_path / "elsewhere.db").exists()


# ---- lost, damaged, unwritable, full ----


def test_a_file_that_is_removed_is_not_made_anew_by_an_agent_that_runs(ledger: Ledger, path: Path) -> None:
    path.unlink()
    refuses(ledger, "cannot be looked at: No such file or directory")
    assert not path.exists()


def test_a_damaged_ledger_is_left_where_it_is(ledger: Ledger, open_ledger: Open, path: Path) -> None:
    ledger.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    damaged = path.read_bytes()
    refuses(open_ledger(), "the ledger is damaged", "docs/ledger.rst")
    assert path.read_bytes() == damaged
    assert list(path.parent.glob("*damaged*")) == []


def test_a_file_that_is_no_ledger_is_left_alone(open_ledger: Open, path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    path.write_bytes(b"somebody's letters" * 100)
    refuses(open_ledger(), "not a database")
    assert path.read_bytes().startswith(b"somebody's")


def test_a_ledger_of_a_newer_botd_is_not_used(ledger: Ledger, open_ledger: Open, path: Path) -> None:
    ledger.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    refuses(open_ledger(), "made by a newer botd")


def test_a_locked_ledger_says_so_and_is_used_again_afterwards(ledger: Ledger, path: Path) -> None:
    ledger._db._engine.dispose()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ledger.read() as db:
        db.exec_driver_sql("PRAGMA busy_timeout = 1")
    assert "locked" in ledger.state(NOW).why
    other.execute("ROLLBACK")
    other.close()
    assert ledger.state(NOW).is_usable


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    if os.geteuid() != 0:
        leave_out("a file system of its own needs root: run `make test` as root")
    found = tmp_path / "disk"
    found.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "disk", found], check=True)
    yield found
    subprocess.run(["umount", "-l", found], check=True)


def test_who_waits_for_another_transaction_of_this_process_waits_no_longer_than_the_limit(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botd.ledger.LONGEST_WAIT_S", 0.05)
    told: list[str] = []

    def write() -> None:
        try:
            with ledger.write():
                told.append("written")
        except LedgerUnavailable as error:
            told.append(str(error))

    with ledger.write():
        late = threading.Thread(target=write)
        late.start()
        late.join()
    write()
    assert told[0].startswith("another transaction of this process has held the ledger for 0.05 s")
    assert told[1:] == ["written"]


def test_a_full_disk_ends_the_acting_until_there_is_room(disk: Path) -> None:
    ledger = Ledger(parse_config({"ledger": {"url": "sqlite:///ledger.db"}}, path=f"{disk}/botd.toml"))
    assert ledger.state(NOW).is_usable
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        while shutil.disk_usage(disk).free:
            ballast.write(bytes(shutil.disk_usage(disk).free))
    # SQLite writes no page that stays as it is.
    assert "the ledger cannot be used now" in ledger.state(NOW + timedelta(seconds=1)).why
    (disk / "ballast").unlink()
    assert ledger.state(NOW + timedelta(seconds=2)).is_usable
    ledger.close()


def test_a_disk_that_can_only_be_read_ends_the_acting(disk: Path) -> None:
    ledger = Ledger(parse_config({"ledger": {"url": "sqlite:///ledger.db"}}, path=f"{disk}/botd.toml"))
    assert ledger.state(NOW).is_usable
    ledger.close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert "the ledger cannot be used now" in ledger.state(NOW).why
    ledger.close()
