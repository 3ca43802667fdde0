"""The node list, as the agent reads it, keeps it, and records and tells what changed in it."""

from __future__ import annotations

from pathlib import Path

from botd.agent.node_list import NodeList
from botd.config import load_config
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
        agent.wait(20)
    assert ("slurm", "", "drained") in slurm_words(lone, "n9")
