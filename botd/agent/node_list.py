"""The node list, as the agent keeps it: read from Slurm and the group files, written to the store where it changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from botd.acting.cycles import Cycle, add_cycles
from botd.config import resolve_path
from botd.documents import encode
from botd.errors import SlurmFailed, StoreDamaged
from botd.history.changes import list_changes
from botd.inventory import Inventory, build
from botd.inventory.document import read_document, to_document
from botd.inventory.groups import read_groups
from botd.inventory.reservations import Surroundings
from botd.inventory.slurm import SlurmReader
from botd.logs import Faults
from botd.model import Clock, SlurmNode
from botd.settings import Config
from botd.store import Store

log = logging.getLogger(__name__)


class NodeList:
    """The node list in memory and in the store: Slurm's nodes and the groups from files.

    `cycles` are those of nodes that booted in the last hour while they were out of service, as far as this agent has
    seen both lists; they may be read from any thread.
    """

    def __init__(self, config: Config, store: Store, clock: Clock) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._faults = Faults(log)
        self._reader = SlurmReader(config.slurm, resolve=lambda path: resolve_path(config, path))
        self._around = Surroundings(config.slurm)
        self._slurm: tuple[SlurmNode, ...] = ()
        self._as_of: datetime | None = None
        self._recorded: Mapping[str, SlurmNode] | None = None
        self.inventory: Inventory = build((), {}, None, ())
        self.cycles: tuple[Cycle, ...] = ()
        self.tried_at: datetime | None = None

    def refresh(self) -> None:
        """Reads the list once and records it. Where Slurm fails, its last good nodes stay, with their age."""
        started = self._clock()
        error: tuple[int, str] | None = None
        try:
            self._slurm, self._as_of = self._reader.read(), started
            self._around.read(started)
        except SlurmFailed as failure:
            error = (failure.status, str(failure))
        self._faults.tell("node list not read", [error[1]] if error else [])
        groups, problems = read_groups(self._config.groups, lambda path: resolve_path(self._config, path))
        problems = [*problems, *self._reader.problems]
        nodes = self._around.mark(self._slurm, started)
        self.inventory = build(nodes, groups, self._as_of, problems, self._around.switches)
        document = encode({**to_document(self.inventory), "as_of": None})
        if self._recorded is None:
            self._recorded = self._left_behind()
        changes = [] if error else list_changes(self._recorded, self.inventory.nodes, started)
        is_new = self._store.write_node_list(document, as_of=self._as_of, error=error, now=started, changes=changes)
        if not error:
            self.cycles = add_cycles(self.cycles, self._recorded, self.inventory.nodes, started)
            self._recorded = self.inventory.nodes
        if is_new:
            log.info("node list nodes=%d down=%d", len(self.inventory.names()), len(self.inventory.down()))
        self._faults.tell("node list problem", self.inventory.problems)
        self.tried_at = started

    def _left_behind(self) -> Mapping[str, SlurmNode]:
        """The nodes that an earlier agent wrote last, so that what changed since is not missed.

        Where they cannot be read any more, nothing is known to have changed.
        """
        try:
            document = self._store.node_list()
            return read_document(document).nodes if document else {}
        except StoreDamaged as error:
            log.error("what changed while no agent ran is not known error=%s", error)
            return self.inventory.nodes
