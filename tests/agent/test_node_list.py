"""The node list, as the agent reads it, keeps it, and records and tells what changed in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from botd.acting.cycles import Cycle
from botd.agent.node_list import NodeList
from botd.config import load_config
from botd.errors import StoreUnavailable
from botd.inventory.document import read_document
from botd.model import utc_now
from botd.store import Store
from tests.agent.conftest import SINFO, Lone, tried
from tests.conftest import need_program
from tests.program import wait_until


def test_a_problem_is_told_once_however_often_the_list_changes(tmp_path: Path, caplog) -> None:
    path, saved, groups = tmp_path / "botd.toml", tmp_path / "sinfo.txt", tmp_path / "groups"
    path.write_text('[slurm]\nsinfo_file = "sinfo.txt"\n[groups]\ndirectories = ["groups"]\n')
    groups.mkdir()
    (groups / "sinfo").write_text("n1\n")
    config = load_config(str(path))
    store = Store(config)
    store.create()
    node_list = NodeList(config, store, utc_now)
    for reason in ("bad GPU", "RMA open", "back from RMA"):
        saved.write_text(f"NODELIST REASON\nn1 {reason}\n")
        node_list.refresh()
    store.close()
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 1
    assert "has a meaning of its own" in told[0]


def test_a_slurm_that_stays_away_is_told_once_and_its_return_too(tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO")
    path, saved = tmp_path / "botd.toml", tmp_path / "sinfo.txt"
    path.write_text('[slurm]\nsinfo_file = "sinfo.txt"\n')
    config = load_config(str(path))
    store = Store(config)
    store.create()
    node_list = NodeList(config, store, utc_now)
    for _ in range(3):
        node_list.refresh()
    saved.write_text("NODELIST REASON\nn1 bad GPU\n")
    node_list.refresh()
    store.close()
    told = [record.getMessage() for record in caplog.records if "not read" in record.getMessage()]
    assert [line.startswith("over: ") for line in told] == [False, True]


def test_a_node_that_was_booted_while_it_was_out_is_known_to_the_next_agent_too(tmp_path: Path) -> None:
    """Where another agent wrote the list before, what happened meanwhile is found in what it left."""
    path, sinfo, document = tmp_path / "botd.toml", tmp_path / "sinfo", tmp_path / "sinfo.json"
    sinfo.write_text(f"#!/bin/sh\ncat {document}\n")
    sinfo.chmod(0o755)
    path.write_text(f'[slurm]\nsinfo = "{sinfo}"\n')
    now, found = utc_now().replace(microsecond=0), []
    for booted_at in (now - timedelta(days=9), now - timedelta(minutes=9), now):
        node = {"name": "n1", "state": "idle", "state_flags": ["DRAIN"], "boot_time": int(booted_at.timestamp())}
        document.write_text(json.dumps({"nodes": [node]}))
        store = Store(load_config(str(path)))
        store.create()
        node_list = NodeList(load_config(str(path)), store, lambda: now)
        node_list.refresh()
        found.append(node_list.cycles)
        node_list.refresh()
        assert node_list.cycles is found[-1]
        store.close()
    assert found == [(), (Cycle("n1", now - timedelta(minutes=9)),), (Cycle("n1", now),)]


def slurm_words(lone: Lone, node: str) -> list[tuple[str, str, str]]:
    found = lone.store.changes.page(nodes=[node], limit=99)
    return [(change.subject, change.old, change.new) for change in reversed(found)]


def test_a_drain_that_came_and_went_between_two_requests_is_in_the_history(tmp_path: Path, run_agent) -> None:
    need_program("fping")
    lone = Lone(tmp_path, refresh=0.1)
    run_agent(lone)
    sinfo = tmp_path / "sinfo.txt"
    sinfo.write_text(SINFO + "n9 down* 2026-11-23T20:20:00 jd no IB\n")
    wait_until(lambda: slurm_words(lone, "n9"))
    sinfo.write_text(SINFO)
    wait_until(lambda: len(slurm_words(lone, "n9")) == 4)
    assert slurm_words(lone, "n9") == [
        ("slurm", "", "down*"),
        ("reason", "", "no IB"),
        ("slurm", "down*", "not in Slurm"),
        ("reason", "no IB", ""),
    ]
    who = lone.store.changes.page(nodes=["n9"], limit=99)[-2].why
    assert who.startswith("set by jd at 2026-11-23T")


def test_a_drain_while_no_agent_ran_is_not_missed(tmp_path: Path) -> None:
    need_program("fping")
    lone = Lone(tmp_path)
    for text in (SINFO, SINFO + "n9 drain 2026-11-23T20:20:00 jd no IB\n"):
        (tmp_path / "sinfo.txt").write_text(text)
        before = lone.store.pulse().list_tried_at if text != SINFO else None
        agent = lone.process()
        wait_until(lambda: (tmp_path / "botd.db").exists() and tried(lone, before))  # noqa: B023
        agent.terminate()
        agent.wait(60)
    assert ("slurm", "", "drain") in slurm_words(lone, "n9")


class Listed:
    """A node list that an agent keeps of a saved sinfo output and a folder of groups, and its store."""

    def __init__(self, folder: Path) -> None:
        self.saved, self.groups = folder / "sinfo.txt", folder / "groups"
        self.groups.mkdir()
        path = folder / "botd.toml"
        path.write_text('[slurm]\nsinfo_file = "sinfo.txt"\n[groups]\ndirectories = ["groups"]\n')
        self._config = load_config(str(path))
        self.store = Store(self._config)
        self.store.create()
        self.now = utc_now()
        self.started()

    def started(self) -> None:
        """Another agent begins, which knows what the store holds and no more."""
        self.kept = NodeList(self._config, self.store, lambda: self.now)

    def says(self, *lines: str) -> None:
        """Slurm says this when it is asked a minute later."""
        self.saved.write_text("\n".join(["NODELIST REASON", *lines]) + "\n")
        self.now += timedelta(minutes=1)
        self.kept.refresh()

    def fails(self) -> None:
        """Slurm does not answer a minute later."""
        self.saved.unlink()
        self.now += timedelta(minutes=1)
        self.kept.refresh()

    def stored(self) -> list[str]:
        """The nodes in the store."""
        return sorted(read_document(self.store.node_list() or b"").names())

    def changes(self) -> list[tuple[str, str, str]]:
        """What is on record of reasons, oldest first."""
        found = reversed(self.store.changes.page(limit=99))
        return [(change.node, change.old, change.new) for change in found if change.subject == "reason"]


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[Listed]:
    made = Listed(tmp_path)
    yield made
    made.store.close()


def test_nodes_of_slurm_and_of_groups_are_in_memory_and_in_the_store(listed: Listed) -> None:
    assert (listed.kept.inventory.names(), listed.kept.tried_at) == ((), None)
    (listed.groups / "rack1").write_text("n[2-3]\n")
    listed.says("n1 no IB")
    assert set(listed.stored()) == set(listed.kept.inventory.names()) == {"n1", "n2", "n3"}
    pulse = listed.store.pulse()
    assert pulse.list_as_of == pulse.list_tried_at == listed.kept.tried_at == listed.now
    assert (pulse.list_status, pulse.list_error) == (None, None)


def test_a_list_is_written_only_where_it_changed_and_its_age_always(listed: Listed) -> None:
    listed.says("n1 no IB")
    listed.says("n1 no IB")
    pulse = listed.store.pulse()
    assert (pulse.list_revision, pulse.list_as_of) == (1, listed.now)
    (listed.groups / "rack1").write_text("n1\n")
    listed.says("n1 no IB")
    assert listed.store.pulse().list_revision == 2


def test_while_slurm_fails_its_last_nodes_stay_with_their_age_and_the_fault(listed: Listed) -> None:
    listed.says("n1 no IB")
    as_of = listed.now
    listed.fails()
    assert listed.stored() == sorted(listed.kept.inventory.names()) == ["n1"]
    pulse = listed.store.pulse()
    assert (pulse.list_as_of, pulse.list_tried_at, pulse.list_status) == (as_of, listed.now, 502)
    assert "sinfo.txt" in (pulse.list_error or "")
    listed.says("n1 no IB")
    assert listed.store.pulse().list_error is None


def test_groups_are_read_while_slurm_fails(listed: Listed) -> None:
    listed.says("n1 no IB")
    (listed.groups / "rack1").write_text("n2\n")
    listed.fails()
    assert listed.stored() == ["n1", "n2"]


def test_a_slurm_that_failed_changed_nothing_and_what_it_says_next_is_held_against_its_last_list(
    listed: Listed,
) -> None:
    listed.says("n1 no IB")
    listed.fails()
    assert listed.changes() == [("n1", "", "no IB")]
    listed.says("n1 bad GPU")
    assert listed.changes()[1:] == [("n1", "no IB", "bad GPU")]


def test_an_agent_that_starts_records_what_changed_since_the_last_one_and_nothing_twice(listed: Listed) -> None:
    listed.says("n1 no IB")
    listed.started()
    listed.says("n1 no IB")
    assert len(listed.changes()) == 1
    listed.started()
    listed.says("n2 bad GPU")
    assert listed.changes()[1:] == [("n1", "no IB", ""), ("n2", "", "bad GPU")]


def test_what_an_agent_cannot_read_at_its_start_is_no_end_of_the_nodes_that_were_known(listed: Listed) -> None:
    listed.says("n1 no IB")
    listed.started()
    listed.fails()
    listed.says("n1 no IB")
    assert listed.changes() == [("n1", "", "no IB")]


def test_a_list_that_could_not_be_written_is_written_the_next_time(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(listed.store, "write_node_list", full)
        with pytest.raises(StoreUnavailable):
            listed.says("n1 no IB")
    assert listed.kept.tried_at is None
    listed.says("n1 no IB")
    assert (listed.stored(), listed.changes()) == (["n1"], [("n1", "", "no IB")])
