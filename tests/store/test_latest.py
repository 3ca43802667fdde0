"""Latest readings and the node list: what is written is read back, together or not at all. On both databases."""

from __future__ import annotations

from datetime import timedelta

from botd.model import utc_now
from botd.store import Store
from tests.store.conftest import Open

NOW = utc_now()
FAILED = {"ping": {"state": "fail"}}


def test_it_reads_back_only_what_was_written_since(store: Store) -> None:
    store.readings.write({"n1": {}, "n2": {}}, NOW)
    revision = store.pulse().revision
    store.readings.write({"n2": FAILED}, NOW)
    assert store.readings.since(revision) == {"n2": FAILED}
    assert store.readings.since(0) == {"n1": {}, "n2": FAILED}


def test_it_keeps_what_it_has_when_it_is_opened_again(store: Store, open_again: Open) -> None:
    store.readings.write({"n1": {}}, NOW)
    again = open_again()
    again.create()
    assert again.readings.since(0) == {"n1": {}}


def test_it_starts_no_revision_when_nothing_is_written(store: Store) -> None:
    before = store.pulse().revision
    store.readings.write({}, NOW)
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
