"""What slurmdbd remembers of nodes: one call of sacctmgr, reasons with anything in them, and times of any form."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from botd.errors import SlurmFailed
from botd.inventory.events import FIELDS, parse_events, read_events
from botd.settings import SlurmSettings
from tests.inventory.conftest import write_tool
from tests.recorded import printed

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def row(**changes: str) -> str:
    told = {
        "node": "n1", "state": "DOWN*", "start": "1795755380", "end": "1795755382", "by": "root(0)",
        "reason": "Not responding", **changes,
    }  # fmt: skip
    return "|".join(told.values()) + "\n"


def test_a_reason_may_have_bars_newlines_and_what_looks_like_a_row_to_a_hasty_reader() -> None:
    events = parse_events(printed("slurm-22.05.8/events/sacctmgr-epoch.txt").decode())
    assert len(events) == 10
    assert [e.reason for e in events if e.node == "n0001.savio2"] == [
        "bad | DIMM -jd",
        "bad | DIMM -jd, ticket\nn0009|DOWN|forged",
    ]


def test_who_and_until_when_are_told_as_far_as_they_are_known() -> None:
    (event,) = parse_events(row(end="Unknown", by="jd(1001)"))
    assert (event.by, event.ends_at, event.begins_at) == ("jd", None, datetime.fromtimestamp(1795755380, UTC))


def test_nothing_is_no_event() -> None:
    assert parse_events("") == []


@pytest.mark.parametrize("name", ["sacctmgr-relative", "sacctmgr-strftime"])
def test_times_that_name_no_one_moment_are_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(SlurmFailed, match=r"names no one moment: .* SLURM_TIME_FORMAT=standard"):
        parse_events(printed(f"slurm-22.05.8/events/{name}.txt").decode())


@pytest.mark.parametrize("text", ["what is this\n", row(start="Unknown"), row(node="")])
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(SlurmFailed, match="sacctmgr printed what cannot be read"):
        parse_events(text)


def test_sacctmgr_is_asked_once_for_nodes_and_only_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_TIME_FORMAT", "relative")
    asked = tmp_path / "asked"
    script = f'[ -z "$SLURM_TIME_FORMAT" ] || exit 9\necho "$@" >>{asked}\nprintf %s "{row()[:-1]}"'
    settings = SlurmSettings(sacctmgr=write_tool(tmp_path, "sacctmgr", script))
    assert [event.node for event in read_events(settings, SINCE)] == ["n1"]
    words = asked.read_text().split()
    assert words[:6] == ["--readonly", "-n", "-P", "show", "event", "event=node"]
    assert words[6].startswith("start=202")
    assert words[7:] == [f"format={FIELDS}"]


def test_where_slurmdbd_is_away_its_words_are_told(tmp_path: Path) -> None:
    script = "echo 'sacctmgr: error: Sending PersistInit msg: Connection refused' >&2; exit 1"
    settings = SlurmSettings(sacctmgr=write_tool(tmp_path, "sacctmgr", script))
    with pytest.raises(SlurmFailed, match="Connection refused"):
        read_events(settings, SINCE)
