"""What can be done to a node: `ACTIONS`, a literal table, softest first."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Weight(StrEnum):
    """How much an action can break."""

    HARMLESS = "harmless"
    SOFT = "soft"
    HARD = "hard"


class Action(NamedTuple):
    """An action's name and its weight."""

    name: str
    weight: Weight


ACTIONS: tuple[Action, ...] = (
    Action("identify", Weight.HARMLESS),
    Action("drain", Weight.SOFT),
    Action("resume", Weight.SOFT),
    Action("restart-slurmd", Weight.SOFT),
    Action("power-on", Weight.HARD),
    Action("power-off", Weight.HARD),
    Action("power-cycle", Weight.HARD),
)

WEIGHTS = {action.name: action.weight for action in ACTIONS}
