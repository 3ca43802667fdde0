"""Whether the clock of this machine is synchronised, as the kernel says."""

from __future__ import annotations

import ctypes

TIME_ERROR = 5
STA_UNSYNC = 0x40


class _Timex(ctypes.Structure):
    """The beginning of struct timex (adjtimex(2)), and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def is_synchronised() -> bool | None:
    """What adjtimex(2) says; None where it says nothing. It only reads: `modes` is 0."""
    try:
        found = _Timex()
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(found))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != TIME_ERROR and not found.status & STA_UNSYNC
