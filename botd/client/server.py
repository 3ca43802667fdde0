"""botd over HTTP: one question, one bounded answer, and nothing taken for botd's that is not.

No redirect is followed, so that a token goes nowhere but to the URL that a person wrote. Proxies of the environment
are not asked: urllib3 knows none.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, MaxRetryError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as TookTooLong

from botd import __version__
from botd.client.sites import Site
from botd.client.trouble import Refused, Strange, Trouble, Unusable
from botd.text import one_line, shown

CONNECT_S = 10.0
ANSWER_S = 60.0
"""From the question to the end of the answer."""

SWEEP_S = 660.0
"""The same where nodes are asked: `wait` is 600 s at most."""

MAX_ANSWER = 200_000_000
"""Bytes, unpacked. All readings of 10,000 nodes are 22 MB."""

MAX_LINE = 2_000_000
"""Bytes of one event of a stream: 200 lines of 2,000 characters."""

_PAUSES = urllib3.Timeout(connect=CONNECT_S, read=ANSWER_S)
"""A stream on which nothing comes says so every few seconds."""

MAX_URL = 3_000
"""Characters of a question in a URL: gunicorn takes 4,094."""


@dataclass(frozen=True)
class _Answer:
    status: int
    kind: str
    moved_to: str
    body: bytes


class Server:
    """One botd, asked as whoever the token is."""

    def __init__(self, site: Site, token: str = "") -> None:
        self.site = site
        self._token = token
        if token and not site.is_private:
            raise Unusable(f"{site.url} is plain http: a token would go where others can listen; use its https URL")
        self._pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=CONNECT_S, read=SWEEP_S), ca_certs=site.ca_file or None
        )

    def get(self, path: str, query: Mapping[str, Any] | None = None, *, within_s: float = ANSWER_S) -> Any:
        """The JSON object of a route. Raises Trouble."""
        return self._document(self._asked("GET", path, query, None, within_s))

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, Any] | None = None,
        *,
        within_s: float = ANSWER_S,
    ) -> Any:
        """The JSON object that comes of a request that changes something, None of one without. Raises Trouble."""
        return self._document(self._asked(method, path, query, body, within_s))

    def text(
        self, path: str, query: Mapping[str, Any] | None = None, *, within_s: float = ANSWER_S, kind: str = "text/plain"
    ) -> str:
        """The text of a route, as it came: whoever prints it makes it harmless. Raises Trouble."""
        answer = self._asked("GET", path, query, None, within_s, accept=kind)
        if answer.kind != kind:
            self._is_no_botd(f"it answers with {shown(answer.kind) or 'nothing known'} in place of text")
        return answer.body.decode("utf-8", "replace")

    def events(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The JSON objects of a stream, each as it comes, until it ends. Raises Trouble."""
        headers = {"User-Agent": f"bofhbot/{__version__}"}
        headers |= {"Authorization": f"Bearer {self._token}"} if self._token else {}
        url = f"{self.site.url}{path}?{urlencode({**query, 'format': 'ndjson'})}"
        try:
            response = self._pool.request(
                "GET", url, headers=headers, redirect=False, preload_content=False, timeout=_PAUSES
            )
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if response.status != 200:
                body = response.read(MAX_LINE)
                self._good(_Answer(response.status, kind, response.headers.get("Location", ""), body))
            for line in _lines(response):
                yield self._document(_Answer(200, kind.replace("x-ndjson", "json"), "", line))
        except HTTPError as error:
            raise Trouble(f"cannot ask {self.site.url}: {_words(error)}") from error

    def _asked(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: object, within_s: float, accept: str = ""
    ) -> _Answer:
        """The answer, where it is one of success. Raises Trouble for all others."""
        headers = {"Accept": accept or "application/json", "User-Agent": f"bofhbot/{__version__}"}
        headers |= {"Authorization": f"Bearer {self._token}"} if self._token else {}
        url = self.site.url + path
        if asked := {name: value for name, value in (query or {}).items() if value not in (None, "")}:
            url += f"?{urlencode(asked)}"
        sent = None if body is None else json.dumps(body).encode()
        if sent is not None:
            headers["Content-Type"] = "application/json"
        ends_at = time.monotonic() + within_s

        def work() -> _Answer:
            return self._exchange(method, url, headers, sent, ends_at)

        return self._good(in_time(work, within_s, f"{self.site.url} has not answered within {within_s:.0f} s"))

    def _exchange(self, method: str, url: str, headers: Any, body: bytes | None, ends_at: float) -> _Answer:
        headers = {**headers, "Accept-Encoding": "gzip"}
        try:
            response = self._pool.request(
                method, url, headers=headers, body=body, redirect=False, preload_content=False
            )
            read = _read(response, ends_at)
        except HTTPError as error:
            raise Trouble(f"cannot ask {self.site.url}: {_words(error)}") from error
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return _Answer(response.status, kind, response.headers.get("Location", ""), read)

    def _good(self, answer: _Answer) -> _Answer:
        if 200 <= answer.status < 300:
            return answer
        if 300 <= answer.status < 400:
            where = shown(answer.moved_to, 120)
            self._is_no_botd(f"it sends on to {where}, and nothing is sent there; if that is right, set the URL to it")
        error = self._error(answer)
        message, code = error.get("message"), error.get("code")
        if not isinstance(message, str) or not isinstance(code, str):
            self._is_no_botd(f"it answers with status {answer.status} and no words of botd's")
        hint = ""
        if code == "login-required":
            message, hint = message.partition(": POST ")[0], "; bofhbot login is how"  # routes are for programs
        raise Refused(one_line(message, 1000).rstrip(".") + hint, answer.status, code)

    def _error(self, answer: _Answer) -> Mapping[str, Any]:
        """What botd says is wrong; empty where it is not botd that says it."""
        try:
            error = json.loads(answer.body)["error"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return {}
        return error if isinstance(error, dict) else {}

    def _document(self, answer: _Answer) -> Any:
        if answer.status == 204:
            return None
        if answer.kind != "application/json":
            self._is_no_botd(f"it answers with {shown(answer.kind) or 'nothing known'} in place of JSON")
        try:
            document = json.loads(answer.body, parse_constant=_no_number)
        except (ValueError, RecursionError):
            self._is_no_botd("its answer is not whole, or not JSON")
        if not isinstance(document, dict):
            self._is_no_botd("its answer is JSON of another shape")
        return document

    def told_apart(self) -> str:
        """What may be behind a question that is not understood: that botd is of another version. Else empty."""
        try:
            version = self.get("/api/v1", within_s=CONNECT_S).get("version")
        except Trouble:
            return ""
        if not isinstance(version, str) or version == __version__:
            return ""
        return f"; botd there is {shown(version)} and this bofhbot {__version__}: take the bofhbot of that version"

    def _is_no_botd(self, why: str) -> NoReturn:
        raise Strange(f"{self.site.url} does not answer as a botd does: {why}")


def in_time(work: Callable[[], _Answer], within_s: float, late: str) -> _Answer:
    """What the work comes to. Raises Trouble when it takes longer, whatever it is that takes so long.

    A thread of its own, since no time limit of a socket ends an answer that comes byte by byte, or a name server.
    """
    done: queue.Queue[_Answer | BaseException] = queue.Queue()

    def run() -> None:
        try:
            done.put(work())
        except BaseException as error:  # noqa: BLE001 - raised again where somebody waits
            done.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        came = done.get(timeout=within_s)
    except queue.Empty:
        came = TimeoutError()
    if isinstance(came, TimeoutError):
        raise Trouble(f"{late}; try again, or ask for less")
    if isinstance(came, BaseException):
        raise came
    return came


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The lines of a body, each as it comes. Raises Trouble for one that is too long."""
    rest = b""
    while piece := response.read1(65536):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > MAX_LINE:
            raise Strange("the answer has a line without end")


def _read(response: urllib3.BaseHTTPResponse, ends_at: float) -> bytes:
    """The body, unpacked piece by piece. Raises Trouble for one that is too long, TimeoutError for one too slow."""
    pieces, size = [], 0
    while piece := response.read1(65536, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER:
            raise Trouble(f"the answer is over {MAX_ANSWER // 1_000_000} MB: ask for fewer nodes")
        if time.monotonic() > ends_at:
            raise TimeoutError
    return b"".join(pieces)


def _words(error: HTTPError) -> str:
    """What a failure of the network is in a few words."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(reason, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(reason):
        return f"its certificate is not believed ({one_line(str(reason), 120)}); ca_file names your own authority"
    if isinstance(reason, SSLError):
        return f"it does not speak TLS as it should ({one_line(str(reason), 120)}); is the URL right?"
    if isinstance(reason, LocationParseError):
        return "that is no address; is the URL right?"
    if isinstance(reason, NewConnectionError):
        why = reason.__cause__ or reason.__context__
        return f"{one_line(getattr(why, 'strerror', None) or str(reason), 120)}; does it run, and is the URL right?"
    if isinstance(reason, TookTooLong):
        return "it does not answer; does it run, and is the URL right?"
    return f"the answer broke off ({one_line(str(reason), 120)}); try again"


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
