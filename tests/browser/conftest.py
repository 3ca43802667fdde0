"""What the browser tests share: one Chromium, a tab for each test, and the running program on a small cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from botd.commands.demo_people import add_people
from botd.demo import DemoCluster
from tests.actor import Actor
from tests.browser.tab import DESKTOP, FLAGS, Served, Tab, served
from tests.conftest import Site, need_program
from tests.program import PATIENCE_S, DemoProgram, free_port, wait_until

NODES = 40

PASSWORD = "as in the demo"

PATIENCE_MS = 1000 * PATIENCE_S

OpenTab = Callable[..., Tab]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = need_program("chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def tabs() -> Iterator[list[Tab]]:
    """The tabs that a test has opened. At its end none may have a fault that it was not told of."""
    opened: list[Tab] = []
    yield opened
    assert [fault for tab in opened for fault in tab.faults] == []


@pytest.fixture
def open_tab(chromium: Browser, tabs: list[Tab]) -> Iterator[OpenTab]:
    """Opens tabs, each of a user of its own."""

    def new(base: str, **settings: Any) -> Tab:
        context = chromium.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **settings})
        context.set_default_timeout(PATIENCE_MS)
        tabs.append(Tab(context.new_page(), base))
        return tabs[-1]

    yield new
    for tab in tabs:
        tab.close()


@pytest.fixture(scope="package")
def program() -> Iterator[DemoProgram]:
    """The program on the demo cluster, with its people, every node read once."""
    port = free_port()
    with DemoCluster(NODES, f"127.0.0.1:{port}", boot_s=0.5, slurmd_timeout_s=0.5) as cluster:
        add_people(str(cluster.config_path), PASSWORD, cluster.secrets)
        running = DemoProgram(cluster, port)
        try:
            wait_until(running.is_well, 60)
            running.json("/api/v1/status?groups=all&max_age=30")
            yield running
        finally:
            running.stop()


@pytest.fixture
def tab(open_tab: OpenTab, program: DemoProgram) -> Tab:
    """A tab on the running program."""
    return open_tab(program.base)


@pytest.fixture
def server(site: Site, tabs: list[Tab]) -> Iterator[Served]:
    """The site that is written by the test, at a real address."""
    with served(site.app, free_port()) as running:
        yield running
        for tab in tabs:
            tab.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: the folder that BOTD_PICTURES names, else one of the test."""
    folder = Path(os.environ.get("BOTD_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def base(actor: Actor, tabs: list[Tab]) -> Iterator[str]:
    """The address of the botd that acts, of which each module has its own."""
    with served(actor.site.app, free_port()) as running:
        yield running.base
        for tab in tabs:
            tab.close()
