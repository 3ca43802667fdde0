"""The checks: one file each, and `CHECKS`, the literal table of them, in the order of the columns.

`site_checks` makes a site's checks of it: a `df_<name>` for each mount, and at the end the checks of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from shlex import quote

from botd import nodeset
from botd.checks import (
    custom,
    df,
    dstate,
    flat,
    ipmi_reachable,
    ipmi_state,
    jobs,
    last_job,
    load,
    memory,
    ping,
    sel,
    slurmd,
    slurmd_log,
    ssh,
    uptime,
    users,
)
from botd.config import typed
from botd.errors import ConfigError, UnknownCheck, did_you_mean
from botd.model import Check
from botd.settings import Config

CHECKS: tuple[Check, ...] = (
    ping.CHECK,
    ssh.CHECK,
    uptime.CHECK,
    load.CHECK,
    users.CHECK,
    dstate.CHECK,
    df.CHECK,  # stands for `df_var` and one `df_<name>` for each line of [mounts]
    memory.CHECK,
    slurmd.CHECK,
    slurmd_log.CHECK,
    jobs.CHECK,
    last_job.CHECK,
    ipmi_reachable.CHECK,
    ipmi_state.CHECK,
    sel.CHECK,
)

Checks = Mapping[str, Check]
"""The checks of a site by name, in the order of the columns."""


def site_checks(config: Config) -> Checks:
    """All checks of this site, with their settings. Raises ConfigError for a setting of no known check."""
    built_in, own = _built_in(config), _own(config)
    gone = _replaced(built_in, own)
    found = {name: check for name, check in built_in.items() if name not in gone} | own
    for name in config.checks:
        if name not in found and name not in parents(found):
            raise ConfigError(f"[checks.{name}] names no check{did_you_mean(name, found)}", f"[checks.{name}]")
    _check_columns(found)
    return {name: _bind(check, config) for name, check in found.items()}


def replaced(config: Config) -> list[str]:
    """What a person must know of built-in checks that a site's own take the place of, a sentence each.

    The site's own wins: it was there before an upgrade brought the other.
    """
    own = _own(config)
    gone = _replaced(_built_in(config), own)
    lost = ", ".join(name for name in gone if name not in own)
    more = f"; what needs that one is left out: {lost}" if lost else ""
    return [
        f'[[check]] "{name}" takes the place of the built-in check of that name{more}' for name in own if name in gone
    ]


def parents(checks: Checks) -> dict[str, list[str]]:
    """The names that stand for several checks: `df` for every `df_*`, `ipmi` for both that ask the BMC."""
    groups: dict[str, list[str]] = {check.parent: [] for check in CHECKS if check.parent and check.parent not in checks}
    for check in checks.values():
        if check.parent in groups:
            groups[check.parent].append(check.name)
    return groups


def select(checks: Checks, wanted: Iterable[str]) -> list[str]:
    """The checks that a request names, in the order of the columns; `df/tmp` is `df_tmp`, `all` is all.

    Raises UnknownCheck with the nearest known name.
    """
    groups = {"all": list(checks), **parents(checks)}
    chosen: set[str] = set()
    for text in wanted:
        name = text.replace("/", "_")
        if name in groups:
            chosen.update(groups[name])
        elif name in checks:
            chosen.add(name)
        else:
            hint = did_you_mean(name, [*checks, *groups]) or "; GET /api/v1/checks lists them"
            raise UnknownCheck(f'there is no check "{text[:60]}"{hint}')
    return [name for name in checks if name in chosen]


def named(checks: Checks, text: str | None) -> list[str]:
    """The checks in a comma list as a person or a request writes it; all where it names none. Raises UnknownCheck."""
    return select(checks, [word for part in (text or "").split(",") if (word := part.strip())] or ["all"])


def with_needs(checks: Checks, names: Iterable[str]) -> list[str]:
    """These checks and all that they need, in the order of the columns."""
    wanted: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in wanted:
            wanted.add(name)
            pending.extend(checks[name].needs)
    return [name for name in checks if name in wanted]


def command_for(check: Check, node: str, *, guarded: bool = False) -> str:
    """The shell fragment of a check for one node, with its options filled in, each quoted for the shell.

    `guarded` is for a node where it did not end the last time.
    """
    command = (guarded and check.guarded) or check.command
    for option in check.options:
        command = command.replace("{" + option.name + "}", quote(str(check.settings[option.name])))
    return nodeset.fill_in(command, node)


def _built_in(config: Config) -> Checks:
    """The checks of the table, with one for each mount where it says so."""
    mounts = df.check_mounts(config.mounts)
    return {check.name: check for row in CHECKS for check in (mounts if row is df.CHECK else [row])}


def _own(config: Config) -> dict[str, Check]:
    """The checks that the site adds. Raises ConfigError for one that cannot work, and for two of one name."""
    found: dict[str, Check] = {}
    for check in map(custom.check_command, config.check):
        if check.name in found:
            raise ConfigError(
                f'there are two checks named "{check.name}"; give one [[check]] another name', custom.at(check.name)
            )
        found[check.name] = check
    return found


def _check_columns(checks: Checks) -> None:
    """Raises ConfigError for a check of the site that would have a column of another one: its name is `ping_ms`."""
    whose: dict[str, str] = {}
    for name, check in checks.items():
        for column in flat.header(check):
            if column in whose:
                raise ConfigError(
                    f'[[check]] "{name}": its column {column} is one of "{whose[column]}" already; '
                    "give it another name or unit",
                    custom.at(name),
                )
            whose[column] = name


def _replaced(built_in: Checks, own: Checks) -> list[str]:
    """The names of the built-in checks that the site's own take the place of, and of those that need one of them."""
    return [name for name in built_in if not own.keys().isdisjoint(with_needs(built_in, [name]))]


def _bind(check: Check, config: Config) -> Check:
    """The check with the settings of its table over those of its parent's and its defaults."""
    table = {**config.checks.get(check.parent or "", {}), **config.checks.get(check.name, {})}
    known = {option.name: option for option in check.options}
    settings = {option.name: option.default for option in check.options}
    for key, value in table.items():
        where = f"[checks.{check.name}]"
        if key not in known:
            raise ConfigError(f'unknown key "{key}" in {where}{did_you_mean(key, known)}', f"{where} {key}")
        settings[key] = typed(f"{where} {key}", known[key].default, known[key].type, value)
    return dataclasses.replace(check, settings=settings)
