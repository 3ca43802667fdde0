"""Actions by the BMC: `COMMANDS`, the one packet of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from botd.acting.actions import Action
from botd.agent.actions.ways import Go, NotDone, Sent
from botd.ledger.actions import Stored
from botd.transport.bmc.control import NO_USER, BmcControl, Command, identify
from botd.transport.bmc.outcome import Answered, NoAnswer

IDENTIFY_S = 240
"""How long the LED is lit: time to walk to the rack. A BMC counts to 255."""

COMMANDS: Mapping[str, Command] = MappingProxyType({"identify": identify(IDENTIFY_S)})
"""The one packet of each action."""


class BmcHand:
    """Acts by the BMC. `address` gives that of a node, in digits; None where there is none."""

    def __init__(self, control: BmcControl | None, address: Callable[[str], str | None]) -> None:
        self._control = control
        self._address = address

    def cannot(self, action: Action) -> str:
        """Why not: it is not in the table, or there is no user for it."""
        if action.name not in COMMANDS:
            return "it is not built yet"
        return "" if self._control else NO_USER

    def prepare(self, stored: Stored) -> str | NotDone:
        """The address of the BMC."""
        return self._address(stored.node) or NotDone("other-bmc", "no address is known for the node's BMC")

    def send(self, stored: Stored, prepared: str, go: Go) -> Sent | NotDone:
        """One packet. A completion code that is not 0 is a no."""
        if self._control is None:
            return NotDone("not-sent", NO_USER)
        outcome = self._control.send(prepared, COMMANDS[stored.action], go=go)
        if isinstance(outcome, Answered):
            no = NotDone("bmc-refused", f"the BMC says no: completion code 0x{outcome.code:02x}")
            return no if outcome.code else Sent(is_certain=True)
        if isinstance(outcome, NoAnswer):
            return Sent(is_certain=False, words=outcome.words)
        return NotDone("not-sent", outcome.words)

    def seen(self, stored: Stored) -> bool | None:
        """The completion code is all that there is of an LED."""
        return stored.is_certain or None
