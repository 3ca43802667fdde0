"""Notes end by themselves: the diagnosis of the node became another one, or the time of a snooze is over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from botd.agent.diagnoses import Diagnoses
from botd.agent.notes import NoteKeeper
from botd.errors import StoreUnavailable
from botd.model import Note, NoteKind
from tests.advice.cases import CHECKS, SILENT, readings
from tests.agent.test_diagnoses import DOWN, NODE, listed
from tests.conftest import Site


def write(site: Site, diagnosis: str = "silent", *, node: str = NODE, until_s: float | None = None) -> Note:
    until = site.now + timedelta(seconds=until_s) if until_s is not None else None
    kind = NoteKind.SAY if until is None else NoteKind.SNOOZE
    return site.store.notes.add(Note(node, kind, "parts ordered", "anna", site.now, diagnosis, until))


def ends(site: Site) -> list[str]:
    changes = site.store.changes.page(limit=99)
    return [each.why for each in reversed(changes) if each.subject == "note" and not each.new]


@pytest.fixture
def diagnoses(site: Site) -> Diagnoses:
    made = Diagnoses(CHECKS, site.store, lambda: site.now)
    made.load()
    made.record(listed(DOWN), {NODE: readings(SILENT)}, [NODE])
    return made


def test_a_note_stays_while_the_diagnosis_does(site: Site, diagnoses: Diagnoses) -> None:
    made = write(site)
    diagnoses.record(listed(DOWN), {NODE: readings(SILENT)}, [NODE])
    assert site.store.notes.of() == [made]


def test_a_note_ends_when_the_diagnosis_is_another_one_and_the_history_says_why(
    site: Site, diagnoses: Diagnoses
) -> None:
    write(site)
    other = write(site, node="n0001.savio2")
    diagnoses.record(listed(DOWN), {NODE: readings({})}, [NODE])
    assert site.store.notes.of() == [other]
    assert ends(site) == ["the diagnosis changed: slurmd runs, Slurm does not hear it"]


def test_a_note_on_a_node_that_is_well_again_ends_too(site: Site, diagnoses: Diagnoses) -> None:
    write(site)
    diagnoses.record(listed(), {NODE: readings({})}, [NODE])
    assert ends(site) == ["the diagnosis changed: the node is well"]


def test_a_note_for_the_diagnosis_that_a_sweep_is_about_to_record_stays(site: Site, diagnoses: Diagnoses) -> None:
    """A page shows readings as they come in, and the agent looks when the sweep is over."""
    made = write(site, "slurmd runs, Slurm does not hear it")
    diagnoses.record(listed(DOWN), {NODE: readings({})}, [NODE])
    assert site.store.notes.of() == [made]


def test_what_cannot_be_written_is_not_forgotten(site: Site, diagnoses: Diagnoses, monkeypatch) -> None:
    write(site)
    with monkeypatch.context() as broken:
        broken.setattr(site.store.changes, "record", lambda _: (_ for _ in ()).throw(StoreUnavailable("locked")))
        with pytest.raises(StoreUnavailable):
            diagnoses.record(listed(DOWN), {NODE: readings({})}, [NODE])
    diagnoses.record(listed(DOWN), {NODE: readings({})}, [NODE])
    assert ends(site) == ["the diagnosis changed: slurmd runs, Slurm does not hear it"]
    assert site.store.changes.last_words("diagnosis")[NODE, "diagnosis"] == "slurmd runs, Slurm does not hear it"


def test_a_snooze_ends_at_its_time_and_nothing_else_does(site: Site) -> None:
    keeper = NoteKeeper(site.store, lambda: site.now)
    said, _ = write(site), write(site, until_s=60)
    later = write(site, until_s=120)
    site.later(60)
    keeper.expire()
    assert site.store.notes.of() == [said, later]
    assert ends(site) == ["its time is over"]
