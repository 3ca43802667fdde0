"""Puts the month before into the database of `botd demo`, as an agent would have left it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from botd.commands.ledger import owned
from botd.config import load_config
from botd.documents import encode
from botd.history.changes import list_changes
from botd.inventory import build
from botd.inventory.document import to_document
from botd.inventory.slurm import SlurmReader
from botd.model import Change, SlurmNode, utc_now
from botd.store import Store


def remember(config_path: str, begin: datetime, changes: Sequence[Change]) -> None:
    """Makes the record begin at `begin`, with these changes and how the nodes that Slurm lists now left service.

    The agent that starts on it goes on with it. Raises SlurmFailed, StoreUnavailable and LedgerUnavailable.
    """
    config, now = load_config(config_path), utc_now()
    nodes = SlurmReader(config.slurm).read()
    found = sorted([*changes, *_left(nodes)], key=lambda change: change.at)
    store = Store(config)
    store.create(begin)
    document = encode({**to_document(build(nodes, {}, None)), "as_of": None})
    store.write_node_list(document, as_of=now, error=None, now=now, changes=found)
    store.close()
    with owned(config) as ledger, ledger.write() as db:
        ledger.outcomes.watch(db, begin, timedelta.max)
        ledger.outcomes.watch(db, now, timedelta.max)  # one look that lasted all the time: nobody was blind


def _left(nodes: Sequence[SlurmNode]) -> Iterator[Change]:
    """How these nodes left service, by the time of their reason."""
    for node in nodes:
        if node.reason_at:
            well = replace(node, state="idle", base="IDLE", flags=(), reason="", reason_by="", reason_at=None)
            yield from list_changes({node.node: well}, {node.node: node}, node.reason_at)
