"""Where a request ends: what has come is handed on when it is whole, however it was cut on its way."""

from __future__ import annotations

import socket

import pytest

from botd.commands.wire import MAX_HEAD, MAX_REQUEST, MAX_UNSENT, Incoming, Wire

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b'POST /api/v1/status HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 13\r\n\r\n{"nodes": []}'
CHUNKS = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6;why=0\r\n\r\n0\r\n\r\r\n0\r\n\r\n"
HEAD = CHUNKS[: CHUNKS.index(b"6;")]
TRAILERS = CHUNKS[:-2] + b"X-Sum: 1\r\n\r\n"


def taken(*pieces: bytes) -> list[bytes]:
    incoming, requests = Incoming(), list[bytes]()
    for piece in pieces:
        incoming.add(piece)
        while (request := incoming.take()) is not None:
            requests.append(request)
    assert not incoming.is_cut
    return requests


@pytest.mark.parametrize("request_", [GET, POST, CHUNKS, TRAILERS], ids=["GET", "POST", "chunks", "trailers"])
def test_a_request_is_taken_when_all_of_it_is_there(request_: bytes) -> None:
    every_byte = [request_[at : at + 1] for at in range(len(request_))]
    assert taken(*every_byte) == [request_]
    assert taken(*every_byte[:-1]) == []
    assert taken(request_ + request_ + GET + request_[:-1], request_[-1:] + GET) == [
        *[request_] * 2,
        GET,
        request_,
        GET,
    ]


@pytest.mark.parametrize(
    "chunks", [b"-7fffffff\r\n", b"0x5\r\n", b"g\r\n", b"\r\n", b"123456789\r\n", b"fffffff\r\n" + b"x" * MAX_REQUEST]
)
def test_what_is_no_chunk_is_taken_as_it_is_and_nothing_after_it(chunks: bytes) -> None:
    incoming = Incoming()
    incoming.add(HEAD + chunks)
    assert incoming.take() == HEAD + chunks
    assert incoming.is_cut


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"x" * MAX_HEAD,
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n{",
        HEAD + b"fffff\r\n" + b"x" * MAX_REQUEST,
        HEAD + b"x" * MAX_REQUEST,
    ],
)
def test_what_is_larger_than_any_may_be_is_not_waited_for(request_: bytes) -> None:
    incoming = Incoming()
    incoming.add(request_)
    assert incoming.take() == request_
    assert incoming.is_cut


def test_an_answer_is_taken_whole_and_sent_as_it_is_read() -> None:
    ours, theirs = socket.socketpair()
    wire, answer = Wire(ours), b"x" * 10 * MAX_UNSENT
    wire.sendall(answer)
    assert not wire.is_sent
    assert wire.bodies() == {id(answer): len(answer)}
    with pytest.raises(BrokenPipeError):
        wire.sendall(b"an event more")
    read = 0
    while not wire.flush() or read < len(answer):
        read += len(theirs.recv(2**20))
    assert wire.is_sent
    wire.sendall(b"an event more")
    assert theirs.recv(99) == b"an event more"


def test_a_client_that_asks_whether_to_go_on_is_told_so_once() -> None:
    ours, theirs = socket.socketpair()
    wire = Wire(ours)
    head, body = POST[:-13].replace(b"Host: x", b"Expect: 100-continue"), POST[-13:]
    theirs.sendall(head)
    assert wire.receive()
    assert not wire.next_request()
    assert theirs.recv(99) == b"HTTP/1.1 100 Continue\r\n\r\n"
    theirs.sendall(body)
    assert wire.receive()
    assert wire.next_request()
    assert wire.recv(9999) == head + body
