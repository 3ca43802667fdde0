"""Actions by the BMC: `COMMANDS`, the one packet of each, and how it is read back that it was done.

A command goes to the BMC that answered for the node last time, which its System GUID tells, and to no other one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol

from botd.acting.actions import Action
from botd.acting.ladder import is_second_off
from botd.agent.actions.look import Back
from botd.agent.actions.ways import Go, NotDone, Seen, Sent
from botd.documents import iso
from botd.ledger import Ledger
from botd.ledger.actions import Stored
from botd.model import Clock
from botd.transport.bmc.control import (
    HARD_OFF,
    NO_USER,
    POWER_CYCLE,
    POWER_ON,
    SOFT_OFF,
    BmcControl,
    Command,
    identify,
)
from botd.transport.bmc.outcome import Answered, NoAnswer, NotSent

IDENTIFY_S = 240
"""How long the LED is lit: time to walk to the rack. A BMC counts to 255."""

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "identify": identify(IDENTIFY_S),
        "power-on": POWER_ON,
        "power-off": SOFT_OFF,
        "power-cycle": POWER_CYCLE,
    }
)
"""The one packet of each action."""


class Eyes(Protocol):
    """By what it is read back."""

    def power(self, node: str) -> str | None:
        """`on` or `off` now; None where the BMC does not say."""

    def back(self, node: str) -> Back:
        """What the node itself says after it was switched."""


class Ready(NamedTuple):
    """Whom the command goes to, which BMC has to be there, and the command."""

    address: str
    guid: str | None
    command: Command


@dataclass(frozen=True)
class BmcHand:
    """Acts by the BMC. `address` gives that of a node, in digits; None where there is none."""

    control: BmcControl | None
    address: Callable[[str], str | None]
    eyes: Eyes
    ledger: Ledger
    clock: Clock

    def cannot(self, action: Action) -> str:
        """Why not: it is not in the table, or there is no user for it."""
        if action.name not in COMMANDS:
            return "it is not built yet"
        return "" if self.control else NO_USER

    def prepare(self, stored: Stored) -> Ready | NotDone:
        """The address of the BMC, the GUID that it had last time, and what it is told."""
        address = self.address(stored.node)
        if address is None:
            return NotDone("not-sent", "no address is known for the node's BMC")
        with self.ledger.read() as db:
            guid, done = self.ledger.bmcs.guid(db, stored.node), self.ledger.actions.on(db, stored.node)
        is_hard_off = stored.action == "power-off" and is_second_off(stored, done)
        return Ready(address, guid, HARD_OFF if is_hard_off else COMMANDS[stored.action])

    def send(self, stored: Stored, prepared: Ready, go: Go) -> Sent | NotDone:
        """One packet. A completion code that is not 0 is a no."""
        if self.control is None:
            return NotDone("not-sent", NO_USER)
        outcome = self.control.send(prepared.address, prepared.command, guid=prepared.guid, go=go)
        if outcome.guid and not isinstance(outcome, NotSent):
            with self.ledger.write() as db:
                self.ledger.bmcs.learn(db, stored.node, outcome.guid, self.clock())
        if isinstance(outcome, Answered):
            no = NotDone("bmc-refused", f"the BMC says no: completion code 0x{outcome.code:02x}")
            return no if outcome.code else Sent(is_certain=True)
        if isinstance(outcome, NoAnswer):
            return Sent(is_certain=False, words=outcome.words)
        return NotDone("other-bmc" if outcome.why == "other-bmc" else "not-sent", outcome.words)

    def seen(self, stored: Stored) -> Seen:
        """As the table says of each action."""
        return SEEN[stored.action](self.eyes, stored)


# ---- what is read back ----


def _lit(eyes: Eyes, stored: Stored) -> Seen:
    """The completion code is all that there is of an LED."""
    return Seen(stored.is_certain or None)


def _off(eyes: Eyes, stored: Stored) -> Seen:
    """Off twice: a chassis that is switched may say what it was, or what it is going to be."""
    powers = {eyes.power(stored.node), eyes.power(stored.node)}
    return Seen(None if None in powers else powers == {"off"})


def _back(eyes: Eyes, stored: Stored) -> Seen:
    """A boot after it was sent, and every check green. A node that is silent has not come back."""
    back = eyes.back(stored.node)
    if back.booted_at is None or stored.sent_at is None or back.booted_at <= stored.sent_at:
        return Seen(None if back.bad is None else False, "it has not booted since, as far as it says")
    words = f"it booted at {iso(back.booted_at)}"
    if back.bad is None:
        return Seen(None, f"{words}, and how it is cannot be read", has_happened=True)
    return Seen(not back.bad, f"{words}, and is not well: {', '.join(back.bad)}" if back.bad else "", has_happened=True)


SEEN: Mapping[str, Callable[[Eyes, Stored], Seen]] = MappingProxyType(
    {"identify": _lit, "power-on": _back, "power-off": _off, "power-cycle": _back}
)
"""By what one knows of each action that it was done."""
