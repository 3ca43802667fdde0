"""The site that people press on, and the figures of each test, which the summary prints."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.press.site import PressSite, press_site
from tests.press.truth import Figures

FIGURES = pytest.StashKey[dict[str, Figures]]()


@pytest.fixture(scope="session")
def found(request: pytest.FixtureRequest) -> dict[str, Figures]:
    """Where each test writes what it found."""
    return request.config.stash.setdefault(FIGURES, {})


@pytest.fixture(scope="package")
def site() -> Iterator[PressSite]:
    """The running program."""
    with press_site() as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the figures, where there are any."""
    if found := config.stash.get(FIGURES, None):
        terminalreporter.section("press")
        for name, figures in found.items():
            terminalreporter.write_line(f"{name}: {figures.line()}")
        terminalreporter.write_line(f"all: {sum(found.values(), Figures()).line()}")
