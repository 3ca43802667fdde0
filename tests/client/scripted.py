"""A server that answers what a test says, by method and path, and keeps what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answers = Mapping[str, list[tuple[int, Any]]]
"""By `GET /path` the answers in turn, each a status and a document; the last one stays."""


class Scripted:
    """What it was sent: method and path, and the document in the body."""

    def __init__(self, answers: Answers) -> None:
        self.sent: list[tuple[str, Any]] = []
        left = {asked: list(turns) for asked, turns in answers.items()}
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                asked = f"{self.command} {self.path.partition('?')[0]}"
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                scripted.sent.append((asked, json.loads(body) if body else None))
                turns = left.get(asked, [(404, refusal(404, "not-found", "there is no such route"))])
                status, document = turns.pop(0) if len(turns) > 1 else turns[0]
                if status == 0:  # nothing at all
                    self.close_connection = True
                    return
                answer = b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_DELETE = _answer

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: a test says what it wants to know."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def bodies(self, asked: str) -> list[Any]:
        """The documents that were sent to a path."""
        return [body for path, body in self.sent if path == asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def refusal(status: int, code: str, message: str = "no") -> dict[str, Any]:
    return {"error": {"status": status, "code": code, "message": message}}


@contextmanager
def scripted(answers: Answers) -> Iterator[Scripted]:
    server = Scripted(answers)
    try:
        yield server
    finally:
        server.close()
