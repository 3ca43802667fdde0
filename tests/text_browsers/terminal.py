"""A program on a pseudo terminal, and the screen that a person at it sees."""

from __future__ import annotations

import time
from types import TracebackType

import pexpect
import pyte

LINES, COLUMNS = 40, 100
WAIT_S = 20.0

DOWN, ENTER, CLEAR = "\x1b[B", "\r", "\x15"
"""Keys: arrow down, enter, and Ctrl-U, which empties a field in all three browsers."""


class Terminal:
    """A running program and its screen."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._child = pexpect.spawn(words[0], words[1:], env=environment, dimensions=(LINES, COLUMNS))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.close(force=True)

    @property
    def text(self) -> str:
        """What stands on the screen now."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def keys(self, *keys: str) -> None:
        """Presses keys, one after the other."""
        for key in keys:
            self._child.send(key)
            self._read(0.1)

    def press_until(self, key: str, words: str) -> None:
        """Presses a key until these words stand on the screen. Fails when they never do."""
        for _ in range(20):
            if words in self.text:
                return
            self.keys(key)
        self.see(words)

    def see(self, words: str) -> str:
        """The screen once these words stand on it. Fails when they never do."""
        ends_at = time.monotonic() + WAIT_S
        while words not in self.text:
            assert time.monotonic() < ends_at, f"no {words!r} on the screen:\n{self.text}"
            self._read(0.2)
        return self.text

    def _read(self, seconds: float) -> None:
        """Draws what the program prints, until it has been silent for this long."""
        while True:
            try:
                self._stream.feed(self._child.read_nonblocking(65536, timeout=seconds))
            except (pexpect.TIMEOUT, pexpect.EOF):
                return
