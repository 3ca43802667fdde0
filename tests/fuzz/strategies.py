"""What hypothesis draws: hostile text, any JSON, and recorded outputs with something changed in them."""

from __future__ import annotations

import contextlib
import copy
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

RECORDED = Path(__file__).parent.parent / "recorded"
SPOILERS = "\0\x1b[31m\x07\r\n\t\x85\u2028\u202e\u200f\ud800\udfff=+-@|,/[]{}#:;\"'<>&%$` n0129.savio"

texts = st.text(max_size=30) | st.lists(st.sampled_from(SPOILERS), max_size=12).map("".join)
"""Any text, as often with what breaks lines, terminals, tables, shells, pages, UTF-8 or a grammar."""

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)

numbers = (
    st.integers()
    | st.sampled_from((-1, 0, 2**31, 2**53, 2**63, 2**64, 10**30, -(10**30), 253402300800, 10**17))
    | st.floats()
)

json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)

slurm_numbers = st.fixed_dictionaries({"set": st.booleans() | numbers, "infinite": st.booleans(), "number": numbers})


def node_lists() -> list[Any]:
    """The documents that `sinfo --json` and `scontrol show nodes --json` of several versions printed, in short."""
    found = []
    for path in sorted(RECORDED.glob("slurm-*/**/s*.json")):
        with contextlib.suppress(ValueError):  # what was recorded where Slurm was broken
            document = json.loads(path.read_bytes().decode("utf-8", "replace"), strict=False)
            found.append({key: value[:3] if isinstance(value, list) else value for key, value in document.items()})
    assert found
    return found


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """The document with up to five values in it replaced or removed."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, 5))):
        _spoil(draw, document)
    return document


def _spoil(draw: st.DrawFn, document: Any) -> None:
    """Goes some steps into the document and changes what is there."""
    holder = document
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        inner = holder[key]
        if not (isinstance(inner, (dict, list)) and inner and draw(st.integers(0, 7))):
            break
        holder = inner
    if draw(st.integers(0, 5)) == 0:
        del holder[key]
    else:
        holder[key] = draw(json_values | slurm_numbers)


@st.composite
def spoiled(draw: st.DrawFn, data: bytes) -> bytes:
    """These bytes with some of them replaced, doubled or taken out."""
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        piece = draw(st.just(b"") | st.binary(max_size=20) | texts.map(encoded) | st.just(data[start:end] * 2))
        data = data[:start] + piece + data[end:]
    return data


def encoded(text: str) -> bytes:
    """The text as bytes that need not be UTF-8."""
    return text.encode("utf-8", "surrogatepass")


@contextlib.contextmanager
def at_most_mb(megabytes: float) -> Iterator[None]:
    """Fails when what runs inside ever holds more memory than this."""
    tracemalloc.start()
    try:
        yield
        peak_mb = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
    assert peak_mb < megabytes, f"{peak_mb:.1f} MB"


def is_one_of(errors: tuple[type[Exception], ...], call: Callable[[], Any]) -> Any:
    """What the call returns, or None where it raised one of these errors; its message is fit for a person."""
    try:
        return call()
    except errors as error:
        message = str(error)
    assert message.isprintable(), message
    assert 0 < len(message) < 700, message
    return None
