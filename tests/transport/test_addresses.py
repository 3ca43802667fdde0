"""Names to addresses: the hosts file, what is remembered, and a resolver that hangs."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from botd.errors import ConfigError
from botd.model import SlurmNode
from botd.settings import Config, NodeSettings
from botd.transport.addresses import (
    BAD_S,
    GOOD_S,
    MAX_THREADS,
    LookupUnavailable,
    Resolver,
    look_up,
    node_names,
    read_hosts,
    slurm_names,
    socket_address,
)
from tests.program import wait_until


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Dns:
    """Names as a test wants them, and how often each was asked for."""

    def __init__(self, **names: str) -> None:
        self.names = names
        self.asked: Counter[str] = Counter()
        self.away = False

    def __call__(self, name: str) -> str | None:
        self.asked[name] += 1
        if self.away:
            raise LookupUnavailable(name)
        return self.names.get(name)


class HangingDns(Dns):
    """Answers what it knows, and hangs at every other name until it is released."""

    def __init__(self, **names: str) -> None:
        super().__init__(**names)
        self.waiting = 0
        self._counting = threading.Lock()
        self.release = threading.Event()

    def __call__(self, name: str) -> str | None:
        if name not in self.names:
            with self._counting:
                self.waiting += 1
            self.release.wait()
        return super().__call__(name)


@pytest.fixture
def hanging() -> Iterator[HangingDns]:
    dns = HangingDns(n0="10.0.0.1")
    yield dns
    dns.release.set()


def resolver(dns: Dns, clock: Clock | None = None, *, limit_s: float = 10.0) -> Resolver:
    return Resolver(Config(), clock=clock or Clock(), lookup=dns, limit_s=limit_s)


def with_hosts(path: Path, dns: Dns) -> Resolver:
    return Resolver(Config(nodes=NodeSettings(hosts_file=str(path))), clock=Clock(), lookup=dns)


# ---- names ----


def test_node_names_fill_the_template() -> None:
    assert node_names(["n0006.savio3", "n7"], "{short}-ipmi.{cluster}") == {
        "n0006.savio3": "n0006-ipmi.savio3",
        "n7": "n7-ipmi",
    }


def test_it_answers_by_key_and_asks_each_name_once() -> None:
    dns = Dns(a="10.0.0.1", b="10.0.0.2")
    found = resolver(dns).resolve_all({"n0": "a", "n1": "b", "n2": "a", "n3": "c"})
    assert found == {"n0": "10.0.0.1", "n1": "10.0.0.2", "n2": "10.0.0.1", "n3": None}
    assert dns.asked == Counter(a=1, b=1, c=1)


def test_it_answers_nothing_for_nothing() -> None:
    assert resolver(Dns()).resolve_all({}) == {}


@pytest.mark.parametrize(
    ("text", "address"), [("10.0.0.1", "10.0.0.1"), ("0:0:0:0:0:0:0:1", "::1"), ("fe80::1%lo", "fe80::1%lo")]
)
def test_an_address_in_digits_asks_nobody(text: str, address: str) -> None:
    dns = Dns()
    assert resolver(dns).resolve_all({"n0": text}) == {"n0": address}
    assert not dns.asked


# ---- what is remembered ----


def test_a_good_answer_is_kept_for_its_time() -> None:
    dns, clock = Dns(a="10.0.0.1"), Clock()
    asked = resolver(dns, clock)
    asked.resolve_all({"n0": "a"})
    dns.names["a"] = "10.0.0.9"
    clock.now += GOOD_S - 1
    assert asked.resolve_all({"n0": "a"}) == {"n0": "10.0.0.1"}
    clock.now += 2
    assert asked.resolve_all({"n0": "a"}) == {"n0": "10.0.0.9"}


def test_a_failure_is_kept_for_its_time() -> None:
    dns, clock = Dns(), Clock()
    asked = resolver(dns, clock)
    asked.resolve_all({"n0": "a"})
    dns.names["a"] = "10.0.0.1"
    clock.now += BAD_S - 1
    assert asked.resolve_all({"n0": "a"}) == {"n0": None}
    clock.now += 2
    assert asked.resolve_all({"n0": "a"}) == {"n0": "10.0.0.1"}


def test_a_name_that_is_gone_is_forgotten() -> None:
    dns, clock = Dns(a="10.0.0.1"), Clock()
    asked = resolver(dns, clock)
    asked.resolve_all({"n0": "a"})
    dns.names.clear()
    clock.now += GOOD_S + 1
    assert asked.resolve_all({"n0": "a"}) == {"n0": None}


def test_an_old_address_serves_while_no_name_server_answers() -> None:
    dns, clock = Dns(a="10.0.0.1"), Clock()
    asked = resolver(dns, clock)
    asked.resolve_all({"n0": "a"})
    dns.away = True
    clock.now += GOOD_S + 1
    assert asked.resolve_all({"n0": "a", "n1": "b"}) == {"n0": "10.0.0.1", "n1": None}
    clock.now += BAD_S + 1
    dns.away, dns.names["a"] = False, "10.0.0.2"
    assert asked.resolve_all({"n0": "a"}) == {"n0": "10.0.0.2"}


@pytest.mark.parametrize("is_away", [False, True])
def test_a_name_has_none_only_where_a_name_server_said_so(is_away: bool) -> None:
    dns = Dns(a="10.0.0.1")
    dns.away = is_away
    asked = resolver(dns)
    assert asked.resolve_all({"n1": "b"}) == {"n1": None}
    assert asked.has_none("b") is not is_away
    asked.resolve_all({"n0": "a"})
    assert not asked.has_none("a")
    assert not asked.has_none("never asked")


def test_what_a_name_server_said_long_ago_is_nothing_to_go_by() -> None:
    dns, clock = Dns(), Clock()
    asked = resolver(dns, clock)
    asked.resolve_all({"n1": "b"})
    clock.now += BAD_S + 1
    assert not asked.has_none("b")


# ---- a resolver that hangs ----


def test_a_name_that_hangs_costs_the_limit_and_no_other_name(hanging: HangingDns) -> None:
    asked = resolver(hanging, limit_s=1.0)
    assert asked.resolve_all({"n0": "n0", "n1": "stuck"}) == {"n0": "10.0.0.1", "n1": None}
    assert not asked.has_none("stuck")


def test_an_old_address_serves_while_the_resolver_hangs(hanging: HangingDns) -> None:
    clock = Clock()
    asked = resolver(hanging, clock, limit_s=1.0)
    asked.resolve_all({"n0": "n0"})
    clock.now += GOOD_S + 1
    hanging.names.clear()
    assert asked.resolve_all({"n0": "n0"}) == {"n0": "10.0.0.1"}


def test_it_asks_no_second_time_while_a_look_up_hangs(hanging: HangingDns) -> None:
    asked = resolver(hanging, limit_s=0.1)
    asked.resolve_all({"n0": "stuck"})
    asked.resolve_all({"n0": "stuck"})
    hanging.names["stuck"] = "10.0.0.5"
    hanging.release.set()
    wait_until(lambda: asked.resolve_all({"n0": "stuck"}) and hanging.asked["stuck"])
    assert asked.resolve_all({"n0": "stuck"}) == {"n0": "10.0.0.5"}
    assert hanging.asked["stuck"] == 1


def test_hanging_look_ups_never_take_more_threads_than_allowed(hanging: HangingDns) -> None:
    asked, rounds = resolver(hanging, limit_s=0.1), itertools.count()

    def are_all_taken() -> bool:
        number = next(rounds)
        asked.resolve_all({f"n{n}": f"stuck{number}-{n}" for n in range(40)})
        return hanging.waiting >= MAX_THREADS

    wait_until(are_all_taken)  # a busy machine starts few threads within the limit
    assert are_all_taken()
    assert hanging.waiting == MAX_THREADS


def test_look_ups_not_begun_within_the_limit_are_dropped(hanging: HangingDns) -> None:
    before = set(threading.enumerate())
    resolver(hanging, limit_s=0.5).resolve_all({f"n{n}": f"stuck{n:03}" for n in range(MAX_THREADS + 30)})
    hanging.release.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert 0 < len(hanging.asked) <= MAX_THREADS


def test_no_thread_is_left_when_all_is_answered() -> None:
    before = set(threading.enumerate())
    resolver(Dns(a="10.0.0.1")).resolve_all({"n0": "a", "n1": "b"})
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


def test_a_look_up_that_fails_costs_neither_a_thread_nor_another_name() -> None:
    """More names fail than there are threads."""

    def lookup(name: str) -> str | None:
        if name.startswith("bad"):
            raise ValueError("embedded null byte")
        return "10.0.0.1"

    asked = Resolver(Config(), lookup=lookup, limit_s=10.0)
    for turn in range(3):
        names = [f"{kind}{turn}-{number}" for number in range(MAX_THREADS) for kind in ("bad", "n")]
        found = asked.resolve_all({name: name for name in names})
        assert {name for name in names if found[name]} == {name for name in names if name.startswith("n")}
        assert not any(map(asked.has_none, names))


def test_look_ups_run_side_by_side() -> None:
    together = threading.Barrier(8)

    def lookup(name: str) -> str | None:
        together.wait(60)
        return "10.0.0.1"

    asked = Resolver(Config(), lookup=lookup, limit_s=10.0)
    assert set(asked.resolve_all({f"n{n}": f"name{n}" for n in range(8)}).values()) == {"10.0.0.1"}


# ---- the hosts file ----


def test_the_hosts_file_comes_first(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "# addresses that follow no rule\n"
        "10.0.0.17\tn0017.savio3 n0017   # replaced in May\n"
        "10.0.0.99 n0017\n\n"
        "2001:db8:0::1 N0018-IPMI.savio3\n"
    )
    asked = with_hosts(hosts, Dns(n0017="10.9.9.9", other="10.0.0.3"))
    wanted = {"a": "N0017", "b": "n0017.savio3", "c": "n0018-ipmi.savio3", "d": "other", "e": "none"}
    assert asked.resolve_all(wanted) == {
        "a": "10.0.0.17", "b": "10.0.0.17", "c": "2001:db8::1", "d": "10.0.0.3", "e": None,
    }  # fmt: skip


def test_a_changed_hosts_file_is_read_again(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("10.0.0.1 n0\n")
    asked = with_hosts(hosts, Dns())
    assert asked.resolve_all({"n0": "n0"}) == {"n0": "10.0.0.1"}
    hosts.write_text("10.0.0.2 n0\n")
    os.utime(hosts, ns=(1, 1))
    assert asked.resolve_all({"n0": "n0"}) == {"n0": "10.0.0.2"}


@pytest.mark.parametrize("broken", ["n0 10.0.0.1\n", None])
def test_a_hosts_file_that_breaks_later_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str | None
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("10.0.0.1 n0\n")
    asked = with_hosts(hosts, Dns())
    hosts.unlink()
    if broken:
        hosts.write_text(broken)
    assert asked.resolve_all({"n0": "n0"}) == asked.resolve_all({"n0": "n0"}) == {"n0": "10.0.0.1"}
    assert len(caplog.records) == 1


def test_a_broken_hosts_file_stops_the_start(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("10.0.0.1 n0\n10.0.0.256 n1\n")
    with pytest.raises(ConfigError, match=r"line 2: '10\.0\.0\.256' is not an address"):
        with_hosts(hosts, Dns())
    with pytest.raises(ConfigError, match="cannot read the hosts file"):
        read_hosts(tmp_path / "missing")


def test_a_relative_hosts_file_stands_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("10.0.0.1 n0\n")
    config = Config(nodes=NodeSettings(hosts_file="hosts"), path=str(tmp_path / "botd.toml"))
    assert Resolver(config, lookup=Dns()).resolve_all({"n0": "n0"}) == {"n0": "10.0.0.1"}


# ---- the system's resolver, without a network ----


def test_the_system_resolver_knows_localhost() -> None:
    assert look_up("localhost") in ("127.0.0.1", "::1")


@pytest.mark.parametrize("name", ["a" * 64 + ".savio3", "a..b", "localhost\0.savio3", "n0.invalid", "N0.Invalid."])
def test_a_name_that_cannot_be_looked_up_has_no_address(name: str) -> None:
    """Whether or not there is a resolver: none of them is asked."""
    assert look_up(name) is None


FAILS = {
    socket.gaierror(socket.EAI_NONAME, "Name or service not known"): False,
    socket.gaierror(socket.EAI_NODATA, "No address associated with hostname"): False,
    socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"): True,
    socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure in name resolution"): True,
    socket.gaierror(socket.EAI_SYSTEM, "System error"): True,
    OSError(errno.EMFILE, "Too many open files"): True,
}


@pytest.mark.parametrize(("error", "is_away"), FAILS.items(), ids=str)
def test_only_no_such_name_is_no_address(monkeypatch: pytest.MonkeyPatch, error: OSError, is_away: bool) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(LookupUnavailable) if is_away else nullcontext():
        assert look_up("n0") is None


@pytest.mark.parametrize("name", ["localhost", "", "n0.savio3", "::g"])
def test_socket_address_takes_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        socket_address(name, 623)


def test_socket_address_names_the_family() -> None:
    assert socket_address("127.0.0.1", 623) == (socket.AF_INET, ("127.0.0.1", 623))
    assert socket_address("::1", 623) == (socket.AF_INET6, ("::1", 623, 0, 0))


def test_a_hosts_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("10.0.0.1 n1\n", encoding="utf-8-sig")
    assert read_hosts(tmp_path / "hosts") == {"n1": "10.0.0.1"}


@pytest.mark.parametrize(
    ("address", "hostname", "names"),
    [
        ("10.0.0.7", "n7", ["10.0.0.7"]),
        ("127.0.0.1", "n7", ["127.0.0.1"]),
        ("n7-ib", "host7", ["n7-ib", "host7"]),
        ("n7", "host7", ["host7"]),  # slurmd on a host of another name
        ("n7", "n7", []),  # never up, or a cloud node that is off
        ("", "", []),
        ("0.0.0.0", "::", []),
        ("224.0.0.1", "n7", []),
    ],
)
def test_slurm_says_where_a_node_is_or_nothing(address: str, hostname: str, names: list[str]) -> None:
    assert slurm_names(SlurmNode("n7", "idle", "IDLE", address=address, hostname=hostname)) == names


def test_the_first_name_that_has_an_address_counts() -> None:
    found = resolver(Dns(second="10.0.0.2", third="10.0.0.3")).resolve_first(
        {"n1": ["first", "second", "third"], "n2": ["192.0.2.1", "second"], "n3": ["first"], "n4": []}
    )
    assert found == {"n1": "10.0.0.2", "n2": "192.0.2.1", "n3": None, "n4": None}
