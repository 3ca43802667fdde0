"""Faults of the SQLite file: locked, full, away, damaged, somebody else's."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from botd.config import parse_config
from botd.errors import ConfigError, StoreDamaged, StoreUnavailable
from botd.model import Change, utc_now
from botd.store import Store
from tests.conftest import leave_out
from tests.store.conftest import noise

NOW = utc_now()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "botd.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    made = Store(parse_config({"store": {"url": f"sqlite:///{path}", "timeout": 0.1}}))
    made.create()
    yield made
    made.close()


def test_a_locked_database_is_unavailable_and_nothing_is_half_written(store: Store, path: Path) -> None:
    store.readings.write({"n1": {}}, NOW)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.readings.write({"n1": noise(9), "n2": {}}, NOW)
    other.execute("ROLLBACK")
    assert store.readings.since(0) == {"n1": {}}


def test_readers_go_on_while_somebody_writes(store: Store, path: Path) -> None:
    store.readings.write({"n1": {}}, NOW)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE pulse SET revision = 99")
    assert store.readings.since(0) == {"n1": {}}
    other.execute("ROLLBACK")


def test_a_full_disk_is_unavailable_and_nothing_is_half_written(store: Store, path: Path) -> None:
    store.readings.write({"n1": {}}, NOW)
    with store._db._engine.connect() as db:  # SQLite's own limit gives the same error as a full disk (SQLITE_FULL)
        pages = db.exec_driver_sql("PRAGMA page_count").scalar_one()
        db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="full"):
        store.readings.write({f"m{i}": noise(5000) for i in range(50)} | {"n1": noise(9)}, NOW)
    assert store.readings.since(0) == {"n1": {}}


def test_a_folder_that_does_not_exist_is_unavailable(tmp_path: Path) -> None:
    store = Store(parse_config({"store": {"url": f"sqlite:///{tmp_path}/nowhere/botd.db"}}))
    with pytest.raises(StoreUnavailable, match="unable to open"):
        store.create()


def test_an_empty_database_names_the_agent(path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="botd agent"):
        Store(parse_config({"store": {"url": f"sqlite:///{path}"}})).pulse()


def test_a_file_that_is_no_database_is_said_plainly_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is not a database, but it is somebody's" * 50)
    with pytest.raises(StoreUnavailable, match="not a database"):
        Store(parse_config({"store": {"url": f"sqlite:///{path}"}})).create()
    assert path.read_bytes().startswith(b"this is not")


def fill(store: Store) -> None:
    store.readings.write({f"n{i}": noise(3000) for i in range(200)}, NOW)


def damage(path: Path) -> None:
    """Overwrites the middle of a database, as a broken disk does."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 3)
        file.write(os.urandom(100_000))


def test_a_damaged_database_is_kept_aside_and_the_new_one_says_so(path: Path, store: Store, caplog) -> None:
    fill(store)
    store.close()
    damage(path)
    broken = path.read_bytes()
    store.create(NOW)
    kept = path.with_name(f"botd.db.damaged-{NOW:%Y%m%dT%H%M%SZ}")
    assert kept.read_bytes() == broken
    assert store.readings.since(0) == {}
    assert kept.name in store.pulse().note
    assert store.pulse().history_since == NOW
    assert "is kept as" in caplog.text
    assert ".recover" in caplog.text


def test_who_had_the_damaged_file_open_goes_on_with_the_new_one(path: Path, store: Store) -> None:
    fill(store)
    damage(path)
    agent = Store(parse_config({"store": {"url": f"sqlite:///{path}"}}))
    agent.create(NOW)
    agent.readings.write({"new": {}}, NOW)
    assert store.readings.since(0) == {"new": {}}
    agent.close()


def test_a_sound_database_is_left_where_it_is(path: Path, store: Store) -> None:
    fill(store)
    store.close()
    store.create(NOW)
    assert len(store.readings.since(0)) == 200
    assert store.pulse().note is None
    assert list(path.parent.glob("*damaged*")) == []


def test_damage_that_shows_while_it_runs_has_a_name_of_its_own(path: Path, store: Store) -> None:
    fill(store)
    damage(path)
    with pytest.raises(StoreDamaged, match="agent that starts keeps it aside"):
        fill(store)


def test_a_disk_that_is_really_full_is_unavailable_and_works_again_with_room(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        leave_out("a file system of its own needs root: run `make test` as root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "disk", disk], check=True)
    try:
        store = Store(parse_config({"store": {"url": f"sqlite:///{disk}/botd.db"}}))
        store.create()
        store.readings.write({"n1": {}}, NOW)
        ballast = disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        with pytest.raises(StoreUnavailable, match="full"):
            store.readings.write({"n1": noise(9), "n2": noise(100_000)}, NOW)
        assert store.readings.since(0) == {"n1": {}}
        ballast.unlink()
        store.readings.write({"n1": noise(9), "n2": noise(100_000)}, NOW)
        assert len(store.readings.since(0)) == 2
        store.close()
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "nonsense", "sqlite:///"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[store\] url"):
        Store(parse_config({"store": {"url": url}}))


@pytest.mark.parametrize(("make", "kind"), [(os.mkdir, "a directory"), (os.mkfifo, "neither a file nor a directory")])
def test_what_is_no_file_in_its_place_is_said_at_the_start(path: Path, make: Callable[[Path], None], kind: str) -> None:
    make(path)
    with pytest.raises(ConfigError, match=rf"url names .*botd.db, which is {kind}"):
        Store(parse_config({"store": {"url": f"sqlite:///{path}"}}))


def test_a_node_list_with_a_flipped_bit_is_damaged_and_the_next_list_mends_it(path: Path, store: Store) -> None:
    def write() -> bool:
        return store.write_node_list(b'{"nodes": []}', as_of=NOW, error=None, now=NOW)

    assert [write(), write()] == [True, False]
    with sqlite3.connect(path) as database:
        (packed,) = database.execute("SELECT document FROM node_list").fetchone()
        database.execute("UPDATE node_list SET document = ?", (packed[:-9] + bytes([packed[-9] ^ 1]) + packed[-8:],))
    database.close()
    with pytest.raises(StoreDamaged, match="nodes and groups in the database are damaged"):
        store.node_list()
    assert write() is True
    assert store.node_list() == b'{"nodes": []}'


def test_a_letter_that_is_broken_keeps_nothing_beside_it_from_being_read(path: Path, store: Store) -> None:
    store.readings.write({}, NOW)
    for node in ("n1", "n2"):
        store.readings.write({node: {}}, NOW, changes=[Change(node, "ping", "ok", "fail", NOW)])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE changes SET node = CAST(x'6eff' AS TEXT) WHERE node = 'n1'")
    database.close()
    assert [change.node for change in store.changes.page(limit=9)] == ["n2", "n\ufffd"]


def test_a_count_that_fell_lets_no_older_readings_win(path: Path, store: Store) -> None:
    for turn in range(5):
        store.readings.write({"n1": {"ping": {"value": turn}}, "n2": {}}, NOW)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE pulse SET revision = 1")
    database.close()
    store.readings.write({"n1": {"ping": {"value": 9}}}, NOW)
    assert store.readings.since(0)["n1"] == {"ping": {"value": 9}}


def test_numbers_of_new_nodes_take_places_that_are_free(path: Path, store: Store) -> None:
    store.samples.write({"n1": {"load": 1.0}, "n2": {"load": 2.0}}, NOW)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE node_numbers SET number = 2 WHERE node = 'n1'")
    database.close()
    store.samples.write({"n3": {"load": 3.0}}, NOW + timedelta(minutes=1))
    assert [number for _, number in store.samples.of_node("n3", NOW, NOW + timedelta(hours=1))["load"]][-1] == 3.0


@pytest.mark.parametrize("table", ["latest", "pulse"])
def test_an_agent_that_starts_goes_on_where_a_number_has_become_a_text(store: Store, path: Path, table: str) -> None:
    """SQLite keeps any type in any column (https://sqlite.org/datatype3.html)."""
    store.readings.write({"n1": {}}, NOW)
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute(f"UPDATE {table} SET revision = 'text'")
    store.create(NOW)
    assert store.readings.since(0) == {}
    store.readings.write({"n1": {}}, NOW)
    assert store.readings.since(0) == {"n1": {}}
