"""The roles file: who may do what on which nodes, how much of it, and what nobody may touch.

It is read whole or refused: a file of which a part cannot be used gives no rights at all, and the message names the
table, the key and the next step.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botd.access.conditions import BY_NAME
from botd.access.places import check_nodes, check_protected
from botd.access.windows import Window, check_window
from botd.acting.actions import WEIGHTS, Weight
from botd.acting.limits import Breaker, Caps, Storm, parse_share
from botd.config import read_section
from botd.errors import BadNodeset, ConfigError, did_you_mean
from botd.text import is_number

RIGHTS = ("note", "tail", "approve", "re-arm", "harm", "people", "audit")
"""What is no action: write notes, look into logs as they grow, be the second person, re-arm after the breaker or a
stop, mark an outcome as harm, end others' sessions, read the audit."""

PROOFS = ("otp", "ssh", "munge")

EVERYTHING = "*"

MAX_BYTES = 1_000_000
MAX_ROLES = 200


@dataclass(frozen=True)
class Role:
    """[[role]]: people, what they may do where, on which conditions, how often, and with which proof."""

    name: str = ""
    users: tuple[str, ...] = ()
    unix_groups: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    nodes: str = ""
    not_nodes: str = ""
    when: tuple[str, ...] = ()
    per_hour: int | None = None
    per_day: int | None = None
    at_once: int | None = None
    proof: tuple[str, ...] = ()
    approve_by: str = ""
    may: tuple[str, ...] = ()

    def grants_action(self, action: str) -> bool:
        """Whether it names the action, or every one there is."""
        return action in self.actions or (EVERYTHING in self.actions and action in WEIGHTS)

    def proofs(self, action: str) -> tuple[str, ...]:
        """The proofs that it takes for an action: its own, else ssh and codes for a hard one, any for all others."""
        return self.proof or (("otp", "ssh") if WEIGHTS.get(action, Weight.HARD) is Weight.HARD else PROOFS)


@dataclass(frozen=True)
class _Protected:
    nodes: str = ""


@dataclass(frozen=True)
class Roles:
    """A roles file that was read whole."""

    roles: tuple[Role, ...] = ()
    windows: tuple[Window, ...] = ()
    caps: Caps = field(default_factory=Caps)
    breaker: Breaker = field(default_factory=Breaker)
    storm: Storm = field(default_factory=Storm)
    protected: str = ""


_TABLES = ("role", "window", "caps", "breaker", "storm", "protected")


def parse_roles(text: str, path: str = "") -> Roles:
    """The roles in the text of a file. Raises ConfigError naming the file, the table and the key at fault."""
    try:
        return _parse(text)
    except ConfigError as error:
        raise ConfigError(f"the roles file {path or '(unnamed)'}: {error}") from None


def _parse(text: str) -> Roles:
    if len(text) > MAX_BYTES:
        raise ConfigError(f"it has more than {MAX_BYTES:,} characters")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"it is not TOML: {error}") from None
    for name in document:
        if name not in _TABLES:
            raise ConfigError(f'unknown table "{name}"{did_you_mean(name, _TABLES)}')
    roles = Roles(
        roles=tuple(read_section(Role, where, table) for where, table in _list(document, "role")),
        windows=tuple(_window(where, table) for where, table in _list(document, "window")),
        caps=read_section(Caps, "[caps]", document.get("caps", {})),
        breaker=read_section(Breaker, "[breaker]", document.get("breaker", {})),
        storm=read_section(Storm, "[storm]", document.get("storm", {})),
        protected=read_section(_Protected, "[protected]", document.get("protected", {})).nodes,
    )
    _check(roles)
    _check_end(document)
    return roles


def _check_end(document: Mapping[str, Any]) -> None:
    """Raises ConfigError unless the protected nodes stand last: a file that was cut as it was written would else be a
    shorter one, without them, or with a role that lost its conditions.
    """
    if list(document)[-1:] != ["protected"] or "nodes" not in document["protected"]:
        raise ConfigError('end the file with the table [protected] and its nodes, nodes = "" where there are none')


def _list(document: Mapping[str, Any], name: str) -> Iterable[tuple[str, Any]]:
    """Each table of a list, with how an error names it: its place, and its own name where it has one."""
    tables = document.get(name, [])
    if not isinstance(tables, list):
        raise ConfigError(f"write [[{name}]] with two brackets: it is a list")
    for number, table in enumerate(tables, 1):
        own = table.get("name") if isinstance(table, dict) else None
        yield f"[[{name}]] {number}" + (f' "{own[:60]}"' if isinstance(own, str) else ""), table


def _window(where: str, table: Any) -> Window:
    """A window, whose `from` and `to` are no names that Python has."""
    renamed = {"from": "opens", "to": "closes"}
    if isinstance(table, dict):
        if odd := next((key for key in table if key in renamed.values()), None):
            raise ConfigError(f'unknown key "{odd}" in {where}; write from and to')
        table = {renamed.get(key, key): value for key, value in table.items()}
    window: Window = read_section(Window, where, table)
    try:
        check_window(window)
    except ValueError as error:
        raise ConfigError(f"{where} {error}") from None
    return window


def _check(roles: Roles) -> None:
    if len(roles.roles) > MAX_ROLES:
        raise ConfigError(f"it has more than {MAX_ROLES} roles")
    names = [role.name for role in roles.roles]
    for number, role in enumerate(roles.roles, 1):
        where = f'[[role]] {number} "{role.name[:60]}"'
        if not role.name or names.index(role.name) != number - 1:
            raise ConfigError(f"{where} name: give each role a name of its own")
        _check_role(where, role, names)
        if "in-window" in role.when and not any(not window.deny for window in roles.windows):
            raise ConfigError(f"{where} when: in-window needs a [[window]] that does not deny")
    _check_nodes("[protected] nodes", roles.protected, check_protected)
    for section in ("caps", "breaker", "storm"):
        _check_limits(section, getattr(roles, section))


def _check_role(where: str, role: Role, names: Sequence[str]) -> None:
    _check_words(f"{where} actions", role.actions, (EVERYTHING, *WEIGHTS))
    _check_words(f"{where} when", role.when, BY_NAME)
    _check_words(f"{where} proof", role.proof, PROOFS)
    _check_words(f"{where} may", role.may, RIGHTS)
    _check_words(f"{where} approve_by", (role.approve_by,) if role.approve_by else (), (*RIGHTS, *names))
    if role.actions and not role.nodes:
        raise ConfigError(f'{where} nodes: say where its actions may be done, or "all"')
    _check_nodes(f"{where} nodes", role.nodes, check_nodes)
    _check_nodes(f"{where} not_nodes", role.not_nodes, check_nodes)
    for name in ("per_hour", "per_day", "at_once"):
        value = getattr(role, name)
        if value is not None and not 0 <= value <= 1_000_000:
            raise ConfigError(f"{where} {name} must be a whole number from 0 on, not {value}")


def _check_words(where: str, words: Iterable[str], known: Iterable[str]) -> None:
    known = tuple(known)
    for word in words:
        if word not in known:
            hint = did_you_mean(word, known) or f"; there are {', '.join(known)}"
            raise ConfigError(f'{where}: unknown "{word[:60]}"{hint}')


def _check_nodes(where: str, text: str, check: Any) -> None:
    try:
        if text:
            check(text)
    except BadNodeset as error:
        raise ConfigError(f"{where}: {error}") from None


def _check_limits(section: str, limits: Any) -> None:
    """Numbers from 0 on, and texts that are shares."""
    for name, value in vars(limits).items():
        where = f"[{section}] {name}"
        if is_number(value) and not 0 <= value <= 1_000_000:
            raise ConfigError(f"{where} must be a whole number from 0 on, not {value}")
        if isinstance(value, str):
            try:
                parse_share(value)
            except ValueError as error:
                raise ConfigError(f"{where}: {error}") from None
