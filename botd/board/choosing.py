"""Which nodes of an answer are shown, and in which order: the filters and the sorting of a request, for every form.

Pure. `read_choice` understands the parameters, `choose` takes nodes and returns those chosen, in order; so pages,
tables and JSON agree. `static/view.js` does the same with the rows that a browser has already.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from botd.advice.rules import FAMILIES, RULES
from botd.checks import Checks
from botd.display.cells import cell
from botd.display.rows import sort_key
from botd.documents import NodeDocument, iso
from botd.errors import BadRequest, did_you_mean
from botd.inventory.states import BASES, MARKS, WORDS
from botd.model import Check, State
from botd.nodeset import natural_key

RESULTS = ("fail", "warn", "unknown", "ok", "skipped", "not-ok")
"""What `any=` may ask of readings: one that is so; `ok` where all are that were not skipped."""

FILTERS = ("family", "diagnosis", "any", "only", "state")
"""The parameters that leave nodes out."""

UNLISTED = "not in slurm"
"""The state of a node that only a group file names."""

WORSE = tuple(map(str, (State.OK, State.WARN, State.UNKNOWN, State.FAIL)))
"""How readings without a number sort: the worse, the greater."""

Key = float | str | None
"""What a node sorts by: numbers stand before words, and nothing comes last in both directions."""


@dataclass(frozen=True)
class Choice:
    """What a request chooses; what is empty chooses nothing. `sort` has names of columns, and whether downwards.

    `words` are the filters as they stand in a URL: `family=ssh any=fail`, empty where every node is shown.
    """

    families: Collection[str] = ()
    rules: Collection[str] = ()
    results: Collection[str] = ()
    states: Collection[str] = ()
    new_since: datetime | None = None
    sort: Sequence[tuple[str, bool]] = ()
    words: str = field(default="", compare=False)


EVERYTHING = Choice()
"""Every node in its natural order."""


def read_choice(args: Mapping[str, str], checks: Iterable[str], states: Iterable[str], since: datetime) -> Choice:
    """The choice in the parameters of a request: `checks` are those asked for, `states` those that nodes have.

    `since` is from when on a node is new. Raises BadRequest that names the parameter, and what may have been meant.
    """
    bare = {bare_state(state) for state in states} | {word.lower() for word in (*BASES, *WORDS)} | {UNLISTED}
    known = {
        "family": FAMILIES,
        "diagnosis": [rule.name for rule in RULES],
        "any": RESULTS,
        "only": ("new",),
        "state": bare,
    }
    given = {name: _listed(name, args.get(name, ""), words) for name, words in known.items()}
    return Choice(
        families=given["family"],
        rules=given["diagnosis"],
        results=given["any"],
        states=given["state"],
        new_since=since if given["only"] else None,
        sort=_read_sort(args.get("sort", ""), (*COLUMNS, *checks)),
        words=" ".join(f"{name}={','.join(words)}" for name, words in given.items() if words),
    )


def choose(nodes: Iterable[NodeDocument], choice: Choice, checks: Checks) -> list[NodeDocument]:
    """Those of the nodes that are chosen, in the order that is; what sorts alike stays as it was."""
    chosen = [node for node in nodes if _is_chosen(node, choice)]
    for name, downwards in reversed(choice.sort):
        key = COLUMNS.get(name) or _check_key(checks[name])
        chosen = _sorted(chosen, key, downwards)
    return chosen


def bare_state(state: str) -> str:
    """Slurm's state in small letters without the mark behind it: `drained` of `drained*`."""
    return state.lower().rstrip("".join(MARKS))


def is_new(node: NodeDocument, since: datetime) -> bool:
    """Whether a node is out of service, or has its diagnosis, only since then."""
    return node["since"] is not None and node["since"] >= iso(since)


def _is_chosen(node: NodeDocument, choice: Choice) -> bool:
    advice, slurm = node["recommendation"], node["slurm"]
    return (
        (not choice.families or (advice is not None and advice["family"] in choice.families))
        and (not choice.rules or (advice is not None and advice["diagnosis"] in choice.rules))
        and (not choice.states or (bare_state(slurm["state"]) if slurm else UNLISTED) in choice.states)
        and (not choice.results or any(_has(node, result) for result in choice.results))
        and (choice.new_since is None or is_new(node, choice.new_since))
    )


def _has(node: NodeDocument, result: str) -> bool:
    states = [reading["state"] for reading in node["readings"].values()]
    if result == "ok":
        return all(state in ("ok", "skipped") for state in states)
    return any(state not in ("ok", "skipped") if result == "not-ok" else state == result for state in states)


# ---- sorting ----


def _sorted(nodes: Sequence[NodeDocument], key: Callable[[NodeDocument], Key], downwards: bool) -> list[NodeDocument]:
    keyed = [(found, node) for node in nodes if (found := key(node)) is not None]
    ordered = sorted(keyed, key=lambda pair: _order(pair[0]), reverse=downwards)
    return [*(node for _, node in ordered), *(node for node in nodes if key(node) is None)]


def _order(key: float | str) -> tuple[bool, object]:
    return (True, natural_key(key.lower())) if isinstance(key, str) else (False, key)


def _check_key(check: Check) -> Callable[[NodeDocument], Key]:
    """What sorts by a check: its number; else, behind all numbers, how bad it is and its words. Skipped is nothing."""

    def key(node: NodeDocument) -> Key:
        reading = node["readings"][check.name]
        if reading["state"] == State.SKIPPED:
            return None
        number = sort_key(reading["value"], check)
        return f"{WORSE.index(reading['state'])} {cell(reading, check)}" if number is None else number

    return key


def _age(at: str | None) -> Key:
    """What has been so for longer is greater."""
    return None if at is None else -datetime.fromisoformat(at).timestamp()


def _state(node: NodeDocument) -> Key:
    return node["slurm"]["state"] if node["slurm"] else UNLISTED


def _read(node: NodeDocument) -> Key:
    times = [reading["at"] or "" for reading in node["readings"].values()]
    return _age(min(times, default="") or None)


def _family(node: NodeDocument) -> Key:
    advice = node["recommendation"]
    return list(FAMILIES).index(advice["family"]) if advice else None


COLUMNS: Mapping[str, Callable[[NodeDocument], Key]] = {
    "name": lambda node: node["node"],
    "state": _state,
    "since": lambda node: _age(node["since"]),
    "diagnosis": lambda node: (advice := node["recommendation"]) and advice["title"],
    "family": _family,
    "by": lambda node: (slurm := node["slurm"]) and (slurm["reason_by"] or None),
    "reason": lambda node: (slurm := node["slurm"]) and (slurm["reason"] or None),
    "read": _read,
    "groups": lambda node: " ".join(node["groups"]) or None,
}
"""What `sort=` takes besides the checks; ages grow, and families are in the order of what can be done now."""


# ---- reading ----


def _listed(name: str, text: str, known: Collection[str]) -> tuple[str, ...]:
    """The words of a list, each once. Raises BadRequest for one that is not known."""
    marks = "".join(MARKS) if name == "state" else ""
    words = (word.strip().lower().rstrip(marks) for word in text.split(","))
    found = tuple(dict.fromkeys(word for word in words if word))
    for word in found:
        if word not in known:
            raise _unknown(name, word, known)
    return found


def _read_sort(text: str, known: Collection[str]) -> tuple[tuple[str, bool], ...]:
    """`-since,name` as columns, and whether downwards. Raises BadRequest for a column that is not in the answer."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word.removeprefix("-") not in known:
            raise _unknown("sort", word.removeprefix("-"), known)
    return tuple((word.removeprefix("-"), word.startswith("-")) for word in words)


def _unknown(name: str, word: str, known: Collection[str]) -> BadRequest:
    near = did_you_mean(word, known) or f"; known: {', '.join(sorted(known))}"
    return BadRequest(f'parameter "{name}": there is no "{word[:60]}"{near}')
