"""The wildcard patterns of ssh_config(5) and of known_hosts: `*` and `?`, and `!` before what is not meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Patterns(NamedTuple):
    """A list of patterns: a name must match one that is wanted, and none that is not."""

    wanted: re.Pattern[str]
    unwanted: re.Pattern[str] | None

    def match(self, name: str) -> bool:
        """Whether the list means this name. Case counts."""
        return bool(self.wanted.fullmatch(name)) and not (self.unwanted and self.unwanted.fullmatch(name))


def read_patterns(words: Iterable[str]) -> Patterns:
    """The list in these words, each of which is one pattern."""
    words = list(words)
    unwanted = [word[1:] for word in words if word.startswith("!")]
    wanted = [word for word in words if not word.startswith("!")]
    return Patterns(_regex(wanted), _regex(unwanted) if unwanted else None)


def _regex(wildcards: Iterable[str]) -> re.Pattern[str]:
    """One expression for some names with `*` and `?`; fnmatch would read the brackets of `[name]:port`."""
    return re.compile("|".join(f"(?:{_expression(name)})" for name in wildcards))


def _expression(wildcard: str) -> str:
    """As fnmatch does it: each `*` but the last takes the least it can and never tries again, so that no pattern
    takes more than a moment.
    """
    first, *others = (re.escape(part).replace(r"\?", ".") for part in re.split(r"\*+", wildcard))
    if not others:
        return first
    return first + "".join(f"(?>.*?{part})" for part in others[:-1]) + f".*{others[-1]}"
