"""The matrix as text: a row for each node or fold, a column for each check, those with something wrong first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from botd.checks import Checks
from botd.display.cells import age, cell
from botd.display.findings import bad_first, findings
from botd.display.fold import Shown, names_of
from botd.display.terminal import WIDE, Column, Drawn, Look, draw, left_out, notes, wrapped
from botd.documents import StatusHead
from botd.model import Check

INDENT = "  "
"""Before what is wrong with a node and had no room in its row."""


def status_table(head: StatusHead, nodes: Sequence[Shown], checks: Checks, now: datetime, look: Look = WIDE) -> bytes:
    """The table for a terminal: node, Slurm's state, diagnosis, the checks, since when and by whom, the reason.

    Where there is no room for a check, what is wrong in it stands below the row in words.
    """
    names = bad_first(head["checks"], [node["readings"] for node in nodes])
    by_check = {name: _check_column(checks[name], nodes) for name in names}
    drawn = draw([*_first_columns(nodes), *by_check.values(), *_last_columns(nodes, now)], look)
    gone = [name for name, column in by_check.items() if column in drawn.left_out]
    legend = f"{_count(head)}, as of {head['as_of'] or 'never'}; !! fail, ! warn, ? unknown, - skipped"
    told = notes([legend, *left_out(drawn), *head["problems"]], look)
    return (_with_what_is_wrong(drawn, nodes, gone, checks, look) + told).encode()


def _first_columns(nodes: Sequence[Shown]) -> list[Column]:
    names = list(names_of(nodes[0])) if nodes else ["node"]
    titles = [advice["title"] if (advice := node["recommendation"]) else "" for node in nodes]
    return [
        *(Column(name.upper(), [str(names_of(node)[name]) for node in nodes], kept=True) for name in names),
        Column("STATE", [slurm["state"] if (slurm := node["slurm"]) else "-" for node in nodes], kept=True),
        *([Column("DIAGNOSIS", titles, kept=True)] if any(titles) else []),
    ]


def _last_columns(nodes: Sequence[Shown], now: datetime) -> list[Column]:
    slurm = [node["slurm"] for node in nodes]
    return [
        Column("SINCE", [age(node["since"], now) if node["since"] else "" for node in nodes]),
        Column("BY", [(found["reason_by"] or "") if found else "" for found in slurm]),
        Column("REASON", [found["reason"] if found else "" for found in slurm], kept=True),
    ]


def _check_column(check: Check, nodes: Sequence[Shown]) -> Column:
    readings = [node["readings"][check.name] for node in nodes]
    states = [reading["state"] for reading in readings]
    texts = [cell(reading, check) for reading in readings]
    return Column(check.title.upper(), texts, states, quiet=set(states) <= {"ok", "skipped"})


def _with_what_is_wrong(drawn: Drawn, nodes: Sequence[Shown], gone: Sequence[str], checks: Checks, look: Look) -> str:
    """The lines of a table, each with what is wrong in the checks that have gone below it."""
    header, *rows = drawn.lines
    lines = [header]
    for row, node in zip(rows, nodes, strict=True):
        wrong = findings({name: node["readings"][name] for name in gone}, checks)
        told = wrapped("; ".join(map(str, wrong)), look.width and look.width - len(INDENT)) if wrong else []
        lines += [row, *(INDENT + line for line in told)]
    return "".join(f"{line}\n" for line in lines)


def _count(head: StatusHead) -> str:
    """How many nodes there are: `28 nodes`, `12 of 28 nodes shown: family=ssh`."""
    if head["chosen"]:
        return f"{head['count']} of {head['of']} nodes shown: {head['chosen']}"
    return "1 node" if head["count"] == 1 else f"{head['count']} nodes"
