"""Tokens: who shows one is who it was given to. Of a token only its hash is kept, by the agent and in the store."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """256 random bits as 43 letters, digits, `-` and `_`, which a cookie and a header carry as they are."""
    return secrets.token_urlsafe(BYTES)


def is_token(text: str) -> bool:
    """Whether a text has the form of a token."""
    return bool(_TOKEN.fullmatch(text))


def token_hash(token: str) -> str:
    """SHA-256 of a token, in hexadecimal. A token has too many bits to be guessed, so that no salt is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def form_token(cookie: str) -> str:
    """What a form carries beside the cookie: only who reads the cookie can work it out, which another site cannot.

    It says nothing of the cookie, so that a page which is saved or printed gives no session away.
    """
    return hmac.new(cookie.encode("utf-8", "replace"), b"botd form", hashlib.sha256).hexdigest()


def fits_form(cookie: str, given: str) -> bool:
    """Whether a form came with the token of this cookie."""
    return bool(cookie) and hmac.compare_digest(form_token(cookie).encode(), given.encode("utf-8", "replace"))
