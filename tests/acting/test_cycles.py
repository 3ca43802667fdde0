"""Power cycles of people, as two node lists show them, and what botd has sent as the ledger has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from botd.acting.cycles import Cycle, Sending, add_cycles, by_people, cycles_text, read_cycles, united
from botd.model import SlurmNode

NOW = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO, AT = NOW - timedelta(days=30), NOW - 5 * MINUTE
CYCLE = Cycle("n1", AT)


def nodes(boot_at: datetime | None, *flags: str, name: str = "n1", base: str = "IDLE") -> dict[str, SlurmNode]:
    return {name: SlurmNode(name, "", base, flags, boot_at=boot_at)}


def test_a_node_that_boots_while_it_is_out_of_service_is_a_cycle() -> None:
    for flags, base in ((("DRAIN",), "IDLE"), (("NOT_RESPONDING",), "DOWN"), ((), "DOWN")):
        before, after = nodes(LONG_AGO, *flags, base=base), nodes(AT, *flags, base=base)
        assert add_cycles((), before, after, NOW) == (CYCLE,)
        assert add_cycles((), before, nodes(AT), NOW) == (CYCLE,)  # it was taken back by the same list


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(nodes(LONG_AGO), nodes(AT, base="DOWN"), id="it was in service, and fell over"),
        pytest.param(nodes(AT - MINUTE, "DRAIN"), nodes(AT, "DRAIN"), id="the same boot, worked out anew"),
        pytest.param(nodes(NOW, "DRAIN"), nodes(AT, "DRAIN"), id="a clock that was set back"),
        pytest.param(nodes(None, "DRAIN"), nodes(AT, "DRAIN"), id="it had not registered before"),
        pytest.param(nodes(LONG_AGO, "DRAIN"), nodes(None, "DRAIN"), id="it is not known any more"),
        pytest.param(nodes(LONG_AGO, "DRAIN"), nodes(NOW - 61 * MINUTE, "DRAIN"), id="it was more than an hour ago"),
        pytest.param(nodes(LONG_AGO, "DRAIN", "REBOOT_ISSUED"), nodes(AT, "DRAIN"), id="Slurm was asked for it"),
        pytest.param({}, nodes(AT, "DRAIN"), id="a new node"),
    ],
)
def test_what_is_no_cycle(before: Any, after: Any) -> None:
    assert add_cycles((), before, after, NOW) == ()


def test_cycles_of_two_agents_are_each_counted_once_and_kept_as_text() -> None:
    mine, theirs = (
        (CYCLE, Cycle("n2", NOW - 61 * MINUTE)),
        (Cycle("n1", AT + MINUTE), Cycle("n1", NOW), Cycle("n3", AT)),
    )
    assert united(mine, theirs, NOW) == (CYCLE, Cycle("n1", NOW), Cycle("n3", AT))
    assert read_cycles(cycles_text(mine)) == mine
    assert read_cycles("") == ()


def test_cycles_are_forgotten_after_an_hour_and_are_the_same_while_none_is_new() -> None:
    known = (Cycle("n2", NOW - 59 * MINUTE), CYCLE)
    assert add_cycles(known, nodes(LONG_AGO, "DRAIN"), nodes(LONG_AGO, "DRAIN"), NOW) is known
    later = NOW + 2 * MINUTE
    newer = add_cycles(known, nodes(LONG_AGO, "DRAIN", name="n3"), nodes(NOW, "DRAIN", name="n3"), later)
    assert newer == (CYCLE, Cycle("n3", NOW))


@pytest.mark.parametrize(
    ("sent", "is_theirs"),
    [
        (Sending("n1", AT - MINUTE), False),
        (Sending("n1", AT - 20 * MINUTE), False),  # as long as a power cycle has to be read back
        (Sending("n1", AT + MINUTE), False),  # by clocks that differ
        (Sending("n1", AT - 21 * MINUTE), True),
        (Sending("n1", AT + 2 * MINUTE), True),
        (Sending("n2", AT - MINUTE), True),
    ],
)
def test_what_botd_has_sent_itself_is_not_counted_a_second_time(sent: Sending, is_theirs: bool) -> None:
    assert by_people([CYCLE], [sent]) == [AT] * is_theirs


def test_where_botd_sent_nothing_every_cycle_is_somebodys() -> None:
    assert by_people([CYCLE, Cycle("n2", NOW)], []) == [AT, NOW]
