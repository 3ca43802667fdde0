"""Restarting slurmd: one command by a real sshd, sent at most once, and read back from Slurm."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from botd.acting.actions import BY_NAME, Way
from botd.agent.actions.ssh_hand import NOT_SET, SshHand
from botd.agent.actions.ways import NotDone, Sent
from botd.answers import LoginAnswer, Output
from botd.ledger.actions import Stored
from botd.model import SlurmNode
from botd.probes import Probes
from botd.settings import ActionsSettings, NodeSettings, SshSettings
from tests.agent.actions.works import DRAINED, Works
from tests.conftest import Site
from tests.program import wait_until
from tests.transport.sshd import Sshd, make_key, running_sshd

ADDRESS = "127.0.0.1"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("keys") / "key")


@pytest.fixture
def sshd(tmp_path: Path, keys: Path) -> Iterator[Sshd]:
    with running_sshd(tmp_path / "sshd", [ADDRESS], key=keys) as sshd:
        yield sshd


class Node:
    """A node behind an sshd, where the command of the site is a line in a file."""

    def __init__(self, folder: Path, sshd: Sshd, keys: Path, config: Any, after: str) -> None:
        self.marks = folder / "restarts"
        hosts = folder / "known_hosts"
        hosts.write_text(sshd.known_hosts_lines())
        settings = SshSettings(user=getpass.getuser(), port=sshd.port, key_file=str(keys), known_hosts=str(hosts))
        self.probes = Probes(replace(config, ssh=settings, nodes=NodeSettings(address=ADDRESS)))
        self.slurm: SlurmNode | None = None
        command = f"echo restarted >>{self.marks}; {after}"
        self.hand = SshHand(ActionsSettings(restart_slurmd=command), self.probes.tell, lambda _: self.slurm)

    def restarts(self) -> int:
        return len(self.marks.read_text().splitlines()) if self.marks.exists() else 0


@pytest.fixture
def make_node(tmp_path: Path, sshd: Sshd, keys: Path, site: Site) -> Iterator[Any]:
    made: list[Node] = []

    def make(after: str = "true") -> Node:
        made.append(Node(tmp_path, sshd, keys, site.config, after))
        return made[-1]

    yield make
    for node in made:
        node.probes.close()


@pytest.fixture
def restart(at_work: Works) -> Stored:
    at_work.press("identify", DRAINED)
    return Stored(*at_work.actions()[-1])._replace(
        action="restart-slurmd", sent_at=at_work.clock() + timedelta(milliseconds=400)
    )


def test_a_restart_is_one_command_on_the_node(make_node: Any, restart: Stored) -> None:
    node = make_node()
    prepared = node.hand.prepare(restart)
    assert (prepared, node.restarts()) == (None, 0)
    assert node.hand.send(restart, prepared, lambda: True) == Sent(is_certain=True)
    assert node.restarts() == 1


def test_nothing_is_run_without_leave(make_node: Any, restart: Stored) -> None:
    node = make_node()
    answer = node.hand.send(restart, node.hand.prepare(restart), lambda: False)
    assert (answer.code, node.restarts()) == ("not-sent", 0)


def test_a_command_that_says_no_is_told_with_its_words(make_node: Any, restart: Stored) -> None:
    node = make_node("echo 'sudo: a password is required' >&2; exit 1")
    answer = node.hand.send(restart, node.hand.prepare(restart), lambda: True)
    assert answer == NotDone("node-refused", "the command ended with exit status 1: sudo: a password is required")


def test_a_shell_that_hangs_is_given_nothing_that_it_could_run_later(restart: Stored) -> None:
    told: list[str] = []

    def tell(node: str, listed: SlurmNode | None, command: str) -> LoginAnswer | Output:
        told.append(command)
        return Output(detail="the login shell did not begin within 6 s")

    answer = SshHand(ActionsSettings(restart_slurmd="restart it"), tell, lambda _: None).prepare(restart)
    assert answer == NotDone("not-sent", "the shell of the node: the login shell did not begin within 6 s")
    assert told == ["true"]


@pytest.mark.parametrize("end", ["kill -TERM $$", "kill -KILL $$", "yes | head -c 9000"])
def test_a_command_without_an_end_of_its_own_is_not_certain(make_node: Any, restart: Stored, end: str) -> None:
    node = make_node(end)
    answer = node.hand.send(restart, node.hand.prepare(restart), lambda: True)
    assert isinstance(answer, Sent)
    assert (answer.is_certain, bool(answer.words), node.restarts()) == (False, True, 1)


def test_a_lost_connection_is_not_certain_and_the_command_is_not_sent_again(
    make_node: Any, restart: Stored, sshd: Sshd
) -> None:
    node = make_node("sleep 60")
    prepared = node.hand.prepare(restart)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(node.hand.send, restart, prepared, lambda: True)
        wait_until(lambda: node.restarts() == 1)
        sshd.drop_sessions()
        answer = sending.result()
    assert isinstance(answer, Sent)
    assert (answer.is_certain, bool(answer.words), node.restarts()) == (False, True, 1)


def test_a_node_that_lets_nobody_in_was_sent_nothing(make_node: Any, restart: Stored, sshd: Sshd) -> None:
    node = make_node()
    prepared = node.hand.prepare(restart)
    sshd.stop()
    answers = node.hand.prepare(restart), node.hand.send(restart, prepared, lambda: True)
    assert {answer.code for answer in answers} == {"not-sent"}
    assert all("ssh to the node: refused" in answer.words for answer in answers)
    assert node.restarts() == 0


def test_it_is_done_when_slurm_hears_from_a_newer_slurmd(make_node: Any, restart: Stored) -> None:
    """By what Slurm had before it was sent: the clock of the node, which is a minute late, tells both."""
    node, sent_at = make_node(), restart.sent_at
    assert sent_at
    before = sent_at - timedelta(minutes=61)
    node.slurm = SlurmNode(DRAINED, "drained", "IDLE", ("DRAIN",), slurmd_started_at=before)
    node.hand.send(restart, node.hand.prepare(restart), lambda: True)
    for started_at, flags, seen in (
        (before, ("DRAIN",), False),
        (sent_at - timedelta(minutes=1), ("NOT_RESPONDING",), False),
        (sent_at - timedelta(minutes=1), ("DRAIN",), True),
    ):
        node.slurm = SlurmNode(DRAINED, "drained", "IDLE", flags, slurmd_started_at=started_at)
        assert node.hand.seen(restart).is_there is seen


def test_an_agent_that_came_after_the_sending_looks_at_the_time_of_it(make_node: Any, restart: Stored) -> None:
    node, sent_at = make_node(), restart.sent_at
    assert sent_at
    assert node.hand.seen(restart).is_there is None
    node.slurm = SlurmNode(DRAINED, "drained", "IDLE", ("DRAIN",))
    assert node.hand.seen(restart).is_there is None
    for started_at, seen in ((sent_at - timedelta(minutes=1), False), (sent_at.replace(microsecond=0), True)):
        node.slurm = SlurmNode(DRAINED, "drained", "IDLE", ("DRAIN",), slurmd_started_at=started_at)
        assert node.hand.seen(restart).is_there is seen


def test_a_site_without_a_command_restarts_nothing() -> None:
    def tell(node: str, listed: SlurmNode | None, command: str) -> LoginAnswer | Output:
        raise AssertionError("nothing was to be run")

    hand = SshHand(ActionsSettings(), tell, lambda _: None)
    assert hand.cannot(BY_NAME["restart-slurmd"]) == NOT_SET
    assert BY_NAME["restart-slurmd"].way is Way.SSH
