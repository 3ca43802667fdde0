"""What the tests of pages share: a botd that acts, where nodes are ready to go back, and who looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.actor import Actor, make_actor, tell_switches
from tests.conftest import Site
from tests.pages.person import Person
from tests.pages.ready import ROLES, ready_site


@pytest.fixture
def actor(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    """A botd with these nodes that acts."""
    made = make_actor(ready_site(make_site), monkeypatch, ROLES)
    with made.office.open():
        tell_switches(made.site.store)
        yield made


@pytest.fixture
def anna(actor: Actor) -> Person:
    return Person(actor.site)
