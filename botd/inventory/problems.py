"""What had to be left out of a list, in sentences for a person: some of them, and how many more there are."""

from __future__ import annotations

MAX_PROBLEMS = 100
"""Sentences kept of one reading. A file that is no list at all has a fault in each line, and every answer about
groups repeats them."""


class Problems:
    """Sentences as they come together."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._more = 0

    def add(self, problem: str) -> None:
        """Keeps a sentence, or counts it where there are enough."""
        if len(self._first) < MAX_PROBLEMS:
            self._first.append(problem)
        else:
            self._more += 1

    def told(self, of: str) -> list[str]:
        """The sentences; if there were more, the last one says so of `of`."""
        return [*self._first, f"{of}: {self._more} more problems like these"] if self._more else self._first
