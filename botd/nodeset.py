"""Nodesets: text like `n[0000-0003].savio1` to names and back, capped and validated. No input or output.

The grammar is python-hostlist's, which is pdsh's. What is added here is distrust: a list is measured before it
is expanded, and a name that a shell, a command line or a file name could misread does not come out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import hostlist

from botd.errors import BadNodeset
from botd.text import shown

MAX_NODES = 50_000
"""Names that one list may span. python-hostlist itself stops at 100,000."""

MAX_NAME = 253
"""Characters of a name: as many as the DNS has (RFC 1035)."""

MAX_TEXT = MAX_NODES * (MAX_NAME + 1)
"""Characters of one list: any names, where no two fold together. 10,000 full names take about 200,000."""

MAX_COMMAS = 5 * MAX_NODES
"""Commas of one list: it may name a node several times, as Slurm does once for each partition."""

MAX_BRACKETS = 16
"""Brackets in one part, `r[1-4]n[1-9]`. python-hostlist recurses once for each. `fold` writes two numbers or more into
each, so MAX_NODES names never have that many."""

_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{MAX_NAME - 1}}}")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_RANGE = re.compile(rf"([0-9]{{1,{MAX_NAME}}})(?:-([0-9]{{1,{MAX_NAME}}}))?")
_NUMBER = re.compile(r"([0-9]+)")
_MARK = re.compile(r"[][,]")


def expand(text: str, *, max_nodes: int = MAX_NODES) -> list[str]:
    """The names in a nodeset, in their order, each once.

    Raises BadNodeset, naming the part at fault, for bad syntax, an unsafe name, or more than `max_nodes`.
    """
    if len(text) > MAX_TEXT:
        raise BadNodeset(f"the node list has {len(text)} characters; send at most {MAX_TEXT}, or use a group")
    if (commas := text.count(",")) > MAX_COMMAS:
        raise BadNodeset(f"the node list has {commas} commas; send at most {MAX_COMMAS}, or use a group")
    names: dict[str, None] = {}
    spanned = 0
    for part in split(text):
        spanned += _span(part)
        if spanned > max_nodes:
            raise BadNodeset(f'the node list spans more than {max_nodes} nodes at "{shown(part)}"; ask for fewer')
        names.update(dict.fromkeys(_expand_part(part)))
    return list(names)


def split(text: str) -> list[str]:
    """The parts between the commas that stand outside brackets; empty parts are left out."""
    parts, depth, start = [], 0, 0
    for mark in _MARK.finditer(text):
        depth += (mark[0] == "[") - (mark[0] == "]")
        if mark[0] == "," and depth == 0:
            parts.append(text[start : mark.start()])
            start = mark.end()
    parts.append(text[start:])
    return [stripped for part in parts if (stripped := part.strip(" "))]


def fold(names: Iterable[str]) -> str:
    """The shortest nodeset that holds these names, sorted: `n[0000-0003].savio1,n0007.savio2`.

    `expand` takes whatever comes of names that it gave, or that `check_name` took.
    """
    return str(hostlist.collect_hostlist(sorted(set(names), key=natural_key)))


def hostlist_of(names: Iterable[str]) -> str:
    """The shortest list of these names that clush and Slurm take: Slurm (22.05) refuses `n[0000-0003].savio1`.

    So names are folded only where their number stands last.
    """
    parts = split(fold(names))
    return ",".join(part if part.endswith("]") or "[" not in part else ",".join(expand(part)) for part in parts)


def check_name(name: str) -> str:
    """The name itself. Raises BadNodeset when it is not a plain node or group name."""
    if not _NAME.fullmatch(name):
        raise BadNodeset(
            f'"{shown(name)}" is not a name: use letters, digits, ".", "-" and "_", not starting with "-" or "."'
        )
    return name


@lru_cache(maxsize=65_536)
def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key in which numbers count as numbers, so that n2 comes before n10."""
    parts = _NUMBER.split(name)
    return tuple((1, int(part), part) if i % 2 else (0, 0, part) for i, part in enumerate(parts))


def short(name: str) -> str:
    """The part before the first dot: `n0006` of `n0006.savio3`."""
    return name.partition(".")[0]


def cluster(name: str) -> str:
    """The part after the first dot: `savio3` of `n0006.savio3`; empty when there is none."""
    return name.partition(".")[2]


def fill_in(template: str, node: str) -> str:
    """The template with `{node}`, `{short}` and `{cluster}` replaced by those of the node."""
    filled = template.replace("{node}", node).replace("{short}", short(node))
    return filled.replace("{cluster}", cluster(node))


def _expand_part(part: str) -> list[str]:
    """The names of one part, which may hold brackets: `n[1-3]` or `n7`."""
    if "[" not in part and "]" not in part:
        return [check_name(part)]
    try:
        names: list[str] = hostlist.expand_hostlist(part)
    except (hostlist.BadHostlist, ValueError) as error:
        raise BadNodeset(f'cannot read the node list at "{shown(part)}": {error}') from error
    return [check_name(name) for name in names]


def _span(part: str) -> int:
    """How many names a part holds, counted without making them. Raises BadNodeset for a malformed range."""
    span = 1
    if part.count("[") > MAX_BRACKETS:
        raise BadNodeset(f'more than {MAX_BRACKETS} brackets in "{shown(part)}"; write several nodesets')
    for brackets in _BRACKETS.findall(part):
        span *= sum(_range_size(piece, part) for piece in brackets.split(","))
    return span


def _range_size(piece: str, part: str) -> int:
    match = _RANGE.fullmatch(piece)
    if not match:
        raise BadNodeset(f'cannot read the range "{shown(piece)}" in "{shown(part)}": write it as in n[00-17,20]')
    low, high = int(match[1]), int(match[2] or match[1])
    if high < low:
        raise BadNodeset(f'the range "{piece}" in "{shown(part)}" runs backwards: write the lower number first')
    return high - low + 1
