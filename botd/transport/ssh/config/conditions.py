"""When the lines below a Host or a Match count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from botd.transport.ssh.account import own_name
from botd.transport.ssh.config.lines import Line
from botd.transport.ssh.patterns import Patterns, read_patterns


class Moment(NamedTuple):
    """What conditions look at. `name` is as it was asked for and `host` as Host sees it, the same until the final pass;
    `hostname` and `user` are what the lines so far make of them.
    """

    name: str
    host: str
    hostname: str
    user: str
    final: bool


class Condition(Protocol):
    """What decides whether the lines below it count."""

    def holds(self, moment: Moment) -> bool:
        """Whether they count now."""
        ...


ASKED: Mapping[str, Callable[[Moment], str]] = {
    "host": lambda moment: moment.hostname.lower(),
    "originalhost": lambda moment: moment.name.lower(),
    "user": lambda moment: moment.user,
    "localuser": lambda moment: own_name(),
}
"""What the criteria of Match that take patterns compare with them."""


@dataclass(frozen=True)
class HostIs:
    """`Host`: the patterns stand apart, and case counts. `names` are all that it can mean, None with a wildcard."""

    patterns: Patterns
    names: frozenset[str] | None

    def holds(self, moment: Moment) -> bool:
        """Whether the name matches."""
        return self.patterns.match(moment.host)


@dataclass(frozen=True)
class _Criterion:
    attribute: str
    patterns: Patterns
    negated: bool

    def holds(self, moment: Moment) -> bool:
        return self.patterns.match(ASKED[self.attribute](moment)) is not self.negated


@dataclass(frozen=True)
class _Final:
    """`final`, and `canonical`, which without CanonicalizeHostname means the same (OpenSSH 9.2 and 10.5)."""

    negated: bool

    def holds(self, moment: Moment) -> bool:
        return moment.final is not self.negated


@dataclass(frozen=True)
class Matches:
    """`Match`: all criteria hold. `final` says whether one of them asks for the final pass."""

    criteria: tuple[Condition, ...]
    final: bool

    def holds(self, moment: Moment) -> bool:
        """Whether all criteria do."""
        return all(criterion.holds(moment) for criterion in self.criteria)


def read_condition(line: Line) -> HostIs | Matches:
    """The condition of a Host or Match line. Raises ConfigError, naming the line, for one that botd does not follow."""
    if line.keyword == "host":
        if not all(word.removeprefix("!") for word in line.words):
            raise line.refused("a pattern is empty")
        wild = any(char in word for word in line.words for char in "*?")
        return HostIs(read_patterns(line.words), None if wild else frozenset(line.words))
    if "'" in line.rest or "\\" in line.rest:
        raise line.refused("OpenSSH's versions differ in quoting here: use double quotation marks or none")
    found = tuple(_criteria(line))
    return Matches(found, any(word.lower() == "final" for word in line.words))


def _criteria(line: Line) -> Iterator[Condition]:
    # Match final originalhost n0*,!n0001 user=root
    words = iter(line.words)
    so_far: set[str] = set()
    for word in words:
        attribute, equals, _ = word.removeprefix("!").lower().partition("=")
        negated = word.startswith("!")
        if "all" in so_far or (attribute == "all" and (negated or so_far - {"final", "canonical"})):
            raise line.refused("`all` stands alone, or behind `final`")
        so_far.add(attribute)
        if attribute in ("final", "canonical") and not equals:
            if negated and attribute == "final":
                raise line.refused("OpenSSH's versions differ in what `!final` means")
            yield _Final(negated)
        elif attribute != "all" or equals:
            yield _criterion(line, attribute, word.partition("=")[2] if equals else next(words, ""), negated=negated)


def _criterion(line: Line, attribute: str, argument: str, *, negated: bool) -> Condition:
    if attribute == "exec":
        raise line.refused("botd does not run the commands of `Match exec`; use `Match host`")
    if attribute not in ASKED:
        raise line.refused(f"botd does not follow `Match {attribute}`; use `Match host`")
    if not argument or argument.startswith("="):
        raise line.refused(f"nothing stands behind `{attribute}`")
    folded = argument.lower() if attribute in ("host", "originalhost") else argument
    return _Criterion(attribute, read_patterns(folded.split(",")), negated)
