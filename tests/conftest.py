"""What the tests share: a site with a store, the profile of hypothesis, and the rule that nothing is skipped in CI."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from nacl.signing import SigningKey

from botd.app import create_app
from botd.audit import Event, key_text, make_checkpoint, next_row
from botd.checks import site_checks
from botd.config import parse_config
from botd.documents import encode, iso, reading_document
from botd.inventory import build
from botd.inventory.document import to_document
from botd.model import Change, Group, Reading, SlurmNode, State, utc_now
from botd.settings import Config
from botd.store import Store
from tests.press.truth import Figures

settings.register_profile(
    "botd",
    derandomize=True,  # the same examples in each run, so that a change fails for what it changed
    deadline=None,  # how long an example takes is said by what else the machine has to do
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("botd")

# A job in the background has it ignored (POSIX, 2.9.3.1 of the shell), and so would all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

MOUNTS = {"scratch": "/global/scratch", "tmp": "/tmp"}


def leave_out(why: str) -> NoReturn:
    """Skips the test for a reason that stands in the summary. In CI nothing may be skipped, so there it fails."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def need_program(name: str) -> str:
    """The path of a program that a test talks to. Where it is missing the test is skipped, but never in CI."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        leave_out(f"{name} is not installed; `make test` as root installs it")
    return path


FIGURES = pytest.StashKey[dict[str, Figures]]()


@pytest.fixture(scope="session")
def found(request: pytest.FixtureRequest) -> dict[str, Figures]:
    """Where each test that acts writes what it found, under the name of its scene."""
    return request.config.stash.setdefault(FIGURES, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the figures of the press, where there are any."""
    if found := config.stash.get(FIGURES, None):
        terminalreporter.section("press")
        for name, figures in found.items():
            terminalreporter.write_line(f"{name}: {figures.line()}")
        terminalreporter.write_line(f"all: {sum(found.values(), Figures()).line()}")


class Site:
    """A store that an agent has written to, as far as the test says, and the web application on it."""

    def __init__(self, folder: Path, document: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.config: Config = parse_config(
            {"mounts": MOUNTS, **(document or {}), "store": {"url": "sqlite:///botd.db", "timeout": 0.2}},
            path=str(folder / "botd.toml"),
        )
        self.checks = site_checks(self.config)
        self.store = Store(self.config)
        self.store.create()
        self.now: datetime = utc_now()
        self.app: Flask = create_app(self.config, clock=lambda: self.now)

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def nodes(self, *nodes: SlurmNode, groups: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """Writes a good node list of now."""
        found = {name: Group(name, "/etc/pdsh/group/" + name, members) for name, members in (groups or {}).items()}
        document = encode({**to_document(build(nodes, found, self.now)), "as_of": None})
        self.store.write_node_list(document, as_of=self.now, error=None, now=self.now)

    def slurm_fails(self, status: int, message: str) -> None:
        """Records that the last attempt to read the node list failed."""
        self.store.write_node_list(None, as_of=None, error=(status, message), now=self.now)

    def reading(self, node: str, *, age_s: float = 0.0, **readings: Reading) -> None:
        """Writes readings of a node, taken `age_s` seconds ago; every other check is ok."""
        at = iso(self.now - timedelta(seconds=age_s))
        document = {
            name: {**reading_document(readings.get(name) or Reading(State.OK, unit=check.unit)), "at": at}
            for name, check in self.checks.items()
        }
        self.store.readings.write({node: document}, self.now)

    def beat(self) -> None:
        """The agent is alive now."""
        self.store.claim(os.getpid(), "agent.example", self.now, lambda _: True)

    def audit(self) -> None:
        """What an agent tells of a ledger in which anna has logged in."""
        key = SigningKey.generate()
        first = next_row(None, Event("ledger-made", "agent", detail={"key": key_text(key.verify_key)}), self.now)
        rows = [first, next_row(first, Event("login", "anna"), self.now)]
        copies = {f"{row.number:012d}": {**json.loads(row.document), "hash": row.hash} for row in rows}
        self.store.copies.put("audit", copies)
        self.store.copies.put("ledger", {"head": make_checkpoint(2, rows[1].hash, self.now, key)._asdict()})

    def later(self, seconds: float) -> None:
        """Moves the clock."""
        self.now += timedelta(seconds=seconds)

    def get(self, url: str, **more: Any) -> Any:
        """The JSON of a URL, with its status as `status`."""
        response = self.client.get(url, **more)
        return response.get_json()


def drained(name: str, reason: str = "bad GPU 3, RMA open", **more: Any) -> SlurmNode:
    """A drained node."""
    partition = name.partition(".")[2]
    return SlurmNode(
        name, "drained", "IDLE", ("DRAIN",), (), reason, "root", partitions=(partition,) if partition else (), **more
    )


def idle(name: str) -> SlurmNode:
    """A healthy node."""
    partition = name.partition(".")[2]
    return SlurmNode(name, "idle", "IDLE", partitions=(partition,) if partition else ())


def happened(site: Site, node: str = "n0000.savio2", *, ago_s: float = 60, **more: Any) -> None:
    """Records one change."""
    at = site.now - timedelta(seconds=ago_s)
    change = Change(node, **{"subject": "ssh", "old": "ok", "new": "fail: timeout", "at": at, "is_bad": True, **more})
    site.store.readings.write({"n0099.savio2": {}}, site.now, changes=[change])


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[..., Site]:
    """Makes a site with settings of its own."""
    return lambda document=None: Site(tmp_path, document)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Four nodes, of which two are drained, in two partitions and a rack, all read just now; the agent is alive."""
    made = Site(tmp_path)
    names = ("n0000.savio2", "n0001.savio2", "n0002.savio3", "n0010.savio3")
    made.nodes(
        drained(names[0]), idle(names[1]), drained(names[2], "no IB"), idle(names[3]), groups={"rack1": names[1:3]}
    )
    for name in names:
        made.reading(name)
    made.beat()
    yield made
    made.store.close()
