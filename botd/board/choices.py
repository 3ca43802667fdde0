"""Which nodes a request names, worked out once for each node list."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from botd import nodeset
from botd.board.cache import Cache
from botd.errors import BadRequest
from botd.view import View

CACHED_CHOICES = 64

CACHED_NAMES = 2**23
"""Characters of all cached choices of nodes together, their names included: some 400,000 names."""


class _Choice(NamedTuple):
    """How a request names nodes, and of which list."""

    list_revision: int
    list_as_of: datetime | None
    terms: str
    nodes: str


class Choices:
    """The latest choices of one web process. Safe to use from many threads."""

    def __init__(self, max_nodes: int) -> None:
        self._max_nodes = max_nodes
        self._known: Cache[_Choice, tuple[str, ...]] = Cache(_size, most=CACHED_CHOICES, limit=CACHED_NAMES)

    def nodes(self, view: View, terms: str, nodes: str) -> tuple[str, ...]:
        """The nodes of groups and nodesets, naturally sorted.

        Raises BadNodeset, UnknownNode or UnknownGroup, and BadRequest for more nodes than a request may name.
        """
        choice = _Choice(view.pulse.list_revision, view.pulse.list_as_of, terms, nodes)
        return self._known.get(choice, lambda: self._chosen(view, choice))

    def _chosen(self, view: View, choice: _Choice) -> tuple[str, ...]:
        limit, inventory = self._max_nodes, view.inventory
        chosen = set(inventory.expand_groups(choice.terms, max_nodes=limit)) if choice.terms else set()
        chosen |= set(inventory.expand_nodes(choice.nodes, max_nodes=limit)) if choice.nodes else set()
        if len(chosen) > limit:
            raise BadRequest(f"this asks for {len(chosen)} nodes; ask for at most {limit} at once")
        return tuple(sorted(chosen, key=nodeset.natural_key))


def _size(choice: _Choice, names: tuple[str, ...]) -> int:
    return len(choice.terms) + len(choice.nodes) + sum(map(len, names))
