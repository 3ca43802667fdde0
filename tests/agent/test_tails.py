"""Logs that the agent follows: for whom, how many at once, how much of one goes on, and when it is over."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from botd.access.letters import Letter
from botd.agent.tails import AT_ONCE, MOST_PER_S, Pump, Tails
from botd.errors import BotdError, LoginRequired, NotAllowed, TooMany, UnknownLog, UnknownNode
from botd.model import SlurmNode
from botd.store.tails import MOST_UNREAD, UNHEARD, Taken
from botd.transport.ssh.follow import LONGEST_S, Take
from tests.agent.actions.conftest import at_work, impatient
from tests.agent.actions.works import NODES, Works
from tests.program import wait_until

__all__ = ["at_work", "impatient"]

NODE = NODES[0]


class Node:
    """What runs on a node: it prints what a test says, until it is left."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.prints: list[bytes] = []
        self.why = ""
        self.left = threading.Event()

    def follow(self, node: str, slurm: Mapping[str, SlurmNode], command: str, take: Take) -> str:
        self.commands.append(command)
        while not self.why and take(self.prints.pop(0) if self.prints else b""):
            self.left.wait(0.01)
        self.left.set()
        return self.why


@dataclasses.dataclass
class Tailing:
    works: Works
    node: Node
    tails: Tails

    def ask(self, login: str = "kmf", node: str = NODE, log: str = "slurmd") -> int:
        holder = self.works.hall.logins.find(self.works.token(login))
        letter = Letter("tail", "n" * 32, 1.0, "t" * 43, "127.0.0.1", {"node": node, "log": log})
        return int(self.tails.answer(letter, holder)["tail"])

    def lines(self, number: int) -> list[str]:
        found: list[str] = []
        wait_until(lambda: found.extend(self.works.site.store.tails.take(number, self.works.clock()).lines) or found)
        return found


@pytest.fixture
def tailing(at_work: Works) -> Iterator[Tailing]:
    at_work.roles = at_work.roles.replace("may = [", 'may = ["tail", ')
    logs = {"slurmd": "/var/log/{node}/it's.log", "journal": "journal:slurmd"}
    kit = dataclasses.replace(at_work.kit, config=dataclasses.replace(at_work.kit.config, tail=logs))
    node, listed = Node(), SimpleNamespace(inventory=at_work.inventory)
    tails = Tails(kit, at_work.site.store, listed, node.follow)  # type: ignore[arg-type]
    yield Tailing(at_work, node, tails)
    tails.close()


def test_lines_go_on_without_what_a_terminal_obeys(tailing: Tailing) -> None:
    tailing.node.prints = [b"one\n\x1b[31mt", b"wo\x1b[0m \xff\x9b\tx\r\n", b"\xe2\x80\xaethree"]
    assert tailing.lines(tailing.ask())[:1] == ["one"]


def test_a_path_of_the_configuration_is_quoted_and_its_names_filled_in(tailing: Tailing) -> None:
    tailing.ask()
    tailing.ask(log="journal")
    wait_until(lambda: len(tailing.node.commands) == 2)
    assert tailing.node.commands[0] == f"""tail -n 20 -F -- '/var/log/{NODE}/it'"'"'s.log'"""
    assert tailing.node.commands[1].endswith("-f -u slurmd")


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"login": "anna"}, NotAllowed),
        ({"node": "n9999.savio2"}, UnknownNode),
        ({"node": "n0010.savio2; id"}, UnknownNode),
        ({"log": "/etc/shadow"}, UnknownLog),
        ({"log": ""}, UnknownLog),
        ({"log": "x" * 33}, ValueError),
    ],
)
def test_who_may_not_or_asks_for_what_there_is_not_reaches_no_node(
    asked: dict[str, str], refusal: type[Exception], tailing: Tailing
) -> None:
    with pytest.raises(refusal):
        tailing.ask(**asked)
    assert tailing.node.commands == []


def test_nobody_follows_a_log_without_a_login_or_by_roles_that_are_in_doubt(tailing: Tailing) -> None:
    letter = Letter("tail", "n" * 32, 1.0, "t" * 43, "127.0.0.1", {"node": NODE, "log": "slurmd"})
    with pytest.raises(LoginRequired):
        tailing.tails.answer(letter, None)
    tailing.works.kit.roles  # noqa: B018
    state = dataclasses.replace(tailing.works.kit.roles(), fault="others can write it")
    object.__setattr__(tailing.tails._kit, "roles", lambda: state)
    with pytest.raises(NotAllowed, match="others can write it"):
        tailing.ask()


def test_a_few_are_followed_at_once_and_one_that_ends_makes_room(tailing: Tailing) -> None:
    numbers = [tailing.ask() for _ in range(AT_ONCE)]
    with pytest.raises(TooMany, match="4 logs are followed already"):
        tailing.ask()
    tailing.works.site.store.tails.forget(numbers[0])
    wait_until(lambda: _has_room(tailing))


def _has_room(tailing: Tailing) -> bool:
    try:
        tailing.ask()
    except TooMany:
        return False
    return True


def test_how_it_ended_on_the_node_is_told(tailing: Tailing) -> None:
    tailing.node.why = "the connection was lost"
    number, store = tailing.ask(), tailing.works.site.store
    wait_until(lambda: store.tails.take(number, tailing.works.clock()) == Taken([], why="the connection was lost"))


def test_a_fault_of_ours_is_an_end_and_leaves_room(tailing: Tailing, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(tailing.tails, "_follow", fails)
    for _ in range(AT_ONCE + 1):
        number = tailing.ask()
        wait_until(lambda number=number: tailing.works.site.store.tails.take(number, tailing.works.clock()).why)


def test_who_followed_what_stands_in_the_audit(tailing: Tailing) -> None:
    tailing.ask()
    ledger = tailing.works.kit.ledger
    with ledger.read() as db:
        last = ledger.chain.last(db)
    assert last is not None
    assert all(word in last.document for word in ('"tailed"', '"kmf"', NODE, '"slurmd"'))


# ---- how much, and how long ----


class Time:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pump(at_work: Works, time: Time) -> Pump:
    store = at_work.site.store
    return Pump(store, store.tails.begin(NODE, "slurmd", at_work.clock()), at_work.clock, threading.Event(), time)


def taken(pump: Pump, works: Works) -> Taken:
    return works.site.store.tails.take(pump._number, works.clock())


def test_of_more_lines_than_go_on_the_last_ones_do(pump: Pump, at_work: Works, time: Time) -> None:
    assert pump.take(b"".join(b"%d\n" % number for number in range(1000)))
    first = taken(pump, at_work)
    assert (len(first.lines), first.lines[-1], first.left_out) == (MOST_PER_S, "999", 1000 - MOST_PER_S)
    pump.take(b"at once\n")
    assert taken(pump, at_work) == Taken([])
    time.now_s += 0.5
    pump.take(b"later\n" * 101)
    second = taken(pump, at_work)
    assert (second.lines, second.left_out) == (["later"] * 100, 2)


def test_a_line_comes_whole_and_one_without_end_in_pieces(pump: Pump, at_work: Works, time: Time) -> None:
    pump.take(b"h\xc3")
    pump.take(b"\xa4lf\r\n\x1b[31mred\x1b[0m\x07 \xe2\x80\xaeback\n")
    assert taken(pump, at_work).lines == ["hälf", "red  back"]
    pump.take(b"x" * 200_000)
    (piece,) = taken(pump, at_work).lines
    assert len(piece) == 2000
    assert pump._rest == b""


def test_what_nobody_reads_is_counted_and_not_kept(pump: Pump, at_work: Works, time: Time) -> None:
    for _ in range(MOST_UNREAD + 5):
        time.now_s += 1
        pump.take(b"x\n")
    assert len(taken(pump, at_work).lines) == MOST_UNREAD
    time.now_s += 1
    pump.take(b"y\n")
    assert taken(pump, at_work) == Taken(["y"], 5)


def test_it_is_over_after_minutes_or_when_nobody_reads(pump: Pump, at_work: Works, time: Time) -> None:
    assert pump.take(b"")
    at_work.hall.now += UNHEARD
    time.now_s += 2
    assert not pump.take(b"")
    assert pump.why == "nobody reads it any more"
    time.now_s += LONGEST_S
    assert not pump.take(b"")
    assert pump.why == "10 minutes are over; ask again"


def test_a_store_that_fails_ends_it(pump: Pump, at_work: Works) -> None:
    at_work.site.store.close()
    (at_work.site.folder / "botd.db").unlink()
    assert not pump.take(b"x\n")
    assert pump.why
    assert issubclass(LoginRequired, BotdError)
