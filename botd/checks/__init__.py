"""The checks: one file each, and `CHECKS`, the literal table of those that are always there.

`site_checks` adds what the configuration adds: a `df_<name>` for each mount and the site's own checks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from shlex import quote
from typing import Any

from botd import nodeset
from botd.checks import (
    custom,
    df,
    ipmi_reachable,
    ipmi_state,
    jobs,
    last_job,
    load,
    memory,
    ping,
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
    memory.CHECK,
    slurmd.CHECK,
    slurmd_log.CHECK,
    jobs.CHECK,
    last_job.CHECK,
    ipmi_reachable.CHECK,
    ipmi_state.CHECK,
)

Checks = Mapping[str, Check]
"""The checks of a site by name, in the order of the columns."""


def site_checks(config: Config) -> Checks:
    """All checks of this site, with their settings. Raises ConfigError for a setting of no known check."""
    mounts = [df.check_mount(name, path) for name, path in config.mounts.items()]
    own = [custom.check_command(settings) for settings in config.check]
    found: dict[str, Check] = {}
    for check in (*CHECKS[:5], *mounts, *CHECKS[5:], *own):
        if check.name in found:
            raise ConfigError(f'there are two checks named "{check.name}"; give the one in [[check]] another name')
        shared = config.checks.get(check.parent or "", {})
        found[check.name] = _bind(check, {**shared, **config.checks.get(check.name, {})})
    for name in config.checks:
        if name not in found and name not in parents(found):
            raise ConfigError(f"[checks.{name}] names no check{did_you_mean(name, found)}")
    return found


def parents(checks: Checks) -> dict[str, list[str]]:
    """The names that stand for several checks: `df` for every `df_*`, `ipmi` for both that ask the BMC."""
    groups: dict[str, list[str]] = {"df": []}
    for check in checks.values():
        if check.parent:
            groups.setdefault(check.parent, []).append(check.name)
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


def _bind(check: Check, table: Mapping[str, Any]) -> Check:
    """The check with the settings of its `[checks.<name>]` table over its defaults."""
    known = {option.name: option for option in check.options}
    settings = {option.name: option.default for option in check.options}
    for key, value in table.items():
        where = f"[checks.{check.name}]"
        if key not in known:
            raise ConfigError(f'unknown key "{key}" in {where}{did_you_mean(key, known)}')
        settings[key] = typed(f"{where} {key}", known[key].default, known[key].type, value)
    return dataclasses.replace(check, settings=settings)
