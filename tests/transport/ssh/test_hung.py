"""Login shells that hang before the script begins: one of them stays on a node, and not one for each sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from botd.answers import LoginAnswer, Output, SshState
from botd.transport.ssh import hung
from botd.transport.ssh.script import Fragment
from tests.transport.ssh.conftest import Make, run
from tests.transport.sshd import Sshd, wait_until

STILL = {"hello": Output(detail="an earlier login shell still hangs; none is started while it does")}
PAUSED = {"hello": Output(detail="an earlier login shell did not begin; none is started for 1 h")}
ANSWERED = {"hello": Output("hello\n", 0)}


class HangingSshd:
    """An sshd whose shells wait for a file, as those of a home on a file server that is away."""

    def __init__(self, own: Callable[..., Sshd], directory: Path) -> None:
        self._began, self._mounted = directory / "began", directory / "mounted"
        waits = f"echo $$ >> {self._began}; while [ ! -e {self._mounted} ]; do sleep 0.05; done"
        self.sshd = own(options=f'ForceCommand {waits}; eval "$SSH_ORIGINAL_COMMAND"')
        self.targets = {"n1": self.sshd.address}

    def shells(self) -> int:
        return len(self._began.read_text().splitlines()) if self._began.exists() else 0

    def mount(self) -> None:
        self._mounted.touch()


@pytest.fixture
def hanging(own: Callable[..., Sshd], tmp_path: Path) -> Iterator[HangingSshd]:
    made = HangingSshd(own, tmp_path)
    yield made
    made.mount()  # else the shells that a test left would wait for ever


def test_while_a_login_shell_hangs_no_other_is_started(hanging: HangingSshd, transport: Make) -> None:
    made = transport(hanging.sshd, command_timeout=1.5)
    first = run(made, hanging.targets)
    assert first.login() == LoginAnswer(SshState.UP)
    assert first.outputs() == {"hello": Output(detail="the login shell did not begin within 1.5 s")}
    wait_until(lambda: hanging.shells() == 1)
    for fresh in (False, False, True):
        heard = run(made, hanging.targets, fresh=fresh)
        assert heard.login().state is SshState.UP
        assert heard.outputs() == STILL
    assert hanging.shells() == 1


def test_once_it_goes_on_the_node_is_asked_again(hanging: HangingSshd, transport: Make) -> None:
    made = transport(hanging.sshd, command_timeout=1.5)
    run(made, hanging.targets)
    wait_until(lambda: hanging.shells() == 1)
    hanging.mount()
    wait_until(lambda: run(made, hanging.targets).outputs() == ANSWERED, 30)
    wait_until(lambda: len(hanging.sshd.sessions()) == 1)


def test_a_connection_that_is_lost_is_no_shell_that_hangs(hanging: HangingSshd, transport: Make) -> None:
    """As after a reboot."""
    made = transport(hanging.sshd, command_timeout=1.5)
    run(made, hanging.targets)
    wait_until(lambda: hanging.shells() == 1)
    hanging.sshd.drop_sessions()
    hanging.mount()
    wait_until(lambda: run(made, hanging.targets).outputs() == ANSWERED, 30)


def test_where_no_connection_may_stay_open_none_is_started_for_an_hour(
    hanging: HangingSshd, transport: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = transport(hanging.sshd, command_timeout=1.5, keep=0)
    run(made, hanging.targets)
    wait_until(lambda: hanging.shells() == 1)
    hanging.mount()
    assert run(made, hanging.targets).outputs() == PAUSED
    assert hanging.shells() == 1
    monkeypatch.setattr(hung, "PAUSE_S", 0.0)
    wait_until(lambda: run(made, hanging.targets).outputs() == ANSWERED, 30)


def test_a_fragment_that_hangs_is_no_shell_that_does(own: Callable[..., Sshd], transport: Make) -> None:
    sshd = own()
    slow = (Fragment("slow", "sleep 60", 60),)
    made = transport(sshd, command_timeout=1.5)
    assert run(made, {"n1": sshd.address}, slow).outputs()["slow"].timed_out
    assert run(made, {"n1": sshd.address}).outputs() == ANSWERED


def test_close_closes_what_a_shell_hangs_on(hanging: HangingSshd, transport: Make) -> None:
    made = transport(hanging.sshd, command_timeout=1.5)
    run(made, hanging.targets)
    made.close()
    wait_until(lambda: not hanging.sshd.sessions())
