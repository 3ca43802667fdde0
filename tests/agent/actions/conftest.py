"""An agent that acts, in parts, and the figures of the scenes that it is played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from botd.agent.actions import worker
from tests.agent.actions.works import Works, works
from tests.conftest import Site
from tests.press.truth import Caps, Figures, figures, read_ledger

CAPS = Caps({"few": 2})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read back is looked at often."""
    monkeypatch.setattr(worker, "READ_BACK_S", 0.02)


@pytest.fixture
def at_work(
    tmp_path: Path, make_site: Callable[..., Site], request: pytest.FixtureRequest, found: dict[str, Figures]
) -> Iterator[Works]:
    """The agent. A test that is marked with the name of a scene is counted under it, from the truth."""
    with works(tmp_path, make_site) as made:
        yield made
    if scene := request.node.get_closest_marker("scene"):
        counted = figures(made.pressed, made.orders(), read_ledger(made.hall.ledger.path), CAPS, (), made.jobs_ended())
        found[scene.args[0]] = found.get(scene.args[0], Figures()) + counted
        assert counted.is_clean, counted
