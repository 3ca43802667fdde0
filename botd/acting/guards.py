"""What forbids an action at the moment of a press and again right before it is sent: `GUARDS`, a literal table.

A guard only ever forbids: that none stands is what permits. What is not known, not readable or too old to be believed
is None, and stands in the way as much as what forbids does: it is never taken for empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Flag, auto
from typing import NamedTuple

from botd.acting.actions import BY_NAME, Action, Jobs, Weight
from botd.inventory.states import hides_drain, is_out_of_service
from botd.model import SlurmNode
from botd.text import shown

FRESH = timedelta(seconds=10)
"""How old what is read for an action may be."""


@dataclass(frozen=True)
class Look:
    """A node as it was read. None is "not read"; a node that Slurm does not know has no `slurm`, and unknown jobs.

    `bad` are the checks that are not green, empty where all are. `bmc` is why its BMC is not to be used, empty where it
    is: it has no address, or that of another node or of this machine.
    """

    slurm: SlurmNode | None = None
    jobs: tuple[str, ...] | None = None
    slurm_at: datetime | None = None
    power: str | None = None  # `on` or `off`
    power_at: datetime | None = None
    bmc: str | None = None
    bad: tuple[str, ...] | None = None

    def fresh(self, now: datetime) -> Look:
        """The same without what is too old, or from a time to come."""
        kept = self if _is_fresh(self.slurm_at, now) else replace(self, slurm=None, jobs=None)
        return kept if _is_fresh(self.power_at, now) else replace(kept, power=None)


def _is_fresh(at: datetime | None, now: datetime) -> bool:
    return at is not None and timedelta(0) <= now - at <= FRESH


@dataclass(frozen=True)
class Scene:
    """All that guards look at, for one action on one node. None is "not known".

    The texts say what is in the way, and are empty where nothing is. `first` is the look of the press, where this is a
    later one; `own_reason` is the reason that this action itself has drained the node with.
    """

    action: str
    node: str
    look: Look
    off: str | None = None
    stopped: str | None = None
    ledger: str | None = None
    roles: str | None = None
    clock: str | None = None
    has_code: bool | None = None  # whether a code is in the proof, which is as good as the clock
    locked: str | None = None  # who else acts on the node, since when
    unseen: str | None = None  # what may have happened to it, and was not looked at by a person
    breaker: str | None = None
    storm: str | None = None
    spent: str | None = None  # the cap that is used up
    elsewhere: str | None = None  # that only a worker reaches what the action is sent to or rests on
    other_bmc: str | None = None  # that another BMC than last time has answered, and no person has looked at it
    human_reason: str | None = None  # that of a person other than who presses
    evidence: str | None = None  # what the person looked at
    evidence_now: str | None = None
    first: Look | None = None
    own_reason: str = ""


class When(Flag):
    """When a guard is looked at."""

    PRESS = auto()
    REREAD = auto()
    BOTH = PRESS | REREAD


class Guard(NamedTuple):
    """A row of the table.

    `code` is that of the error. `looks_at` is what is looked at, `stands` says what that was where it forbids, empty
    where it does not, and `needs` what would have to be different. One of no weight is of the actions that name it.
    """

    name: str
    code: str
    looks_at: str
    stands: Callable[[Scene, Action], str]
    needs: str
    weights: tuple[Weight, ...] = ()
    when: When = When.BOTH


class Refusal(NamedTuple):
    """The guard that stands, the code of its error, and the words for a person."""

    guard: str
    code: str
    words: str


def refusals(scene: Scene, now: datetime, when: When, guards: Iterable[Guard] | None = None) -> tuple[Refusal, ...]:
    """Every guard that stands in the way, the first first; empty where the action may be done.

    An action that there is none of is refused as well.
    """
    action = BY_NAME.get(scene.action)
    if action is None:
        return (Refusal("action", "not-allowed", f"there is no action {shown(scene.action)}"),)
    seen = replace(scene, look=scene.look.fresh(now))
    found = ((guard, guard.stands(seen, action)) for guard in _guards_of(action, when, guards))
    return tuple(Refusal(guard.name, guard.code, _words(guard, why, scene.node)) for guard, why in found if why)


def guards_of(action: Action, when: When) -> tuple[Guard, ...]:
    """The guards that an action has at this moment, in the order in which they are told."""
    return tuple(_guards_of(action, when, None))


def _guards_of(action: Action, when: When, guards: Iterable[Guard] | None) -> Iterable[Guard]:
    for guard in GUARDS if guards is None else guards:
        if when in guard.when and (action.weight in guard.weights or guard.name in action.guards):
            yield guard


def _words(guard: Guard, why: str, node: str) -> str:
    return f"{node}: {guard.looks_at}: {why}; {guard.needs}"


# ---- what stands ----


def _told(text: str | None) -> str:
    return "it is not known" if text is None else text


def _clock(scene: Scene, action: Action) -> str:
    return "" if action.weight is not Weight.HARD and scene.has_code is False else _told(scene.clock)


def _slurm(scene: Scene, action: Action) -> str:
    return "it was not read within 10 s, or does not know the node" if scene.look.slurm is None else ""


def _evidence(scene: Scene, action: Action) -> str:
    if scene.evidence is None or scene.evidence_now is None:
        return "it is not known"
    return "" if scene.evidence == scene.evidence_now else "it is another than the one on the page that was looked at"


def _same_node(scene: Scene, action: Action) -> str:
    """The reason is that of the press, or our own since; the power is that of the press."""
    first, now = scene.first, scene.look
    if first is None or first.slurm is None or now.slurm is None:
        return "it is not known"
    is_ours = bool(scene.own_reason) and now.slurm.reason == scene.own_reason
    if not is_ours and _reason(now.slurm) != _reason(first.slurm):
        return f'the reason is "{shown(now.slurm.reason)}" now'
    if action.weight is Weight.HARD and first.power != now.power:
        return f"the power is {now.power or 'not known'} now"
    return ""


def _reason(slurm: SlurmNode) -> tuple[object, ...]:
    return slurm.reason, slurm.reason_by, slurm.reason_at


def _live_job(scene: Scene, action: Action) -> str:
    jobs = scene.look.jobs or ()
    if not jobs or _may_have_jobs(scene, action):
        return ""
    return f"{', '.join(shown(job, 20) for job in jobs[:4])}{' and more' if jobs[4:] else ''}"


def _jobs_unknown(scene: Scene, action: Action) -> str:
    return "they are not known" if scene.look.jobs is None and not _may_have_jobs(scene, action) else ""


def _may_have_jobs(scene: Scene, action: Action) -> bool:
    if action.jobs is Jobs.ALLOWED:
        return True
    slurm = scene.look.slurm
    only_drain = slurm is not None and "DRAIN" in slurm.flags and slurm.base in ("IDLE", "ALLOCATED", "MIXED")
    return action.jobs is Jobs.WHILE_DRAINING and only_drain


def _out(scene: Scene, action: Action) -> str:
    slurm = scene.look.slurm
    if slurm is None:
        return "it is not known"
    return "" if is_out_of_service(slurm) else f"it is {shown(slurm.state)}, in service"


def _not_drained(scene: Scene, action: Action) -> str:
    slurm = scene.look.slurm
    if slurm is None:
        return "it is not known"
    if "DRAIN" in slurm.flags:
        return f'somebody drained it: "{shown(slurm.reason)}"'
    hides = "INVALID_REG" in slurm.flags or hides_drain(slurm.state)
    return f"it is {shown(slurm.state)}, which hides whether it is drained" if hides else ""


def _drained(scene: Scene, action: Action) -> str:
    """DRAIN, and nothing that runs. The word `drained` can hide a base state of DOWN, so the base is looked at."""
    slurm = scene.look.slurm
    if slurm is None:
        return "it is not known"
    busy = slurm.base not in ("IDLE", "DOWN") or "COMPLETING" in slurm.flags
    return f"it is {shown(slurm.state)}" if busy or "DRAIN" not in slurm.flags else ""


def _maintenance(scene: Scene, action: Action) -> str:
    slurm = scene.look.slurm
    if slurm is None:
        return "it is not known"
    return "it lies in one for maintenance" if "MAINTENANCE" in slurm.flags else ""


def _green(scene: Scene, action: Action) -> str:
    bad = scene.look.bad
    return "they are not known" if bad is None else ", ".join(shown(name) for name in bad)


def _bmc(scene: Scene, action: Action) -> str:
    return _told(scene.look.bmc) or _told(scene.other_bmc)


def _power_on(scene: Scene, action: Action) -> str:
    return "" if scene.look.power == "on" else f"it is {scene.look.power or 'not known'}"


def _power_off(scene: Scene, action: Action) -> str:
    return "" if scene.look.power == "off" else f"it is {scene.look.power or 'not known'}"


_EVERY = tuple(Weight)
_BREAKS = (Weight.SOFT, Weight.HARD)
_HARD = (Weight.HARD,)

GUARDS: tuple[Guard, ...] = (
    # ---- of the whole of botd ----
    Guard("mode", "actions-off", "[actions] mode", lambda s, _: _told(s.off), "set it to on", _EVERY),
    Guard("stop", "stopped", "a stop", lambda s, _: _told(s.stopped), "who may re-arm has to end it", _EVERY),
    Guard("ledger", "ledger-unavailable", "the ledger", lambda s, _: _told(s.ledger), "mend it first", _EVERY),
    Guard("roles", "roles-unreadable", "the roles file", lambda s, _: _told(s.roles), "mend it first", _EVERY),
    Guard("clock", "clock", "the clock of the agent's machine", _clock, "let it synchronise", _EVERY),
    Guard("breaker", "breaker-open", "the breaker", lambda s, _: _told(s.breaker), "who may re-arm has to", _BREAKS),
    Guard("storm", "storm", "nodes newly ill", lambda s, _: _told(s.storm), "find what they share, or wait", _HARD),
    # ---- of the node ----
    Guard("reach", "elsewhere", "its network", lambda s, _: _told(s.elsewhere), "only the agent acts", _EVERY),
    Guard("lock", "busy", "who acts on it", lambda s, _: _told(s.locked), "wait for the end of that", _EVERY),
    Guard("unseen", "busy", "what may have happened", lambda s, _: _told(s.unseen), "look, and press seen", _HARD),
    Guard("evidence", "evidence-changed", "the evidence", _evidence, "look again", _EVERY, When.PRESS),
    Guard("slurm", "slurm-unreadable", "Slurm", _slurm, "wait until it answers", _BREAKS),
    Guard("same", "evidence-changed", "what was there at the press", _same_node, "look again", _BREAKS, When.REREAD),
    Guard("maintenance", "wrong-state", "reservations in Slurm", _maintenance, "wait for their end", _BREAKS),
    Guard("live-job", "live-job", "the jobs that Slurm has on it", _live_job, "wait for their end", _BREAKS),
    Guard(
        "jobs-unknown", "jobs-unknown", "the jobs on it", _jobs_unknown, "Slurm has to say that it has none", _BREAKS
    ),
    # ---- of some actions ----
    Guard("human-reason", "human-reason", "its reason", lambda s, _: _told(s.human_reason), "ask who wrote it"),
    Guard("out", "wrong-state", "its state in Slurm", _out, "only a node that is out can go back"),
    Guard("not-drained", "wrong-state", "its state in Slurm", _not_drained, "a drain is not replaced"),
    Guard("drained", "wrong-state", "its state in Slurm", _drained, "it has to be drained", when=When.REREAD),
    Guard("green", "wrong-state", "its checks", _green, "all have to be green"),
    Guard("bmc", "other-bmc", "its BMC", _bmc, "mend its address, or look and press seen"),
    Guard("power-on", "wrong-state", "its power", _power_on, "it has to be on"),
    Guard("power-off", "wrong-state", "its power", _power_off, "it has to be off"),
    # ---- how much ----
    Guard("cap", "cap", "the caps", lambda s, _: _told(s.spent), "wait, or ask for another cap", _BREAKS, When.PRESS),
)
"""In the order in which they are told."""
