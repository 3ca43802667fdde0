"""`botd audit verify`, `rearm`, `keys rotate` and `ledger backup`, as a person types them."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from botd.audit import Event, Row, canonical, chained
from botd.cli import main
from botd.commands.ledger import copy_whole
from botd.config import load_config
from botd.errors import LedgerUnavailable
from botd.ledger import Ledger
from botd.ledger.chain import read_chain
from botd.ledger.keys import key_file
from botd.model import utc_now
from tests.conftest import leave_out

Botd = Callable[..., tuple[int, str, str]]


class Place:
    """A configuration with its ledger."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "botd.toml"
        self.config.touch()
        self.points = folder / "ledger-checkpoints.jsonl"
        self.ledger = Ledger(load_config(str(self.config)))
        self.path = self.ledger.path
        self.ledger.open(utc_now())

    def record(self, *logins: str) -> None:
        with self.ledger.write() as db:
            for login in logins:
                self.ledger.chain.add(db, Event("login", login), utc_now())

    @property
    def rows(self) -> list[Row]:
        return list(read_chain(self.path))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def botd(place: Place, capsys: pytest.CaptureFixture[str]) -> Botd:
    """Runs a command: its exit status and what it prints."""

    def run(*words: str) -> tuple[int, str, str]:
        status = main([*words, "--config", str(place.config)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_an_audit_that_is_whole_is_0_and_says_its_head(place: Place, botd: Botd) -> None:
    place.record("anna")
    place.ledger.checkpoint(utc_now())
    head = place.rows[-1].hash
    assert botd("audit", "verify") == (0, f"whole: 2 rows, head {head}\n", "")
    points = str(place.points)
    assert botd("audit", "verify", "--checkpoints", points) == (0, f"whole: 2 rows, head {head}, 1 checkpoints\n", "")


def test_a_row_that_was_altered_is_1_with_its_number(place: Place, botd: Botd) -> None:
    place.record("anna", "kmf")
    with sqlite3.connect(place.path) as db:
        db.execute("UPDATE audit SET document = replace(document, 'anna', 'bea') WHERE number = 2")
    status, out, _ = botd("audit", "verify")
    assert (status, out) == (1, "broken at row 2: row 2 is not what was written, or one before it is not\n")


@pytest.mark.parametrize("damage", ["document = x'7b7d'", "document = CAST(x'7bff7d' AS TEXT)", "hash = x'00'"])
def test_a_row_that_is_no_text_is_1_with_its_number(place: Place, botd: Botd, damage: str) -> None:
    place.record("anna", "kmf")
    with sqlite3.connect(place.path) as db:
        db.execute(f"UPDATE audit SET {damage} WHERE number = 2")
    status, out, _ = botd("audit", "verify")
    assert (status, out.startswith("broken at row 2: ")) == (1, True)


def test_a_forged_row_cannot_write_over_the_verdict(place: Place, botd: Botd) -> None:
    with place.ledger.write() as db:
        detail = {"lost_size": "\x1b[2Jwhole: 2 rows\n", "lost_head": ""}
        row = place.ledger.chain.add(db, Event("rearm"), utc_now())
        document = canonical({**json.loads(row.document), "detail": detail})
        db.exec_driver_sql(
            "UPDATE audit SET document = ?, hash = ? WHERE number = 2",
            (document, chained(place.ledger.chain.hash_at(db, 1), document)),
        )
    status, out, _ = botd("audit", "verify")
    assert (status, "\x1b" in out, out.count("\n")) == (0, False, 2)
    assert out.startswith("row 2: a person has said that rows up to \\x1b[2Jwhole: 2 rows\\x0a were lost")


def test_a_tail_that_was_cut_is_1_only_where_the_checkpoints_are_shown(place: Place, botd: Botd) -> None:
    place.record("anna", "kmf")
    place.ledger.checkpoint(utc_now())
    with sqlite3.connect(place.path) as db:
        db.execute("DELETE FROM audit WHERE number > 1")
    assert botd("audit", "verify")[0] == 0
    status, out, _ = botd("audit", "verify", "--checkpoints", str(place.points))
    assert (status, out.startswith("broken at row 2: rows 2 to 3 are missing")) == (1, True)


def test_what_cannot_be_read_is_2_and_nothing_is_made(place: Place, botd: Botd, tmp_path: Path) -> None:
    assert botd("audit", "verify", "--checkpoints", str(tmp_path / "nowhere"))[0] == 2
    place.points.write_text("no checkpoint\n")
    status, _, err = botd("audit", "verify", "--checkpoints", str(place.points))
    assert (status, "line 1 is no checkpoint" in err) == (2, True)
    place.ledger.close()
    place.path.unlink()
    assert botd("audit", "verify")[0] == 2
    assert not place.path.exists()


def test_rearm_wants_a_reason_and_something_to_allow(place: Place, botd: Botd) -> None:
    place.ledger.checkpoint(utc_now())
    assert botd("rearm", " ")[0] == 2
    assert botd("rearm", "to be sure") == (2, "", "botd: the ledger is what it was; nothing to allow again\n")
    place.points.unlink()
    assert "is gone" in place.ledger.state(utc_now()).why
    status, out, _ = botd("rearm", "the disk with the checkpoints died")
    assert (status, "allowed again" in out) == (0, True)
    assert '"by":"root (command line)"' in place.rows[-1].document or os.geteuid()
    assert "the disk with the checkpoints died" in place.rows[-1].document
    assert place.ledger.state(utc_now()).is_usable


def test_keys_are_exchanged_and_the_chain_stays_whole(place: Place, botd: Botd) -> None:
    before = place.ledger.keys().public
    assert botd("keys", "rotate")[0] == 0
    assert place.ledger.keys().public != before
    assert botd("audit", "verify", "--checkpoints", str(place.points))[0] == 0


def test_a_backup_is_whole_for_nobody_else_and_says_what_it_holds(place: Place, botd: Botd, tmp_path: Path) -> None:
    place.record("anna")
    copy = tmp_path / "ledger.backup"
    status, out, _ = botd("ledger", "backup", str(copy))
    assert (status, "it holds the secrets that codes are worked out from" in out) == (0, True)
    assert f"the keys are not in it: copy {key_file(place.path)} to another place" in out
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [row.number for row in read_chain(copy)] == [1, 2]
    assert '"kind":"backup"' in place.rows[-1].document
    assert sorted(path.name for path in tmp_path.glob("ledger.backup*")) == ["ledger.backup"]


def test_a_backup_takes_nobodys_place(place: Place, botd: Botd, tmp_path: Path) -> None:
    copy = tmp_path / "ledger.backup"
    copy.write_text("something else")
    status, _, err = botd("ledger", "backup", str(copy))
    assert (status, "name another one" in err) == (2, True)
    assert copy.read_text() == "something else"


def test_a_ledger_that_is_gone_is_neither_copied_nor_begun_anew(place: Place, botd: Botd, tmp_path: Path) -> None:
    place.ledger.close()
    place.path.unlink()
    status, _, err = botd("ledger", "backup", str(tmp_path / "ledger.backup"))
    assert (status, f"there is no ledger {place.path} to copy" in err) == (1, True)
    assert not place.path.exists()
    assert not (tmp_path / "ledger.backup").exists()


def test_a_backup_that_cannot_be_finished_leaves_nothing(place: Place, tmp_path: Path) -> None:
    before, (soft, hard) = sorted(tmp_path.iterdir()), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))  # as on a full disk
    try:
        with pytest.raises(LedgerUnavailable, match=r"cannot be copied to .*ledger\.backup"):
            copy_whole(place.path, tmp_path / "ledger.backup")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(tmp_path.iterdir()) == before


def test_a_ledger_that_is_still_to_be_made_belongs_to_who_has_its_directory(place: Place, botd: Botd) -> None:
    if os.geteuid() != 0:
        leave_out("only root gives a directory away: run `make test` as root")
    place.ledger.close()
    place.path.unlink()
    os.chown(place.path.parent, 65534, 65534)
    status, _, err = botd("user", "list")
    assert (status, "run this as that user, `runuser -u nobody`" in err) == (2, True)
    assert not place.path.exists()


@pytest.mark.parametrize("words", [("rearm", "x"), ("keys", "rotate"), ("ledger", "backup", "/tmp/x")])
def test_another_user_than_the_owner_is_told_how(place: Place, botd: Botd, words: tuple[str, ...]) -> None:
    if os.geteuid() != 0:
        leave_out("only root gives a file away: run `make test` as root")
    os.chown(place.path, 65534, 65534)
    status, _, err = botd(*words)
    assert status == 2
    assert "the ledger belongs to nobody: run this as that user, `runuser -u nobody`" in err
