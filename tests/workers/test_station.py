"""A worker's side, without a broker: what it does, and what it does not though the agent has signed it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from botd.answers import Source
from botd.config import parse_config
from botd.errors import ConfigError
from botd.model import utc_now
from botd.workers.keys import signing_key
from botd.workers.letters import Answers, Order, public_of, read_answers, write_order
from botd.workers.station import Station
from tests.conftest import need_program

AGENT = SigningKey.generate()
SLICE = "0123456789abcdef" * 2


def station(folder: Path, **workers: str) -> Station:
    document = {
        "workers": {"agent_key": public_of(AGENT), **workers},
        "network": [{"name": "a", "nodes": ["localhost,n[1-3]"], "probes": ["ping"]}],
    }
    return Station(parse_config(document, path=str(folder / "botd.toml")), "a")


def order(*nodes: str, checks: tuple[str, ...] = ("ping",)) -> Order:
    return Order(SLICE, "a", nodes, checks, {}, False, utc_now() + timedelta(seconds=60))


def done(worker: Station, asked: Order, key: SigningKey = AGENT) -> list[Answers]:
    return [read_answers(letter, [public_of(worker.key)]) for letter in worker.do(write_order(asked, key))]


def test_it_says_that_it_has_begun_then_what_nodes_say_then_that_it_is_over(tmp_path: Path) -> None:
    need_program("fping")
    first, *more = done(station(tmp_path), order("localhost"))
    assert (first.deliveries, first.ends) == ((), False)
    assert [answers.ends for answers in more] == [False] * (len(more) - 1) + [True]
    [delivery] = [delivery for answers in more for delivery in answers.deliveries]
    assert (delivery.node, delivery.source) == ("localhost", Source.PING)


@pytest.mark.parametrize(
    "asked",
    [
        order("db1"),
        order("n1", "db1"),
        replace(order("n1"), network="b"),
        replace(order("n1"), until=utc_now() - timedelta(seconds=1)),
    ],
)
def test_what_is_not_its_own_or_too_late_is_not_done(tmp_path: Path, asked: Order) -> None:
    assert done(station(tmp_path), asked) == []


def test_nobody_but_the_agent_is_heard(tmp_path: Path) -> None:
    assert done(station(tmp_path), order("n1"), SigningKey.generate()) == []


def test_checks_that_it_does_not_have_or_may_not_probe_are_told(tmp_path: Path) -> None:
    """An order has names: what runs on a node is what the worker's own configuration says."""
    answers = done(station(tmp_path), order("n1", checks=("ssh", "nhc")))
    assert [problem for each in answers for problem in each.problems] == ["its worker has no such check: nhc, ssh"]
    assert answers[-1].ends


def test_it_needs_the_agents_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="agent_key must be the agent's public key"):
        station(tmp_path, agent_key="")


def test_its_own_key_is_made_once_and_is_nobodys_to_read(tmp_path: Path) -> None:
    worker = station(tmp_path)
    path = tmp_path / "worker.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert station(tmp_path).key == worker.key
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others can read"):
        station(tmp_path)
    path.chmod(0o600)
    path.write_text("secret words\n")
    with pytest.raises(ConfigError, match="there is no key in") as told:
        signing_key(parse_config({}, path=str(tmp_path / "botd.toml")))
    assert "secret words" not in str(told.value)
