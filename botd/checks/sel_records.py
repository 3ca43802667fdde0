"""A record of a BMC's event log in words: `FAULTS`, the literal table of what matters. Anything else stays bytes."""

from __future__ import annotations

from dataclasses import dataclass

MEMORY, POWER, HEAT, PROCESSOR = "memory", "power supply", "temperature", "processor"
BUS, DRIVE, WATCHDOG, SYSTEM = "bus", "drive", "watchdog", "operating system"

_THRESHOLD, _SPECIFIC = 0x01, 0x6F
"""Event types: a number beyond a limit, and what a type of sensor has for itself (IPMI v2.0 rev. 1.1, table 42-1)."""

FAULTS: dict[tuple[int, int, int], tuple[str, str, bool]] = {
    # type of sensor, type of event, offset: part, what, whether it breaks
    (0x01, _THRESHOLD, 0x07): (HEAT, "above its warning limit", False),
    (0x01, _THRESHOLD, 0x09): (HEAT, "above its critical limit", True),
    (0x01, _THRESHOLD, 0x0B): (HEAT, "above what it bears", True),
    (0x07, _SPECIFIC, 0x00): (PROCESSOR, "internal error (IERR)", True),
    (0x07, _SPECIFIC, 0x01): (HEAT, "processor switched off by heat (thermal trip)", True),
    (0x07, _SPECIFIC, 0x0B): (PROCESSOR, "uncorrectable machine check", True),
    (0x08, _SPECIFIC, 0x01): (POWER, "failed", True),
    (0x08, _SPECIFIC, 0x02): (POWER, "about to fail", True),
    (0x08, _SPECIFIC, 0x03): (POWER, "its input was lost", False),
    (0x09, _SPECIFIC, 0x04): (POWER, "the mains were lost", False),
    (0x09, _SPECIFIC, 0x05): (POWER, "the node did not switch on or off", True),
    (0x09, _SPECIFIC, 0x06): (POWER, "power unit failed", True),
    (0x0C, _SPECIFIC, 0x00): (MEMORY, "correctable error", False),
    (0x0C, _SPECIFIC, 0x01): (MEMORY, "uncorrectable error", True),
    (0x0C, _SPECIFIC, 0x02): (MEMORY, "parity error", True),
    (0x0C, _SPECIFIC, 0x03): (MEMORY, "scrub failed", True),
    (0x0C, _SPECIFIC, 0x04): (MEMORY, "module disabled", True),
    (0x0C, _SPECIFIC, 0x05): (MEMORY, "too many correctable errors", True),
    (0x0D, _SPECIFIC, 0x01): (DRIVE, "failed", True),
    (0x0D, _SPECIFIC, 0x02): (DRIVE, "about to fail", True),
    (0x13, _SPECIFIC, 0x04): (BUS, "PCI parity error", True),
    (0x13, _SPECIFIC, 0x05): (BUS, "PCI system error", True),
    (0x13, _SPECIFIC, 0x07): (BUS, "correctable error", False),
    (0x13, _SPECIFIC, 0x08): (BUS, "uncorrectable error", True),
    (0x13, _SPECIFIC, 0x0A): (BUS, "fatal error", True),
    (0x20, _SPECIFIC, 0x00): (SYSTEM, "stopped while it booted", False),
    (0x20, _SPECIFIC, 0x01): (SYSTEM, "stopped (panic)", False),
    (0x23, _SPECIFIC, 0x00): (WATCHDOG, "ran out", False),
    (0x23, _SPECIFIC, 0x01): (WATCHDOG, "reset the node", False),
    (0x23, _SPECIFIC, 0x02): (WATCHDOG, "switched the node off", False),
    (0x23, _SPECIFIC, 0x03): (WATCHDOG, "power cycled the node", False),
}
"""IPMI v2.0 rev. 1.1, tables 42-2 and 42-3."""

_EVENT = 0x02
_TIMELESS = range(0xE0, 0x100)
"""Types of records of a maker's own that bear no time (32.1)."""

_NO_CLOCK, _NO_TIME = 0x20000000, 0xFFFFFFFF
"""Times below the first are seconds since the BMC began, as long as nobody had told it the time (37.1)."""

_ENDS = 0x80


@dataclass(frozen=True, slots=True)
class Event:
    """One record. `subject` is what a fault and its end have in common; `part` is empty for what FAULTS does not have.

    `at_s` are seconds since 1970 by the BMC's own clock; None where the record bears no time, or the clock was not set.
    """

    raw: bytes
    at_s: int | None
    part: str = ""
    what: str = ""
    breaks: bool = False
    is_end: bool = False

    @property
    def subject(self) -> bytes:
        """Type and number of the sensor, type of the event and its offset."""
        return bytes((self.raw[10], self.raw[11], self.raw[12] & ~_ENDS, self.raw[13] & 0x0F))

    @property
    def words(self) -> str:
        """`memory: uncorrectable error (02 0c 12 6f a1 ff ff)`: type of record, then from the sensor's type on."""
        told = f"{self.part}: {self.what}{', over' if self.is_end else ''} " if self.part else ""
        shown = self.raw[2:3] + (self.raw[10:] if self.raw[2] == _EVENT else self.raw[3:])
        return f"{told}({shown.hex(' ')})" if told else shown.hex(" ")


def seconds(field: bytes) -> int | None:
    """A time of the log, in seconds since 1970 by the BMC's own clock; None where nobody had told it the time."""
    found = int.from_bytes(field, "little")
    return found if _NO_CLOCK <= found < _NO_TIME else None


def read_record(raw: bytes) -> Event:
    """What a record of 16 bytes says (IPMI v2.0 rev. 1.1, 32.1)."""
    # 0600 02 c31e0b69 2000 04 0c 12 6f a1ffff
    time = None if raw[2] in _TIMELESS else seconds(raw[3:7])
    known = FAULTS.get((raw[10], raw[12] & ~_ENDS, raw[13] & 0x0F)) if raw[2] == _EVENT else None
    if not known:
        return Event(raw, time)
    part, what, breaks = known
    return Event(raw, time, part, what, breaks, bool(raw[12] & _ENDS))
