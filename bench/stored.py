"""The least that a WSGI program can do for an answer: it has the bytes, and returns them.

`BOTD_BENCH_STORED` names a pickled mapping of the text of Accept-Encoding to headers and body, as botd answered them.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

STORED = "BOTD_BENCH_STORED"


def app() -> WSGIApplication:
    """The program, for gunicorn: `bench.stored:app()`."""
    answers: dict[str, tuple[dict[str, str], bytes]] = pickle.loads(Path(os.environ[STORED]).read_bytes())
    ready = {
        coding: (list(headers.items()), [item for item in headers.items() if not _is_of_body(item[0])], body)
        for coding, (headers, body) in answers.items()
    }

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers, without_body, body = ready[environ["HTTP_ACCEPT_ENCODING"]]
        if environ.get("HTTP_IF_NONE_MATCH") == answers[environ["HTTP_ACCEPT_ENCODING"]][0]["ETag"]:
            start_response("304 NOT MODIFIED", without_body)
            return []
        start_response("200 OK", headers)
        return [body]

    return answer


def _is_of_body(name: str) -> bool:
    return name in ("Content-Length", "Content-Type", "Content-Encoding")
