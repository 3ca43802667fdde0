"""What a role may ask of the moment: `CONDITIONS`, a literal table of pure functions, and no language of expressions.

What is not known fulfils no condition. A node's own words (its users, its readings) can only stop an action, never
permit one that another source forbids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

SEEN_WITHIN_S = 600.0


@dataclass(frozen=True)
class Situation:
    """A node at the moment of a press, as far as conditions ask. None is "not known"."""

    out_of_service: bool | None = None
    silent: bool | None = None  # neither ping nor ssh answers
    power: str | None = None  # `on` or `off`
    human_reason: str | None = None  # the reason of a person other than who presses; empty for none
    reason_is_ours: bool | None = None  # the drain of a hard action of botd's own
    recommended: str | None = None  # the action that is recommended; `wait` and `person` are none
    cut: Mapping[str, str] = field(default_factory=dict)  # why an action is not recommended that else may have been
    confident: Mapping[str, bool] = field(
        default_factory=dict
    )  # by action, whether its bound reaches [advice] confident
    seen_age_s: float | None = None  # of the newest sweep that asked the node
    users: tuple[str, ...] | None = None  # who has processes or logins there
    repeated: bool | None = None  # so many incidents in 30 days that somebody should find out why
    window: str | None = None  # why no window is open now; empty where one is


class Condition(NamedTuple):
    """A name, what it asks in words, and why a situation does not fulfil it, empty where it does."""

    name: str
    asks: str
    fails: Callable[[Situation, str], str]


def _out_of_service(now: Situation, action: str) -> str:
    return _asked(now.out_of_service, "it is in service", "it is not known whether it is out of service")


def _silent(now: Situation, action: str) -> str:
    return _asked(now.silent, "it answers ping or ssh", "it is not known whether it answers")


def _powered_off(now: Situation, action: str) -> str:
    return "" if now.power == "off" else f"its power is {now.power or 'not known'}"


def _reason_not_human(now: Situation, action: str) -> str:
    if now.human_reason is None:
        return "it is not known who wrote its reason"
    return f"a person keeps it out: {now.human_reason}" if now.human_reason else ""


def _reason_is_ours(now: Situation, action: str) -> str:
    return _asked(now.reason_is_ours, "its drain is not botd's own", "it is not known who wrote its reason")


def _recommended(now: Situation, action: str) -> str:
    if now.recommended == action:
        return ""
    instead = f"recommended is {now.recommended}" if now.recommended else "no action is recommended"
    return f"{instead}: {now.cut[action]}" if action in now.cut else instead


def _confident(now: Situation, action: str) -> str:
    return _asked(now.confident.get(action), "too few came back to be sure", "nobody has tried this here often enough")


def _seen_within_10min(now: Situation, action: str) -> str:
    if now.seen_age_s is None:
        return "it was never asked"
    return "" if 0 <= now.seen_age_s <= SEEN_WITHIN_S else f"it was last asked {now.seen_age_s / 60:.0f} min ago"


def _no_users(now: Situation, action: str) -> str:
    if now.users is None:
        return "it is not known who works on it"
    return f"{', '.join(now.users[:4])} is on it" if now.users else ""


def _not_repeated(now: Situation, action: str) -> str:
    if now.repeated is None:
        return "its history is not known"
    return "it was ill again and again in 30 days: find out why first" if now.repeated else ""


def _in_window(now: Situation, action: str) -> str:
    return "the windows are not known" if now.window is None else now.window


def _asked(answer: bool | None, no: str, unknown: str) -> str:
    return unknown if answer is None else "" if answer else no


CONDITIONS: tuple[Condition, ...] = (
    Condition("out-of-service", "Slurm has it down, drained or failing", _out_of_service),
    Condition("silent", "neither ping nor ssh answers", _silent),
    Condition("powered-off", "its BMC says that the power is off", _powered_off),
    Condition("reason-not-human", "its reason is Slurm's, NHC's, botd's, or that of who presses", _reason_not_human),
    Condition("reason-is-ours", "it was drained by a hard action of botd's", _reason_is_ours),
    Condition("recommended", "it is the action that is recommended", _recommended),
    Condition("confident", "the bound that is shown of the action reaches [advice] confident", _confident),
    Condition("seen-within-10min", "a sweep asked it at most 10 minutes ago", _seen_within_10min),
    Condition("no-users", "nobody has processes or logins on it", _no_users),
    Condition("not-repeated", "it was not ill again and again in the last 30 days", _not_repeated),
    Condition("in-window", "a [[window]] is open, and none with deny", _in_window),
)

BY_NAME = {condition.name: condition for condition in CONDITIONS}
