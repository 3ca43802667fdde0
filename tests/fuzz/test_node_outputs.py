"""What nodes, BMCs and fping send: any bytes become findings that can be kept and shown, and nothing is forged."""

from __future__ import annotations

import contextlib
import itertools
import random
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from botd.answers import (
    Answer,
    Delivery,
    EventsAnswer,
    Job,
    LoginAnswer,
    Output,
    PingAnswer,
    PowerAnswer,
    PowerState,
    PresenceAnswer,
    SlurmAnswer,
    Source,
    SshState,
)
from botd.checks import Checks, site_checks
from botd.config import parse_config
from botd.documents import decode, encode, reading_document
from botd.model import Check, Facts, Reading, SlurmNode, State
from botd.settings import BmcSettings
from botd.sweep import read_answer
from botd.transport.bmc.power import BmcTransport
from botd.transport.bmc.presence import read_answer as read_presence
from botd.transport.bmc.presence import request_packet
from botd.transport.ping import answer_of, parse_fping, parse_ping
from botd.transport.ssh.script import MAX_NOISE, MAX_OUTPUT, Fragment, FrameReader, build_script
from tests.fuzz.conftest import FUZZ, fuzz
from tests.fuzz.strategies import at_most_mb, spoiled, texts

# ---- frames ----

NONCE = "0123456789abcdef"
marks = st.sampled_from(
    [b"\x1e", b"\x1f", b"\n", NONCE[:15].encode(), NONCE[1:].encode(), b"f00df00df00df00d", b" other\n"]
)
outputs = (
    st.lists(marks | st.binary(max_size=8), max_size=12).map(b"".join).filter(lambda data: NONCE.encode() not in data)
)
"""What a command may print that wants to be taken for a frame. It cannot know the nonce."""


def frame(name: str, output: bytes, status: int = 0) -> bytes:
    """As the script on the node prints it."""
    return b"\x1e%s %s\n%s\n%d\x1f%s\n" % (NONCE.encode(), name.encode(), output, status, NONCE.encode())


def read_in_pieces(data: bytes, size: int) -> list[tuple[str, Output]]:
    reader = FrameReader(NONCE)
    return [found for i in range(0, len(data), size) for found in reader.feed(data[i : i + size])]


@fuzz(120)
@given(outputs, outputs, st.integers(1, 50))
def test_an_output_forges_no_frame_and_spoils_none(noise: bytes, printed: bytes, size: int) -> None:
    found = read_in_pieces(noise + frame("a", printed) + noise + frame("b", b"fine", 3), size)
    assert found == [("a", Output(printed.decode("utf-8", "replace"), 0)), ("b", Output("fine", 3))]


@fuzz(120)
@given(spoiled(frame("a", b"one\ntwo") + frame("b", b"x" * 40, 124)), st.integers(1, 50))
def test_damaged_frames_are_whole_cut_or_missing_but_never_more(data: bytes, size: int) -> None:
    *found, last = read_in_pieces(data + frame("c", b"fine"), size)
    assert last == ("c", Output("fine", 0))
    assert len(found) <= data.count(b"\x1f" + NONCE.encode())
    for name, output in found:
        assert "\n" not in name
        assert len(output.text) <= MAX_OUTPUT + 5
        assert output.status is None or not (output.timed_out or output.truncated)


@FUZZ
@given(st.binary(min_size=1, max_size=3), st.integers(100, 5000))
def test_a_node_that_never_ends_a_frame_is_told_off_before_it_fills_the_memory(piece: bytes, size: int) -> None:
    reader = FrameReader(NONCE)
    fed = 0
    with at_most_mb(2):
        for part in itertools.chain(
            [b"\x1e" + NONCE.encode() + b" a\n"], itertools.repeat(piece * size, 5 * MAX_NOISE)
        ):
            list(reader.feed(part))
            fed += len(part)
            assert fed <= MAX_NOISE + 3 * size
            if reader.babbling:
                break
    assert reader.babbling


@fuzz(15)
@given(outputs.map(lambda data: data.replace(b"\0", b"")), st.sampled_from(["/bin/sh", "/bin/bash"]), st.booleans())
def test_a_real_shell_frames_whatever_a_command_prints(printed: bytes, shell: str, quick: bool) -> None:
    octal = "".join(f"\\{byte:03o}" for byte in printed)
    hostile = Fragment("a", f"printf '{octal}'; (exit 3)", 0 if quick else 5)
    script = build_script(NONCE, [hostile, Fragment("b", "echo fine", 5)])
    done = subprocess.run([shell, "-s"], input=script, capture_output=True, timeout=20)
    found = dict(FrameReader(NONCE).feed(done.stdout))
    assert found == {"a": Output(printed.decode("utf-8", "replace"), 3), "b": Output("fine\n", 0)}


# ---- checks ----

CUSTOM = (
    {"name": "number", "command": "x", "value": "number", "warn": 1.0, "fail": 1e300},
    {"name": "lower", "command": "x", "value": "number", "fail": 5.0, "worse": "lower", "sudo": True},
    {"name": "text", "command": "x", "value": "text"},
    {"name": "exit", "command": "x", "warn": 0.0, "fail": 2.0},
)
SITE: Checks = site_checks(parse_config({"mounts": {"scratch": "/global/scratch"}, "check": list(CUSTOM)}))

SAMPLES = (
    "mount rw\n4096 248515606 113203562 100562026\n", "mount \n4096 1 1 1\n", "350735.47 234388.90\n",
    "0.14 0.25 0.31 2/1024 12345\n32\n", "MemTotal:       24029360 kB\nMemAvailable:   23071232 kB\n",
    "pid 1234\nslurm-wlm 22.05.8\n", "botd\n    0 root\n12345 alice\n", "[2026-11-23T20:16:54.211] error: x\n",
    "45.5 C\n",
    "sudo: a password is required\n", "ERROR: ld.so: object 'x' from LD_PRELOAD cannot be preloaded\n1 2\n",
)  # fmt: skip
NUMBERS = ("9" * 20, "9" * 400, "9" * 5000, "-1", "0", "1e999", "nan", "inf", "-inf", "0x10", "１２", "1_000", "²")
digits = st.sampled_from(NUMBERS)
printed = texts | st.sampled_from(SAMPLES).flatmap(lambda text: spoiled(text.encode())).map(
    lambda data: data.decode("utf-8", "replace")
)
times = st.none() | st.datetimes(timezones=st.timezones()) | st.datetimes()
jobs = st.builds(
    Job, texts | digits, texts, texts | st.sampled_from(["FAILED", "CANCELLED by 7"]), texts, texts, texts, times
)
durations = st.none() | st.floats(allow_nan=False, allow_infinity=False)

ANSWERS: dict[Source, st.SearchStrategy[Answer]] = {
    Source.PING: st.builds(PingAnswer, st.integers(0, 9), st.integers(0, 9), durations, st.just("") | texts),
    Source.LOGIN: st.builds(LoginAnswer, st.sampled_from(SshState), texts),
    Source.COMMAND: st.builds(
        Output, printed, st.none() | st.integers(0, 255), st.booleans(), st.booleans(), st.just("") | texts
    )
    | st.builds(Output, printed, st.just(0)),
    Source.PRESENCE: st.builds(PresenceAnswer, st.booleans(), texts),
    Source.POWER: st.builds(PowerAnswer, st.sampled_from(PowerState), texts),
    Source.EVENTS: st.builds(
        EventsAnswer,
        st.lists(st.binary(min_size=16, max_size=16), max_size=4).map(tuple),
        st.none() | st.integers(0, 2**32 - 1),
        st.integers(0, 2**16 - 1),
        st.just("") | texts,
        st.just("") | texts,
    ),
    Source.JOBS: st.builds(SlurmAnswer, st.lists(jobs, max_size=3).map(tuple), st.just("") | texts),
    Source.LAST_JOB: st.builds(SlurmAnswer, st.lists(jobs, max_size=2).map(tuple), st.just("") | texts),
}
flags = st.lists(st.sampled_from(["DRAIN", "POWERED_DOWN"]), max_size=2).map(tuple)
slurm_nodes = st.none() | st.builds(
    SlurmNode,
    st.just("n1"),
    st.just("idle"),
    st.just("IDLE"),
    flags,
    memory_mb=st.none() | st.integers(-(2**63), 2**63 - 1),
)


def all_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from all_texts(item)


@fuzz(60)
@given(st.data())
@pytest.mark.parametrize("check", SITE.values(), ids=list(SITE))
def test_any_answer_becomes_a_reading_that_can_be_kept_and_shown(check: Check, data: st.DataObject) -> None:
    answer = data.draw(ANSWERS[check.source])
    known_jobs = data.draw(st.none() | st.lists(jobs, max_size=2).map(tuple))
    assert_can_be_kept_and_shown(check, answer, Facts("n1", data.draw(slurm_nodes), known_jobs, check.settings))


def assert_can_be_kept_and_shown(check: Check, answer: Answer, facts: Facts) -> None:
    found = read_answer(check, answer, facts)
    assert found.state in State
    document = reading_document(Reading(found.state, found.value, check.unit, detail=found.detail))
    assert decode(encode(document)) == document
    assert len(encode(document)) < 60_000
    for text in all_texts([document["value"], document["detail"]]):
        assert text.isprintable()
        assert len(text) <= 500


COMMANDS = [check for check in SITE.values() if check.source is Source.COMMAND]


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
@pytest.mark.parametrize("check", COMMANDS, ids=lambda check: check.name)
def test_no_number_is_too_odd_for_a_reading(check: Check, number: str) -> None:
    facts = Facts("n1", None, (), check.settings)
    some = [" ".join([number] * count) for count in range(1, 7)]
    for text in (*some, *(re.sub(r"\d+", lambda _: number, sample) for sample in SAMPLES)):
        assert_can_be_kept_and_shown(check, Output(text, 0), facts)
        with contextlib.suppress(ValueError, LookupError, ArithmeticError):
            check.parse(Output(text, 0), facts)


@fuzz(30)
@given(st.data())
@pytest.mark.parametrize("check", SITE.values(), ids=lambda check: check.name)
def test_a_check_refuses_what_it_cannot_read_as_it_is_told_to(check: Check, data: st.DataObject) -> None:
    """`Check.parse`: ValueError or LookupError, and of Outputs only those with a status unless it reads cut ones."""
    answer = data.draw(ANSWERS[check.source])
    assume(not isinstance(answer, Output) or answer.status is not None)
    with contextlib.suppress(ValueError, LookupError, ArithmeticError):
        check.parse(answer, Facts("n1", None, (), check.settings))


@pytest.mark.parametrize("check", COMMANDS, ids=lambda check: check.name)
@pytest.mark.parametrize(
    "piece", ["9", "a ", "mount ", "\n", "1 x\n", "\x1b]", "\x1b[", "ERROR: ld.so: object ", "MemTotal:", "."]
)
def test_no_output_takes_long_to_read(check: Check, piece: str) -> None:
    """As much as a frame holds, of what makes an expression try again and again."""
    with at_most_mb(8):
        read_answer(check, Output(piece * (MAX_OUTPUT // len(piece)), 0), Facts("n1", None, (), check.settings))


# ---- fping and ping ----

FPING = b"127.7.0.1  : 0.027 - 0.005\n10.0.0.2 : - - -\nfd00::1 : 1.2 3 4\nICMP Host Unreachable from 10.0.0.1\n"
PING = b"3 packets transmitted, 3 received, 0% packet loss\nrtt min/avg/max/mdev = 0.035/0.101/0.231/0.091 ms\n"


@FUZZ
@given(spoiled(FPING) | texts.map(lambda text: text.encode("utf-8", "replace")))
@example(b"n1 : " + b"9" * 400 + b"\n")
def test_any_output_of_fping_gives_round_trips_that_are_numbers(output: bytes) -> None:
    for address, times in parse_fping(output.decode("utf-8", "replace")).items():
        assert not any(char.isspace() for char in address)
        answer = answer_of(times)
        assert 0 <= answer.received <= answer.sent == len(times)
        assert encode(reading_document(Reading(State.OK, answer.rtt_ms)))


@FUZZ
@given(spoiled(PING))
@example(PING.replace(b"3 packets", b"9" * 5000 + b" packets").replace(b"0.101", b"1.1.1"))
def test_any_output_of_ping_gives_an_answer_or_a_value_error(output: bytes) -> None:
    with contextlib.suppress(ValueError):
        answer = parse_ping(output.decode("utf-8", "replace"))
        assert answer.sent >= 0
        assert answer.received >= 0
        assert answer.rtt_ms is None or answer.rtt_ms >= 0


# ---- BMCs ----

PRESENT = bytes.fromhex("0600ff0700000000000000000010811c63200038000117050000000000") + b"\x8b"
OPENED = bytes.fromhex(
    "0600ff0706110000000000000000240000020000000000000000000000000000000800000001000000010800000101000000"
)
STATUS = bytes.fromhex("0600ff07060000000000000000000c811c6320100100010000005d")
recorded = st.sampled_from((PRESENT, OPENED, STATUS, request_packet(0)))
packets = recorded.flatmap(spoiled) | st.binary(max_size=120)
almost = st.builds(lambda at, byte, more: PRESENT[:at] + byte + PRESENT[at + 1 :] + bytes(more),
                   st.integers(0, len(PRESENT)), st.binary(min_size=1, max_size=1), st.integers(0, 2))  # fmt: skip
"""The answer of a BMC with one byte changed, or longer than it says."""


@fuzz(200)
@given(packets | almost)
def test_a_datagram_is_a_sign_of_a_bmc_only_as_an_answer_to_the_request(packet: bytes) -> None:
    """Whatever its sums, its addresses and its length say, which some BMCs compute wrongly."""
    answer = read_presence(packet)
    assert answer is None or answer.reachable
    if answer:
        assert answer.detail.isprintable()
        message = packet[16 if packet[4] == 6 else 14 :]
        assert (packet[3], message[1] >> 2, message[5]) == (0x07, 0x07, 0x38)


class Liar:
    """A BMC at an address of its own that answers presence, and everything after it with what it is told to."""

    def __init__(self, address: str) -> None:
        self.replies: list[bytes] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            packet, peer = self._socket.recvfrom(4096)
            if packet == b"end":
                return
            asks_for_presence = len(packet) == len(request_packet(0)) and packet[4] == 0
            for reply in (PRESENT, *self.replies) if asks_for_presence else self.replies:
                self._socket.sendto(reply, peer)

    def close(self) -> None:
        self._socket.sendto(b"end", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    found = Liar("127.43.0.1")
    yield found
    found.close()


@fuzz(25)
@given(st.lists(packets.filter(len), max_size=4), st.randoms(use_true_random=False))
def test_a_bmc_that_lies_is_unknown_in_time_and_never_on_or_off(
    liar: Liar, replies: list[bytes], chance: random.Random
) -> None:
    """Whoever does not know the password has no say about the power."""
    liar.replies = [*replies, PRESENT][: chance.randint(1, 5)]
    transport = BmcTransport(BmcSettings(user="botd", port=liar.port, timeout=0.1), "secret")
    found: list[Delivery] = []
    try:
        transport.run({"n1": "127.43.0.1"}, found.append, power=True)
    finally:
        transport.close()
    answers = {delivery.source: delivery.answer for delivery in found}
    assert len(found) == len(answers) == 2
    assert answers[Source.PRESENCE].reachable
    assert answers[Source.POWER].power is PowerState.UNKNOWN
    assert answers[Source.POWER].detail.isprintable()
