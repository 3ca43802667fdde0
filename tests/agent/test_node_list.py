"""The node list of the agent: what is wrong with it is told once."""

from __future__ import annotations

from pathlib import Path

from botd.agent.node_list import NodeList
from botd.config import load_config
from botd.model import utc_now
from botd.store import Store


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
