"""Regular expressions of a configuration, of which none is slow: Python's `re` tries every way, without a limit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import prod
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

MAX_PATTERN = 200

MAX_WAYS = 1000
"""In which a pattern may match at one place; each costs some 50 ns (Python 3.11, sre)."""

_SINGLE = (_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN, _constants.AT)
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


def bounded(pattern: str) -> re.Pattern[str]:
    """The pattern. Raises ValueError where it is none, or where it may match in too many ways to be tried on a page."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"it is longer than {MAX_PATTERN} characters")
    try:
        ways = _ways(_parser.parse(pattern))
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"it is no regular expression: {error}") from error
    if ways > MAX_WAYS:
        raise ValueError(f"it may match in more than {MAX_WAYS} ways; give repeats fewer of them, such as {{1,9}}")
    return compiled


def _ways(parsed: Iterable[tuple[Any, Any]]) -> int:
    """In how many ways the parts of a pattern may match, at most one more than MAX_WAYS for each."""
    return prod(min(_ways_of(kind, part), MAX_WAYS + 1) for kind, part in parsed)


def _ways_of(kind: Any, part: Any) -> int:
    if kind in _SINGLE:
        return 1
    if kind is _constants.SUBPATTERN:
        return _ways(part[3])
    if kind is _constants.BRANCH:
        return sum(map(_ways, part[1]))
    if kind in _REPEATS:
        return _repeated(*part)
    raise ValueError("it may hold characters, classes, groups, alternatives and repeats, and nothing else")


def _repeated(least: int, most: int, what: Any) -> int:
    if most == _constants.MAXREPEAT:
        raise ValueError("say how many at most: {1,9} in place of + and *")
    each = _ways(what)
    # A part that may be empty uses up no text, so that nothing but this number ends its repeats.
    times = int(most if what.getwidth()[0] == 0 else most - least) + 1
    return times * (1 if each == 1 else each ** min(most, 20))
