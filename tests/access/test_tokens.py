"""Tokens are long and random, of which a hash is kept; a form's token says nothing of the cookie beside it."""

from __future__ import annotations

import pytest

from botd.access.tokens import fits_form, form_token, is_token, new_token, token_hash


def test_tokens_are_all_different_and_fit_a_header() -> None:
    made = {new_token() for _ in range(1000)}
    assert len(made) == 1000
    assert all(map(is_token, made))


@pytest.mark.parametrize("text", ["", "x" * 42, "x" * 44, "x" * 42 + "\n", "x" * 42 + ";", "ä" * 43])
def test_anything_else_is_no_token(text: str) -> None:
    assert not is_token(text)


def test_the_hash_is_that_of_sha_256() -> None:
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(token_hash("\ud800")) == 64


def test_a_form_fits_its_own_cookie_only() -> None:
    one, other = new_token(), new_token()
    assert fits_form(one, form_token(one))
    for given in ("", form_token(other), one, token_hash(one), form_token(one)[:-1], "ä"):
        assert not fits_form(one, given)
    assert not fits_form("", form_token(""))
    assert one not in form_token(one)
