"""An inventory as plain values that JSON can hold, for the store: the agent writes it, the web reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, NotRequired, TypedDict

from botd.documents import decode
from botd.errors import StoreDamaged
from botd.inventory import Inventory
from botd.model import Group, SlurmNode

_TIMES = ("reason_at", "boot_at", "slurmd_started_at", "maintenance_at", "maintenance_until")


class GroupEntry(TypedDict):
    """A group."""

    name: str
    source: str
    nodes: list[str]


class InventoryDocument(TypedDict):
    """An inventory. A node has the fields of SlurmNode, whichever a version has."""

    as_of: str | None
    problems: list[str]
    nodes: list[dict[str, Any]]
    groups: list[GroupEntry]
    switches: NotRequired[list[GroupEntry]]


def to_document(inventory: Inventory) -> InventoryDocument:
    """The inventory as dicts, lists, numbers and texts; times are ISO texts with their zone."""
    return {
        "as_of": _iso(inventory.as_of),
        "problems": list(inventory.problems),
        "nodes": [_node_document(node) for node in inventory.nodes.values()],
        "groups": [_entry(group) for group in inventory.groups.values()],
        "switches": [_entry(switch) for switch in inventory.switches],
    }


def read_document(data: bytes) -> Inventory:
    """The inventory in the JSON of a document. Raises StoreDamaged for any other."""
    try:
        return from_document(decode(data))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise StoreDamaged(
            f"the nodes and groups in the database cannot be read ({type(error).__name__}); the agent replaces them "
            "when it looks at Slurm again"
        ) from error


def from_document(document: InventoryDocument) -> Inventory:
    """The inventory of a document that `to_document` made. Raises KeyError, TypeError, ValueError."""
    nodes = [_node(entry) for entry in document["nodes"]]
    groups = [_group(entry) for entry in document["groups"]]
    return Inventory(
        nodes={node.node: node for node in nodes},
        groups={group.name: group for group in groups},
        as_of=_time(document["as_of"]),
        problems=tuple(document["problems"]),
        switches=tuple(_group(entry) for entry in document.get("switches", [])),
    )


def _entry(group: Group) -> GroupEntry:
    return {"name": group.name, "source": group.source, "nodes": list(group.nodes)}


def _group(entry: GroupEntry) -> Group:
    return Group(entry["name"], entry["source"], tuple(entry["nodes"]))


def _node_document(node: SlurmNode) -> dict[str, Any]:
    values = {field.name: getattr(node, field.name) for field in fields(SlurmNode)}
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _node(entry: Mapping[str, Any]) -> SlurmNode:
    values: dict[str, Any] = {name: _value(value) for name, value in entry.items()}
    values.update({name: _time(entry.get(name)) for name in _TIMES})
    return SlurmNode(**values)


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
