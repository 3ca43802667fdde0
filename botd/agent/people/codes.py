"""Codes of the moment (RFC 6238): six digits of a secret and the time, good for 30 s and one step to each side."""

from __future__ import annotations

import re
from datetime import datetime

import pyotp

STEP_S = 30
SECRET_LETTERS = 32
"""Letters of base 32: 160 bits, what RFC 4226 recommends."""

_CODE = re.compile(r"[0-9]{6}")


def new_secret() -> str:
    """A secret that nobody has had before."""
    return pyotp.random_base32(SECRET_LETTERS)


def secret_uri(secret: str, login: str, site: str) -> str:
    """What the QR code of a secret says to an app."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=f"botd {site}")


def code_at(secret: str, at: datetime) -> str:
    """The code of a moment."""
    return pyotp.TOTP(secret).generate_otp(step_at(at))


def step_at(at: datetime) -> int:
    """The number of the step of 30 s since the epoch."""
    return int(at.timestamp()) // STEP_S


def seconds_left(at: datetime) -> int:
    """How long it takes until the next code."""
    return STEP_S - int(at.timestamp()) % STEP_S


def matching_steps(secret: str, code: str, at: datetime) -> list[int]:
    """The steps around a moment whose code this is, the earliest first: none, one, or by chance more."""
    typed = "".join(code.split())
    if not _CODE.fullmatch(typed):
        return []
    totp, step = pyotp.TOTP(secret), step_at(at)
    near = (step - 1, step, step + 1)
    return [each for each in near if each > 0 and pyotp.utils.strings_equal(typed, totp.generate_otp(each))]
