"""A web process that is asked something else each time, on a cluster that changes each time, keeps little of it."""

from __future__ import annotations

import itertools

import pytest

from botd.checks import parents
from tests.conftest import Site, idle
from tests.fuzz.strategies import at_most_mb

NODES = 2000


@pytest.fixture
def large(site: Site) -> Site:
    """A site whose answers are megabytes: about 4 with all checks."""
    names = [f"n{number:04d}.savio2" for number in range(NODES)]
    site.nodes(*map(idle, names))
    for name in names:
        site.reading(name)
    site.beat()
    return site


def ask(site: Site, url: str) -> None:
    """Asks, and lets go of the answer."""
    response = site.client.get(url)
    assert response.status_code == 200
    response.close()


def test_answers_to_many_questions_are_not_all_kept(large: Site) -> None:
    ask(large, "/api/v1/status?groups=all")
    with at_most_mb(100):
        for number in range(36):
            ask(large, f"/api/v1/status?groups=all,n{number:04d}.savio2&format=json")


def test_nodes_in_many_choices_of_checks_are_not_all_kept(large: Site) -> None:
    names = [name for name in large.checks if name not in parents(large.checks)]
    ask(large, "/api/v1/status?groups=all&checks=ping")
    with at_most_mb(200):
        for left_out in (*names, *itertools.pairwise(names)):
            chosen = [name for name in names if name not in left_out]
            ask(large, f"/api/v1/status?groups=all&checks={','.join(chosen)}&format=ndjson")


def test_what_was_read_before_is_not_kept_with_the_answers_of_then(large: Site) -> None:
    """Some hundred bytes of each reading for each answer would be gigabytes on a large cluster."""
    names = [f"n{number:04d}.savio2" for number in range(60)]
    ask(large, "/api/v1/status?nodes=n0000.savio2&checks=ping")
    with at_most_mb(3.5):
        for _ in range(15):
            large.later(1)
            for name in names:
                large.reading(name)
            large.beat()
            ask(large, "/api/v1/status?nodes=n0000.savio2&checks=ping")
