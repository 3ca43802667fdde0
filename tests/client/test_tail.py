"""`bofhbot tail`: the log of a node through the whole of botd, from the agent's ssh to a terminal, and its ends."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from botd.client.cli import main
from tests.client.conftest import PROGRAM, Home, answering, http
from tests.program import DemoProgram, wait_until

GROWS = "_handle_node_reg_resp"


@pytest.fixture
def node(program: DemoProgram) -> str:
    nodes = program.json("/api/v1/status?groups=savio3&checks=ssh&max_age=100000")["nodes"]
    return next(n["node"] for n in nodes if n["readings"]["ssh"]["state"] == "ok")


@contextmanager
def tailing(home: Home, node: str, log: str = "slurmd") -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    child = subprocess.Popen([*PROGRAM, "tail", node, log], env=home.environ, text=True, **pipes)  # type: ignore[call-overload]
    try:
        yield child
    finally:
        child.kill()
        child.wait(60)
        child.stdout.close()
        child.stderr.close()


@pytest.mark.parametrize("log", ["slurmd", "journal"])
def test_a_log_comes_with_its_last_lines_and_grows(kmf: Home, node: str, log: str) -> None:
    with tailing(kmf, node, log) as child:
        assert "slurmd started" in child.stdout.readline()
        grown = next(line for line in child.stdout if GROWS in line)
        assert grown.isprintable() is False
        assert grown.rstrip("\n").isprintable()
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
        assert child.stderr.read() == "bofhbot: interrupted\n"


def test_it_is_over_on_the_node_when_the_client_goes(kmf: Home, program: DemoProgram, node: str) -> None:
    wait_until(lambda: rows(program) == 0)
    with tailing(kmf, node) as child:
        child.stdout.readline()
        assert rows(program) == 1
    wait_until(lambda: rows(program) == 0)


def rows(program: DemoProgram) -> int:
    with sqlite3.connect(program.cluster.config_path.parent / "botd.db") as db:
        return int(db.execute("select count(*) from tails").fetchone()[0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("slurmt",), 'there is no log "slurmt"; did you mean "slurmd"?'),
        (("/etc/shadow",), 'there is no log "/etc/shadow"; there is slurmd, journal'),
    ],
)
def test_a_log_is_one_that_the_configuration_names(kmf: Home, node: str, words: tuple[str, ...], said: str) -> None:
    done = kmf.run("tail", node, *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_node_that_there_is_not_has_no_log(kmf: Home) -> None:
    done = kmf.run("tail", "n9999.savio2", "slurmd")
    assert (done.returncode, done.stdout) == (2, "")
    assert "n9999.savio2" in done.stderr


def test_it_takes_a_login_and_the_right(at_home: Home, node: str) -> None:
    done = at_home.run("tail", node, "slurmd")
    assert done.returncode == 2
    assert "log in" in done.stderr


def test_what_is_followed_stands_in_the_audit(kmf: Home, node: str) -> None:
    with tailing(kmf, node) as child:
        child.stdout.readline()
    assert f"tailed\tkmf\t{node}\tslurmd\n" in kmf.good("log", "--limit", "20")


def event(**members: object) -> bytes:
    return json.dumps({"event": "lines", "lines": [], "left_out": 0, "why": "", **members}).encode() + b"\n"


def test_nothing_of_a_log_is_obeyed_by_a_terminal_whoever_sends_it(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    body = event(lines=["\x1b[2Jx", "a\x9b1mb", "\u202ec"], left_out=7) + event(event="end", why="it ends")
    with answering(http(body, kind="application/x-ndjson")) as hostile:
        monkeypatch.setenv("BOFHBOT_URL", hostile.url)
        assert main(["tail", "n1", "slurmd"]) == 1
    out, err = capfdbinary.readouterr()
    assert all(line.isprintable() for line in out.decode().splitlines())
    assert b"bofhbot: 7 lines more than go through are left out\n" in err
    assert b"bofhbot: slurmd of n1 is not followed any more: it ends\n" in err


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(b"<p>hello", kind="text/html"), "not as a botd|in place of JSON|broke off"),
        (http(b'{"lines": 5}\n', kind="application/x-ndjson"), "list of texts"),
        (http(b"{", kind="application/x-ndjson"), "broke off"),
        (http(b"x" * 3_000_000, kind="application/x-ndjson"), "a line without end"),
        (http(b"{}", "302 Found", more="Location: http://elsewhere/\r\n"), "sends on to"),
    ],
)
def test_what_is_no_stream_of_botd_is_said_so(
    answer: bytes, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(answer) as hostile:
        monkeypatch.setenv("BOFHBOT_URL", hostile.url)
        assert main(["tail", "n1", "slurmd"]) == 1
    assert re.search(words, capsys.readouterr().err)
