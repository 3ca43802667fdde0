"""A tab of a real Chromium that notices everything a page must not do, and a site that it can look at."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect
from werkzeug.serving import make_server

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 375, "height": 740}


class Tab:
    """One page of the browser. `faults` are its errors, its warnings, and requests that left the server under test.

    Chromium reports what a Content-Security-Policy blocks as an error of the console.
    """

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.faults: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._see)

    def open(self, path: str = "/nodes?groups=all") -> Tab:
        """Opens a path of the server and waits until the table stands."""
        self.visit(path)
        self.page.wait_for_selector("#live-table tbody tr")
        return self

    def visit(self, path: str) -> None:
        """Opens a path of the server, whatever it holds."""
        self.page.goto(self.base + path)

    def close(self) -> None:
        """Closes the tab, so that a server that goes away afterwards is no fault."""
        self.page.context.close()

    def find(self, selector: str, **more: Any) -> Locator:
        """Elements of the page."""
        return self.page.locator(selector, **more)

    def cells(self, column: str) -> list[str]:
        """The texts of a column, row by row, as they stand on the screen."""
        return self.find(f'#live-table tbody [data-column="{column}"]').all_inner_texts()

    def cell(self, node: str, column: str) -> Locator:
        """One cell."""
        row = self.find("#live-table tbody tr", has=self.page.get_by_role("rowheader", name=node, exact=True))
        return row.locator(f'[data-column="{column}"]')

    def pick(self, node: str) -> None:
        """Ticks the box of a row."""
        row = self.find("#live-table tbody tr", has=self.page.get_by_role("rowheader", name=node, exact=True))
        row.locator("td.pick").click()

    def choose(self, label: str, option: str) -> None:
        """Chooses an option of a select in the menu of filters."""
        menu = self.find("#live-filters")
        if not menu.is_visible():
            self.find("#live-filter").click()
        menu.get_by_role("combobox", name=label, exact=True).select_option(option)
        self.page.keyboard.press("Escape")
        expect(menu).to_be_hidden()

    def sort(self, column: str) -> None:
        """Clicks the title of a column, and waits until it is sorted by in another way."""
        head = self.find(f"#live-table thead th.h-{column}")
        before = head.get_attribute("aria-sort")
        head.locator(".dt-column-title").click()
        after = {None: re.compile("."), "descending": "ascending", "ascending": "descending"}[before]
        expect(head).to_have_attribute("aria-sort", after)

    @property
    def status(self) -> Locator:
        """The line that counts the nodes."""
        return self.find("#live-status")

    @property
    def notes(self) -> Locator:
        """The banners above the table."""
        return self.find("#live-notes")

    @property
    def query(self) -> str:
        """What stands behind the ? of the address."""
        return urlsplit(self.page.url).query

    @property
    def fragment(self) -> str:
        """What stands behind the # of the address."""
        return urlsplit(self.page.url).fragment

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.faults.append(f"{message.type}: {message.text}")

    def _see(self, request: Request) -> None:
        is_ours = f"{request.url}/".startswith(f"{self.base}/")  # the base may end in a path
        if not (is_ours or urlsplit(request.url).scheme in ("data", "blob")):
            self.faults.append(f"request to another host: {request.url}")


class Served:
    """A web application at a real address, that can go away and come back there."""

    def __init__(self, app: Flask, port: int) -> None:
        self._app = app
        self._port = port
        self.base = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        """Answers from now on."""
        self._server = make_server("127.0.0.1", self._port, self._app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answers nobody any more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def served(app: Flask, port: int) -> Iterator[Served]:
    """The application at an address for the time of a test."""
    running = Served(app, port)
    try:
        yield running
    finally:
        running.stop()
