"""What can be done to a node: `ACTIONS`, a literal table, softest first."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Weight(StrEnum):
    """How much an action can break."""

    HARMLESS = "harmless"
    SOFT = "soft"
    HARD = "hard"


class Way(StrEnum):
    """By what it is done."""

    BMC = "bmc"  # one packet
    SLURM = "slurm"  # one line to the helper
    SSH = "ssh"  # one command


class Jobs(StrEnum):
    """What live jobs, or not knowing them, mean to it."""

    ALLOWED = "allowed"
    WHILE_DRAINING = "while draining"  # allowed where only the drain is taken back, of a node that is not down
    REFUSED = "refused"


class Action(NamedTuple):
    """An action, its weight, how it is done, and how one knows that it was.

    `sends` is what goes to the BMC, the helper or the node. `guards` are those of `GUARDS` that it has beside those of
    its weight. `verified_by` is what must be read back before `deadline_s` is over, `checks` whether the checks of the
    action must be green besides. `grace_s` is how long anybody may stop it before it is sent.
    """

    name: str
    weight: Weight
    way: Way
    sends: str
    jobs: Jobs
    guards: tuple[str, ...]
    verified_by: str
    deadline_s: float
    checks: bool = False
    grace_s: float = 0.0


_HARMLESS, _SOFT, _HARD = Weight.HARMLESS, Weight.SOFT, Weight.HARD

ACTIONS: tuple[Action, ...] = (
    Action("identify", _HARMLESS, Way.BMC, "chassis identify", Jobs.ALLOWED, ("bmc",), "the completion code", 5),
    Action("drain", _SOFT, Way.SLURM, "drain", Jobs.ALLOWED, ("not-drained",), "DRAIN, with our reason", 60),
    Action(
        "resume",
        _SOFT,
        Way.SLURM,
        "undrain, or resume of a node that is down",
        Jobs.WHILE_DRAINING,
        ("human-reason", "out", "green", "power-on"),
        "neither DRAIN nor DOWN",
        120,
    ),
    Action(
        "restart-slurmd",
        _SOFT,
        Way.SSH,
        "the command of the site that restarts slurmd",
        Jobs.REFUSED,
        ("human-reason",),
        "a newer start of slurmd, and an answer of it",
        180,
    ),
    # The grace is longer here: the power is read off a second time at least 10 s after the first.
    Action(
        "power-on",
        _HARD,
        Way.BMC,
        "chassis control 1",
        Jobs.REFUSED,
        ("human-reason", "bmc", "power-off"),
        "power on, a boot, and slurmd",
        1200,
        checks=True,
        grace_s=10,
    ),
    Action(
        "power-off",
        _HARD,
        Way.BMC,
        "chassis control 5",
        Jobs.REFUSED,
        ("human-reason", "bmc", "power-on", "drained"),
        "power off, twice",
        300,
        grace_s=5,
    ),
    Action(
        "power-cycle",
        _HARD,
        Way.BMC,
        "chassis control 2",
        Jobs.REFUSED,
        ("human-reason", "bmc", "power-on", "drained"),
        "a boot after it was sent",
        1200,
        checks=True,
        grace_s=5,
    ),
)

BY_NAME = MappingProxyType({action.name: action for action in ACTIONS})

WEIGHTS = MappingProxyType({action.name: action.weight for action in ACTIONS})
