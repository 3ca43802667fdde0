"""The store: what is written is read back, together or not at all, and a fault is said plainly."""

from __future__ import annotations

import os
import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from botd.config import parse_config
from botd.errors import ConfigError, StoreUnavailable, TooMany, UnknownSweep
from botd.model import SweepState, utc_now
from botd.store import KEPT_SWEEPS, Store

NOW = utc_now()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "botd.db"


@pytest.fixture
def store(path: Path):
    made = Store(parse_config({"store": {"url": f"sqlite:///{path}", "timeout": 0.1}}))
    made.create()
    yield made
    made.close()


def test_it_reads_back_only_what_was_written_since(store: Store) -> None:
    store.write_readings({"n1": b"{}", "n2": b"{}"}, NOW)
    revision = store.pulse().revision
    store.write_readings({"n2": b'{"new":1}'}, NOW)
    assert store.readings_since(revision) == {"n2": b'{"new":1}'}
    assert store.readings_since(0) == {"n1": b"{}", "n2": b'{"new":1}'}


def test_it_keeps_what_it_has_when_it_is_opened_again(store: Store, path: Path) -> None:
    store.write_readings({"n1": b"{}"}, NOW)
    again = Store(parse_config({"store": {"url": f"sqlite:///{path}"}}))
    again.create()
    assert again.readings_since(0) == {"n1": b"{}"}


def test_it_starts_no_revision_when_nothing_is_written(store: Store) -> None:
    before = store.pulse().revision
    store.write_readings({}, NOW)
    assert store.pulse().revision == before


def test_it_keeps_the_last_good_node_list_when_a_later_one_fails(store: Store) -> None:
    store.write_node_list(b"[1]", as_of=NOW, error=None, now=NOW)
    later = NOW + timedelta(seconds=60)
    store.write_node_list(None, as_of=NOW, error=(502, "sinfo: not found"), now=later)
    pulse = store.pulse()
    assert store.node_list() == b"[1]"
    assert (pulse.list_status, pulse.list_error) == (502, "sinfo: not found")
    assert pulse.list_as_of == NOW
    assert pulse.list_tried_at == later
    assert pulse.list_revision == 1


def test_two_requests_for_the_same_share_one_sweep(store: Store) -> None:
    first = store.request_sweep(["n1", "n2"], ["ping"], 0, NOW, queue_limit=9)
    assert store.request_sweep(["n2", "n1"], ["ping"], 0, NOW, queue_limit=9) == first
    store.claim_sweep(NOW)
    assert store.request_sweep(["n1", "n2"], ["ping"], 0, NOW, queue_limit=9) == first
    store.end_sweep(first, SweepState.DONE, [], NOW)
    assert store.request_sweep(["n1", "n2"], ["ping"], 0, NOW, queue_limit=9) != first


@pytest.mark.parametrize(
    ("nodes", "checks", "max_age_s"), [(["n1"], ["ping"], 0), (["n1", "n2"], ["ssh"], 0), (["n1", "n2"], ["ping"], 5)]
)
def test_requests_for_something_else_share_none(store: Store, nodes, checks, max_age_s) -> None:
    first = store.request_sweep(["n1", "n2"], ["ping"], 0, NOW, queue_limit=9)
    assert store.request_sweep(nodes, checks, max_age_s, NOW, queue_limit=9) != first


def test_many_at_once_share_one_sweep(store: Store) -> None:
    found: list[int] = []

    def ask() -> None:
        found.append(store.request_sweep(["n1"], ["ping"], 0, NOW, queue_limit=9))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1


def test_it_refuses_more_sweeps_than_may_wait(store: Store) -> None:
    store.request_sweep(["n1"], ["ping"], 0, NOW, queue_limit=1)
    with pytest.raises(TooMany):
        store.request_sweep(["n2"], ["ping"], 0, NOW, queue_limit=1)


def test_sweeps_are_taken_up_in_their_order(store: Store) -> None:
    ids = [store.request_sweep([node], ["ping"], 0, NOW, queue_limit=9) for node in ("n1", "n2")]
    taken = [store.claim_sweep(NOW), store.claim_sweep(NOW), store.claim_sweep(NOW)]
    assert [sweep.id if sweep else None for sweep in taken] == [*ids, None]


def test_a_sweep_that_is_done_has_done_all_its_nodes(store: Store) -> None:
    sweep = store.start_sweep(["n1", "n2"], ["ping"], NOW)
    store.progress_sweep(sweep.id, 1)
    assert (store.sweep(sweep.id).done, store.sweep(sweep.id).total) == (1, 2)
    store.end_sweep(sweep.id, SweepState.DONE, ["squeue failed"], NOW)
    ended = store.sweep(sweep.id)
    assert (ended.state, ended.done, ended.errors) == (SweepState.DONE, 2, ("squeue failed",))


def test_sweeps_of_a_dead_agent_are_cut_and_waiting_ones_still_wait(store: Store) -> None:
    running = store.start_sweep(["n1"], ["ping"], NOW)
    waiting = store.request_sweep(["n2"], ["ping"], 0, NOW, queue_limit=9)
    assert store.cut_sweeps(NOW) == 1
    assert store.sweep(running.id).state is SweepState.CUT
    assert store.sweep(waiting).state is SweepState.QUEUED


def test_an_unknown_sweep_is_said_to_be_unknown(store: Store) -> None:
    with pytest.raises(UnknownSweep, match="77"):
        store.sweep(77)


def test_old_sweeps_are_forgotten(store: Store) -> None:
    old = store.start_sweep(["n1"], ["ping"], NOW)
    store.end_sweep(old.id, SweepState.DONE, [], NOW)
    for _ in range(KEPT_SWEEPS):
        newest = store.start_sweep(["n1"], ["ping"], NOW)
    store.end_sweep(newest.id, SweepState.DONE, [], NOW)
    with pytest.raises(UnknownSweep):
        store.sweep(old.id)


def test_a_locked_database_is_unavailable_and_nothing_is_half_written(store: Store, path: Path) -> None:
    store.write_readings({"n1": b"{}"}, NOW)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.write_readings({"n1": b"[]", "n2": b"[]"}, NOW)
    other.execute("ROLLBACK")
    assert store.readings_since(0) == {"n1": b"{}"}


def test_readers_go_on_while_somebody_writes(store: Store, path: Path) -> None:
    store.write_readings({"n1": b"{}"}, NOW)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE pulse SET revision = 99")
    assert store.readings_since(0) == {"n1": b"{}"}
    other.execute("ROLLBACK")


def test_a_full_disk_is_unavailable_and_nothing_is_half_written(store: Store, path: Path) -> None:
    store.write_readings({"n1": b"{}"}, NOW)
    with store._engine.connect() as db:  # SQLite's own limit gives the same error as a full disk (SQLITE_FULL)
        pages = db.exec_driver_sql("PRAGMA page_count").scalar_one()
        db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="full"):
        store.write_readings({f"m{i}": os.urandom(5000) for i in range(50)} | {"n1": b"[]"}, NOW)
    assert store.readings_since(0) == {"n1": b"{}"}


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


def test_a_database_of_another_schema_is_refused(store: Store, path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("UPDATE pulse SET schema_version = 99")
    with pytest.raises(ConfigError, match="schema 99"):
        store.create()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "nonsense", "sqlite:///"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[store\] url"):
        Store(parse_config({"store": {"url": url}}))
