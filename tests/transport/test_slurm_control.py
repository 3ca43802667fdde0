"""The way to the helper for Slurm: what it says is told, and what is not known is never taken for done or not done."""

from __future__ import annotations

import json
import shlex
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.config import parse_config
from botd.errors import ConfigError
from botd.settings import ActionsSettings
from botd.transport.slurm_control import Done, Refused, Shown, SlurmControl, SlurmNow, Unknown, read_answer
from tests.libexec.helper import NODE, REASON, Helper, listening, make_helper

DRAINED = "n0013.savio2"
STAMP = "0" * 32
IDLE = SlurmNow("idle")


@pytest.fixture
def helper(tmp_path: Path) -> Helper:
    return make_helper(tmp_path / "slurm")


def by(way: object, timeout_s: float = 60.0) -> SlurmControl:
    return SlurmControl(ActionsSettings(slurm=str(way), slurm_timeout=timeout_s))


@pytest.fixture(params=["standard input", "argument", "socket"])
def control(request: pytest.FixtureRequest, helper: Helper, tmp_path: Path) -> Iterator[SlurmControl]:
    if request.param == "socket":
        with listening(helper, tmp_path / "helper.sock") as path:
            yield by(f"unix:{path}")
    else:
        yield by(f"{helper.path}{' {request}' if request.param == 'argument' else ''}")


# ---- what the helper says ----


def test_what_slurm_has_is_told_with_its_stamp(control: SlurmControl) -> None:
    found = control.show(DRAINED)
    assert isinstance(found, Shown)
    assert found.now == SlurmNow("drained", "see hung mpirun", "kmf", datetime(2026, 11, 23, 20, 16, 37, tzinfo=UTC))
    assert len(found.stamp) == 32


def test_a_node_is_drained_and_taken_back(control: SlurmControl, helper: Helper) -> None:
    drained = control.drain(NODE, helper.stamp(), REASON)
    assert isinstance(drained, Done)
    assert drained.before == IDLE
    assert drained.after == SlurmNow("drained", REASON, "slurm", datetime(2026, 11, 26, 10, 4, tzinfo=UTC))
    assert control.undrain(NODE, helper.stamp()) == Done(drained.after, IDLE)
    resumed = control.resume(DRAINED, helper.stamp(DRAINED))
    assert isinstance(resumed, Done)
    assert len(helper.heard()) == 3


def test_what_was_refused_says_why_and_what_is_there(control: SlurmControl, helper: Helper) -> None:
    found = control.resume(DRAINED, STAMP)
    assert isinstance(found, Refused)
    assert (found.why, found.now and found.now.reason) == ("changed", "see hung mpirun")
    unknown = control.show("nosuch")
    assert unknown == Refused("unknown-node", "sinfo has no node of this name")
    assert helper.heard() == []


def test_a_slurm_that_timed_out_is_unknown_with_what_was_there_before_and_after(
    control: SlurmControl, helper: Helper
) -> None:
    helper.says("scontrol", "slurm_update error: Socket timed out on send/recv operation")
    found = control.drain(NODE, helper.stamp(), REASON)
    assert found == Unknown("scontrol: slurm_update error: Socket timed out on send/recv operation", IDLE, IDLE)
    assert len(helper.heard()) == 1


# ---- what keeps it from saying anything ----


@pytest.mark.parametrize(
    ("way", "words"),
    [("", "no [actions] slurm"), ("/nonexistent/helper", "No such file"), ("unix:/nonexistent", "No such")],
)
def test_what_could_not_be_sent_is_refused(way: str, words: str) -> None:
    for found in (by(way).drain(NODE, STAMP, REASON), by(way).show(NODE)):
        assert isinstance(found, Refused)
        assert found.why == "not-sent"
        assert words in found.words


@pytest.mark.parametrize("node", ["", "n0012\nresume n0013", "n0012\0", "ä", " ", "n0012\r"])
def test_what_is_not_one_plain_line_is_not_sent(helper: Helper, node: str) -> None:
    found = by(helper.path).drain(node, STAMP, REASON)
    assert isinstance(found, Refused)
    assert found.why == "not-sent"


DEAD_ENDS = [
    "sh -c 'cat; exit 255'",
    "sh -c 'cat >&2; exit 255'",
    "false",
    """sh -c 'echo "{}"'""",
    """sh -c 'echo "[]"'""",
    "echo Welcome to controller",
    "head -c 1000000 /dev/zero",
]


@pytest.mark.parametrize("way", DEAD_ENDS)
def test_what_was_sent_and_has_no_answer_may_have_been_done(way: str) -> None:
    assert isinstance(by(way).drain(NODE, STAMP, REASON), Unknown)
    assert isinstance(by(way).show(NODE), Refused)  # looking changes nothing


def test_a_helper_that_does_not_end_is_waited_for_no_longer_than_is_set(helper: Helper) -> None:
    stamp = helper.stamp()
    (helper.directory / "scontrol").write_text(f"#!/bin/sh\necho x >>{helper.directory}/heard\nexec sleep 600\n")
    found = by(helper.path, 2).drain(NODE, stamp, REASON)
    assert isinstance(found, Unknown)
    assert "did not end within 2 s" in found.words


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Callable[[bytes], SlurmControl]]:
    """A socket behind which somebody reads a request and says this."""
    with socket.socket(socket.AF_UNIX) as server:
        path = tmp_path / "somebody.sock"
        server.bind(str(path))
        server.listen()

        def serve(answer: bytes) -> None:
            with server.accept()[0] as client:
                client.recv(4096)
                client.sendall(answer)

        def make(answer: bytes) -> SlurmControl:
            threading.Thread(target=serve, args=(answer,), daemon=True).start()
            return by(f"unix:{path}")

        yield make


def test_a_socket_that_says_nothing_leaves_it_unknown(behind: Callable[[bytes], SlurmControl]) -> None:
    assert isinstance(behind(b"").drain(NODE, STAMP, REASON), Unknown)
    assert isinstance(behind(b'{"answer": "done"').drain(NODE, STAMP, REASON), Unknown)


def test_an_answer_for_another_node_or_another_question_is_no_answer(behind: Callable[[bytes], SlurmControl]) -> None:
    other = {"answer": "done", "node": DRAINED, "before": vars_of(IDLE), "after": None, "words": ""}
    assert isinstance(behind(json.dumps(other).encode()).drain(NODE, STAMP, REASON), Unknown)
    shown = {"answer": "shown", "node": NODE, "now": vars_of(IDLE), "stamp": STAMP}
    assert isinstance(behind(json.dumps(shown).encode()).drain(NODE, STAMP, REASON), Unknown)
    assert isinstance(behind(json.dumps(shown).encode()).show(NODE), Shown)
    assert isinstance(behind(json.dumps({**other, "node": NODE}).encode()).show(NODE), Refused)


def vars_of(now: SlurmNow) -> dict[str, object]:
    return {"state": now.state, "reason": now.reason, "by": now.by, "at": None}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["done", "shown", NODE, "at"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["answer", "node", "now", "before", "after", "words", "code", "stamp"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.one_of(st.binary(max_size=200), JSON.map(json.dumps).map(str.encode)))
def test_whatever_is_answered_is_read_as_something(output: bytes) -> None:
    found = read_answer(output, NODE)
    if isinstance(found, Done | Shown):
        assert json.loads(output)["node"] == NODE


def test_a_way_that_cannot_be_split_into_words_stops_the_start() -> None:
    with pytest.raises(ConfigError, match=r"\[actions\] slurm"):
        parse_config({"actions": {"slurm": "ssh 'controller"}})
    assert shlex.split(parse_config({"actions": {"slurm": "sudo x {request}"}}).actions.slurm)[-1] == "{request}"
