"""BMCs: real simulators, real packets, and everything a BMC can do wrong on the way."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyghmi.ipmi.private import session as pyghmi_session

from botd.answers import Delivery, PowerAnswer, PowerState, PresenceAnswer, Source
from botd.settings import BmcSettings
from botd.transport.bmc.power import NO_USER, STOPPED, BmcTransport
from botd.transport.bmc.presence import find_present, read_answer, request_packet
from botd.transport.bmc.session import REFUSED, PowerQuery
from tests.conftest import need_program
from tests.program import wait_until
from tests.transport.bmc.bmc_sim import ADMIN, USER, BmcSim, answering, bmc_sims, only_presence, relay

PORT = 12_000 + os.getpid() % 10_000 * 2
"""Of this test run alone, and below the ports that the system gives out, so that two runs do not meet."""
SIMS = 12
LOGIN_PACKETS = 6  # presence, capabilities, open session (SHA-256 refused), open session (SHA-1), RAKP 1, RAKP 3
STUB = "127.41.0.1"
DEAD = "127.42.0.1"

Transports = Callable[..., BmcTransport]
Answers = dict[tuple[str, Source], Any]


@pytest.fixture(scope="module")
def all_sims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[BmcSim]]:
    need_program("ipmi_sim")
    with bmc_sims(tmp_path_factory.mktemp("bmc") / "sims", [f"127.40.0.{n + 1}" for n in range(SIMS)], PORT) as sims:
        yield sims


@pytest.fixture
def sims(all_sims: list[BmcSim]) -> list[BmcSim]:
    for sim in all_sims:
        sim.resume()
        sim.set_power(True)
        sim.wait_until_it_answers()
    return all_sims


@pytest.fixture
def transport(sims: list[BmcSim]) -> Iterator[Transports]:
    with ExitStack() as stack:

        def make(password: str = sims[0].password, **settings: object) -> BmcTransport:
            values = {"user": USER, "port": PORT, "timeout": 5.0, **settings}
            made = BmcTransport(BmcSettings(**values), password)  # type: ignore[arg-type]
            stack.callback(made.close)
            return made

        yield make


def ask(transport: BmcTransport, targets: dict[str, str | None]) -> Answers:
    """All answers by node and source; a second answer for the same fails the test."""
    answers: Answers = {}

    def deliver(delivery: Delivery) -> None:
        key = (delivery.node, delivery.source)
        assert key not in answers
        answers[key] = delivery.answer

    transport.run(targets, deliver, power=True)
    return answers


def power_of(transport: BmcTransport, address: str) -> PowerAnswer:
    answer = ask(transport, {"n1": address})["n1", Source.POWER]
    assert isinstance(answer, PowerAnswer)
    return answer


# ---- what a healthy BMC says ----


def test_it_reports_power_on_and_off(transport: Transports, sims: list[BmcSim]) -> None:
    sims[1].set_power(False)
    answers = ask(transport(), {"n0": sims[0].address, "n1": sims[1].address})
    assert answers == {
        ("n0", Source.PRESENCE): PresenceAnswer(True),
        ("n0", Source.POWER): PowerAnswer(PowerState.ON),
        ("n1", Source.PRESENCE): PresenceAnswer(True),
        ("n1", Source.POWER): PowerAnswer(PowerState.OFF),
    }


def test_it_asks_afresh_each_time(transport: Transports, sims: list[BmcSim]) -> None:
    bmcs = transport()
    assert power_of(bmcs, sims[0].address).power is PowerState.ON
    sims[0].set_power(False)
    assert power_of(bmcs, sims[0].address).power is PowerState.OFF


def test_it_opens_no_session_when_only_presence_is_asked(transport: Transports, sims: list[BmcSim]) -> None:
    asked = sims[0].asked
    deliveries: list[Delivery] = []
    transport().run({"n0": sims[0].address}, deliveries.append, power=False)
    assert [(d.node, d.source, d.answer) for d in deliveries] == [("n0", Source.PRESENCE, PresenceAnswer(True))]
    assert sims[0].asked == asked


def test_it_opens_no_session_without_a_user(transport: Transports, sims: list[BmcSim]) -> None:
    asked = sims[0].asked
    assert power_of(transport(user=""), sims[0].address) == PowerAnswer(PowerState.UNKNOWN, not_asked=NO_USER)
    assert sims[0].asked == asked


def test_it_logs_out(transport: Transports, sims: list[BmcSim]) -> None:
    """BMCs hold few sessions. After the login and the question one more packet follows, and the BMC takes it."""
    logged_out = threading.Event()

    def watch(number: int, answer: bytes) -> bytes:
        if number == LOGIN_PACKETS + 2:
            logged_out.set()
        return answer

    with answering(STUB, PORT, relay(sims[0], change=watch)):
        assert power_of(transport(), STUB) == PowerAnswer(PowerState.ON)
        assert logged_out.wait(60)


@pytest.mark.parametrize("privilege", [2, 3, 4])
def test_it_asks_for_a_higher_privilege_without_waiting(sims: list[BmcSim], privilege: int) -> None:
    """Every step returns at once: the answer comes by feeding packets and by nothing else."""
    assert drive(sims[0], ADMIN, privilege) == PowerAnswer(PowerState.ON)


def test_a_sweep_asks_for_the_lowest_privilege(transport: Transports, sims: list[BmcSim]) -> None:
    forward, roles = relay(sims[0]), []

    def watch(request: bytes) -> bytes | None:
        if request[4:6] == b"\x06\x12":  # RAKP 1
            roles.append(request[40])
        return forward(request)

    with answering(STUB, PORT, watch):
        assert power_of(transport(), STUB) == PowerAnswer(PowerState.ON)
    assert set(roles) == {0x12}, "name-only look-up, privilege USER (table 13-11)"


def drive(sim: BmcSim, user: str, privilege: int) -> PowerAnswer:
    peer = (sim.address, sim.port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        exchange = PowerQuery(sock, peer, user, sim.password, privilege=privilege)
        while exchange.answer is None:
            sock.settimeout(10)
            exchange.feed(sock.recv(2048))
        exchange.end()
        return exchange.answer


def test_nodes_that_share_a_bmc_get_the_same_answer(transport: Transports, sims: list[BmcSim]) -> None:
    answers = ask(transport(), {f"n{n}": sims[0].address for n in range(20)})
    assert [answers[f"n{n}", Source.POWER] for n in range(20)] == [PowerAnswer(PowerState.ON)] * 20
    assert [answers[f"n{n}", Source.PRESENCE] for n in range(20)] == [PresenceAnswer(True)] * 20


def test_it_reaches_a_bmc_over_ipv6(transport: Transports, sims: list[BmcSim]) -> None:
    with answering("::1", PORT, relay(sims[0])):
        assert power_of(transport(), "0:0:0:0:0:0:0:1") == PowerAnswer(PowerState.ON)


def test_it_starts_no_thread_and_no_socket_of_pyghmi(transport: Transports, sims: list[BmcSim]) -> None:
    def kept() -> tuple[object, ...]:  # other tests may have used pyghmi's own client in this process
        own = pyghmi_session.Session
        return pyghmi_session.iothread, *map(list, (pyghmi_session.iosockets, own.bmc_handlers, own.waiting_sessions))

    before = kept()
    power_of(transport(), sims[0].address)
    assert kept() == before


# ---- BMCs that refuse, fall silent or talk nonsense ----


def test_a_wrong_password_is_said_and_nothing_else(
    transport: Transports, sims: list[BmcSim], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = power_of(transport(password="hunter2-hunter2"), sims[0].address)
    assert answer == PowerAnswer(PowerState.UNKNOWN, REFUSED)
    assert "hunter2" not in caplog.text


def test_an_unknown_user_is_said(transport: Transports, sims: list[BmcSim]) -> None:
    assert power_of(transport(user="nobody"), sims[0].address) == PowerAnswer(PowerState.UNKNOWN, REFUSED)


def test_a_dead_bmc_is_not_reachable_and_not_off(transport: Transports) -> None:
    answers = ask(transport(timeout=0.6), {"n0": DEAD})
    assert answers == {("n0", Source.PRESENCE): PresenceAnswer(False, "no answer within 0.6 s")}


def test_a_stopped_bmc_is_not_reachable(transport: Transports, sims: list[BmcSim]) -> None:
    sims[0].stop()
    answers = ask(transport(timeout=2.0), {"n0": sims[0].address, "n1": sims[1].address})
    assert answers["n0", Source.PRESENCE] == PresenceAnswer(False, "no answer within 2 s")
    assert answers["n1", Source.POWER] == PowerAnswer(PowerState.ON)


def test_a_killed_bmc_is_not_reachable(transport: Transports, tmp_path: Path, sims: list[BmcSim]) -> None:
    with bmc_sims(tmp_path / "killed", ["127.40.1.1"], PORT) as (victim,):
        bmcs = transport(password=victim.password, timeout=2.0)
        assert power_of(bmcs, victim.address).power is PowerState.ON
        victim.kill()
        answers = ask(bmcs, {"n0": victim.address})
    assert answers == {("n0", Source.PRESENCE): PresenceAnswer(False, "no answer within 2 s")}


def test_an_answer_that_cannot_be_delivered_costs_no_other(transport: Transports) -> None:
    heard: list[str] = []

    def deliver(delivery: Delivery) -> None:
        if delivery.node == "bad":
            raise ZeroDivisionError
        heard.append(delivery.node)

    before, behind = [f"n{i}" for i in range(25)], [f"n{i}" for i in range(25, 50)]
    transport().run(dict.fromkeys([*before, "bad", *behind]), deliver, power=True)
    assert heard == before + behind


def test_a_name_without_an_address_is_said(transport: Transports) -> None:
    answers = ask(transport(), {"n0": None, "n1": "localhost"})
    assert answers == {
        ("n0", Source.PRESENCE): PresenceAnswer(False, not_asked="the name has no address"),
        ("n1", Source.PRESENCE): PresenceAnswer(False, "'localhost' is not an address"),
    }


def test_a_bmc_that_stops_between_presence_and_session_is_unknown(transport: Transports, sims: list[BmcSim]) -> None:
    answers: Answers = {}

    def deliver(delivery: Delivery) -> None:
        answers[delivery.node, delivery.source] = delivery.answer
        if (delivery.node, delivery.source) == ("n0", Source.PRESENCE):
            sims[0].stop()

    transport(timeout=2.0).run({"n0": sims[0].address, "n1": sims[1].address}, deliver, power=True)
    assert answers["n0", Source.PRESENCE] == PresenceAnswer(True)
    assert answers["n0", Source.POWER].power is PowerState.UNKNOWN
    assert answers["n1", Source.POWER] == PowerAnswer(PowerState.ON)


def test_a_bmc_that_falls_silent_in_the_middle_is_unknown(transport: Transports, sims: list[BmcSim]) -> None:
    """One BMC for each packet that may be its last."""
    silent = {f"n{packets}": f"127.46.0.{packets}" for packets in range(1, LOGIN_PACKETS + 1)}
    with ExitStack() as stack:
        for packets, address in enumerate(silent.values(), start=1):
            stack.enter_context(answering(address, PORT, relay(sims[0], packets=packets)))
        answers = ask(transport(timeout=2.0), {**silent, "good": sims[1].address})
    reasons = {
        "the BMC answers, but a session did not end within 4 s",
        "the BMC did not finish the login",
        "the BMC stopped answering in the middle of a session",
    }
    for node in silent:
        assert answers[node, Source.PRESENCE] == PresenceAnswer(True)
        assert answers[node, Source.POWER].power is PowerState.UNKNOWN
        assert answers[node, Source.POWER].detail in reasons
    assert answers["good", Source.POWER] == PowerAnswer(PowerState.ON)


def test_a_lost_answer_is_not_followed_by_a_new_login(transport: Transports, sims: list[BmcSim]) -> None:
    """pyghmi would log in again and repeat the command, which nobody may do to a power cycle."""
    forward, seen = relay(sims[0], packets=LOGIN_PACKETS), []

    def watch(request: bytes) -> bytes | None:
        seen.append(request)
        return forward(request)

    with answering(STUB, PORT, watch):
        answer = power_of(transport(timeout=5.0), STUB)
    assert answer.detail == "the BMC stopped answering in the middle of a session"
    in_session = [request[4:6] == b"\x06\xc0" for request in seen]
    assert all(in_session[LOGIN_PACKETS:])
    assert len(in_session) > LOGIN_PACKETS + 1, "the question is repeated within the session"


def test_it_logs_out_of_a_session_that_it_gives_up(transport: Transports, sims: list[BmcSim]) -> None:
    asked, logged_out = threading.Event(), threading.Event()
    forward, seen = relay(sims[0], packets=LOGIN_PACKETS), []

    def watch(request: bytes) -> bytes | None:
        seen.append(request)
        if len(seen) == LOGIN_PACKETS + 1:
            asked.set()
        if len(seen) == LOGIN_PACKETS + 2:
            logged_out.set()
        return forward(request)

    bmcs = transport(timeout=60.0)
    with answering(STUB, PORT, watch):
        thread = threading.Thread(target=power_of, args=(bmcs, STUB))
        thread.start()
        assert asked.wait(60)
        bmcs.close()
        assert logged_out.wait(60)
        thread.join(60)


@pytest.mark.parametrize("payload_type", [0x10, 0x12, 0x14])
def test_a_bmc_that_always_leaves_out_one_step_is_given_up(
    transport: Transports, sims: list[BmcSim], payload_type: int
) -> None:
    """Open session, RAKP 1 and RAKP 3: pyghmi itself begins anew for ever when a RAKP is never answered."""
    forward = relay(sims[0])

    def leave_out(request: bytes) -> bytes | None:
        return None if request[4] == 0x06 and request[5] == payload_type else forward(request)

    with answering(STUB, PORT, leave_out):
        assert power_of(transport(timeout=1.0), STUB).power is PowerState.UNKNOWN


def test_the_packet_after_the_login_brings_the_answer(transport: Transports, sims: list[BmcSim]) -> None:
    with answering(STUB, PORT, relay(sims[0], packets=LOGIN_PACKETS + 1)):
        assert power_of(transport(), STUB) == PowerAnswer(PowerState.ON)


def test_a_cut_packet_costs_that_bmc_and_no_other(transport: Transports, sims: list[BmcSim]) -> None:
    """One BMC for each packet from which on all are cut, and each length they are cut to."""

    def cut_from(packet: int, size: int) -> Callable[[int, bytes], bytes]:
        return lambda number, answer: answer[:size] if number >= packet else answer

    cases = [(packet, size) for packet in range(2, LOGIN_PACKETS + 2) for size in (5, 17, 30)]
    cut = {f"packet {packet} cut to {size}": f"127.47.{size}.{packet}" for packet, size in cases}
    with ExitStack() as stack:
        for case, address in zip(cases, cut.values(), strict=True):
            stack.enter_context(answering(address, PORT, relay(sims[0], change=cut_from(*case))))
        answers = ask(transport(timeout=2.0), {**cut, "good": sims[1].address})
    assert {node: answers[node, Source.POWER].power for node in cut} == dict.fromkeys(cut, PowerState.UNKNOWN)
    assert answers["good", Source.POWER] == PowerAnswer(PowerState.ON)


def test_a_packet_that_pyghmi_cannot_read_is_logged_once(
    transport: Transports, sims: list[BmcSim], caplog: pytest.LogCaptureFixture
) -> None:
    bmcs = transport()
    with answering(STUB, PORT, relay(sims[0], change=lambda n, answer: answer if n == 1 else answer[:5])):
        answer = power_of(bmcs, STUB)
    assert answer == PowerAnswer(PowerState.UNKNOWN, "the BMC sent what pyghmi cannot read")
    assert [record.getMessage() for record in caplog.records] == [f"pyghmi failed on what the BMC {STUB} sent"]
    assert sims[0].password not in caplog.text
    assert power_of(bmcs, sims[0].address) == PowerAnswer(PowerState.ON)


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "wrong sum": lambda answer: answer[:-1] + bytes((answer[-1] ^ 1,)),
    "wrong sum of the head": lambda answer: answer[:16] + bytes((answer[16] ^ 1,)) + answer[17:],
    "no sum": lambda answer: answer[:13] + bytes((answer[13] - 1,)) + answer[14:-1],
    "a byte too many": lambda answer: answer + b"\x00",
    "too small a length": lambda answer: answer[:13] + bytes((answer[13] - 1,)) + answer[14:],
    "too large a length": lambda answer: answer[:13] + bytes((answer[13] + 1,)) + answer[14:],
    "a session number": lambda answer: answer[:5] + b"\x01" + answer[6:],
    "a session id": lambda answer: answer[:9] + b"\x01" + answer[10:],
    "in the form of RMCP+": lambda answer: answer[:4] + b"\x06" + bytes(9) + answer[13:14] + b"\x00" + answer[14:],
    "another version of RMCP": lambda answer: b"\x07" + answer[1:],
    "another address": lambda answer: answer[:14] + b"\x82" + answer[15:],
}
"""What a BMC may do to an answer before the login; ipmitool 1.8.19 says "Chassis Power is on" through each of them."""


@pytest.mark.parametrize("how", SPOILT)
def test_an_answer_that_ipmitool_passes_over_is_one(transport: Transports, sims: list[BmcSim], how: str) -> None:
    """Presence is never stricter than the session, nor the session than ipmitool."""

    def spoil(number: int, answer: bytes) -> bytes:
        return SPOILT[how](answer) if answer[4] == 0x00 else answer

    with answering(STUB, PORT, relay(sims[0], change=spoil)):
        answers = ask(transport(), {"n0": STUB})
    assert answers["n0", Source.PRESENCE] == PresenceAnswer(True)
    assert answers["n0", Source.POWER] == PowerAnswer(PowerState.ON)


@pytest.mark.parametrize("garbage", [b"", b"x", b"\x06\x00\xff\x07", b"\x06\x00\xff\x07" + bytes(30), b"\xff" * 900])
def test_garbage_is_no_answer(transport: Transports, garbage: bytes) -> None:
    with answering(STUB, PORT, lambda request: garbage):
        answers = ask(transport(timeout=1.0), {"n0": STUB})
    assert answers == {("n0", Source.PRESENCE): PresenceAnswer(False, "something answered that is not IPMI")}


def test_an_answer_from_another_port_is_not_the_bmcs(sims: list[BmcSim]) -> None:
    found: list[PresenceAnswer] = []
    with answering(STUB, PORT + 1, relay(sims[0])):
        find_present({"n0": STUB}, port=PORT, timeout_s=0.3, deliver=lambda node, answer, took_s: found.append(answer))
    assert found == [PresenceAnswer(False, "no answer within 0.3 s")]


@pytest.mark.parametrize("lost", range(1, LOGIN_PACKETS + 2))
def test_a_lost_packet_is_made_up_for(transport: Transports, sims: list[BmcSim], lost: int) -> None:
    forward, seen = relay(sims[0]), []

    def lose_one(request: bytes) -> bytes | None:
        seen.append(request)
        return None if len(seen) == lost else forward(request)

    with answering(STUB, PORT, lose_one):
        assert power_of(transport(timeout=3.0), STUB) == PowerAnswer(PowerState.ON)


# ---- a BMC that was asked before ----


def wait_for_logout(seen: list[bytes]) -> None:
    """Nobody waits for the last packet of a session, so it may come later than the answer."""
    wait_until(lambda: len(seen) > LOGIN_PACKETS + 1)


def kinds(requests: list[bytes]) -> list[int]:
    """How often it was asked what it can do (presence included), and how often a session was asked for."""
    return [sum(each[4] == 0x00 for each in requests), sum(each[4:6] == b"\x06\x10" for each in requests)]


def test_a_known_bmc_is_not_asked_what_it_can_do_nor_for_a_suite_that_it_refused(
    transport: Transports, sims: list[BmcSim]
) -> None:
    forward, seen = relay(sims[0]), []

    def watch(request: bytes) -> bytes | None:
        seen.append(request)
        return forward(request)

    bmcs = transport()
    with answering(STUB, PORT, watch):
        assert power_of(bmcs, STUB) == PowerAnswer(PowerState.ON)
        assert kinds(seen) == [2, 2]
        seen.clear()
        sims[0].set_power(False)
        assert power_of(bmcs, STUB) == PowerAnswer(PowerState.OFF)
        assert kinds(seen) == [1, 1]


def test_a_known_bmc_that_refuses_its_suite_now_is_asked_afresh(transport: Transports, sims: list[BmcSim]) -> None:
    forward, seen, refused = relay(sims[0]), [], 0

    def refuse_without_questions(request: bytes) -> bytes | None:
        nonlocal refused
        seen.append(request)
        answer = forward(request)
        if kinds(seen)[0] < 2 and answer and answer[4:6] == b"\x06\x11":
            refused += 1
            answer = answer[:17] + b"\x11" + answer[18:]  # no such cipher suite
        return answer

    bmcs = transport()
    with answering(STUB, PORT, refuse_without_questions):
        power_of(bmcs, STUB)
        wait_for_logout(seen)
        seen.clear()
        assert power_of(bmcs, STUB) == PowerAnswer(PowerState.ON)
    assert refused == 1


def test_a_bmc_that_did_not_answer_is_a_stranger_again(transport: Transports, sims: list[BmcSim]) -> None:
    forward, seen, is_dead = relay(sims[0]), [], False

    def watch(request: bytes) -> bytes | None:
        seen.append(request)
        return None if is_dead and len(seen) > 1 else forward(request)

    bmcs = transport(timeout=1.0)
    with answering(STUB, PORT, watch):
        power_of(bmcs, STUB)
        wait_for_logout(seen)
        seen.clear()
        is_dead = True
        assert power_of(bmcs, STUB).power is PowerState.UNKNOWN
        seen.clear()
        is_dead = False
        assert power_of(bmcs, STUB) == PowerAnswer(PowerState.ON)
        assert kinds(seen)[0] >= 2


@pytest.mark.parametrize("lost", range(1, 6))
def test_a_packet_lost_on_the_short_way_is_made_up_for(transport: Transports, sims: list[BmcSim], lost: int) -> None:
    """Presence, open session, RAKP 1, RAKP 3, the question."""
    forward, seen, loses = relay(sims[0]), [], False

    def lose_one(request: bytes) -> bytes | None:
        seen.append(request)
        return None if loses and len(seen) == lost else forward(request)

    bmcs = transport(timeout=3.0)
    with answering(STUB, PORT, lose_one):
        power_of(bmcs, STUB)
        wait_for_logout(seen)
        seen.clear()
        loses = True
        assert power_of(bmcs, STUB) == PowerAnswer(PowerState.ON)


# ---- many at once ----


def test_answers_that_come_all_at_once_and_are_read_late_are_not_lost() -> None:
    """More than the default receive buffer of one socket holds, while this thread has something else to do."""
    addresses = [f"127.46.{n // 200}.{n % 200 + 1}" for n in range(400)]
    all_sent = threading.Event()
    found: dict[str, float] = {}

    def answer_all(bmcs: list[socket.socket]) -> None:
        asked = [(bmc, bmc.recvfrom(100)[1]) for bmc in bmcs]
        for bmc, peer in asked:
            bmc.sendto(RECORDED, peer)
        all_sent.set()

    def take(node: str, answer: PresenceAnswer, took_s: float) -> None:
        assert all_sent.wait(60)
        assert answer == PresenceAnswer(True)
        found[node] = took_s

    with ExitStack() as stack:
        bmcs = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in addresses]
        for bmc, address in zip(bmcs, addresses, strict=True):
            bmc.bind((address, PORT))
            bmc.settimeout(10)
        thread = threading.Thread(target=answer_all, args=(bmcs,))
        thread.start()
        find_present({each: each for each in addresses}, port=PORT, timeout_s=9.0, deliver=take)
        thread.join()
        for bmc in bmcs:
            bmc.setblocking(False)
            with pytest.raises(BlockingIOError):
                bmc.recv(100)  # nobody is asked twice
    assert found.keys() == set(addresses)


def test_dead_and_half_dead_bmcs_cost_the_others_nothing(transport: Transports, sims: list[BmcSim]) -> None:
    good = {f"good{n}": sim.address for n, sim in enumerate(sims)}
    dead = {f"dead{n}": f"127.43.0.{n + 1}" for n in range(80)}
    half = {f"half{n}": f"127.44.0.{n + 1}" for n in range(20)}
    answers: Answers = {}

    def deliver(delivery: Delivery) -> None:
        answers[delivery.node, delivery.source] = delivery.answer

    with ExitStack() as stack:
        for address in half.values():
            stack.enter_context(answering(address, PORT, only_presence(sims[0])))
        transport(timeout=3.0).run({**half, **dead, **good}, deliver, power=True)
    assert {answers[node, Source.POWER] for node in good} == {PowerAnswer(PowerState.ON)}
    assert {answers[node, Source.PRESENCE] for node in dead} == {PresenceAnswer(False, "no answer within 3 s")}
    assert {answers[node, Source.PRESENCE] for node in half} == {PresenceAnswer(True)}
    assert {answers[node, Source.POWER].power for node in half} == {PowerState.UNKNOWN}
    in_order = [node for node, source in answers if source is Source.POWER]
    assert set(in_order[: len(good)]) == set(good), "a healthy BMC waited for a half-dead one"


def test_a_small_round_does_not_wait_behind_a_large_one(transport: Transports, sims: list[BmcSim]) -> None:
    """One slot, and a large round whose BMCs each use it up to the limit."""
    bmcs = transport(parallel=1, timeout=1.0)
    large = {f"n{n}": f"127.45.0.{n + 1}" for n in range(8)}
    begun, ended = threading.Event(), threading.Event()

    def deliver(delivery: Delivery) -> None:
        if delivery.source is Source.POWER:
            begun.set()

    def run_large() -> None:
        bmcs.run(dict(large), deliver, power=True)
        ended.set()

    with ExitStack() as stack:
        for address in large.values():
            stack.enter_context(answering(address, PORT, only_presence(sims[0])))
        thread = threading.Thread(target=run_large)
        thread.start()
        assert begun.wait(60)
        assert power_of(bmcs, sims[1].address) == PowerAnswer(PowerState.ON)
        assert not ended.is_set()
        bmcs.close()
        thread.join(60)
    assert ended.is_set()


def test_rounds_from_many_threads_all_end(transport: Transports, sims: list[BmcSim]) -> None:
    bmcs = transport(parallel=8)
    targets: dict[str, str | None] = {f"n{n}": sim.address for n, sim in enumerate(sims)}
    found: list[Answers] = []
    threads = [threading.Thread(target=lambda: found.append(ask(bmcs, targets))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 6
    assert all(answers[node, Source.POWER] == PowerAnswer(PowerState.ON) for answers in found for node in targets)


def test_a_caller_that_fails_loses_only_its_own_answer(
    transport: Transports, sims: list[BmcSim], caplog: pytest.LogCaptureFixture
) -> None:
    powers: list[str] = []

    def deliver(delivery: Delivery) -> None:
        if delivery.source is Source.POWER and delivery.node == "n0":
            raise RuntimeError("no room")
        if delivery.source is Source.POWER:
            powers.append(delivery.node)

    transport().run({"n0": sims[0].address, "n1": sims[1].address}, deliver, power=True)
    assert powers == ["n1"]
    assert [record.getMessage() for record in caplog.records] == ["the power answer of n0 could not be delivered"]


# ---- the end ----


def test_close_answers_what_is_still_open(transport: Transports, sims: list[BmcSim]) -> None:
    bmcs = transport(parallel=1, timeout=60.0)
    present, powers = threading.Semaphore(0), []

    def deliver(delivery: Delivery) -> None:
        if delivery.source is Source.PRESENCE:
            present.release()
        else:
            powers.append(delivery.answer)

    with answering(STUB, PORT, only_presence(sims[0])), answering(DEAD, PORT, only_presence(sims[0])):
        thread = threading.Thread(target=bmcs.run, args=({"n0": STUB, "n1": DEAD}, deliver), kwargs={"power": True})
        thread.start()
        assert present.acquire(timeout=60)
        assert present.acquire(timeout=60)
        bmcs.close()
        thread.join(60)
    assert powers == [PowerAnswer(PowerState.UNKNOWN, STOPPED)] * 2


def test_after_close_power_is_unknown(transport: Transports, sims: list[BmcSim]) -> None:
    bmcs = transport()
    assert power_of(bmcs, sims[0].address).power is PowerState.ON
    bmcs.close()
    bmcs.close()
    assert power_of(bmcs, sims[0].address) == PowerAnswer(PowerState.UNKNOWN, STOPPED)


def test_close_leaves_no_thread(transport: Transports, sims: list[BmcSim]) -> None:
    bmcs = transport()
    power_of(bmcs, sims[0].address)
    bmcs.close()
    assert "bmc" not in [thread.name for thread in threading.enumerate()]


# ---- the presence packet itself ----

# What ipmi_sim 2.0.33 answers.
RECORDED = bytes.fromhex("0600ff0700000000000000000010811c632000380001170500000000008b")


def test_the_request_is_what_the_specification_shows() -> None:
    assert request_packet(0).hex() == "0600ff07000000000000000000092018c88100380e0435"


def test_it_reads_a_recorded_answer() -> None:
    assert read_answer(RECORDED) == PresenceAnswer(True)


def test_it_reads_a_completion_code_as_a_sign_of_life() -> None:
    refused = bytes.fromhex("0600ff070000000000000000000881 1c 63 20 00 38 cc dc".replace(" ", ""))
    assert read_answer(refused) == PresenceAnswer(True, "the BMC answers with completion code 0xcc")


@given(st.binary(max_size=80))
def test_random_bytes_are_no_answer(packet: bytes) -> None:
    assert read_answer(packet) is None


@given(st.binary(min_size=len(RECORDED), max_size=len(RECORDED)), st.binary(max_size=9))
def test_only_what_tells_an_answer_is_looked_at(other: bytes, more: bytes) -> None:
    """The class of RMCP, the form, the network function, the command and the completion code."""
    told = {3, 4, 14 + 1, 14 + 5, 14 + 6}
    packet = bytes(RECORDED[n] if n in told else byte for n, byte in enumerate(other))
    assert read_answer(packet + more) == PresenceAnswer(True)


@pytest.mark.parametrize(("position", "value"), [(1, 0x18), (5, 0x01)])
def test_an_answer_to_something_else_is_no_answer(position: int, value: int) -> None:
    """Another network function, another command, with checksums that are right."""
    packet = bytearray(RECORDED)
    packet[14 + position] = value
    packet[16] = -sum(packet[14:16]) & 0xFF
    packet[-1] = -sum(packet[17:-1]) & 0xFF
    assert read_answer(bytes(packet)) is None


def test_an_echo_of_the_request_is_no_answer() -> None:
    assert read_answer(request_packet(0)) is None


@given(st.integers(min_value=0, max_value=14 + 6))
def test_an_answer_cut_before_its_completion_code_is_no_answer(size: int) -> None:
    assert read_answer(RECORDED[:size]) is None


def test_what_it_costs(transport: Transports, sims: list[BmcSim]) -> None:
    bmcs = transport()
    targets: dict[str, str | None] = {f"n{n}": sim.address for n, sim in enumerate(sims)}
    ask(bmcs, targets)
    before = time.process_time()
    answers = ask(bmcs, targets)
    print(f"\nBMC power: {(time.process_time() - before) / len(targets) * 1000:.2f} ms of CPU per BMC")
    assert all(answers[node, Source.POWER] == PowerAnswer(PowerState.ON) for node in targets)
