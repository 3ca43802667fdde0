"""What the simulated BMCs, Slurm and nodes were told to do, order by order: botd's own words are held against it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Order:
    """One order as it arrived: at a `BMC`, at `Slurm`, or at a node by `ssh`.

    `answer` is empty where it was done, else why it was not. `at` is in seconds since the epoch.
    """

    at: float
    place: str
    node: str
    words: str
    answer: str


class Journal:
    """The newest orders, oldest first. Used from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._orders: deque[Order] = deque(maxlen=KEPT)

    def note(self, place: str, node: str, words: str, answer: str = "") -> None:
        """An order that has just been answered."""
        self._orders.append(Order(self._clock(), place, node, words, answer))

    def all(self) -> list[Order]:
        """All that is kept."""
        return list(self._orders)
