"""An agent that acts, in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from botd.agent.actions import worker
from tests.agent.actions.works import Works, works
from tests.conftest import Site


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read back is looked at often."""
    monkeypatch.setattr(worker, "READ_BACK_S", 0.02)


@pytest.fixture
def at_work(tmp_path: Path, make_site: Callable[..., Site]) -> Iterator[Works]:
    with works(tmp_path, make_site) as made:
        yield made
