"""A ledger that is not what was signed: it is not acted by until a person says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from nacl.public import PublicKey, SealedBox

from botd.audit import Checkpoint, Event, lines, make_checkpoint, verify
from botd.errors import BadRequest, LedgerUnavailable
from botd.ledger import Ledger
from botd.ledger.chain import read_chain
from botd.ledger.keys import key_file, new_keys, read_keys, write_keys
from tests.ledger.conftest import NOW

Open = Callable[[], Ledger]


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def record(ledger: Ledger, *logins: str) -> None:
    with ledger.write() as db:
        for login in logins:
            ledger.chain.add(db, Event("login", login), NOW)


def backup(ledger: Ledger, path: Path) -> Path:
    """A copy of the ledger as it is now."""
    with ledger.read() as db:
        db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(shutil.copy(path, path.with_name("backup")))


def restore(ledger: Ledger, path: Path) -> None:
    ledger.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.copy(path.with_name("backup"), path)


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """The file of checkpoints."""
    return tmp_path / "ledger-checkpoints.jsonl"


def signed(points: Path) -> list[Checkpoint]:
    return list(lines(points.read_text()))


def test_a_restored_ledger_is_off_until_somebody_says_rearm(
    ledger: Ledger, open_ledger: Open, path: Path, points: Path
) -> None:
    backup(ledger, path)
    record(ledger, "anna", "kmf")
    ledger.checkpoint(NOW)
    restore(ledger, path)
    again = open_ledger()
    assert "behind what it was at" in again.state(NOW).why
    assert "`botd rearm REASON` allows acting again" in again.state(NOW).why
    points.unlink()  # removing a file never re-arms
    assert "behind what it was at" in again.state(NOW).why
    assert "behind what it was at" in open_ledger().state(NOW).why
    again.rearm("kmf", "the disk died", later(1))
    assert again.state(later(2)).is_usable
    assert open_ledger().state(later(2)).is_usable


def test_what_was_lost_stands_in_the_audit_and_the_checkpoints_go_on(ledger: Ledger, path: Path, points: Path) -> None:
    backup(ledger, path)
    record(ledger, "anna", "kmf")
    lost = ledger.checkpoint(NOW)
    restore(ledger, path)
    ledger.open(NOW)
    ledger.rearm("kmf", "the disk died", later(1))
    record(ledger, "bea")
    ledger.checkpoint(later(2))
    verdict = verify(read_chain(path), signed(points))
    assert verdict.broken_at is None
    assert verdict.notes == (f"row 2: a person has said that rows up to {lost.size} were lost, and why",)


def test_a_process_notices_what_was_not_signed_yet(ledger: Ledger, path: Path) -> None:
    ledger.checkpoint(NOW)
    backup(ledger, path)
    record(ledger, "anna")
    assert ledger.state(NOW).is_usable
    restore(ledger, path)
    assert "behind what it was at" in ledger.state(NOW).why


def test_a_checkpoint_that_somebody_else_has_kept_tells_as_well(
    ledger: Ledger, open_ledger: Open, path: Path, points: Path
) -> None:
    ledger.checkpoint(NOW)
    first = points.read_bytes()
    backup(ledger, path)
    record(ledger, "anna")
    told = ledger.checkpoint(later(1))
    restore(ledger, path)
    points.write_bytes(first)
    assert open_ledger().state(later(2)).is_usable
    assert "behind what it was at" in open_ledger().state(later(2), told).why


def test_a_checkpoint_that_somebody_else_has_made_up_tells_nothing(ledger: Ledger) -> None:
    made_up = make_checkpoint(9000, "0" * 64, later(9), new_keys().sign)
    assert ledger.state(NOW, made_up).is_usable


def test_an_old_checkpoint_that_is_shown_again_after_a_rearm_tells_nothing(ledger: Ledger, path: Path) -> None:
    backup(ledger, path)
    record(ledger, "anna", "kmf", "bea")
    told = ledger.checkpoint(NOW)
    restore(ledger, path)
    ledger.open(NOW)
    ledger.rearm("kmf", "the disk died", later(1))
    assert ledger.state(later(2), told).is_usable


def test_a_ledger_that_was_lost_is_not_a_new_one(ledger: Ledger, open_ledger: Open, path: Path) -> None:
    record(ledger, "anna")
    ledger.checkpoint(NOW)
    ledger.close()
    shutil.rmtree(path.parent)
    assert "behind what it was at" in open_ledger().state(NOW).why


def test_checkpoints_that_were_taken_away_are_missed(ledger: Ledger, points: Path) -> None:
    ledger.checkpoint(NOW)
    assert ledger.state(NOW).is_usable
    points.rename(points.with_name("away"))
    assert "is gone: put it back" in ledger.state(NOW).why
    points.with_name("away").rename(points)
    assert ledger.state(NOW).is_usable
    points.unlink()
    ledger.rearm("kmf", "the file was lost", later(1))
    assert ledger.state(later(2)).is_usable


def test_where_nothing_is_wrong_there_is_nothing_to_rearm(ledger: Ledger) -> None:
    with pytest.raises(BadRequest, match="nothing to allow again"):
        ledger.rearm("kmf", "to be sure", NOW)


# ---- the file of checkpoints ----


def test_a_line_that_broke_off_is_written_over(ledger: Ledger, points: Path) -> None:
    first = ledger.checkpoint(NOW)
    with points.open("a") as file:
        file.write('{"at":"2026-11')
    assert ledger.checkpoints.newest() == first
    record(ledger, "anna")
    second = ledger.checkpoint(later(1))
    assert signed(points) == [first, second]


def test_a_file_that_holds_something_else_is_not_taken_for_none(ledger: Ledger, points: Path) -> None:
    points.write_text("somebody's notes\n")
    assert "is no checkpoint" in ledger.state(NOW).why


def test_a_place_that_cannot_be_written_is_said_with_its_setting(ledger: Ledger, points: Path) -> None:
    points.mkdir()
    with pytest.raises(LedgerUnavailable, match=r"\[ledger\] checkpoints"):
        ledger.checkpoint(NOW)


# ---- keys ----


def test_keys_are_made_once_and_for_nobody_else(ledger: Ledger, open_ledger: Open, path: Path, tmp_path: Path) -> None:
    assert ledger.state(NOW).is_usable
    assert key_file(path).stat().st_mode & 0o777 == 0o600
    assert open_ledger().state(NOW).is_usable
    assert (tmp_path / "ledger-seal.pub").read_text() == f"{ledger.keys().public}\n"
    assert (tmp_path / "ledger-seal.pub").stat().st_mode & 0o777 == 0o644


def test_keys_that_others_can_read_are_refused(ledger: Ledger, path: Path) -> None:
    key_file(path).chmod(0o640)
    assert "have mode 0640, so that others can read them" in ledger.state(NOW).why


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"seal": "00", "sign": "00", "old_seal": null, "old_until": null}'])
def test_a_file_without_keys_tells_nothing_of_what_stands_there(ledger: Ledger, path: Path, text: str) -> None:
    key_file(path).write_text(text)
    assert ledger.state(NOW).why == f"there are no keys in {key_file(path)}; put those of the backup there"


def test_keys_that_are_gone_are_made_again_only_by_a_rearm(ledger: Ledger, open_ledger: Open, path: Path) -> None:
    before = ledger.keys().public
    key_file(path).unlink()
    assert "there are no keys" in open_ledger().state(NOW).why
    ledger.rearm("kmf", "keys were not in the backup", later(1))
    assert ledger.state(later(2)).is_usable
    assert ledger.keys().public != before
    assert "row 2: keys were made, because there were none" in verify(read_chain(path)).notes


def test_keys_of_another_ledger_are_not_taken(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    write_keys(key_file(path), new_keys())
    assert "not those that it names" in ledger.state(NOW).why


def test_after_a_rotation_the_old_key_opens_for_five_minutes_and_the_chain_names_the_new_one(
    ledger: Ledger, path: Path, points: Path, tmp_path: Path
) -> None:
    ledger.checkpoint(NOW)
    sealed = seal(ledger.keys().public)
    ledger.rotate("kmf", NOW)
    keys = ledger.keys()
    assert keys.open(seal(keys.public), NOW) == keys.open(sealed, later(299)) == b"secret"
    with pytest.raises(ValueError, match="another key"):
        keys.open(sealed, later(300))
    assert (tmp_path / "ledger-seal.pub").read_text() == f"{keys.public}\n"
    assert ledger.state(later(1)).is_usable
    ledger.checkpoint(later(2))
    assert len({point.key for point in signed(points)}) == 2
    assert verify(read_chain(path), signed(points)).broken_at is None


def test_new_keys_do_not_hide_that_a_ledger_was_restored(ledger: Ledger, open_ledger: Open, path: Path) -> None:
    backup(ledger, path)
    record(ledger, "anna")
    ledger.checkpoint(NOW)
    restore(ledger, path)
    again = open_ledger()
    again.open(NOW)
    before = again.keys().public
    with pytest.raises(LedgerUnavailable, match=r"no new keys .* behind what it was at .* `botd rearm REASON`"):
        again.rotate("kmf", later(1))
    assert again.keys().public == before
    assert "behind what it was at" in again.state(later(2)).why
    again.rearm("kmf", "the disk died", later(3))
    again.rotate("kmf", later(4))
    assert again.state(later(5)).is_usable


def test_a_rotation_that_cannot_be_recorded_changes_no_key(ledger: Ledger, path: Path, monkeypatch) -> None:
    before = read_keys(key_file(path))

    def fail(*_: object) -> None:
        raise LedgerUnavailable("disk full")

    monkeypatch.setattr(ledger._meta, "set", fail)
    with pytest.raises(LedgerUnavailable):
        ledger.rotate("kmf", NOW)
    assert read_keys(key_file(path)).public == before.public
    monkeypatch.undo()
    assert ledger.state(NOW).is_usable


@pytest.mark.parametrize("sealed", [b"", b"x" * 100])
def test_what_is_not_sealed_is_refused(ledger: Ledger, sealed: bytes) -> None:
    with pytest.raises(ValueError, match="another key"):
        ledger.keys().open(sealed, NOW)


def seal(public: str) -> bytes:
    return SealedBox(PublicKey(bytes.fromhex(public))).encrypt(b"secret")


def test_a_public_key_in_a_place_that_others_can_write_is_said(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "ledger-seal.pub").touch()
    assert ledger.state(NOW).is_usable  # what stood there was another
    (tmp_path / "ledger-seal.pub").chmod(0o666)
    assert "[ledger] public_key" in ledger.state(NOW).why
