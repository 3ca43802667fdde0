"""Passwords: hashed as argon2-cffi has it, two at once at most, since each takes 64 MB for a moment."""

from __future__ import annotations

import threading
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from botd.errors import BadRequest

AT_ONCE = 2
LEAST, MOST = 10, 1024
"""Characters of a password."""


class Passwords:
    """Makes hashes and compares with them."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    @cached_property
    def _nobodys(self) -> str:
        return self.hashed("nobody has this password")

    def hashed(self, password: str) -> str:
        """The hash of a password, with its salt and parameters."""
        with self._places:
            return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    def fits(self, hashed: str, password: str) -> bool:
        """Whether a hash is that of a password. Where there is no hash it takes as long, and does not fit."""
        if len(password) > MOST:
            return False
        try:
            with self._places:
                found = self._hasher.verify(hashed or self._nobodys, password.encode("utf-8", "surrogatepass"))
        except (Argon2Error, InvalidHashError):
            return False
        return found and bool(hashed)

    def is_old(self, hashed: str) -> bool:
        """Whether a hash was made with parameters that are not those of today."""
        return self._hasher.check_needs_rehash(hashed)


def check_password(password: str, login: str) -> None:
    """Raises BadRequest for a password that nobody should have."""
    if not LEAST <= len(password) <= MOST or "\0" in password:
        raise BadRequest(f"a password has {LEAST} to {MOST:,} characters; take some words that do not belong together")
    if login.lower() in password.lower() or len(set(password)) < 5:
        raise BadRequest("this password is guessed at once: do not put your login into it, and do not repeat a letter")
