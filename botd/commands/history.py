"""`botd history import` and `botd replay`: what slurmdbd remembers is counted, what is on record gone through."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from botd.advice.confidence import Counts
from botd.advice.hardware import hardware_of
from botd.advice.imported import SILENT, Outage, outages, resumed, silences
from botd.advice.observed import READ
from botd.advice.replay import CANNOT_KNOW, Site, replay, told
from botd.advice.rules import RESUME
from botd.advice.weighing import Scales
from botd.checks import site_checks
from botd.commands.ledger import owned
from botd.config import parse_config, resolve_path
from botd.errors import BadRequest, ConfigError
from botd.history.past import LOOK_BACK
from botd.inventory import Inventory, build
from botd.inventory.events import NodeEvent, parse_events, read_events
from botd.inventory.groups import read_groups
from botd.inventory.slurm import SlurmReader
from botd.ledger.outcomes import IMPORTED, IncidentRow, Row, SpellRow
from botd.model import utc_now
from botd.settings import AdviceSettings, Config
from botd.store import Store
from botd.text import escaped

YEAR, QUARTER = "365d", "90d"

LONGEST_DAYS = 3660


def days(text: str) -> timedelta:
    """The time in `90d`. Raises BadRequest."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})d", text, re.ASCII)
    if not found or int(found[1]) > LONGEST_DAYS:
        raise BadRequest(f'cannot read "{escaped(text)[:40]}": write days, such as 90d')
    return timedelta(days=int(found[1]))


def history_import(config: Config, since: str | None, file: str | None) -> int:
    """Takes over what slurmdbd has, or what a saved output of sacctmgr has. Twice is as good as once."""
    now = utc_now()
    begin = now - days(since or YEAR)
    events = _saved(file) if file else read_events(config.slurm, begin)
    found = outages(event for event in events if event.begins_at >= begin)
    inventory = _inventory(config, now)
    rows, spells = _rows(found, inventory, config, now), _spells(found)
    with owned(config) as ledger, ledger.write() as db:
        ledger.outcomes.add_incidents(db, _over(found))
        added, healed = ledger.outcomes.add(db, rows), ledger.outcomes.add_spells(db, spells)
    _tell(found, rows, spells, added, healed)
    return 0


def _saved(file: str) -> Sequence[NodeEvent]:
    """The events of a file, `-` for standard input. Raises ConfigError, SlurmFailed."""
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror or error}") from error
    return parse_events(data.decode("utf-8", "replace"))


def _inventory(config: Config, now: datetime) -> Inventory:
    """The nodes as they are now, of which each tells its kind of hardware. Raises SlurmFailed."""
    groups, _ = read_groups(config.groups, partial(resolve_path, config))
    return build(SlurmReader(config.slurm, resolve=partial(resolve_path, config)).read(), groups, now)


def _rows(found: Sequence[Outage], inventory: Inventory, config: Config, now: datetime) -> list[Row]:
    return [
        Row(
            IMPORTED,
            each.node,
            each.diagnosis,
            RESUME,
            hardware_of(inventory, each.node, config.advice.hardware),
            each.at,
            each.verdict.value,
            each.words[:500],
        )
        for each in resumed(found, now)
        if inventory.is_known(each.node)
    ]


def _spells(found: Sequence[Outage]) -> list[SpellRow]:
    return [
        SpellRow(IMPORTED, each.node, SILENT, each.began_at, round(each.hours, 4), each.healed)
        for each in silences(found)
    ]


def _over(found: Sequence[Outage]) -> list[IncidentRow]:
    """Those that are over. One that goes on stands in botd's own record as soon as the agent looks at the node."""
    return [IncidentRow(each.node, each.begins_at, each.ends_at) for each in found if each.ends_at]


def _tell(
    found: Sequence[Outage], rows: Sequence[Row], spells: Sequence[SpellRow], added: int, spells_added: int
) -> None:
    """What was found, what of it is new, and what cannot be known."""
    good, bad = (sum(row.verdict == verdict for row in rows) for verdict in ("good", "bad"))
    healed, nodes = sum(spell.healed for spell in spells), len({each.node for each in found})
    print(f"{len(found)} incidents of {nodes} nodes")
    print(f"{len(rows)} resumes of drained nodes: {good} good, {bad} bad; {added} of them new")
    print(f"{len(spells)} nodes were silent, {healed} of them back alone within half an hour; {spells_added} new")
    print("what ended the other incidents is not in slurmdbd, and is counted for nothing")


# ---- replay ----


def replay_history(config: Config, since: str | None, policy: str | None) -> int:
    """Says what botd would have said over a time on record, by the costs of a policy file where one is given."""
    now = utc_now()
    begin = now - days(since or QUARTER)
    settings = _policy(policy) if policy else config.advice
    inventory = _inventory(config, now)
    changes = Store(config).changes.news(READ, begin - LOOK_BACK)
    with owned(config) as ledger, ledger.read() as db:
        counts = [Counts(*each) for each in ledger.outcomes.tallied(db)]
        acted = ledger.actions.acted(db, begin - LOOK_BACK)
    kind = partial(hardware_of, inventory, groups=settings.hardware)
    site = Site(site_checks(config), Scales.of(settings), kind, acted)
    found = replay(changes, counts, site, begin, now)
    first = min((change.at for change in changes), default=None)
    print(f"since {begin:%F %H:%M} UTC" + (f"; the record begins {first:%F %H:%M} UTC" if first else "; no record"))
    for line in (*told(found), *CANNOT_KNOW):
        print(line)
    return 0


def _policy(file: str) -> AdviceSettings:
    """The table [advice] of a file, which has nothing else. Raises ConfigError."""
    try:
        document = tomllib.loads(Path(file).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"cannot read the policy {file}: {error}") from error
    if document.keys() != {"advice"}:
        raise ConfigError(f"the policy {file} must be the table [advice] alone: nothing else changes what is said")
    return parse_config(document).advice
