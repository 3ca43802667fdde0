"""The event log of a BMC: real simulators with real entries, ipmitool beside them, and logs as BMCs have them."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.answers import Delivery, EventsAnswer, PowerAnswer, PowerState, Source
from botd.checks.sel import CHECK
from botd.checks.sel_records import read_record
from botd.model import Facts, Finding, State
from botd.settings import BmcSettings
from botd.transport.addresses import socket_address
from botd.transport.bmc.event_log import ENTRY, INFO, MOST, NO_LOG, OLDEST_S, TIME, Question, Said, read_events
from botd.transport.bmc.power import ASKED_ANEW, HELD, NO_USER, BmcTransport
from botd.transport.bmc.session import NO_SESSION
from botd.transport.bmc.turns import Turns
from tests.conftest import need_program
from tests.transport.bmc.bmc_sim import USER, BmcSim, answering, bmc_sims, only_presence, relay

PORT = 12_001 + os.getpid() % 10_000 * 2
STUB, OTHER = "127.49.0.1", "127.49.0.2"
NOW_S = 1_795_464_000
ON = PowerAnswer(PowerState.ON)

ECC, PANIC, HOT, COOL = "0c876fa1ff10", "20ff6f01ffff", "010201595050", "010281594f50"


@pytest.fixture(scope="module")
def only_sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BmcSim]:
    need_program("ipmi_sim")
    need_program("ipmitool")
    with bmc_sims(tmp_path_factory.mktemp("sel") / "sims", ["127.48.0.1"], PORT) as (sim,):
        yield sim


@pytest.fixture
def sim(only_sim: BmcSim) -> BmcSim:
    """An empty log, and a clock that is set."""
    only_sim.set_clock(NOW_S - 3600)
    only_sim.clear_log()
    return only_sim


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def transport(sim: BmcSim, turns: Turns) -> Iterator[Callable[..., BmcTransport]]:
    made: list[BmcTransport] = []

    def make(**settings: Any) -> BmcTransport:
        values = {"user": USER, "port": PORT, "timeout": 5.0, **settings}
        made.append(BmcTransport(BmcSettings(**values), sim.password, turns))
        return made[-1]

    yield make
    for each in made:
        each.close()


Answers = dict[Source, Any]


def ask(bmcs: BmcTransport, address: str) -> Answers:
    """What comes, in its order; a second answer of one source fails the test."""
    found: Answers = {}

    def deliver(delivery: Delivery) -> None:
        assert delivery.source not in found
        found[delivery.source] = delivery.answer

    bmcs.run({"n1": address}, deliver, power=True, events=True)
    assert list(found) == [Source.PRESENCE, Source.POWER, Source.EVENTS]
    return found


def judged(events: EventsAnswer) -> Finding:
    return CHECK.parse(events, Facts("n1", settings={option.name: option.default for option in CHECK.options}))


# ---- a real log ----


def test_an_empty_log_is_one(transport: Callable[..., BmcTransport], sim: BmcSim) -> None:
    found = ask(transport(), sim.address)
    assert (found[Source.POWER], found[Source.EVENTS].held, found[Source.EVENTS].error) == (ON, 0, "")


def test_entries_are_read_newest_first_with_the_bmcs_own_clock(
    transport: Callable[..., BmcTransport], sim: BmcSim
) -> None:
    sim.log(ECC)
    sim.log(PANIC)
    sim.log("000102030405060708090a0b0c", 0xE0)
    sim.set_clock(NOW_S)
    found = ask(transport(), sim.address)[Source.EVENTS]
    assert [record[2] for record in found.records] == [0xE0, 2, 2]
    assert [record[10:].hex() for record in found.records[1:]] == [PANIC, ECC]
    finding = judged(found)
    assert (finding.state, finding.value["part"]) == (State.FAIL, "memory")
    assert re.fullmatch(r"memory: uncorrectable error, (59 min \d+ s|1 h 0 min) ago by its BMC's clock", finding.detail)


def test_ipmitool_reads_the_same(transport: Callable[..., BmcTransport], sim: BmcSim) -> None:
    told = {
        ECC: "Memory #0x87 | Uncorrectable ECC",
        "08526f01ffff": "Power Supply #0x52 | Failure detected",
        HOT: "Temperature #0x02 | Upper Critical going high",
        COOL: "Temperature #0x02 | Upper Critical going high",
        "23ff6f43ffff": "Watchdog2 #0xff | Power cycle",
        PANIC: "OS Critical Stop #0xff | Run-time critical stop",
        "07046f00ffff": "Processor #0x04 | IERR",
        "13056f05ffff": "Critical Interrupt #0x05 | PCI SERR",
        "0d016f01ffff": "Drive Slot / Bay #0x01 | Drive Fault",
    }
    for event in told:
        sim.log(event)
    records = ask(transport(), sim.address)[Source.EVENTS].records[::-1]
    lines = sim.ipmitool("sel", "list").splitlines()
    assert len(lines) == len(records) == len(told)
    for line, record, words in zip(lines, records, told.values(), strict=True):
        _, date, time, said = (part.strip() for part in line.split(" | ", 3))
        assert said.startswith(words)
        assert said.endswith("Deasserted" if read_record(record).is_end else "Asserted")
        assert read_record(record).part
        at = datetime.fromtimestamp(read_record(record).at_s or 0, UTC)
        assert (date, time.removesuffix(" UTC")) == (f"{at:%m/%d/%y}", f"{at:%H:%M:%S}")


def test_of_a_long_log_only_the_end_is_read(transport: Callable[..., BmcTransport], sim: BmcSim) -> None:
    for number in range(MOST + 4):
        sim.log(f"0c{number:02x}6fa0ff10")
    found = ask(transport(), sim.address)[Source.EVENTS]
    assert (len(found.records), found.held) == (MOST, MOST + 4)
    assert [record[11] for record in found.records] == list(range(MOST + 3, 3, -1))


def test_a_quiet_log_costs_three_packets(transport: Callable[..., BmcTransport], sim: BmcSim) -> None:
    """Two questions and, as ever, the logout; what is older than a month is left where it is."""
    sim.log(ECC)
    sim.set_clock(NOW_S + OLDEST_S + 7200)
    seen: list[int] = []

    def count(number: int, answer: bytes) -> bytes:
        seen.append(number)
        return answer

    with answering(STUB, PORT, relay(sim, change=count)):
        found = ask(transport(), STUB)[Source.EVENTS]
    assert (found.records, found.held, found.error) == ((), 1, "")
    assert len(seen) in (9, 10)  # presence, five of the login, power, two of the log, and the logout may still come


# ---- the power comes first, whatever becomes of the log ----


def test_a_bmc_that_falls_silent_at_its_log_has_its_power_told(
    transport: Callable[..., BmcTransport], sim: BmcSim
) -> None:
    with answering(STUB, PORT, relay(sim, packets=7)):
        found = ask(transport(timeout=1.0), STUB)
    assert found[Source.POWER] == ON
    assert "event log was not read within 1 s" in found[Source.EVENTS].error
    assert judged(found[Source.EVENTS]).state is State.UNKNOWN


def test_a_log_that_is_read_holds_up_no_other_power(transport: Callable[..., BmcTransport], sim: BmcSim) -> None:
    """One place for all, and a BMC that never answers for its log: the other's power comes while it still waits."""
    bmcs = transport(parallel=1, timeout=30.0)
    found: list[tuple[str, Source]] = []
    other, power = threading.Event(), threading.Event()

    def deliver(delivery: Delivery) -> None:
        found.append((delivery.node, delivery.source))
        if delivery.source is Source.POWER:
            (power if delivery.node == "n1" else other).set()

    with answering(STUB, PORT, relay(sim, packets=7)):
        threads = [
            threading.Thread(target=bmcs.run, args=({node: at}, deliver), kwargs={"power": True, "events": True})
            for node, at in (("n1", STUB), ("n2", sim.address))
        ]
        threads[0].start()
        assert power.wait(20)
        threads[1].start()
        assert other.wait(20)
        assert ("n1", Source.EVENTS) not in found
        bmcs.close()
        for thread in threads:
            thread.join(20)
    assert {("n1", Source.EVENTS), ("n2", Source.EVENTS)} <= set(found)


def begun(bmcs: BmcTransport, address: str) -> tuple[threading.Thread, list[Any]]:
    """A sweep whose power was told, and what it is told of the log."""
    told, power = list[Any](), threading.Event()

    def deliver(delivery: Delivery) -> None:
        if delivery.source is Source.POWER:
            power.set()
        elif delivery.source is Source.EVENTS:
            told.append(delivery.answer)

    thread = threading.Thread(target=bmcs.run, args=({"n1": address}, deliver), kwargs={"power": True, "events": True})
    thread.start()
    assert power.wait(20)
    return thread, told


def test_an_action_does_not_wait_for_a_log(transport: Callable[..., BmcTransport], sim: BmcSim, turns: Turns) -> None:
    with answering(STUB, PORT, relay(sim, packets=7)):
        thread, told = begun(transport(timeout=30.0), STUB)
        with turns.taken(socket_address(STUB, PORT)[1], 20) as mine:
            assert mine
        thread.join(20)
    assert told == [EventsAnswer(error=HELD)]


def test_who_asks_for_the_power_anew_does_not_wait_for_a_log(
    transport: Callable[..., BmcTransport], sim: BmcSim
) -> None:
    bmcs, seen = transport(timeout=30.0), itertools.count()
    forward = relay(sim)

    def stall(request: bytes) -> bytes | None:
        return None if next(seen) == 7 else forward(request)

    with answering(STUB, PORT, stall):
        thread, told = begun(bmcs, STUB)
        again: list[Any] = []
        bmcs.run({"n2": STUB}, lambda delivery: again.append(delivery.answer), power=True)
        thread.join(20)
    assert again[1:] == [ON]
    assert told == [EventsAnswer(error=ASKED_ANEW)]


def test_without_a_session_there_is_no_log_and_the_power_says_why(
    transport: Callable[..., BmcTransport], sim: BmcSim
) -> None:
    assert ask(transport(user=""), sim.address)[Source.EVENTS] == EventsAnswer(nothing_kept=NO_USER)
    refused = ask(transport(user="nobody"), sim.address)[Source.EVENTS]
    assert refused == EventsAnswer(nothing_kept=NO_SESSION)
    assert judged(refused).state is State.SKIPPED
    with answering(STUB, PORT, only_presence(sim)):
        assert ask(transport(timeout=0.6), STUB)[Source.EVENTS] == EventsAnswer(nothing_kept=NO_SESSION)


def test_a_session_that_others_share_reads_the_log_for_those_that_want_it(
    transport: Callable[..., BmcTransport], sim: BmcSim
) -> None:
    bmcs = transport()
    found: list[tuple[str, Source]] = []
    bmcs.run(
        {"n1": sim.address, "n2": sim.address}, lambda d: found.append((d.node, d.source)), power=True, events=True
    )
    assert sorted(found) == [(node, source) for node in ("n1", "n2") for source in sorted(Source) if source in SOURCES]


SOURCES = (Source.PRESENCE, Source.POWER, Source.EVENTS)

# ---- logs as BMCs have them ----


def record(number: int, age_s: int = 60, kind: int = 2) -> bytes:
    head = number.to_bytes(2, "little") + bytes((kind,))
    return head + (NOW_S - age_s).to_bytes(4, "little") + b"\x20\0\x04" + bytes.fromhex(ECC)


Said_ = Callable[[Question], Said]


def converse(say: Said_) -> tuple[EventsAnswer, list[Question]]:
    """What comes of a log whose answers are these, and all that was asked."""
    reading, asked = read_events(), list[Question]()
    said: Any = None
    try:
        while True:
            asked.append(reading.send(said))
            said = say(asked[-1])
    except StopIteration as end:
        return end.value, asked


def log_of(records: dict[int, bytes], clock: bytes = NOW_S.to_bytes(4, "little")) -> Said_:
    """A BMC with these records by their number."""

    def say(question: Question) -> Said:
        if question.number == INFO:
            newest = records[max(records)][3:7] if records else b"\xff" * 4
            return Said(0, b"\x51" + len(records).to_bytes(2, "little") + bytes(2) + newest + b"\xff" * 4 + b"\x02")
        if question.number == TIME:
            return Said(0, clock)
        assert question.number == ENTRY
        wanted = int.from_bytes(question.data[2:4], "little")
        found = records.get(max(records) if wanted == 0xFFFF else wanted)
        return Said(0, b"\xff\xff" + found) if found else Said(0xCB, b"")

    return say


def test_a_log_whose_numbers_leap_is_read_as_far_as_they_do_not() -> None:
    found, _ = converse(log_of({number: record(number) for number in (4, 8, 9)}))
    assert ([int.from_bytes(each[:2], "little") for each in found.records], found.error) == ([9, 8], "")


def test_old_entries_end_it() -> None:
    found, asked = converse(log_of({1: record(1, OLDEST_S + 1), 2: record(2, OLDEST_S + 1), 3: record(3)}))
    assert (len(found.records), len(asked)) == (1, 4)


def test_a_bmc_that_has_the_last_entry_for_every_number_is_read_once() -> None:
    same = log_of({7: record(7)})

    def say(question: Question) -> Said:
        if question.number == INFO:
            return Said(0, b"\x51\x09\0" + same(question).data[3:])
        return same(Question(ENTRY, bytes((0, 0, 255, 255)))) if question.number == ENTRY else same(question)

    assert len(converse(say)[0].records) == 1


@pytest.mark.parametrize("clock", [b"", b"\xff" * 4, (40_000).to_bytes(4, "little")])
def test_a_clock_that_is_not_set_is_none(clock: bytes) -> None:
    found, _ = converse(log_of({1: record(1)}, clock))
    assert (found.clock_s, len(found.records)) == (None, 1)
    assert judged(found).state is State.WARN


@pytest.mark.parametrize("code", [0xC1, 0xC2])
def test_a_bmc_without_a_log_has_nothing_to_read(code: int) -> None:
    assert converse(lambda _: Said(code, b""))[0] == EventsAnswer(nothing_kept=NO_LOG)


@pytest.mark.parametrize("number", [INFO, ENTRY])
def test_what_is_refused_is_said_and_not_taken_for_empty(number: int) -> None:
    same = log_of({1: record(1)})
    found, _ = converse(lambda question: Said(0xD4, b"") if question.number == number else same(question))
    assert "completion code 0xd4" in found.error
    assert judged(found).state is State.UNKNOWN


@given(st.lists(st.tuples(st.sampled_from([0, 0, 0, 0xCB, 0xC1, 0xFF]), st.binary(max_size=40)), min_size=40))
def test_whatever_a_bmc_says_it_is_asked_little_and_only_what_changes_nothing(said: list[tuple[int, bytes]]) -> None:
    answers = iter(said)
    found, asked = converse(lambda _: Said(*next(answers)))
    assert len(asked) <= MOST + 2
    assert {question.number for question in asked} <= {INFO, TIME, ENTRY}
    assert all(len(each) == 16 for each in found.records)
    judged(found)
