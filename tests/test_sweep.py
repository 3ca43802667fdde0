"""One sweep, with probers that are plain functions: needs, order, faults of probers, and the deadline."""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.answers import (
    Deliver,
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
from botd.errors import SlurmFailed
from botd.model import Check, Facts, Finding, Reading, SlurmNode, State
from botd.sweep import Plan, Prober, make_plan, run_sweep

CHECKS = site_checks(parse_config({}))
AT = datetime(2026, 11, 23, 20, 16, 37, tzinfo=UTC)
LONG_S = 60.0
UP, REFUSED = LoginAnswer(SshState.UP), LoginAnswer(SshState.REFUSED)
Readings = Mapping[str, Reading]


def plan(*names: str, nodes: Sequence[str] = ("n1",), checks: Checks = CHECKS) -> Plan:
    return make_plan(nodes, checks, names, {"n1": SlurmNode("n1", "idle", "IDLE", memory_mb=1)})


def sweep(asked: Plan, *probers: Prober, deadline_s: float = LONG_S) -> tuple[dict[str, Readings], list[str]]:
    """The readings of each node, and what failed as a whole. Every node must come out exactly once."""
    emitted: list[tuple[str, Readings]] = []
    errors = run_sweep(
        asked, probers, lambda node, readings: emitted.append((node, readings)), deadline_s=deadline_s, clock=lambda: AT
    )
    assert sorted(node for node, _ in emitted) == sorted(asked.nodes)
    assert all(set(readings) == set(asked.checks) for _, readings in emitted)
    return dict(emitted), errors


def prober(*deliveries: Delivery, name: str = "all", sources: Sequence[Source] = tuple(Source)) -> Prober:
    """A prober that delivers these, one after the other, and ends."""

    def run(deliver: Deliver) -> None:
        for delivery in deliveries:
            deliver(delivery)

    return Prober(name, frozenset(sources), run)


def login(answer: LoginAnswer = UP, node: str = "n1") -> Delivery:
    return Delivery(node, Source.LOGIN, answer)


def output(check: str, text: str, node: str = "n1", **fields: object) -> Delivery:
    answer = Output(text, **{"status": 0, **fields})  # type: ignore[arg-type]
    return Delivery(node, Source.COMMAND, answer, 0.0123456, check)


def ping(node: str = "n1", rtt_ms: float = 0.2) -> Delivery:
    return Delivery(node, Source.PING, PingAnswer(3, 3, rtt_ms))


def uptime(node: str = "n1") -> Delivery:
    return output("uptime", "100.0 50.0\n", node)


def jobs(*running: Job, error: str = "") -> Delivery:
    return Delivery("n1", Source.JOBS, SlurmAnswer(running, error))


def waiting(end: threading.Event) -> Callable[[Deliver], None]:
    """The work of a prober that delivers nothing and ends when told to."""

    def run(deliver: Deliver) -> None:
        end.wait(LONG_S)

    return run


# ---- needs ----


def test_a_check_brings_what_it_needs() -> None:
    assert list(plan("users").checks) == ["ssh", "users", "jobs"]


def test_a_check_whose_need_is_met_is_read() -> None:
    found, errors = sweep(plan("uptime"), prober(login(), uptime()))
    assert found["n1"]["uptime"] == Reading(State.OK, 100, "s", AT, 0.012, "up 1 min 40 s")
    assert errors == []


def test_a_check_whose_need_is_not_met_is_skipped_and_names_the_need() -> None:
    found, _ = sweep(plan("uptime"), prober(login(REFUSED)))
    assert found["n1"]["ssh"].state is State.FAIL
    assert found["n1"]["uptime"] == Reading(State.SKIPPED, None, "s", AT, None, "needs ssh, which is fail")


def test_an_answer_does_not_count_when_the_need_is_not_met() -> None:
    found, _ = sweep(plan("uptime"), prober(uptime(), login(REFUSED)))
    assert found["n1"]["uptime"].state is State.SKIPPED


def test_a_skipped_check_does_not_wait_for_its_own_answer() -> None:
    """The node is out while the prober of the missing answer still runs."""
    go = threading.Event()
    slow = Prober("slow", frozenset({Source.POWER}), waiting(go))
    dead = prober(Delivery("n1", Source.PRESENCE, PresenceAnswer(False)), sources=[Source.PRESENCE])
    out: list[Readings] = []

    def emit(node: str, readings: Readings) -> None:
        out.append(readings)
        go.set()

    run_sweep(plan("ipmi_state"), [slow, dead], emit, deadline_s=LONG_S, clock=lambda: AT)
    assert out[0]["ipmi_state"].detail == "needs ipmi_reachable, which is fail"


def test_a_need_that_is_only_a_warning_is_met() -> None:
    lossy = Delivery("n1", Source.PING, PingAnswer(3, 1, 0.2))
    checks = {**CHECKS, "uptime": with_needs("uptime", "ping")}
    found, _ = sweep(plan("uptime", checks=checks), prober(lossy, uptime()))
    assert (found["n1"]["ping"].state, found["n1"]["uptime"].state) == (State.WARN, State.OK)


def with_needs(name: str, *needs: str) -> Check:
    return dataclasses.replace(CHECKS[name], needs=needs)


def test_a_skipped_need_skips_what_needs_it() -> None:
    checks = {**CHECKS, "load": with_needs("load", "uptime")}
    found, _ = sweep(plan("load", checks=checks), prober(login(REFUSED)))
    assert found["n1"]["load"].detail == "needs uptime, which is skipped"


def test_the_running_jobs_are_known_to_the_checks_that_need_them() -> None:
    found, _ = sweep(
        plan("users"), prober(login(), output("users", "botd\n2000 eve\n"), jobs(Job("7", "eve", "RUNNING")))
    )
    assert found["n1"]["users"].state is State.OK
    found, _ = sweep(plan("users"), prober(login(), output("users", "botd\n2000 eve\n"), jobs()))
    assert found["n1"]["users"].value == ["eve"]


def test_jobs_that_are_not_known_skip_the_users() -> None:
    found, _ = sweep(plan("users"), prober(login(), output("users", "botd\n"), jobs(error="squeue failed")))
    assert found["n1"]["jobs"].state is State.UNKNOWN
    assert found["n1"]["users"].detail == "needs jobs, which is unknown"


DELIVERIES = [
    login(),
    ping(),
    uptime(),
    output("load", "0.1 0.2 0.3 1/2 3\n4\n"),
    output("users", "botd\n2000 eve\n2001 bob\n"),
    output("dstate", "7 0 eve/dd\n"),
    output("memory", "MemTotal: 2048 kB\nMemAvailable: 1024 kB\n"),
    output("slurmd", "pid\n"),
    output("slurmd_log", "tail: no\n", status=1),
    jobs(Job("7", "eve", "RUNNING")),
    Delivery("n1", Source.LAST_JOB, SlurmAnswer((Job("6", "bob", "FAILED"),))),
    Delivery("n1", Source.PRESENCE, PresenceAnswer(True)),
    Delivery("n1", Source.POWER, PowerAnswer(PowerState.ON)),
    Delivery("n1", Source.EVENTS, EventsAnswer()),
]


@given(st.randoms(use_true_random=False), st.sets(st.sampled_from(range(len(DELIVERIES)))))
def test_any_order_of_answers_gives_the_same_readings(order: random.Random, lost: set[int]) -> None:
    got = [delivery for i, delivery in enumerate(DELIVERIES) if i not in lost]
    expected, _ = sweep(plan(*CHECKS), prober(*got))
    order.shuffle(got)
    found, _ = sweep(plan(*CHECKS), prober(*got))
    assert found == expected


# ---- probers that fail ----


def fails(error: Exception, *before: Delivery, sources: Sequence[Source] = (Source.PING,)) -> Prober:
    def run(deliver: Deliver) -> None:
        for delivery in before:
            deliver(delivery)
        raise error

    return Prober("ping", frozenset(sources), run)


def test_a_prober_that_fails_costs_its_own_cells_only() -> None:
    others = prober(login(), name="ssh", sources=[Source.LOGIN])
    found, errors = sweep(plan("ping", "ssh"), fails(SlurmFailed("fping is broken")), others)
    assert found["n1"]["ping"] == Reading(State.UNKNOWN, None, "ms", AT, None, "fping is broken")
    assert found["n1"]["ssh"].state is State.OK
    assert errors == ["fping is broken"]


def test_a_prober_of_some_nodes_costs_those_alone_when_it_fails() -> None:
    """Each of two networks has its own prober of one source: the end of one says nothing of the other's nodes."""
    here, there = (dataclasses.replace(prober(ping(node)), name=node, nodes=frozenset({node})) for node in ("n1", "n2"))
    lost = dataclasses.replace(fails(SlurmFailed("no way to n3")), name="n3", nodes=frozenset({"n3"}))
    found, errors = sweep(plan("ping", nodes=("n1", "n2", "n3")), lost, here, there)
    assert [found[node]["ping"].state for node in ("n1", "n2", "n3")] == [State.OK, State.OK, State.UNKNOWN]
    assert found["n3"]["ping"].detail == errors[0] == "no way to n3"


def test_what_a_prober_delivered_before_it_failed_counts() -> None:
    found, _ = sweep(plan("ping", nodes=["n1", "n2"]), fails(SlurmFailed("broken"), ping("n2")))
    assert (found["n1"]["ping"].state, found["n2"]["ping"].state) == (State.UNKNOWN, State.OK)


def test_a_fault_of_our_own_is_logged_and_shows_no_more_than_its_type(caplog: pytest.LogCaptureFixture) -> None:
    _, errors = sweep(plan("ping"), fails(RuntimeError("the password is hunter2")))
    assert errors == ["ping failed: RuntimeError"]
    assert "prober failed" in caplog.text


def test_a_check_that_fails_at_the_answer_of_one_node_costs_that_cell_only(caplog: pytest.LogCaptureFixture) -> None:
    def parse(answer: object, facts: Facts) -> Finding:
        if facts.node == "bad":
            raise TypeError("a fault of ours")
        return Finding(State.OK, 0.2)

    checks = {"ping": dataclasses.replace(CHECKS["ping"], parse=parse)}
    nodes = [f"n{i}" for i in range(25)] + ["bad"] + [f"n{i}" for i in range(25, 50)]
    found, errors = sweep(plan("ping", nodes=nodes, checks=checks), prober(*map(ping, nodes)))
    assert found.pop("bad")["ping"] == Reading(
        State.UNKNOWN, None, "ms", AT, None, "botd failed, see its log: TypeError"
    )
    assert {readings["ping"].state for readings in found.values()} == {State.OK}
    assert errors == []
    assert "check=ping node=bad" in caplog.text


def test_a_node_that_a_prober_says_nothing_of_is_unknown() -> None:
    found, errors = sweep(plan("ping", nodes=["n1", "n2"]), prober(ping("n1")))
    assert found["n2"]["ping"] == Reading(State.UNKNOWN, None, "ms", AT, None, "no answer")
    assert errors == []


def test_a_second_answer_changes_nothing() -> None:
    eve = [output("users", "botd\n2000 eve\n"), output("users", "botd\n")]
    twice = [
        *eve,
        jobs(),
        jobs(Job("7", "eve", "RUNNING")),
        ping(rtt_ms=1.0),
        ping(rtt_ms=9.0),
        login(),
        login(REFUSED),
    ]
    found, _ = sweep(plan("ping", "users"), prober(*twice))
    assert found["n1"]["ping"].value == 1.0
    assert found["n1"]["ssh"].state is State.OK
    assert (found["n1"]["jobs"].value, found["n1"]["users"].value) == ([], ["eve"])


@pytest.mark.parametrize("stranger", [ping("n9"), output("no_such_check", "x"), output("load", "1 1 1 1/1 1\n1\n")])
def test_an_answer_that_nobody_asked_for_is_left_out(stranger: Delivery) -> None:
    found, errors = sweep(plan("ping", "ssh"), prober(stranger, ping(), login()))
    assert set(found["n1"]) == {"ping", "ssh"}
    assert errors == []


def test_without_probers_everything_is_unknown() -> None:
    found, _ = sweep(plan("ping", "uptime"))
    assert {name: reading.state for name, reading in found["n1"].items()} == {
        "ping": State.UNKNOWN, "ssh": State.UNKNOWN, "uptime": State.SKIPPED,
    }  # fmt: skip


def test_a_sweep_of_no_nodes_ends() -> None:
    assert sweep(plan("ping", nodes=[]), prober()) == ({}, [])


# ---- time ----


@pytest.fixture
def forever() -> Iterator[Callable[[Deliver], None]]:
    """A prober's work that does not end before the test does."""
    end = threading.Event()
    yield waiting(end)
    end.set()


def test_a_prober_that_never_ends_is_cut_at_the_deadline(forever: Callable[[Deliver], None]) -> None:
    hung = Prober("ssh", frozenset({Source.LOGIN, Source.COMMAND}), forever)
    found, errors = sweep(plan("ping", "uptime"), hung, prober(ping(), sources=[Source.PING]), deadline_s=2)
    assert found["n1"]["ping"].state is State.OK
    assert found["n1"]["ssh"].detail == "no answer in time"
    assert found["n1"]["uptime"].state is State.SKIPPED
    assert errors == ["the sweep was cut at its deadline of 2 s with 1 nodes unfinished"]


def test_a_prober_that_never_stops_talking_is_cut_too() -> None:
    end = threading.Event()

    def babble(deliver: Deliver) -> None:
        while not end.is_set():
            deliver(ping("n9"))

    _, errors = sweep(plan("ping"), Prober("ping", frozenset({Source.PING}), babble), deadline_s=0.1)
    end.set()
    assert len(errors) == 1


def test_a_slow_node_delays_no_other() -> None:
    """n1 is answered only once all others are out."""
    out: list[str] = []
    others_out = threading.Event()

    def run(deliver: Deliver) -> None:
        for node in ("n2", "n3"):
            deliver(ping(node))
        assert others_out.wait(LONG_S)
        deliver(ping("n1"))

    def emit(node: str, readings: Readings) -> None:
        out.append(node)
        if len(out) == 2:
            others_out.set()

    asked = plan("ping", nodes=["n1", "n2", "n3"])
    errors = run_sweep(
        asked, [Prober("ping", frozenset({Source.PING}), run)], emit, deadline_s=LONG_S, clock=lambda: AT
    )
    assert (out, errors) == (["n2", "n3", "n1"], [])


# ---- output that a check refuses ----


@pytest.mark.parametrize(
    ("delivery", "detail"),
    [
        (output("uptime", "bash: \x1b[31mno\x1b[0m\nfork"), "cannot read: bash: no fork"),
        (output("uptime", ""), "cannot read: an empty answer"),
        (output("uptime", "x" * 3000), "cannot read: " + "x" * 200),
        (output("uptime", "", status=None, timed_out=True), "did not end within 5 s"),
        (output("uptime", "y\x07z", status=None, truncated=True), "printed too much; it begins: y z"),
        (output("uptime", "1.0 2.0\n", status=None), "ended without a status"),
        (output("uptime", "", status=None, detail="the \x1b[1mconnection\x00 was lost"), "the connection was lost"),
    ],
)
def test_output_that_cannot_be_read_is_unknown_and_told_in_plain_text(delivery: Delivery, detail: str) -> None:
    found, _ = sweep(plan("uptime"), prober(login(), delivery))
    assert found["n1"]["uptime"].state is State.UNKNOWN
    assert found["n1"]["uptime"].value is None
    assert found["n1"]["uptime"].detail == detail


def test_complaints_of_the_loader_hide_no_answer() -> None:
    said = "ERROR: ld.so: object '/opt/x.so' from LD_PRELOAD cannot be preloaded (wrong ELF class): ignored.\n"
    found, _ = sweep(plan("uptime"), prober(login(), output("uptime", said + "100.0 50.0\n")))
    assert found["n1"]["uptime"].value == 100


def test_no_control_character_reaches_a_value() -> None:
    found, _ = sweep(plan("users"), prober(login(), jobs(), output("users", "botd\n2000 e\x1b[31mv\x07e\u202e\n")))
    assert found["n1"]["users"].value == ["ev e"]


# ---- Ctrl-C ----


def test_an_interrupted_sweep_emits_what_it_has_before_it_ends() -> None:
    end = threading.Event()
    asked = plan("ping", "ssh", nodes=("n1", "n2", "n3"))
    answers = prober(ping("n2"), ping("n1"), login(node="n1"), name="answers", sources=())
    silent = Prober("silent", frozenset(Source), waiting(end))
    emitted: dict[str, Readings] = {}

    def emit(node: str, readings: Readings) -> None:
        emitted[node] = readings
        if node == "n1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(asked, [answers, silent], emit, deadline_s=LONG_S, clock=lambda: AT)
    end.set()
    assert list(emitted) == ["n1", "n2"]
    assert emitted["n2"]["ping"].state is State.OK
    assert emitted["n2"]["ssh"].detail == "interrupted before it answered"
