"""Answers as bytes: a body, a node or a row is encoded once until something in it changes."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Hashable, Iterable

from botd.board.answer import StatusAnswer
from botd.board.cache import Cache
from botd.checks import Checks
from botd.display.rows import row_document
from botd.documents import NodeDocument, encode
from botd.view import View

CACHED_ANSWERS = 64
"""Bodies that are kept; one that goes out with gzip counts twice."""

CACHED_BYTES = 64 * 2**20
"""Of all cached answers together: 10,000 nodes with 16 checks are 28 MB, and each question may be another one."""

CACHED_READINGS = 300_000
"""Readings that are kept as JSON, of some 170 bytes each."""

GZIP_LEVEL = 3
"""22 MB of 10,000 nodes take 50 ms with 1 to 3 and become 1.4 MB; 6 takes 140 ms and saves a fifth of that."""


class Bodies:
    """The bodies of one web process. Safe to use from many threads."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._bodies: Cache[Hashable, tuple[bytes, str]] = Cache(_body_size, most=CACHED_ANSWERS, limit=CACHED_BYTES)

    def encoded(self, answer: StatusAnswer, form: Hashable, make: Callable[[], bytes]) -> tuple[bytes, str]:
        """The body of an answer in one form and its entity tag, made by `make` where it was not made before."""

        def entry() -> tuple[bytes, str]:
            body = make()
            return body, hashlib.blake2b(body, digest_size=16).hexdigest()

        return self._bodies.get((form, answer.identity), entry)

    def packed(self, tag: str, body: bytes) -> bytes:
        """A body with gzip, made where that of this entity tag was not made before."""
        return self._bodies.get(("gzip", tag), lambda: (gzip.compress(body, GZIP_LEVEL, mtime=0), tag))[0]

    def node_documents(self, answer: StatusAnswer) -> list[NodeDocument]:
        """The nodes of an answer as documents."""
        return [self._document(answer.view, node, answer.checks) for node in answer.nodes]

    def node_json(self, answer: StatusAnswer) -> list[bytes]:
        """The nodes of an answer as JSON, each encoded once until something in it changes."""
        return self._fragments(answer, "node", lambda document: document)

    def row_json(self, answer: StatusAnswer) -> list[bytes]:
        """The nodes of an answer as the rows that the page draws, each encoded once until something in it changes."""
        return self._fragments(answer, "row", lambda document: row_document(document, self._checks))

    def _fragments(self, answer: StatusAnswer, shape: str, make: Callable[[NodeDocument], object]) -> list[bytes]:
        """The nodes of an answer as JSON of a shape, which `make` gives to those that have none yet."""
        kept = dict(answer.view.fragments)
        if sum(len(checks) * len(nodes) for (_, checks), nodes in kept.items()) > CACHED_READINGS:
            answer.view.fragments.clear()
        known = answer.view.fragments.setdefault((shape, answer.checks), {})
        for node in answer.nodes:
            if node not in known:
                known[node] = encode(make(self._document(answer.view, node, answer.checks)))
        return [known[node] for node in answer.nodes]

    def _document(self, view: View, node: str, checks: Iterable[str]) -> NodeDocument:
        return view.document(node, [self._checks[name] for name in checks])


def _body_size(_key: Hashable, entry: tuple[bytes, str]) -> int:
    return len(entry[0])
