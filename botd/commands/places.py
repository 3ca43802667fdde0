"""Lines of a report on a configuration, and where in botd.toml what they are about stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_HEADER = re.compile(r"\s*(\[\[?[^\[\]]+\]\]?)\s*(?:#.*)?")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*=\s*["']?([^"'#]*)""")


def line_of(text: str, at: str) -> int | None:
    """The number of the line where `[ssh] parallel`, `[ssh]` or `[[check]] name=gpu` stands; None where it does not.

    It reads what people write, one header or key a line, not all that TOML allows. Of a key that is missing it is the
    line of its section.
    """
    wanted, _, rest = at.partition(" ")
    key, _, value = rest.partition("=")
    section, found = "", None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            section = header[1].replace(" ", "")
            if section == wanted and found is None:
                found = number
        elif section == wanted and (match := _KEY.match(line)) and match[1] == key and value in ("", match[2]):
            return number
    return found


def place(path: str, at: str) -> str:
    """`/etc/botd/botd.toml:12` for a setting, without a number where it does not stand there; empty without a file."""
    if not path:
        return ""
    try:
        number = line_of(Path(path).read_text(encoding="utf-8-sig"), at) if at else None
    except (OSError, ValueError):
        number = None
    return f"{path}:{number}" if number else path


class Level(StrEnum):
    """How a step ended, as it is printed."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"
    SKIP = "skip"


@dataclass(frozen=True)
class Told:
    """One line of the report: a step of a section. `at` is the setting to look at."""

    level: Level
    section: str
    text: str
    at: str = ""

    def line(self, path: str) -> str:
        """`FAIL  [ssh] botd.toml:7: cannot read ...`; what is well needs no place."""
        stands = place(path, self.at) if self.at and self.level in (Level.WARN, Level.FAIL) else ""
        return f"{self.level:<4}  [{self.section}] {stands}{': ' if stands else ''}{self.text}"


def status_of(levels: Iterable[Level]) -> int:
    """2 where a step failed, 1 where there are warnings, else 0."""
    found = set(levels)
    return 2 if Level.FAIL in found else 1 if Level.WARN in found else 0
