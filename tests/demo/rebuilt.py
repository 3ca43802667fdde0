"""The simulated node that must print like a real one, made from what `sinfo --json` of Slurm 22.05 says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botd.demo.machine import Health, Node, Standing


@dataclass(frozen=True, slots=True)
class RebuiltNode(Node):
    """A node at an address of its own."""

    own_address: str = ""

    @property
    def address(self) -> str:
        """Where the real one is."""
        return self.own_address


def rebuilt(index: int, told: Mapping[str, Any], at: Callable[[int], float] = float) -> RebuiltNode:
    """The node that Slurm tells of; `at` turns its times into those of the simulated world."""
    standing = Standing(
        down=told["state"] == "down",
        drain="DRAIN" in told["state_flags"],
        responding="NOT_RESPONDING" not in told["state_flags"],
        reason=told["reason"],
        reason_by=told["reason_set_by_user"] or "",
        reason_at=at(told["reason_changed_at"]) if told["reason_changed_at"] else 0.0,
    )
    return RebuiltNode(
        name=told["name"],
        index=index,
        cores=told["cpus"],
        memory_mb=told["real_memory"],
        partitions=tuple(told["partitions"]),
        features=told["features"],
        gres=told["gres"],
        booted_at=at(told["boot_time"]),
        health=Health(),
        standing=standing,
        own_address=told["address"],
    )
