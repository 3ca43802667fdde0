"""The roles file as the agent has it: the newest that could be read whole, and why the one on disk is another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from botd.access.places import Places, groups_named
from botd.access.roles import MAX_BYTES, Roles, parse_roles
from botd.errors import ConfigError
from botd.file_modes import check_unwritable
from botd.inventory import Inventory
from botd.inventory.groups import why_not_believed
from botd.settings import GroupSettings


@dataclass(frozen=True)
class RolesState:
    """Roles with the text and the SHA-256 that they were read from. `fault` says why they are not those of the file.

    With a fault nothing acts: these roles are the last good ones, and good for nothing but being looked at.
    """

    roles: Roles = field(default_factory=Roles)
    text: str = ""
    digest: str = ""
    fault: str = ""


class RolesFile:
    """The file at a path, None where none is configured: then nobody has a role."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._last = RolesState(fault="" if path else "no [access] roles_file is set, so nobody may do anything")

    def look(self) -> RolesState:
        """The state of the file now. Never raises."""
        if self._path:
            try:
                self._last = _read(self._path, self._last)
            except ConfigError as error:
                self._last = replace(self._last, fault=str(error))
        return self._last


def read_roles(path: Path) -> RolesState:
    """The roles in a file. Raises ConfigError for one that cannot be read, that others can write, or that is wrong."""
    return _read(path, RolesState())


def places_of(roles: Roles, inventory: Inventory, settings: GroupSettings, resolve: Callable[[str], Path]) -> Places:
    """The nodes and groups there are, with the groups that are named in the roles and cannot be relied on."""
    lists = [roles.protected, *(text for role in roles.roles for text in (role.nodes, role.not_nodes))]
    in_lists = {name for text in lists for name in (*groups_named(text), *text.replace("/", ",").split(","))}
    named = {*map(str.strip, in_lists), *roles.caps.groups}
    groups = [inventory.groups[name] for name in named if name in inventory.groups]
    faults = {group.name: why_not_believed(group, settings, resolve) for group in groups}
    return Places(inventory, {name: why for name, why in faults.items() if why})


def _read(path: Path, last: RolesState) -> RolesState:
    try:
        with path.open("rb") as file:
            data = file.read(4 * MAX_BYTES + 1)
        check_unwritable(path, "the roles file")
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the roles file {path}: {error}") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest == last.digest:
        return replace(last, fault="")
    return RolesState(parse_roles(text, str(path)), text, digest)
