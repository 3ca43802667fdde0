"""What was really done, held against what botd tells of itself.

The one side is the journal of the simulated cluster, which has every order as it arrived at a BMC or at Slurm; the
other is the ledger, read as a file by SQL that is no part of botd.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from botd.audit import verify
from botd.ledger.chain import read_chain

HOUR_S, DAY_S = 3600.0, 86400.0

NOTHING_SENT = ("refused", "expired", "vetoed", "would-have")
"""The ends that say that nothing was sent."""

BESIDE = ("action-seen", "action-remark")
"""Lines about an action that are of none of its moves."""

ENDS = (*NOTHING_SENT, "succeeded", "failed", "unknown")


BACK = ("state=resume", "state=undrain")
"""How a node is taken back."""

HARD = ("power-on", "power-off", "power-cycle")
"""The actions of which a node is drained first."""


class Order(NamedTuple):
    """An order as it arrived at a `BMC`, at `Slurm`, or at a node by `ssh`; `answer` is empty where it was done."""

    at: float
    place: str
    node: str
    words: str
    answer: str


class Action(NamedTuple):
    """An action of the ledger."""

    id: int
    nonce: str
    login: str
    action: str
    node: str
    state: str


class Move(NamedTuple):
    """A move of an action."""

    action_id: int
    target: str
    at: float


class Spend(NamedTuple):
    """What was reserved: by which action, under which role."""

    action_id: int
    role: str
    at: float


@dataclass(frozen=True)
class Told:
    """What botd says of itself. `rows` are the documents of the audit, `broken` whether its chain is."""

    actions: Sequence[Action]
    moves: Sequence[Move]
    spent: Sequence[Spend]
    rows: Sequence[Mapping[str, object]]
    broken: bool = False


@dataclass(frozen=True)
class Caps:
    """How much may be sent: in an hour by each login or under each role, on a node in a day, and at once.

    Of power cycles: in an hour on all nodes, on a node in six hours, and at once.
    """

    per_hour: Mapping[str, int] = field(default_factory=dict)
    node_per_day: int = 3
    at_once: int = 16
    cycles_per_hour: int = 6
    node_cycles_per_6h: int = 1
    hard_at_once: int = 3


class Figures(NamedTuple):
    """What came of so many tries. Everything but `tried` and `sent` is to be 0."""

    tried: int = 0
    sent: int = 0
    double_pulses: int = 0
    strays: int = 0
    caps_broken: int = 0
    jobs_ended: int = 0
    lost_lines: int = 0
    false_successes: int = 0

    def __add__(self, other: object) -> Figures:
        assert isinstance(other, Figures)
        return Figures(*map(sum, zip(self, other, strict=True)))

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self[2:])

    def line(self) -> str:
        """The figures for a person."""
        return (
            f"tried {self.tried}, sent {self.sent}, double pulses {self.double_pulses}, sent without an action "
            f"{self.strays}, caps broken {self.caps_broken}, jobs ended {self.jobs_ended}, audit lines lost "
            f"{self.lost_lines}, false successes {self.false_successes}"
        )


def read_ledger(path: Path) -> Told:
    """The ledger as it is now, which an agent may be writing to."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.execute("BEGIN")
        actions = db.execute("SELECT id, nonce, login, action, node, state FROM actions ORDER BY id")
        moves = db.execute("SELECT action_id, target, at FROM moves WHERE source IS NOT target ORDER BY id")
        spent = db.execute("SELECT action_id, role, at FROM budgets WHERE NOT is_dry ORDER BY at")
        rows = [json.loads(row) for (row,) in db.execute("SELECT document FROM audit ORDER BY number")]
        told = Told(
            [Action(*row) for row in actions], [Move(*row) for row in moves], [Spend(*row) for row in spent], rows
        )
    return Told(told.actions, told.moves, told.spent, told.rows, verify(read_chain(path)).broken_at is not None)


# ---- the comparison ----


def figures(
    tried: int, orders: Sequence[Order], told: Told, caps: Caps, nonces: Iterable[str] = (), jobs_ended: int = 0
) -> Figures:
    """What is wrong. `nonces` are those of presses that were answered as taken up.

    `jobs_ended` is of Slurm: how many jobs it had on nodes that were switched.
    """
    return Figures(
        tried,
        len(list(pulses(orders))),
        double_pulses(orders, told),
        strays(orders, told),
        caps_broken(orders, told, caps),
        jobs_ended,
        lost_lines(told, nonces),
        false_successes(orders, told),
    )


class Ours(NamedTuple):
    """An order of botd: of which action by name, its id where it stands in the order, and whether it drains for it."""

    action: str
    id: int | None
    order: Order
    drains_first: bool = False


def ours(orders: Iterable[Order]) -> Iterator[Ours]:
    """The orders of botd. A node is taken back without a word of whom: that may be anybody, and is not among them."""
    for order in orders:
        found = re.search(r"reason=botd: ([a-z-]+) (\d+) by \S+$", order.words)
        if order.place == "Slurm" and found:
            yield Ours(found[1], int(found[2]), order, found[1] in HARD)
        elif order.place != "Slurm":
            yield Ours(_named(order), None, order)


def _named(order: Order) -> str:
    """The action that sends such an order to a BMC, or to a node."""
    if order.place == "ssh":
        return "restart-slurmd"
    first, *_, last = order.words.split()
    return first if first == "identify" else f"{first}-{last}"  # "power cycle", "power soft off"


def pulses(orders: Iterable[Order]) -> Iterator[Ours]:
    """The orders of botd that are the action itself."""
    return (each for each in ours(orders) if not each.drains_first)


def double_pulses(orders: Sequence[Order], told: Told) -> int:
    """Orders beyond one for each action that was about to be sent."""
    by_id = Counter(each.id for each in ours(orders) if each.id is not None)
    on_node = Counter((each.action, each.order.node) for each in pulses(orders) if each.id is None)
    sendings = Counter((each.action, each.node) for each in told.actions if each.id in _at(told, "sending"))
    extra = sum(count - 1 for count in by_id.values())
    return extra + sum(max(0, count - sendings[where]) for where, count in on_node.items())


def strays(orders: Sequence[Order], told: Told) -> int:
    """Orders of no action that was about to be sent to this node, or of one that says that nothing was sent."""
    known = {each.id: each for each in told.actions}
    sending, announced = _at(told, "sending"), _at(told, "announced")
    wrong = 0
    for each in ours(orders):
        action = known.get(each.id or 0)
        if each.id is not None:
            fits = action and (action.action, action.node) == (each.action, each.order.node)
            is_sent = each.id in sending and action and action.state not in NOTHING_SENT
            wrong += not (fits and (each.id in announced if each.drains_first else is_sent))
    return wrong


def caps_broken(orders: Sequence[Order], told: Told, caps: Caps) -> int:
    """How often more was sent, or was spent, than may be; and how often two actions had one node."""
    login = {each.id: each.login for each in told.actions}
    times: dict[str, list[float]] = {}
    on_node: dict[str, list[float]] = {}
    for _, number, order, _ in pulses(orders):
        if number is not None:
            times.setdefault(login.get(number, ""), []).append(order.at)
            on_node.setdefault(order.node, []).append(order.at)
    broken = sum(_most(found, HOUR_S) > caps.per_hour.get(name, len(found)) for name, found in times.items())
    broken += sum(_most(found, DAY_S) > caps.node_per_day for found in on_node.values())
    under: dict[str, list[float]] = {}
    for spend in told.spent:
        under.setdefault(spend.role, []).append(spend.at)
    broken += sum(_most(found, HOUR_S) > caps.per_hour.get(role, len(found)) for role, found in under.items())
    broken += len(_at(told, "sending") - {each.action_id for each in told.spent})
    spans = list(_spans(told))
    broken += _most_at_once(spans) > caps.at_once
    nodes, name_of = {each.id: each.node for each in told.actions}, {each.id: each.action for each in told.actions}
    by_node: dict[str, list[tuple[float, float]]] = {}
    for number, begin, end in spans:
        by_node.setdefault(nodes[number], []).append((begin, end))
    broken += _cycles_broken(orders, caps)
    broken += _most_at_once([span for span in spans if name_of[span[0]] in HARD]) > caps.hard_at_once
    return broken + sum(_most_at_once([(0, *span) for span in found]) > 1 for found in by_node.values())


def _cycles_broken(orders: Sequence[Order], caps: Caps) -> int:
    """How often more nodes were cycled than may be."""
    cycles = [each.order for each in pulses(orders) if each.action == "power-cycle"]
    by_node: dict[str, list[float]] = {}
    for order in cycles:
        by_node.setdefault(order.node, []).append(order.at)
    broken = sum(_most(found, 6 * HOUR_S) > caps.node_cycles_per_6h for found in by_node.values())
    return broken + (_most([order.at for order in cycles], HOUR_S) > caps.cycles_per_hour)


def lost_lines(told: Told, nonces: Iterable[str] = ()) -> int:
    """Moves without their line of the audit, lines without a move, and presses taken up of which nothing is left."""
    moved = Counter((each.action_id, f"action-{each.target}") for each in told.moves)
    written = Counter(
        (detail["action_id"], str(row["kind"]))
        for row in told.rows
        if isinstance(detail := row.get("detail"), dict) and "action_id" in detail and row["kind"] not in BESIDE
    )
    there = {each.nonce.partition("/")[0] for each in told.actions}
    lost = sum((moved - written).values()) + sum((written - moved).values())
    return lost + sum(nonce not in there for nonce in nonces) + told.broken


def false_successes(orders: Sequence[Order], told: Told) -> int:
    """Actions that are told as succeeded, and of which no order was done."""
    done = {each.id for each in pulses(orders) if each.id is not None and not each.order.answer}
    on_node = Counter((each.action, each.order.node) for each in pulses(orders) if not each.order.answer)
    back = [each for each in orders if each.words in BACK and not each.answer]
    on_node.update(("resume", each.node) for each in back)
    said = [each for each in told.actions if each.state == "succeeded"]
    claimed = Counter((each.action, each.node) for each in said if each.action != "drain")
    wrong = sum(each.id not in done for each in said if each.action == "drain")
    return wrong + sum(max(0, count - on_node[where]) for where, count in claimed.items())


def _at(told: Told, state: str) -> set[int]:
    """The actions that have been there."""
    return {each.action_id for each in told.moves if each.target == state}


def _most(times: Sequence[float], span_s: float) -> int:
    """The most of these moments within any span."""
    ordered = sorted(times)
    return max((sum(at <= each < at + span_s for each in ordered) for at in ordered), default=0)


def _spans(told: Told) -> Iterator[tuple[int, float, float]]:
    """From when to when each action had its node."""
    begun: dict[int, float] = {}
    for move in told.moves:
        if move.target == "reserved":
            begun[move.action_id] = move.at
        elif move.target in ENDS and move.action_id in begun:
            yield move.action_id, begun.pop(move.action_id), move.at
    yield from ((number, at, float("inf")) for number, at in begun.items())


def _most_at_once(spans: Sequence[tuple[int, float, float]]) -> int:
    """The most of these spans that hold at any moment; one that begins where another ends is behind it."""
    steps = sorted([(begin, 1) for _, begin, end in spans if end > begin] + [(end, -1) for _, _, end in spans])
    most = now = 0
    for _, step in steps:
        now = max(0, now + step)
        most = max(most, now)
    return most
