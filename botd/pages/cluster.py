"""GET /cluster: the picture of the cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flask import Response, url_for

from botd.display.cluster import COLUMNS, ORDER, WORDS, Block, draw_blocks, families, family, in_slurm
from botd.inventory import Inventory
from botd.nodeset import split
from botd.pages.base import figures, page_form, render, same_page
from botd.text import fit
from botd.web.here import board
from botd.web.params import ClusterQuery, query
from botd.web.questions import patience, status_question
from botd.web.replies import records_reply

MAX_NODESET = 60
"""Characters of a nodeset in the words below a block."""

SQUARES = {
    "ok": ".",
    "fail": "X",
    "warn": "!",
    "unknown": "?",
    "out": "x",
    "mixed": "m",
    "allocated": "a",
    "idle": "i",
    "unread": "-",
}
"""What stands in a square, so that nobody needs colours to see what is wrong."""

SICK = ("fail", "warn", "unknown", "out")
"""States that name their nodes in the words below a block."""


def cluster() -> Response:
    """Every node as a square. It shows what is known: only who gives a `max_age` has nodes asked for it."""
    args = query(ClusterQuery)
    question = status_question(patience(args), default_groups=("all",))
    answer = board().answer(question, sweep_allowed="max_age" in args)
    inventory = answer.view.inventory
    known = families(inventory)
    by = args.get("by") or next(iter(known), "")
    groups = family(inventory, by) if by else []
    readings, slurm = answer.view.readings, in_slurm(inventory)
    blocks = draw_blocks(groups, answer.nodes, readings, answer.checks, board().checks, slurm)
    form = page_form(args)
    if form:
        return records_reply(form, {**answer.head(), "by": by}, "blocks", [block.record() for block in blocks], COLUMNS)
    return render(
        "cluster.html",
        **figures(answer),
        by=by,
        families=[(name, len(groups), same_page("cluster", by=name)) for name, groups in known.items()],
        blocks=[(block, _block_words(block), _block_url(block, inventory)) for block in blocks],
        total=_total_words(blocks),
        node_url=url_for("node", name="-").removesuffix("-"),
        marks=SQUARES,
        words=WORDS,
    )


def _block_words(block: Block) -> list[tuple[str, str, str]]:
    """The counts of a block: how bad, in words, and the nodes where there is something to look at."""
    told = block.nodesets.items()
    return [(at, f"{block.counts[at]} {WORDS[at]}", _short_nodeset(nodes) if at in SICK else "") for at, nodes in told]


def _total_words(blocks: Sequence[Block]) -> list[str]:
    """The counts of all blocks, and in how many of them: whether one rack is ill or the whole cluster."""
    counts = sum((block.counts for block in blocks), Counter[str]())
    found = {state: sum(state in block.counts for block in blocks) for state in ORDER if counts[state]}
    return [f"{counts[state]} {WORDS[state]} in {where} of {len(blocks)} groups" for state, where in found.items()]


def _short_nodeset(nodes: str) -> str:
    """A nodeset as far as it is of use in a sentence."""
    text = ", ".join(split(nodes))
    return text if len(text) <= MAX_NODESET else fit(text, MAX_NODESET)


def _block_url(block: Block, inventory: Inventory) -> str:
    """The table of a block's nodes, empty where no group has its name."""
    return url_for("nodes", groups=block.name) if block.name in inventory.groups else ""
