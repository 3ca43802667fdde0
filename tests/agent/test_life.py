"""One agent for each database, and what is no agent is no reason to stop."""

from __future__ import annotations

import os
import socket

import pytest
import sqlalchemy as sa

from botd.agent.life import Life
from botd.errors import ConfigError
from botd.store import ALIVE_S
from tests.conftest import Site


@pytest.fixture
def life(site: Site) -> Life:
    """The agent of the site, which has beaten just now."""
    site.later(ALIVE_S + 1)  # the one before is gone
    made = Life(site.store, lambda: site.now)
    made.claim()
    return made


def forge(site: Site, **values: object) -> None:
    """Writes into the row of the agent, as anybody may who can write the database."""
    with site.store._db.write() as db:
        db.execute(sa.text("UPDATE pulse SET " + ", ".join(f"{name} = :{name}" for name in values)), values)


@pytest.mark.parametrize("values", [{"agent_pid": "x"}, {"agent_pid": 1}, {"agent_name": "elsewhere"}])
def test_an_agent_that_has_beaten_lately_takes_its_name_back(site: Site, life: Life, values: dict[str, object]) -> None:
    forge(site, **values)
    life.beat()
    assert (site.store.pulse().agent_pid, site.store.pulse().agent_name) == (os.getpid(), socket.gethostname())


def test_it_does_so_once_and_not_in_turns_with_another_agent(site: Site, life: Life) -> None:
    forge(site, agent_name="elsewhere")
    life.beat()
    forge(site, agent_name="elsewhere")
    with pytest.raises(ConfigError, match="this one stops"):
        life.beat()
    assert site.store.pulse().agent_name == "elsewhere"


def test_who_has_slept_stops_for_the_agent_that_followed(
    site: Site, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge(site, agent_name="elsewhere")
    monkeypatch.setattr(life, "_beaten_s", life._beaten_s - ALIVE_S - 1)
    with pytest.raises(ConfigError, match="another agent works on this database"):
        life.beat()


@pytest.mark.parametrize("pid", ["x", 2**63 - 1, -1])
def test_a_number_of_no_process_keeps_no_agent_from_starting(site: Site, life: Life, pid: object) -> None:
    forge(site, agent_pid=pid)
    Life(site.store, lambda: site.now).claim()
    assert site.store.pulse().agent_pid == os.getpid()


def test_a_second_agent_is_refused_by_the_process_of_the_first(site: Site, life: Life) -> None:
    forge(site, agent_pid=1)  # a process that is there
    with pytest.raises(ConfigError, match="process 1 on"):
        Life(site.store, lambda: site.now).claim()
