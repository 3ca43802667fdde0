"""What keeps everything from acting: the mode, a stop, and a clock that cannot be trusted.

Each answer is why, in words, and empty where nothing is in the way. What cannot be told is in the way.
"""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """[actions] mode: whether anything acts."""

    OFF = "off"
    DRY_RUN = "dry-run"
    ON = "on"


class ClockRule(StrEnum):
    """[actions] clock: what the clock is believed by."""

    SYNCHRONISED = "synchronised"  # adjtimex(2) says so
    TRUSTED = "trusted"


def why_off(mode: str | None, *, is_dry: bool) -> str:
    """Why an action that was taken up as a real or a dry one may not be done in this mode."""
    if mode == Mode.ON or (mode == Mode.DRY_RUN and is_dry):
        return ""
    if mode == Mode.DRY_RUN:
        return "it is dry-run now"
    return "it is off" if mode == Mode.OFF else "it cannot be told"


def why_stopped(stop: str | None, file_is_there: bool | None) -> str:
    """Why nothing is done: somebody's stop, with who and since when, or the file in the ledger's directory."""
    if stop is None or file_is_there is None:
        return "it cannot be told whether somebody has stopped it"
    return stop or ("the file of a stop lies beside the ledger" if file_is_there else "")


def why_no_clock(rule: str, is_synchronised: bool | None) -> str:
    """Why the clock is not believed, by which codes and budgets are counted."""
    if rule == ClockRule.TRUSTED or (rule == ClockRule.SYNCHRONISED and is_synchronised):
        return ""
    return "the kernel says that it is not synchronised" if is_synchronised is False else "it cannot be told"
