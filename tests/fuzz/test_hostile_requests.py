"""Requests that no honest client sends, to the running program: each is answered, soon, and costs no memory."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.conftest import Footprint, fuzz
from tests.fuzz.http import answered, escaped, request, send
from tests.program import DemoProgram

CANARY = "canary-of-the-fuzzing"

TEXTS = (
    "n[0-999999999]", "n[0-99999999999999999999999999]", "n[999999999999999999-0]", "[0-9]" * 40, "n[1" * 500,
    "[" * 2000, "]" * 2000, "[[[[1]]]]", "n[" + "1," * 1500 + "]", "n[" + "0" * 3000 + "-" + "9" * 9 + "]",
    "," * 3000, "a," * 1500, "/" * 3000, "sinfo/" * 500 + "sinfo", "all," * 900, "@" * 2000, "n" + "9" * 3000,
    "9" * 3000, "\0", "n1\0", "\n", "n0000.savio2\r\nX-Evil: 1", "\u202en1", "١٢٣", "é" * 400, "\U0001f525" * 200,
    "\ud800", "../../../../etc/passwd", "..%2f..%2f", "/etc/passwd", "-rf", "--help", "*", "?", "%", "%s%n",
    "{0.__class__}", "{{7*7}}", "{node}", f"$(touch {CANARY})",
    f"`touch {CANARY}`", f"; touch {CANARY};", f"| tee {CANARY}",
    f"' OR 1=1; INSERT INTO sweeps VALUES ('{CANARY}');--", f"<script>{CANARY}</script>", f"n0000.savio2 {CANARY}",
    "NaN", "Infinity", "-Infinity", "1e400", "-1", "1e-320", "0x10", "１", "1_0", "true", "null", "[]",
)  # fmt: skip
"""As a value of each parameter, and as a name in each path."""

PARAMETERS = ("groups", "g", "nodes", "h", "checks", "max_age", "wait", "format", "surprise")
PATHS = (
    "/node/{}", "/api/v1/status/{}", "/api/v1/status/cmd/{}", "/api/v1/status/cmd/df/{}", "/api/v1/df/{}",
    "/api/v1/sweeps/{}", "/api/v1/sweeps/{}/events", "/api/v1/{}", "/static/{}", "/{}", "/healthz/{}",
)  # fmt: skip
QUESTIONS = ("/", "/node/n0000.savio2", "/api/v1/status", "/api/v1/hostinfo", "/api/v1/sinfo")


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_no_value_of_a_parameter_is_too_much(program: DemoProgram, parameter: str) -> None:
    for question in QUESTIONS:
        wait = "" if parameter == "wait" or question == "/api/v1/sinfo" else "&wait=0"
        for text in TEXTS:
            answered(program, request("GET", f"{question}?{parameter}={escaped(text)}{wait}"))


@pytest.mark.parametrize("path", PATHS)
def test_no_name_in_a_path_is_too_much(program: DemoProgram, path: str) -> None:
    for text in (*TEXTS, "9" * 19, "9" * 20, "9" * 400, "-1", "0"):
        answered(program, request("GET", path.format(escaped(text))))
        answered(program, request("GET", path.format(escaped(text)), Accept="text/html"))


DEEP = 400_000
BODIES = {
    "nothing": b"{",
    "a number": b"1",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"sinfo"',
    "bytes": b"\xff\xfe\x00",
    "half a surrogate": b'{"nodes": ["\\ud800"]}',
    "half a surrogate as a key": b'{"\\ud800": 1}',
    "half a surrogate as a check": b'{"checks": ["\\ud800"]}',
    "half a surrogate in a group": b'{"groups": ["\\ud800/all"]}',
    "escapes": '{"checks": ["\x9b31m\u202e"]}'.encode(),
    "NUL": b'{"nodes": ["n1\\u0000"]}',
    "not a number": b'{"max_age": NaN}',
    "infinity": b'{"max_age": Infinity, "wait": -Infinity}',
    "a huge number": b'{"max_age": 1e999}',
    "a long number": b'{"max_age": ' + b"9" * 100_000 + b"}",
    "a truth value": b'{"max_age": true, "wait": false}',
    "objects": b'{"nodes": {"a": 1}, "groups": [{}], "checks": [[]]}',
    "numbers": b'{"nodes": [1, 2.5, null]}',
    "a key of megabytes": b'{"' + b"g" * 1_900_000 + b'": 1}',
    "many keys": json.dumps({f"k{i}": i for i in range(100_000)}).encode(),
    "the same key often": b"{" + b'"wait": 0, ' * 100_000 + b'"wait": 0}',
    "deep lists": b'{"nodes": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"a":' * DEEP,
    "a wide range": b'{"nodes": ["n[0-999999999]"], "wait": 0}',
    "many wide ranges": json.dumps({"groups": [f"n[{i}-999999999]" for i in range(50_000)], "wait": 0}).encode(),
    "many brackets": b'{"nodes": ["' + b"[0-9]" * 380_000 + b'"], "wait": 0}',
    "open brackets": b'{"nodes": ["' + b"[" * 1_900_000 + b'"], "wait": 0}',
    "commas": b'{"groups": ["' + b"," * 1_900_000 + b'"], "nodes": ["n1"], "wait": 0}',
    "slashes": b'{"groups": ["' + b"/" * 1_900_000 + b'"], "wait": 0}',
    "one group often": b'{"groups": ["' + b"all," * 450_000 + b'"], "wait": 0}',
    "one intersection often": b'{"groups": ["' + b"all/" * 450_000 + b'all"], "wait": 0}',
    "one node often": b'{"nodes": ["' + b"n0000.savio2," * 70_000 + b'"], "wait": 0}',
    "one check often": b'{"checks": ["' + b"df," * 600_000 + b'"], "wait": 0}',
    "an unknown check": b'{"checks": ["' + b"d" * 1_900_000 + b'"], "wait": 0}',
    "an unknown group": b'{"groups": ["' + b"g" * 1_900_000 + b'"], "wait": 0}',
    "an unknown partition": b'{"groups": ["@' + b"g" * 1_900_000 + b'"], "wait": 0}',
    "too much": b"{" + b" " * 2_100_000 + b"}",
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_no_body_is_too_much(program: DemoProgram, kind: str) -> None:
    status = answered(program, request("POST", "/api/v1/status", BODIES[kind]))
    assert (status == 413) is (kind == "too much")


def test_bodies_where_none_belong_are_refused_or_left_alone(program: DemoProgram) -> None:
    for path in ("/", "/healthz", "/api/v1/checks", "/node/n0000.savio2"):
        answered(program, request("GET", path, b"x" * 2_100_000))
        assert answered(program, request("POST", path, b"x" * 100_000)) in (405, 413)


FIELDS = {
    "/login": ("login", "password", "code", "to", "form"),
    "/me": ("end", "form"),
    "/node/n0000.savio2/notes": ("kind", "text", "by", "until", "form"),
    "/node/n0000.savio2/notes/1/end": ("by", "form"),
}
"""The forms of the pages, with the names of their fields."""


@pytest.mark.parametrize("path", FIELDS)
def test_no_field_of_a_form_is_too_much(program: DemoProgram, session: str, path: str) -> None:
    form = {"login": "nobody", "password": "x", "code": "1", "kind": "say", "text": "x", "by": "x", "end": "token 1"}
    head = {"Content_Type": "application/x-www-form-urlencoded", "Sec_Fetch_Site": "same-origin"}
    for field in FIELDS[path]:
        for text in TEXTS if "notes" in path else TEXTS[::4]:  # the others wait for the agent, and for a hash
            text = text.replace(CANARY, "bird")  # a note is kept in the database: that is what it is for
            fields = {**{name: form.get(name, "") for name in FIELDS[path]}, field: text}
            body = "&".join(f"{name}={escaped(value)}" for name, value in fields.items()).encode()
            answered(program, request("POST", path, body, **head, Accept="text/html", Cookie=f"botd={session}"))


HEADERS = {
    "Accept": (
        "*", "/", ";", ",", "text/html;q=" + "9" * 500, "a/b;" * 500, "*/*;q=-1", "\xff/\xff",
        "text/*;q=nan", "a," * 2000,
    ),
    "Range": ("bytes=0-0", "bytes=-1", "bytes=9-1", "bytes=" + "0-1," * 1000, "lines=1-2", "bytes=a-b", "9" * 3000),
    "If-None-Match": ("*", '"', 'W/"x", ' * 500, "\xff", '"' + "a" * 3000),
    "If-Modified-Since": ("yesterday", "Thu, 99 Foo 99999 99:99:99 GMT", "0"),
    "Host": ("", "a b", "x" * 3000, "[::1", "127.0.0.1:99999999", "evil.example/\\"),
    "Cookie": ("a=b; " * 500, "=;=;", "\xff=\x01"),
    "User-Agent": ("elinks/" + "9" * 3000, "\xff\xfe", "<script>"),
    "Content-Type": ("application/json; charset=utf-99", "multipart/form-data; boundary=", "text/xml", ";"),
    "X-Forwarded-For": ("' OR 1=1", "a" * 3000),
    "Transfer-Encoding": ("gzip", "chunked, chunked", "identity"),
    "Expect": ("100-continue", "the unexpected"),
    "Authorization": ("Basic \xff", "Bearer " + "a" * 3000),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_is_too_much(program: DemoProgram, name: str) -> None:
    end = b"0\r\n\r\n" if name == "Transfer-Encoding" else b""  # of the body that it promises, which is waited for
    for value in HEADERS[name]:
        for path in ("/", "/node/n0000.savio2", "/api/v1/status?wait=0", "/api/v1/group-list", "/static/botd.css"):
            answered(program, request("GET", path, **{name: value}) + end)


METHODS = (
    "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "BREW", "get", "G\0T", "A" * 3000,
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_no_method_is_too_much(program: DemoProgram, method: str) -> None:
    for path in (
        "/",
        "/node/n0000.savio2",
        "/api/v1/status",
        "/api/v1/sweeps/1/events",
        "/healthz",
        "*",
        "//",
        "http://x/",
    ):
        status = answered(program, request(method, path))
        assert status >= 400 or method in ("HEAD", "OPTIONS")


CHUNKED = b"POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
RAW = (
    b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00" * 50 + b"\r\n\r\n",
    b"GET /\xff\xfe\x00\x80 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET /node/\xc3\x28 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET /api/v1/status?groups=\xff\xfe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET /?groups=a b HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    b"POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{}",
    CHUNKED + b"fffffffffffffffff\r\n{}", CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", CHUNKED + b"2\r\n{}xx",
    CHUNKED + b"-2\r\n{}\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
)  # fmt: skip
"""What is not quite HTTP. No body is announced and then kept back: gunicorn waits for a slow client, as it should."""


@pytest.mark.parametrize("packet", RAW, ids=range(len(RAW)))
def test_what_is_not_quite_http_is_answered_or_hung_up_on(program: DemoProgram, packet: bytes) -> None:
    answer = send(program, packet, hang_up=True)
    assert not answer or 200 <= int(answer.split(None, 2)[1]) < 500, answer[:300]
    assert program.is_well()


words = st.sampled_from(
    ["all", "sinfo", "savio2", "@savio2", "n0000.savio2", "n0001", "n[0-2].savio3", "/", ",", "[", "]", "-", "%", "&"]
)
questions = st.lists(words | st.text(max_size=3).map(escaped), min_size=1, max_size=6).map("".join)
selections = st.lists(st.sampled_from(["ping", "df", "df/tmp", "ipmi", "kernel", "all", "df_", ""]), max_size=3).map(
    ",".join
)
ages = st.sampled_from(["0", "1", "60", "3e8", "-1", "nan", "", "1e-9"])


@fuzz(150)
@given(
    questions,
    selections,
    ages,
    st.sampled_from(["json", "ndjson", "csv", "table", "x"]),
    st.sampled_from(["g", "nodes"]),
)
def test_any_question_is_answered(
    program: DemoProgram, asked: str, checks: str, age: str, form: str, name: str
) -> None:
    url = f"/api/v1/status?{name}={asked}&checks={checks}&max_age={age}&wait=0.05&format={form}"
    assert answered(program, request("GET", url)) in (200, 400, 404, 429)


def test_every_stream_of_events_ends(program: DemoProgram) -> None:
    """More of them than may be open at once, on a sweep that has just begun."""
    sweep = program.json("/api/v1/status?groups=all&max_age=0&wait=0")["sweep"]
    packet = request("GET", f"/api/v1/sweeps/{sweep}/events")
    with ThreadPoolExecutor(40) as pool:
        statuses = set(pool.map(lambda _: answered(program, packet), range(40)))
    assert 200 in statuses <= {200, 429}
    assert answered(program, packet) == 200


def test_many_at_once_are_all_answered(program: DemoProgram) -> None:
    status = "/api/v1/status"
    packets = [request("POST", status, body) for body in BODIES.values()]
    packets += [request("GET", f"{status}?max_age=0&wait=1&checks={check}") for check in ("ping", "ssh", "df", "all")]
    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(lambda packet: answered(program, packet), packets)) <= {200, 400, 404, 413, 429}
    assert program.is_well()


def test_hostile_requests_leave_no_memory_behind(program: DemoProgram) -> None:
    """After some that bring along what the first ones need: 75 MB of bodies, of which none may stay."""
    packets = [request("POST", "/api/v1/status", BODIES[kind]) for kind in ("a key of megabytes", "an unknown check")]
    for packet in packets * 8:
        answered(program, packet)
    footprint = Footprint(program)
    for packet in packets * 20:
        answered(program, packet)
    assert footprint.grown_mb() < 40


def test_nothing_of_a_request_reaches_a_shell_or_a_file(program: DemoProgram) -> None:
    for text in TEXTS:
        if CANARY in text:
            for name in ("groups", "nodes", "checks"):
                answered(program, request("GET", f"/api/v1/status?{name}={escaped(text)}&max_age=0&wait=0.1"))
                answered(program, request("POST", "/api/v1/status", json.dumps({name: [text], "wait": 0.1}).encode()))
    folder: Path = program.cluster.directory
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not any(CANARY in path.name or CANARY.encode() in path.read_bytes() for path in files)
    assert not Path(CANARY).exists()
