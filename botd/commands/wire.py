"""A client's connection as its request sees it: all that came is there before it begins, and all that goes is taken.

So no thread ever waits for a client: what has not come yet, or not gone yet, is the business of the worker's one loop.
"""

from __future__ import annotations

import errno
import io
import re
import socket
from collections import deque
from typing import BinaryIO

from gunicorn.http.errors import LimitRequestHeaders  # type: ignore[import-untyped]

MAX_HEAD = 2**16
"""Bytes of a request line and its headers. gunicorn has limits for each of them; this one is for all together."""

MAX_REQUEST = 2**21 + MAX_HEAD
"""Bytes of a request that are waited for: somewhat more than the application takes."""

MAX_UNSENT = 2**20
"""Bytes that a client may leave unread of an answer that goes on, as events do."""

SEND_BUFFER = 2**18
"""Bytes of an answer that the kernel holds for a client, twice at most. By itself it takes 4 MB (tcp(7), tcp_wmem), and
200 unread answers then take so much of its memory that everybody waits."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked[ \t]*\r\n", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}(?=[;\r \t])")


class Incoming:
    """What has come from a client, and where the first request in it ends.

    It finds ends and judges nothing: what is no request is taken to be whole, and gunicorn says what is wrong with it.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._begin_next()
        self.is_cut = False

    def _begin_next(self) -> None:
        self._head = 0  # its length, once it is whole
        self._looked = 0  # up to here there is no end
        self._length: int | None = None  # of a body; None is one in chunks

    @property
    def has_begun(self) -> bool:
        """Whether anything of a request is there."""
        return bool(self._data)

    @property
    def is_awaited(self) -> bool:
        """Whether the client sends the body only when it is told to go on (RFC 9110, section 10.1.1)."""
        return len(self._data) == self._head > 0 and _EXPECTS.search(self._data) is not None

    def add(self, data: bytes) -> None:
        """Takes what came."""
        self._data += data

    def take(self) -> bytes | None:
        """The first request, None before it is whole.

        What is larger than any may be is taken as far as it has come, and then `is_cut` for good: where the next one
        begins is not known.
        """
        ends_at = self._end() if self._data else None
        come = len(self._data)
        if come > (MAX_REQUEST if self._head else MAX_HEAD) or (ends_at or 0) > MAX_REQUEST:
            self.is_cut, ends_at = True, come
        if ends_at is None or ends_at > come:
            return None
        request = bytes(self._data[:ends_at])
        del self._data[:ends_at]
        self._begin_next()
        return request

    def _end(self) -> int | None:
        """Where the first request ends, None where that is not known yet."""
        if not self._head and not self._find_head():
            return None
        return self._chunks_end() if self._length is None else self._head + self._length

    def _find_head(self) -> bool:
        at = self._data.find(b"\r\n\r\n", max(0, self._looked - 3))
        self._looked = len(self._data)
        if at < 0:
            return False
        self._head = self._looked = at + 4
        found = _LENGTH.search(self._data, 0, self._head)
        self._length = int(found[1]) if found else 0
        if _CHUNKED.search(self._data, 0, self._head):
            self._length = None
        return True

    def _chunks_end(self) -> int | None:
        """Where the last chunk and its trailers end (RFC 9112, section 7.1); at once where it is none."""
        while (line_end := self._data.find(b"\r\n", self._looked)) >= 0:
            size = _CHUNK_SIZE.match(self._data, self._looked, line_end + 1)
            if not size:
                return MAX_REQUEST + 1
            if int(size[0], 16) == 0:
                end = self._data.find(b"\r\n\r\n", line_end)
                return end + 4 if end >= 0 else None
            self._looked = line_end + 2 + int(size[0], 16) + 2
        return None


class Wire:
    """A socket that never blocks, as gunicorn uses one in a thread: it reads one whole request, and writes.

    The loop calls `receive`, `next_request` and `flush`, while no thread has the connection.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._request = io.BytesIO()
        self._has_head = True
        self._unsent: deque[memoryview] = deque()
        self.incoming = Incoming()

    # ---- what the loop does ----

    def receive(self) -> bool:
        """Takes what has come; False where the client has ended. Raises OSError for one that is gone."""
        try:
            data = self._socket.recv(2**16)
        except BlockingIOError:
            return True
        self.incoming.add(data)
        return bool(data)

    def discard(self) -> bool:
        """Takes what has come and keeps none of it; False where the client has ended. Raises OSError as `receive`."""
        try:
            return bool(self._socket.recv(2**16))
        except BlockingIOError:
            return True

    def next_request(self) -> bool:
        """Whether a whole request is there, which `recv` then gives."""
        request = self.incoming.take()
        if request is None:
            if self.incoming.is_awaited:
                self.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            return False
        self._request = io.BytesIO(request)
        self._has_head = b"\r\n\r\n" in request
        return True

    def flush(self) -> bool:
        """Sends what the client takes; whether that was all. Raises OSError for one that is gone."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[0])
            except BlockingIOError:
                return False
            rest = self._unsent.popleft()[sent:]
            if rest:
                self._unsent.appendleft(rest)
        return True

    @property
    def is_sent(self) -> bool:
        """Whether nothing waits for the client to take it."""
        return not self._unsent

    def bodies(self) -> dict[int, int]:
        """The sizes of what waits to be sent, by its identity: the same answer to many clients is there once."""
        return {id(part.obj): len(part.obj) for part in self._unsent}  # type: ignore[arg-type]

    # ---- what gunicorn does in a thread ----

    def recv(self, size: int) -> bytes:
        """More of the request; nothing at its end. Raises LimitRequestHeaders for one whose headers have no end."""
        data = self._request.read(size)
        if not (data or self._has_head):
            raise LimitRequestHeaders(f"over {MAX_HEAD} bytes")
        return data

    def sendall(self, data: bytes) -> None:
        """Takes it all. Raises OSError where the client is gone, or does not read an answer that goes on."""
        if not self.flush() and sum(map(len, self._unsent)) > MAX_UNSENT:
            raise BrokenPipeError(errno.EPIPE, "the client does not read")
        self._unsent.append(memoryview(data))
        self.flush()

    def send(self, data: bytes) -> int:
        """The same."""
        self.sendall(data)
        return len(data)

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> None:
        """The same for a file, which is one of botd's own and small."""
        file.seek(offset)
        self.sendall(file.read(-1 if count is None else count))

    def setblocking(self, _blocking: bool) -> None:
        """It never blocks."""

    def settimeout(self, _seconds: float | None) -> None:
        """It never waits."""

    def gettimeout(self) -> float:
        """It never waits."""
        return 0.0

    def fileno(self) -> int:
        """The number of the socket, -1 once it is closed."""
        return self._socket.fileno()

    def getsockname(self) -> object:
        """Where the client came to."""
        return self._socket.getsockname()

    def shutdown(self, how: int) -> None:
        """As that of the socket."""
        self._socket.shutdown(how)

    def close(self) -> None:
        """As that of the socket."""
        self._socket.close()
