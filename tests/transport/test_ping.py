"""Ping: real fping and ping on loopback, real loss in a network namespace, and tools that misbehave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.answers import Delivery, PingAnswer, Source
from botd.settings import PingSettings
from botd.transport.local import CommandMissing, Completed
from botd.transport.ping import NO_ADDRESS, PING_PARALLEL, answer_of, parse_fping, parse_ping, ping_nodes
from tests.conftest import leave_out, need_program

# fping 5.1, `fping -C 3 -t 500 -i 0.05 -p 100` with and without -q, in a network namespace where 127.8.0.1 drops
# all, 127.7.0.1 drops the second packet, 127.6.0.1 answers with an ICMP error and 10.95.0.1 has no route.
QUIET = """\
127.0.0.2 : 0.141 0.044 0.047
127.8.0.1 : - - -
127.7.0.1 : 0.038 - 0.011
127.6.0.1 : - - -
10.95.0.1 : - - -
::1       : 0.031 0.023 0.028
"""
NOISY = """\
127.7.0.1 : [0], 64 bytes, 0.009 ms (0.009 avg, 0% loss)
ICMP Host Unreachable from 127.6.0.1 for ICMP Echo sent to 127.6.0.1
127.7.0.1 : [1], timed out (0.009 avg, 33% loss)

127.7.0.1 : 0.009 - 0.008
127.6.0.1 : - - -
"""

# iputils 20221126, `ping -n -q -c 3 -i 0.2 -W 0.500`, in the same namespace.
PING_LOSSY = """\
PING 127.7.0.1 (127.7.0.1) 56(84) bytes of data.

--- 127.7.0.1 ping statistics ---
3 packets transmitted, 2 received, 33.3333% packet loss, time 412ms
rtt min/avg/max/mdev = 0.026/0.027/0.028/0.001 ms
"""
PING_UNREACHABLE = """\
PING 127.6.0.1 (127.6.0.1) 56(84) bytes of data.

--- 127.6.0.1 ping statistics ---
3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 410ms

"""

LIVE = {"n0": "127.0.0.2", "n1": "127.0.0.3", "n2": "::1"}


@pytest.fixture
def fping() -> None:
    need_program("fping")


@pytest.fixture
def real_ping() -> None:
    need_program("ping")


@pytest.fixture
def namespace() -> None:
    for name in ("unshare", "ip", "iptables"):
        need_program(name)
    if os.geteuid() != 0:
        leave_out("a network namespace with iptables needs root: run `make test` as root")


def ping(targets: dict[str, str | None], *, timeout_s: float = 20.0, **settings: object) -> dict[str, PingAnswer]:
    """The answer of each node; a second one for the same node fails the test."""
    answers: dict[str, PingAnswer] = {}

    def deliver(delivery: Delivery) -> None:
        assert delivery.node not in answers
        assert delivery.source is Source.PING
        assert isinstance(delivery.answer, PingAnswer)
        answers[delivery.node] = delivery.answer

    values = {"timeout": 5.0, **settings}
    ping_nodes(targets, PingSettings(**values), deliver, timeout_s=timeout_s)  # type: ignore[arg-type]
    return answers


def tool(tmp_path: Path, script: str) -> str:
    """A program that stands in for fping where the real one cannot be made to fail."""
    path = tmp_path / "fping"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


# ---- the real fping ----


@pytest.mark.usefixtures("fping")
def test_it_reports_nodes_that_answer() -> None:
    answers = ping(dict(LIVE), count=4)
    assert list(answers) == list(LIVE)
    for answer in answers.values():
        assert (answer.sent, answer.received, answer.error) == (4, 4, "")
        assert answer.rtt_ms is not None
        assert 0 < answer.rtt_ms < 1000
        assert answer.rtt_ms == round(answer.rtt_ms, 3)


@pytest.mark.usefixtures("fping")
def test_nodes_that_share_an_address_are_all_answered() -> None:
    answers = ping({"n0": "::1", "n1": "0:0:0:0:0:0:0:1", "n2": "127.0.0.2", "n3": "127.0.0.2"})
    assert answers["n0"] == answers["n1"]
    assert answers["n2"] == answers["n3"]
    assert all(answer.received == 3 for answer in answers.values())


@pytest.mark.parametrize("address", [None, "", "localhost", "--help", "-f/etc/passwd", "127.0.0.1\n127.0.0.2"])
def test_what_is_no_address_reaches_no_command(address: str | None, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    answers = ping({"n0": address, "n1": "127.0.0.1"}, command=tool(tmp_path, f'echo "$*" > {seen}; cat >> {seen}'))
    assert answers["n0"] == PingAnswer(0, 0, None, error=NO_ADDRESS)
    assert seen.read_text() == "-C 3 -q -t 5000 -i 1 -p 100\n127.0.0.1\n"


def test_no_targets_start_no_command(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    assert ping({}, command=tool(tmp_path, f"touch {seen}")) == {}
    assert ping({"n0": None}, command=tool(tmp_path, f"touch {seen}")) == {
        "n0": PingAnswer(0, 0, None, error=NO_ADDRESS)
    }
    assert not seen.exists()


@pytest.mark.usefixtures("fping", "namespace")
@pytest.mark.parametrize("command", ["fping", "no-such-fping"])
def test_it_tells_lost_packets_from_answered_ones(command: str) -> None:
    """Real loss: in a network namespace one loopback range drops everything, one every third packet."""
    answers = ping_in_namespace(command)
    assert answers["up"]["received"] == 3
    assert answers["down"] == {"sent": 3, "received": 0, "rtt_ms": None, "error": ""}
    assert (answers["lossy"]["sent"], answers["lossy"]["received"]) == (3, 2)
    assert answers["lossy"]["rtt_ms"] > 0
    assert answers["unreachable"] == {"sent": 3, "received": 0, "rtt_ms": None, "error": ""}


def ping_in_namespace(command: str) -> dict[str, dict[str, float]]:
    rules = [
        "-d 127.8.0.0/16 -j DROP",
        "-d 127.7.0.0/16 -p icmp --icmp-type echo-request -m statistic --mode nth --every 3 --packet 1 -j DROP",
        "-d 127.6.0.0/16 -j REJECT --reject-with icmp-host-unreachable",
    ]
    prepare = " && ".join(["ip link set lo up", *(f"iptables -A INPUT {rule}" for rule in rules)])
    code = f"""
import dataclasses, json
from botd.settings import PingSettings
from botd.transport.ping import ping_nodes
targets = dict(up="127.0.0.2", down="127.8.0.1", lossy="127.7.0.1", unreachable="127.6.0.1")
answers = {{}}
settings = PingSettings(command={command!r}, timeout=1.5)
ping_nodes(targets, settings, lambda d: answers.update({{d.node: d.answer}}), timeout_s=20)
print(json.dumps({{node: dataclasses.asdict(answer) for node, answer in answers.items()}}))
"""
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", f'{prepare} && exec "$@"', "sh", sys.executable, "-c", code],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    answers: dict[str, dict[str, float]] = json.loads(done.stdout)
    return answers


@pytest.mark.usefixtures("fping")
def test_what_it_costs() -> None:
    targets = {f"n{n}": f"127.9.{n // 250}.{n % 250 + 1}" for n in range(1000)}
    before = os.times()
    answers = ping(dict(targets))
    after = os.times()
    spent = sum(after[:4]) - sum(before[:4])
    print(f"\nping: {spent / len(targets) * 1000:.3f} ms of CPU per node, fping included")
    assert all(answer.received > 0 for answer in answers.values())


# ---- an fping that fails ----


def test_an_fping_that_takes_too_long_leaves_all_unknown(tmp_path: Path) -> None:
    answers = ping({"n0": "127.0.0.2"}, timeout_s=0.3, command=tool(tmp_path, "exec sleep 600"))
    assert answers["n0"].error.endswith("did not end within 0.3 s")
    assert (answers["n0"].sent, answers["n0"].received) == (0, 0)


@pytest.mark.parametrize("status", [0, 1, 2, 3, 4])
def test_an_fping_that_prints_garbage_leaves_all_unknown(tmp_path: Path, status: int) -> None:
    command = tool(tmp_path, f"printf '127.0.0.2 is al\\033ive\\n' >&2; exit {status}")
    assert ping({"n0": "127.0.0.2"}, command=command) == {
        "n0": PingAnswer(0, 0, None, error=f"fping ended with status {status}: 127.0.0.2 is al?ive")
    }


def test_an_address_without_a_line_is_unknown_and_not_lost(tmp_path: Path) -> None:
    command = tool(tmp_path, "echo '127.0.0.2 : 0.1 - 0.3' >&2; exit 1")
    assert ping({"n0": "127.0.0.2", "n1": "127.0.0.3"}, command=command) == {
        "n0": PingAnswer(3, 2, 0.2),
        "n1": PingAnswer(0, 0, None, error="fping printed no result for this address"),
    }


def test_lines_of_an_fping_that_failed_are_not_believed(tmp_path: Path) -> None:
    command = tool(tmp_path, "echo '127.0.0.2 : - - -' >&2; exit 4")
    assert ping({"n0": "127.0.0.2"}, command=command)["n0"].error.startswith("fping ended with status 4")


def test_an_fping_that_refuses_a_short_interval_is_asked_again(tmp_path: Path) -> None:
    command = tool(tmp_path, 'case "$*" in *"-i 1 "*) echo "127.0.0.2 : 1.50" >&2 ;; *) exit 3 ;; esac')
    assert ping({"n0": "127.0.0.2"}, command=command) == {"n0": PingAnswer(1, 1, 1.5)}


def test_packets_are_as_far_apart_as_the_settings_say(tmp_path: Path) -> None:
    command = tool(tmp_path, 'case "$*" in *"-i 0.05 "*) echo "127.0.0.2 : 1.50" >&2 ;; *) exit 3 ;; esac')
    assert ping({"n0": "127.0.0.2"}, command=command, interval=0.05) == {"n0": PingAnswer(1, 1, 1.5)}


def lossy(tmp_path: Path, first: str, second: str) -> str:
    """An fping that prints the first text when it sends without a pause, the second text when it makes one.

    What it was asked the second time goes into the file `again`.
    """
    pause = f"*'-i 0.05 '*) cat > {tmp_path}/again; printf '{second}' >&2 ;;"
    return tool(tmp_path, f"case \"$*\" in *'-i 0 '*) printf '{first}' >&2 ;; {pause} *) exit 4 ;; esac")


@pytest.mark.parametrize(
    ("second", "n1", "n2"),
    [
        ("127.0.0.1 : 0.1 0.2 0.3\\n127.0.0.2 : 0.1 0.2 0.3\\n", PingAnswer(3, 3, 0.2), PingAnswer(3, 3, 0.2)),
        ("127.0.0.1 : 0.1 - 0.3\\n127.0.0.2 : - - -\\n", PingAnswer(3, 2, 0.2), PingAnswer(3, 0, None)),
        (
            "127.0.0.1 : 0.1 - 0.3\\n",
            PingAnswer(3, 2, 0.2),
            PingAnswer(0, 0, None, error="fping printed no result for this address"),
        ),
    ],
)
def test_answers_lost_in_the_hurry_are_asked_for_again(
    tmp_path: Path, second: str, n1: PingAnswer, n2: PingAnswer
) -> None:
    """Where one address lost some packets, the hurry may have cost another all: the second, gentle round counts."""
    first = "127.0.0.1 : - 0.2 -\\n127.0.0.2 : - - -\\n127.0.0.3 : 0.1 0.1 0.1\\n"
    answers = ping({f"n{n}": f"127.0.0.{n}" for n in (1, 2, 3)}, command=lossy(tmp_path, first, second))
    assert answers == {"n1": n1, "n2": n2, "n3": PingAnswer(3, 3, 0.1)}
    assert (tmp_path / "again").read_text() == "127.0.0.1\n127.0.0.2\n"


def test_dead_nodes_alone_make_no_second_round(tmp_path: Path) -> None:
    command = lossy(tmp_path, "127.0.0.1 : - - -\\n127.0.0.3 : 0.1 0.1 0.1\\n", "")
    assert ping({"n1": "127.0.0.1"}, command=command) == {"n1": PingAnswer(3, 0, None)}
    assert not (tmp_path / "again").exists()


def test_a_round_with_a_pause_is_not_repeated(tmp_path: Path) -> None:
    command = tool(tmp_path, f"echo >> {tmp_path}/runs; echo '127.0.0.1 : - 0.2 -' >&2")
    assert ping({"n1": "127.0.0.1"}, command=command, interval=0.01) == {"n1": PingAnswer(3, 1, 0.2)}
    assert (tmp_path / "runs").read_text() == "\n"


@pytest.mark.parametrize("what", ["yes '127.0.0.2 : 0.1'", "yes ' 0.1' | tr -d '\\n'"])
def test_an_fping_that_does_not_stop_printing_is_ended(tmp_path: Path, what: str) -> None:
    answers = ping({"n0": "127.0.0.2"}, timeout_s=60, command=tool(tmp_path, f"{what} >&2"))
    assert "printed more than 65,696 bytes" in answers["n0"].error


# ---- without fping ----


@pytest.mark.usefixtures("real_ping")
def test_without_fping_each_node_gets_a_ping() -> None:
    answers = ping(dict(LIVE), command="no-such-fping")
    assert list(answers) == list(LIVE)
    for answer in answers.values():
        assert (answer.sent, answer.received, answer.error) == (3, 3, "")
        assert answer.rtt_ms is not None


@pytest.mark.usefixtures("real_ping")
def test_a_ping_that_cannot_send_is_unknown() -> None:
    answer = ping({"n0": "255.255.255.255"}, command="no-such-fping")["n0"]
    assert (answer.sent, answer.rtt_ms) == (0, None)
    assert answer.error.startswith("ping ended with status 2: ping: ")


def test_without_any_tool_all_are_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ping({"n0": "127.0.0.2"}, command="fping") == {
        "n0": PingAnswer(0, 0, None, error="neither fping nor ping is installed")
    }


def test_pings_run_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of eight pings ends only after all eight have begun."""
    begun = tmp_path / "begun"
    begun.mkdir()
    (tmp_path / "ping").write_text(
        f"#!/bin/sh\ntouch {begun}/$$\n"
        f"while [ $(ls {begun} | wc -l) -lt 8 ]; do sleep 0.02; done\n"
        "echo '1 packets transmitted, 1 received, 0% packet loss, time 0ms'\n"
    )
    (tmp_path / "ping").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    answers = ping({f"n{n}": f"127.9.0.{n + 1}" for n in range(8)}, command="no-such-fping")
    assert set(answers.values()) == {PingAnswer(1, 1, None)}


def test_a_fault_with_one_address_or_answer_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def run(words: Sequence[str], **_: object) -> Completed:
        if words[0] == "no-such-fping":
            raise CommandMissing
        if words[-1] == "127.9.0.25":
            raise TypeError
        return Completed(0, b"1 packets transmitted, 1 received, 0% packet loss, time 0ms\n", b"")

    monkeypatch.setattr("botd.transport.ping.run_command", run)
    heard: dict[str, object] = {}

    def deliver(delivery: Delivery) -> None:
        if delivery.node == "n30":
            raise ZeroDivisionError
        heard[delivery.node] = delivery.answer

    targets = {f"n{n}": f"127.9.0.{n}" for n in range(50)}
    ping_nodes(targets, PingSettings(command="no-such-fping"), deliver, timeout_s=20)
    assert heard.pop("n25") == PingAnswer(0, 0, None, error="botd failed, see its log: TypeError")
    assert heard == dict.fromkeys(set(targets) - {"n25", "n30"}, PingAnswer(1, 1, None))
    assert "the ping answer of n30 could not be delivered" in caplog.text


def test_pings_that_hang_end_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ping").write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    (tmp_path / "ping").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    answers = ping({f"n{n}": f"127.9.0.{n + 1}" for n in range(150)}, command="fping", timeout_s=1.0)
    assert len(answers) == 150
    left_s = [float(answer.error.rpartition("did not end within ")[2].split()[0]) for answer in answers.values()]
    assert sum(each > 0 for each in left_s) <= PING_PARALLEL  # the others came when the time of all was over


# ---- what the tools print ----


def test_it_reads_a_recorded_fping() -> None:
    assert parse_fping(QUIET) == {
        "127.0.0.2": (0.141, 0.044, 0.047),
        "127.8.0.1": (None, None, None),
        "127.7.0.1": (0.038, None, 0.011),
        "127.6.0.1": (None, None, None),
        "10.95.0.1": (None, None, None),
        "::1": (0.031, 0.023, 0.028),
    }


def test_it_reads_past_icmp_errors_and_single_packets() -> None:
    assert parse_fping(NOISY) == {"127.7.0.1": (0.009, None, 0.008), "127.6.0.1": (None, None, None)}


@given(st.text(alphabet=" :-.0123456789abc[]\n\t\x1b", max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    for address, times in parse_fping(text).items():
        assert f"{address}" in text
        assert times
        assert all(time_ms is None or time_ms >= 0 for time_ms in times)


@pytest.mark.parametrize("end", ["\n", " x\n", " 0.1.2\n"])
def test_a_long_line_is_read_in_little_memory(end: str) -> None:
    line = "127.0.0.2 :" + " -" * 500_000 + end
    tracemalloc.start()
    try:
        parse_fping(line)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * len(line)


@pytest.mark.parametrize("words", ["-5", "nan", "inf", "1e5", "1_0", "0.1.2", "9" * 400, "--", "0x1", "\u0663"])
def test_a_line_with_anything_but_times_is_left_out(words: str) -> None:
    assert parse_fping(f"127.0.0.2 : 0.1 {words} 0.3\n") == {}


@pytest.mark.parametrize(
    ("times", "answer"),
    [
        ((0.1, 0.3, 0.2), PingAnswer(3, 3, 0.2)),
        ((0.1, None, 0.2004), PingAnswer(3, 2, 0.15)),
        ((None, None), PingAnswer(2, 0, None)),
    ],
)
def test_the_round_trip_is_the_median_of_what_came_back(times: tuple[float | None, ...], answer: PingAnswer) -> None:
    assert answer_of(times) == answer


def test_it_reads_a_recorded_ping() -> None:
    assert parse_ping(PING_LOSSY) == PingAnswer(3, 2, 0.027)
    assert parse_ping(PING_UNREACHABLE) == PingAnswer(3, 0, None)


def test_a_ping_without_a_summary_is_refused() -> None:
    with pytest.raises(ValueError, match="no summary"):
        parse_ping("ping: connect: Network is unreachable\n")
