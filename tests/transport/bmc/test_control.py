"""Commands to BMCs: each is done once at most, whatever the network does, and what is told of it is so."""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from botd.answers import Delivery, PowerAnswer, PowerState, Source
from botd.errors import LedgerUnavailable
from botd.settings import BmcSettings
from botd.transport.bmc.control import (
    APART_S,
    HARD_OFF,
    NO_USER,
    POWER_CYCLE,
    POWER_ON,
    SOFT_OFF,
    SYSTEM_GUID,
    BmcControl,
    Command,
    Order,
    identify,
)
from botd.transport.bmc.outcome import Answered, NoAnswer, NotSent, Outcome
from botd.transport.bmc.power import HELD, BmcTransport
from botd.transport.bmc.session import REFUSED
from botd.transport.bmc.targets import why_no_target
from botd.transport.bmc.turns import Turns
from tests.conftest import need_program
from tests.program import wait_until
from tests.transport.bmc.bmc_sim import ACTOR, GUID, USER, BmcSim, bmc_sims
from tests.transport.bmc.lossy import Fate, Packet, is_answer, is_command, lossy

PORT = 12_001 + os.getpid() % 10_000 * 2
SIMS = 6
STUB = "127.43.0.{}"
TROUBLE = b"\x06\x00\xff\x07"
"""A packet that ends early."""

COMMANDS = {
    "identify": (identify(15), "set identify 15 0"),
    "power on": (POWER_ON, "set power 1"),
    "soft off": (SOFT_OFF, "set shutdown 1"),
    "hard off": (HARD_OFF, "set power 0"),
    "power cycle": (POWER_CYCLE, "set power 0"),  # and a second later ipmi_sim switches it on by itself
}


class Clock:
    """A clock that stands still but for pauses."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def pause(self, wait_s: float) -> None:
        self.pauses.append(wait_s)
        self.now_s += wait_s


@pytest.fixture(scope="module")
def all_sims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[BmcSim]]:
    need_program("ipmi_sim")
    with bmc_sims(tmp_path_factory.mktemp("bmc") / "sims", [f"127.44.0.{n + 1}" for n in range(SIMS)], PORT) as sims:
        yield sims


@pytest.fixture
def sims(all_sims: list[BmcSim]) -> list[BmcSim]:
    for sim in all_sims:
        sim.resume()
        sim.wait_until_it_answers()
        sim.set_power(True)
        sim.forget()
    return all_sims


@pytest.fixture
def sim(sims: list[BmcSim]) -> BmcSim:
    return sims[0]


def control(sim: BmcSim, clock: Clock | None = None, turns: Turns | None = None, **changes: object) -> BmcControl:
    clock = clock or Clock()
    settings = BmcSettings(port=PORT, timeout=float(str(changes.get("timeout", 5.0))))
    user, password = str(changes.get("user", ACTOR)), str(changes.get("password", sim.password))
    return BmcControl(settings, user, password, turns or Turns(), clock=clock, pause=clock.pause)


def sim_for(sims: list[BmcSim], name: str) -> BmcSim:
    """One for each command: what a cycle does a second later is in nobody's way."""
    return sims[list(COMMANDS).index(name)]


def changes(sim: BmcSim) -> list[str]:
    """What the chassis was told."""
    return [line for line in sim.told() if line.startswith("set")]


# ---- a network that does what it should ----


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_done_and_the_answer_says_by_which_bmc(sims: list[BmcSim], name: str) -> None:
    (command, line), sim = COMMANDS[name], sim_for(sims, name)
    found = control(sim).send(sim.address, command)
    assert isinstance(found, Answered)
    assert (found.code, found.guid, changes(sim)[0]) == (0, GUID, line)


def test_the_system_guid_is_read_without_changing_anything(sim: BmcSim) -> None:
    found = control(sim).send(sim.address, SYSTEM_GUID)
    assert isinstance(found, Answered)
    assert (found.code, found.guid, len(found.data), changes(sim)) == (0, GUID, 16, [])


def test_what_a_bmc_does_not_do_has_its_completion_code(sim: BmcSim) -> None:
    found = control(sim).send(sim.address, Command(0x00, 0x7F))
    assert isinstance(found, Answered)
    assert found.code == 0xD4  # insufficient privilege (table 5-2)


# ---- nothing is sent ----


def test_another_bmc_than_the_one_that_is_meant_is_told_nothing(sim: BmcSim) -> None:
    found = control(sim).send(sim.address, POWER_CYCLE, guid="0" * 31 + "1")
    assert isinstance(found, NotSent)
    assert (found.why, found.guid, changes(sim)) == ("other-bmc", GUID, [])
    assert isinstance(control(sim).send(sim.address, identify(15), guid=GUID), Answered)


@pytest.mark.parametrize(
    ("given", "why", "words"),
    [
        ({"user": ""}, "no-user", NO_USER),
        ({"password": "wrong"}, "no-session", REFUSED),
        ({"user": "nobody"}, "no-session", REFUSED),
    ],
)
def test_who_may_not_is_told_so(sim: BmcSim, given: dict[str, str], why: str, words: str) -> None:
    found = control(sim, **given).send(sim.address, HARD_OFF)
    assert isinstance(found, NotSent)
    assert (found.why, found.words, changes(sim)) == (why, words, [])


def test_the_last_word_is_asked_for_right_before_the_packet_leaves(sim: BmcSim) -> None:
    told_before: list[list[str]] = []

    def go(says: bool) -> bool:
        told_before.append(sim.told())
        return says

    withdrawn = control(sim).send(sim.address, HARD_OFF, go=lambda: go(False))
    assert (withdrawn, changes(sim)) == (NotSent("withdrawn", "it was withdrawn before it was sent", GUID), [])
    assert isinstance(control(sim).send(sim.address, HARD_OFF, go=lambda: go(True)), Answered)
    assert told_before == [[], []]
    other = control(sim).send(sim.address, HARD_OFF, guid="0" * 32, go=lambda: go(True))
    assert isinstance(other, NotSent)
    assert len(told_before) == 2  # there was nothing to ask


def test_what_the_last_word_raises_is_raised_and_nothing_is_sent(sim: BmcSim) -> None:
    def fail() -> bool:
        raise LedgerUnavailable("the ledger is full")

    turns = Turns()
    with pytest.raises(LedgerUnavailable):
        control(sim, turns=turns).send(sim.address, HARD_OFF, go=fail)
    assert changes(sim) == []
    assert turns.try_take((sim.address, PORT))


@pytest.mark.parametrize("address", ["", "bmc.example.org", "10.0.0.0/8"])
def test_only_addresses_in_digits_are_sent_to(sim: BmcSim, address: str) -> None:
    found = control(sim).send(address, POWER_CYCLE)
    assert isinstance(found, NotSent)
    assert found.why == "bad-address"


def test_a_bmc_that_hangs_gets_no_command(sim: BmcSim) -> None:
    sim.stop()
    found = control(sim, timeout=0.3).send(sim.address, POWER_CYCLE)
    assert isinstance(found, NotSent)
    sim.resume()
    sim.wait_until_it_answers()
    assert changes(sim) == []


def test_what_another_sender_says_is_not_the_bmcs() -> None:
    """Anybody can send to botd's port: what pyghmi trips over would end the order, were it listened to."""
    bmc, stranger = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with bmc, stranger:
        for sock, address in ((bmc, STUB.format(90)), (stranger, STUB.format(91))):
            sock.bind((address, PORT))
            sock.settimeout(10)
        bmcs = BmcControl(BmcSettings(port=PORT, timeout=1.0), ACTOR, "secret", Turns(), pause=lambda _: None)
        found: list[Outcome] = []
        thread = run(lambda: found.append(bmcs.send(STUB.format(90), SYSTEM_GUID)))
        stranger.sendto(TROUBLE, bmc.recvfrom(2048)[1])
        thread.join()
    assert found == [NotSent("no-session", "no session within 2 s")]


# ---- a network that loses, keeps back and doubles ----


def over(
    sim: BmcSim, fate: Fate, command: Command, *, timeout: float = 5, stub: int = 1, remembers: bool = False
) -> Outcome:
    address = STUB.format(stub)
    with lossy(address, PORT, sim, fate, remembers=remembers):
        return control(sim, timeout=timeout).send(address, command)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_whose_answer_is_lost_is_done_once_and_unknown(sims: list[BmcSim], name: str) -> None:
    (command, line), sim = COMMANDS[name], sim_for(sims, name)
    sent: list[Packet] = []

    def fate(packet: Packet) -> Sequence[float]:
        if is_command(packet):
            sent.append(packet)
        return () if not packet.to_bmc and changes(sim) else (0,)

    found = over(sim, fate, command, timeout=1.5)
    assert found == NoAnswer("no answer to the command", GUID)
    assert (len(sent), changes(sim).count(line)) == (1, 1)


@pytest.mark.parametrize("name", COMMANDS)
def test_when_every_packet_comes_twice_the_command_is_done_once(sims: list[BmcSim], name: str) -> None:
    (command, line), sim = COMMANDS[name], sim_for(sims, name)
    sent: list[Packet] = []

    def fate(packet: Packet) -> Sequence[float]:
        if is_command(packet):
            sent.append(packet)
        return (0, 0)

    assert isinstance(over(sim, fate, command, remembers=True), Answered)
    assert (len(sent), changes(sim).count(line)) == (1, 1)


def test_a_packet_that_comes_a_second_time_later_finds_no_session(sim: BmcSim) -> None:
    """So it is also for a BMC that remembers no packet: botd logs out at once."""
    assert isinstance(over(sim, lambda packet: (0, 60), HARD_OFF), Answered)
    assert changes(sim) == ["set power 0"]


def test_a_command_that_is_lost_itself_is_not_sent_again(sim: BmcSim) -> None:
    found = over(sim, lambda packet: () if is_command(packet) else (0,), POWER_CYCLE, timeout=1.5)
    assert isinstance(found, NoAnswer)
    assert changes(sim) == []


def test_a_command_that_comes_late_is_done_once_and_its_answer_is_nobodys(sim: BmcSim) -> None:
    found = over(sim, lambda packet: (60,) if is_command(packet) or is_answer(packet) else (0,), SOFT_OFF, timeout=1.5)
    assert isinstance(found, NoAnswer)
    assert changes(sim) in ([], ["set shutdown 1"])  # the BMC may have ended the session before


def test_a_login_whose_every_answer_is_lost_once_still_sends_the_command_once(sim: BmcSim) -> None:
    answers = 0

    def fate(packet: Packet) -> Sequence[float]:
        nonlocal answers
        answers += not packet.to_bmc and packet.number == 0
        return () if not packet.to_bmc and packet.number == 0 and answers in (1, 3) else (0,)

    found = over(sim, fate, SOFT_OFF, timeout=10)
    assert isinstance(found, Answered)
    assert changes(sim) == ["set shutdown 1"]


def test_an_order_whose_login_ends_twice_sends_its_command_once(sim: BmcSim) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        order = Order(sock, (sim.address, PORT), ACTOR, sim.password, HARD_OFF, None)
        while not order.ready:
            order.feed(sock.recv(2048))
        order.transmit()
        while order.answer is None:
            order.feed(sock.recv(2048))
        order.ask()
        order.transmit()
        order.end()
    sim.wait_until_it_answers()  # after all that came before
    assert changes(sim) == ["set power 0"]


def test_on_any_network_a_command_is_done_once_at_most_and_never_told_wrongly(sims: list[BmcSim]) -> None:
    """18 networks lose a tenth of all packets, double a quarter and keep a quarter back for up to half a second."""

    def try_some(number: int) -> list[tuple[Outcome, int]]:
        found = []
        for seed in range(number, 18, SIMS):
            sims[number].forget()
            outcome = over(sims[number], random_fate(seed), SOFT_OFF, timeout=1, stub=number + 1, remembers=True)
            found.append((outcome, changes(sims[number]).count("set shutdown 1")))
        return found

    with ThreadPoolExecutor(SIMS) as pool:
        results = [one for some in pool.map(try_some, range(SIMS)) for one in some]
    allowed = {Answered: {1}, NoAnswer: {0, 1}, NotSent: {0}}
    assert [(outcome, done) for outcome, done in results if done not in allowed[type(outcome)]] == []
    assert sum(done for _, done in results) > 0


def random_fate(seed: int) -> Fate:
    dice = random.Random(seed)

    def fate(packet: Packet) -> Sequence[float]:
        if dice.random() < 0.1:
            return ()
        late_s = [dice.uniform(0, 0.5) if dice.random() < 0.25 else 0.0 for _ in range(2)]
        return late_s if dice.random() < 0.25 else late_s[:1]

    return fate


# ---- one at a time ----


def test_two_commands_to_one_bmc_are_five_seconds_apart(sims: list[BmcSim]) -> None:
    clock = Clock()
    bmcs = control(sims[0], clock)
    assert isinstance(bmcs.send(sims[0].address, SYSTEM_GUID), Answered)
    assert clock.pauses == []  # it changes nothing
    for address in (sims[0].address, sims[1].address, sims[0].address):
        assert isinstance(bmcs.send(address, identify(15)), Answered)
    # The first waits for what a process before this one may have sent; the second BMC is another.
    assert clock.pauses == [APART_S, APART_S]


def test_a_sweep_waits_for_an_action_with_its_question(sim: BmcSim) -> None:
    turns = Turns()
    sweeps = BmcTransport(BmcSettings(user=USER, port=PORT, timeout=30.0), sim.password, turns)
    told: list[Delivery] = []
    with turns.taken((sim.address, PORT), 1) as is_mine:
        assert is_mine
        thread = run(lambda: sweeps.run({"n1": sim.address}, told.append, power=True))
        wait_until(lambda: sweeps._sessions._held)
        assert [delivery.source for delivery in told] == [Source.PRESENCE]
    thread.join()
    sweeps.close()
    assert told[-1].answer == PowerAnswer(PowerState.ON)


def test_a_sweep_waits_no_longer_than_its_limit(sim: BmcSim) -> None:
    turns = Turns()
    assert turns.try_take((sim.address, PORT))
    sweeps = BmcTransport(BmcSettings(user=USER, port=PORT, timeout=0.5), sim.password, turns)
    told: list[Delivery] = []
    sweeps.run({"n1": sim.address}, told.append, power=True)
    sweeps.close()
    assert told[-1].answer == PowerAnswer(PowerState.UNKNOWN, HELD)


def test_a_sweep_gives_its_turn_back(sim: BmcSim) -> None:
    turns = Turns()
    sweeps = BmcTransport(BmcSettings(user=USER, port=PORT, timeout=5.0), sim.password, turns)
    for password in (sim.password, "wrong"):
        sweeps._sessions._password = password
        sweeps.run({"n1": sim.address}, lambda delivery: None, power=True)
        with turns.taken((sim.address, PORT), 0) as is_mine:
            assert is_mine
    sweeps.close()


def test_an_action_waits_for_a_sweep(sim: BmcSim) -> None:
    turns = Turns()
    peer = (sim.address, PORT)
    assert turns.try_take(peer)
    found: list[Outcome] = []
    thread = run(lambda: found.append(control(sim, turns=turns).send(sim.address, POWER_ON)))
    wait_until(lambda: turns._changed._waiters)  # type: ignore[attr-defined]
    assert changes(sim) == []
    turns.give(peer)
    thread.join()
    assert isinstance(found[0], Answered)
    assert turns.try_take(peer)


def run(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


# ---- whose address it is ----


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (None, "no address"),
        ("", "no address"),
        ("bmc.example.org", "no address"),
        ("127.0.0.1", "this machine"),
        ("127.0.1.1", "this machine"),  # what /etc/hosts of Debian has for the machine's own name
        ("::1", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("0.0.0.0", "no single machine"),
        ("::", "no single machine"),
        ("224.0.0.1", "no single machine"),
        ("255.255.255.255", "no single machine"),
        ("192.0.2.7", "the BMC of n2 too"),
        ("::ffff:192.0.2.7", "the BMC of n2 too"),
        ("2001:db8:0::1", "the BMC of n3 too"),
        ("192.0.2.9", "the BMC of n4 too and of 1 more"),
        ("192.0.2.8", ""),
        ("127.44.0.1", ""),
    ],
)
def test_an_address_that_is_not_one_nodes_bmc_alone_is_refused(address: str | None, words: str) -> None:
    others = {"n2": "192.0.2.7", "n3": "2001:db8::1", "n4": "192.0.2.9", "n5": "192.0.2.9", "n6": None}
    found = why_no_target("n1", {"n1": address, **others})
    assert words in found
    assert bool(found) is bool(words)


def test_an_address_of_an_interface_is_this_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []

    class Socket:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> Socket:
            return self

        def __exit__(self, *_: object) -> None: ...
        def bind(self, address: object) -> None:
            taken.append(address)

    monkeypatch.setattr("botd.transport.bmc.targets.socket.socket", Socket)
    assert "this machine" in why_no_target("n1", {"n1": "192.0.2.7"})
    assert taken == [("192.0.2.7", 0)]
