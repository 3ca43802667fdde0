"""The JSON shapes of readings, nodes, checks and sweeps."""

from __future__ import annotations

import json
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone

from botd.checks import site_checks
from botd.config import parse_config
from botd.documents import (
    check_document,
    decode,
    encode,
    hostinfo_node_document,
    iso,
    node_document,
    reading_document,
    sweep_document,
    unread_document,
)
from botd.model import Reading, SlurmNode, State, Sweep, SweepState

AT = datetime(2026, 11, 23, 20, 16, 37, 123_999, tzinfo=UTC)
TEXT = "2026-11-23T20:16:37.123Z"
CHECKS = site_checks(parse_config({"mounts": {"tmp": "/tmp"}}))
NODE = SlurmNode("n1.x", "drained*", "IDLE", ("DRAIN", "NOT_RESPONDING"), reason="no IB", reason_at=AT, boot_at=AT)


def test_a_time_has_milliseconds_and_is_utc() -> None:
    assert iso(AT) == TEXT
    assert iso(AT.astimezone(timezone(timedelta(hours=-8)))) == TEXT
    assert iso(None) is None


def test_texts_of_times_sort_as_the_times_do() -> None:
    times = [AT, AT.replace(microsecond=0), AT + timedelta(days=400), AT - timedelta(milliseconds=1)]
    assert sorted(filter(None, map(iso, times))) == [iso(time) for time in sorted(times)]


def test_a_reading_has_every_field() -> None:
    reading = Reading(State.WARN, 1.5, "ms", AT, 0.02, "one of three lost")
    assert reading_document(reading) == {
        "state": "warn", "value": 1.5, "unit": "ms", "at": TEXT, "took_s": 0.02, "detail": "one of three lost",
    }  # fmt: skip


def test_a_time_inside_a_value_has_the_same_form() -> None:
    reading = Reading(State.OK, {"job_id": "7", "ended_at": AT})
    assert reading_document(reading)["value"] == {"job_id": "7", "ended_at": TEXT}


def test_what_is_written_is_read_back_as_it_was() -> None:
    document = reading_document(Reading(State.OK, {"ended_at": AT, "free": 2**62}, detail="ünï 机"))
    assert decode(encode(document)) == document == json.loads(encode(document))


def test_what_a_terminal_would_obey_stands_as_its_number() -> None:
    tricks = "".join(
        map(chr, [*range(0x80, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)])
    )
    harmless = "\u00a0\u00c2é\u2027\u202f\u2065\u206a\U0001f600\u0628"
    data = encode({f"é{tricks}": [harmless, tricks, "\\u0085"]})
    assert decode(data) == {f"é{tricks}": [harmless, tricks, "\\u0085"]}
    assert not set(tricks) & set(data.decode())
    assert harmless in data.decode()


def test_a_check_that_never_ran_is_unknown_in_its_unit() -> None:
    document = unread_document(CHECKS["ping"])
    assert (document["state"], document["value"], document["unit"], document["at"]) == ("unknown", None, "ms", None)


def test_a_node_has_a_reading_for_each_check_that_was_asked_for() -> None:
    known = {"ping": reading_document(Reading(State.OK, 1.0)), "load": reading_document(Reading(State.OK, 2.0))}
    document = node_document("n1.x", ["sinfo"], None, known, [CHECKS["ping"], CHECKS["ssh"]])
    assert list(document["readings"]) == ["ping", "ssh"]
    assert document["readings"]["ping"]["value"] == 1.0
    assert document["readings"]["ssh"]["detail"] == "not read yet"
    assert (document["slurm"], document["recommendation"]) == (None, None)


def test_a_node_that_slurm_knows_shows_state_and_reason() -> None:
    slurm = node_document("n1.x", [], NODE, {}, [])["slurm"]
    assert slurm["state"] == "drained*"
    assert slurm["flags"] == ["DRAIN", "NOT_RESPONDING"]
    assert (slurm["reason"], slurm["reason_at"]) == ("no IB", TEXT)


def test_hostinfo_says_when_the_jobs_are_not_known() -> None:
    jobs = reading_document(Reading(State.UNKNOWN, None, at=AT, detail="squeue failed"))
    document = hostinfo_node_document(NODE, jobs)
    assert (document["jobs"], document["jobs_detail"], document["jobs_at"]) == (None, "squeue failed", TEXT)
    assert (document["node"], document["boot_at"], document["base"]) == ("n1.x", TEXT, "IDLE")


def test_a_check_tells_what_it_is() -> None:
    document = check_document(CHECKS["df_tmp"])
    assert (document["name"], document["kind"], document["parent"], document["unit"]) == ("df_tmp", "remote", "df", "B")
    assert document["needs"] == ["ssh", "uptime"]
    json.dumps([check_document(check) for check in CHECKS.values()])


def test_a_sweep_says_its_nodes_as_a_nodeset() -> None:
    sweep = Sweep(3, SweepState.RUNNING, "n[1-3]", ("ping",), 0.0, AT, AT, done=1, total=3)
    document = sweep_document(sweep)
    assert (document["sweep"], document["nodes"], document["state"]) == (3, "n[1-3]", "running")
    assert (document["done"], document["total"], document["ended_at"]) == (1, 3, None)


def test_what_is_encoded_takes_no_more_memory_than_its_bytes() -> None:
    """Thousands of answers are kept; orjson's own are of blocks that it has filled to a part."""
    tracemalloc.start()
    try:
        kept = [encode({"detail": "x" * 1100}) for _ in range(100)]
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 1.2 * sum(map(sys.getsizeof, kept))
