"""The document that `sinfo --json` prints in Slurm 22.05: every node once, its reason whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from botd.demo.machine import Node
from botd.demo.state import ClusterState
from botd.demo.tools.base import VERSION, flags

_META = {
    "plugin": {"type": "openapi/v0.0.38", "name": "Slurm OpenAPI v0.0.38"},
    "Slurm": {"version": {"major": 22, "micro": 8, "minor": 5}, "release": VERSION.split()[1]},
}


def document(state: ClusterState, nodes: Iterable[Node]) -> str:
    """The whole document for these nodes."""
    shown = ",\n".join(_node_text(node, state.base(node).lower(), state.used_cores(node.name)) for node in nodes)
    return f'{{\n"meta": {json.dumps(_META, indent=2)},\n"errors": [],\n"nodes": [\n{shown}\n]\n}}\n'


# A node's text changes only with the node, and making it is most of the cost of a large cluster's document.
@lru_cache(maxsize=65_536)
def _node_text(node: Node, base: str, used_cores: int) -> str:
    return json.dumps(_node(node, base, used_cores), indent=2, ensure_ascii=False)


def _node(node: Node, base: str, used_cores: int) -> dict[str, Any]:
    standing = node.standing
    return {
        "architecture": "x86_64",
        "burstbuffer_network_address": "",
        "boards": 1,
        "boot_time": int(node.booted_at),
        "comment": "",
        "cores": node.cores // 2,
        "cpu_binding": 0,
        "cpu_load": used_cores * 98,
        "extra": "",
        "free_memory": node.memory_mb // 2,
        "cpus": node.cores,
        "last_busy": int(node.booted_at),
        "features": node.features,
        "active_features": node.features,
        "gres": node.gres,
        "gres_drained": "N/A",
        "gres_used": "",
        "mcs_label": "",
        "name": node.name,
        "next_state_after_reboot": "invalid",
        "address": node.address,
        "hostname": node.name,
        "state": base,
        "state_flags": flags(node),
        "next_state_after_reboot_flags": [],
        "operating_system": f"Linux {node.health.kernel} #1 SMP",
        "owner": None,
        "partitions": list(node.partitions),
        "port": 6818,
        "real_memory": node.memory_mb,
        "reason": standing.reason,
        "reason_changed_at": int(standing.reason_at),
        "reason_set_by_user": standing.reason_by or None,
        "slurmd_start_time": int(node.slurmd_started_at),
        "sockets": 2,
        "threads": 1,
        "temporary_disk": 0,
        "weight": 1,
        "tres": f"cpu={node.cores},mem={node.memory_mb}M,billing={node.cores}",
        "slurmd_version": VERSION.split()[1],
        "alloc_memory": 0,
        "alloc_cpus": used_cores,
        "idle_cpus": max(0, node.cores - used_cores),
        "tres_used": f"cpu={used_cores}" if used_cores else None,
        "tres_weighted": float(used_cores),
    }
