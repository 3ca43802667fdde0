"""Parts of an answer, held against the shape that they must have: whatever answers need not be botd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botd.client.server import Server
from botd.client.trouble import Strange

Row = Mapping[str, Any]


def rows_of(document: Mapping[str, Any], name: str) -> list[Row]:
    """The objects of a list. Raises Trouble where there is no such list."""
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Strange(f'the answer has no list "{name}"')
    return found


def part_of(row: Row, name: str) -> Row:
    """An object within an object; an empty one where it is null. Raises Trouble where it is something else."""
    found = row.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Strange(f'the answer has no object "{name}"')
    return found


def text_of(row: Row, name: str) -> str:
    """A text within an object, empty for null. Raises Trouble where it is something else."""
    found = row.get(name)
    if not isinstance(found, str | None):
        raise Strange(f'the answer has no text "{name}"')
    return found or ""


def texts_of(row: Row, name: str) -> list[str]:
    """The texts of a list within an object, none for null. Raises Trouble where it is something else."""
    found = [] if row.get(name) is None else row[name]
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise Strange(f'the answer has no list of texts "{name}"')
    return found


def pages(server: Server, path: str, query: Mapping[str, Any], name: str, most: int) -> Iterator[Row]:
    """Rows of a route that answers in pages, at most so many. Raises Trouble."""
    before: int | None = None
    while most > 0:
        document = server.get(path, {**query, "before": before, "limit": min(most, 1000)})
        rows: Sequence[Row] = rows_of(document, name)[:most]
        yield from rows
        most -= len(rows)
        following = document.get("next")
        if following is None or not rows:
            return
        if not isinstance(following, int) or (before is not None and following >= before):
            raise Strange("the answer has no next page where it says so")
        before = following
