"""Which rule a title is of: the history has titles, in which the names of file systems stand."""

from __future__ import annotations

import re
from functools import lru_cache

from botd.advice.rules import RULES

_NAMED = re.compile(r"\\\{(mount|check)\\\}")

_PATTERNS = tuple((re.compile(_NAMED.sub(".+", re.escape(rule.title))), rule.name) for rule in RULES)


@lru_cache(maxsize=1024)
def diagnosis_of(title: str) -> str:
    """The rule whose title this is, empty for none: a title of an earlier botd may be of no rule any more."""
    exact = next((rule.name for rule in RULES if rule.title == title), "")
    return exact or next((name for pattern, name in _PATTERNS if pattern.fullmatch(title)), "")
