"""`botd history import`, as a person types it: what it takes over, twice, and what it says where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from botd.cli import main
from botd.config import load_config
from botd.ledger import Ledger
from botd.model import DIAGNOSIS, REASON, SLURM, Change
from botd.store import Store
from tests.inventory.conftest import write_tool

Botd = Callable[..., tuple[int, str, str]]

DAY = timedelta(days=1)


def line(state: str, reason: str, ago: timedelta, lasts: timedelta, node: str = "n1") -> str:
    begin = datetime.now(UTC) - ago
    return f"{node}|{state}|{begin.timestamp():.0f}|{(begin + lasts).timestamp():.0f}|root(0)|{reason}\n"


EVENTS = (
    line("DRAIN", "Kill task failed", 90 * DAY, DAY)
    + line("DRAIN", "Kill task failed", 60 * DAY, DAY)
    + line("DOWN*", "Not responding", 59 * DAY + timedelta(hours=-2), timedelta(minutes=5))
    + line("DRAIN", "Kill task failed", 80 * DAY, DAY, "gone")
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "sinfo.txt").write_text("REASON USER TIMESTAMP NODELIST\nEpilog error root 2026-11-26T03:10:00 n1\n")
    (tmp_path / "events.txt").write_text(EVENTS)
    tool = write_tool(tmp_path, "sacctmgr", f"cat {tmp_path}/events.txt")
    text = f'[slurm]\nsinfo_file = "{tmp_path}/sinfo.txt"\nsacctmgr = "{tool}"\n'
    (tmp_path / "botd.toml").write_text(text)
    return tmp_path


@pytest.fixture
def botd(place: Path, capsys: pytest.CaptureFixture[str]) -> Botd:
    """Runs a command: its exit status and what it prints."""

    def run(*words: str) -> tuple[int, str, str]:
        status = main(["history", "import", *words, "--config", str(place / "botd.toml")])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def kept(place: Path) -> tuple[list[tuple[str, str, int, int]], list[tuple[str, float, bool]]]:
    ledger = Ledger(load_config(str(place / "botd.toml")))
    ledger.open(datetime.now(UTC))
    with ledger.read() as db:
        counts = [(each.action, each.source, each.good, each.bad) for each in ledger.outcomes.tallied(db)]
        spells = ledger.outcomes.spells(db)
    ledger.close()
    return counts, spells


def test_what_slurmdbd_remembers_is_taken_over_as_imported(place: Path, botd: Botd) -> None:
    status, out, _ = botd()
    assert status == 0
    assert "4 incidents of 2 nodes" in out
    assert "2 resumes of drained nodes: 1 good, 1 bad; 2 of them new" in out
    counts, spells = kept(place)
    assert sorted(counts) == [("resume", "imported", 0, 1), ("resume", "imported", 1, 0)]
    assert spells == [("silent", pytest.approx(5 / 60, abs=0.001), True)]


def test_incidents_that_are_over_are_kept_once(place: Path, botd: Botd) -> None:
    begin = datetime.now(UTC) - DAY
    (place / "events.txt").write_text(EVENTS + f"n1|DOWN*|{begin.timestamp():.0f}|Unknown|root(0)|Not responding\n")
    botd()
    botd()
    ledger = Ledger(load_config(str(place / "botd.toml")))
    ledger.open(datetime.now(UTC))
    with ledger.read() as db:
        found = ledger.outcomes.incidents(db, begin - 365 * DAY, datetime.now(UTC))
    ledger.close()
    assert [each.node for each in found] == ["gone", "n1", "n1", "n1"]


def test_twice_is_as_good_as_once(place: Path, botd: Botd) -> None:
    botd()
    before = kept(place)
    _, out, _ = botd()
    assert "0 of them new" in out
    assert kept(place) == before


def test_a_saved_output_does_as_well(place: Path, botd: Botd) -> None:
    (place / "botd.toml").write_text(f'[slurm]\nsinfo_file = "{place}/sinfo.txt"\nsacctmgr = "false"\n')
    assert botd("--file", str(place / "events.txt"))[0] == 0
    assert len(kept(place)[0]) == 2


def test_no_more_is_read_than_is_asked_for(place: Path, botd: Botd) -> None:
    assert "2 incidents of 1 nodes" in botd("--since", "70d")[1]


@pytest.mark.parametrize("form", ["sacctmgr.txt", "sacctmgr-epoch.txt"])
def test_what_a_real_sacctmgr_printed_is_taken_over(
    form: str, place: Path, botd: Botd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One silent node was back after a second; all others were drained anew or are out yet."""
    monkeypatch.setattr("botd.commands.history.utc_now", lambda: datetime(2026, 12, 20, tzinfo=UTC))
    nodes = "n[0000-0003].savio2,n[0000-0001].savio3"
    (place / "sinfo.txt").write_text(f"REASON USER TIMESTAMP NODELIST\nx root 2026-11-26T03:10:00 {nodes}\n")
    status, out, err = botd("--file", str(Path(__file__).parent.parent / "recorded/slurm-22.05.8/events" / form))
    assert (status, err) == (0, "")
    assert "6 incidents of 6 nodes" in out
    assert "0 resumes of drained nodes" in out
    assert "1 nodes were silent, 1 of them back alone within half an hour; 1 new" in out
    assert kept(place) == ([], [("silent", pytest.approx(1 / 3600, abs=1e-4), True)])


@pytest.mark.parametrize("since", ["soon", "0d", "90", "99999d"])
def test_a_time_that_is_none_is_refused(since: str, botd: Botd) -> None:
    status, _, err = botd("--since", since)
    assert status == 2
    assert "write days, such as 90d" in err


def test_what_cannot_be_asked_or_read_is_said_and_nothing_is_taken_over(place: Path, botd: Botd) -> None:
    (place / "events.txt").write_text("n1|DOWN|yesterday|Unknown|root(0)|x\n")
    status, _, err = botd()
    assert status == 1
    assert "SLURM_TIME_FORMAT=standard" in err
    assert botd("--file", str(place / "nosuch"))[0] == 2


# ---- replay ----


def test_a_time_on_record_is_gone_through_and_what_cannot_be_known_is_said(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(str(place / "botd.toml"))
    store, at = Store(config), datetime.now(UTC) - 3 * DAY
    store.create()
    store.changes.record(
        [
            Change("n1", SLURM, "in service", "down*", at, "Not responding", is_bad=True),
            Change("n1", REASON, "", "Not responding", at, "", is_bad=True),
            Change("n1", DIAGNOSIS, "", "silent", at, "", is_bad=True),
        ]
    )
    store.close()
    assert main(["replay", "--since", "30d", "--config", str(place / "botd.toml")]) == 0
    out = capsys.readouterr().out
    assert "1 diagnoses, 1 of them with something to press" in out
    assert "what cannot be known" in out
    (place / "policy.toml").write_text("[advice]\nleast_p = 0.99\n")
    main(["replay", "--policy", str(place / "policy.toml"), "--config", str(place / "botd.toml")])
    assert "1 diagnoses, 0 of them with something to press" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["[advise]\n", "[advice]\n[slurm]\n", "[advice]\nleast_p = 7\n", "what", ""])
def test_a_policy_that_is_none_is_refused(text: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "policy.toml").write_text(text)
    assert main(["replay", "--policy", str(place / "policy.toml"), "--config", str(place / "botd.toml")]) == 2
    assert capsys.readouterr().err
