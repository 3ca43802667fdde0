"""How many nodes are worked on at once: fewer while all of them answer slowly, and never none."""

from __future__ import annotations

from botd.transport.ssh.places import CROWDED_S, LEAST, SILENT_S, Places


def taken(places: Places) -> int:
    """How many places there are now."""
    count = 0
    while places.take():
        count += 1
    for _ in range(count):
        places.give()
    return count


def test_there_are_as_many_as_asked_for() -> None:
    places = Places(64)
    assert taken(places) == 64


def test_a_place_that_is_given_back_can_be_taken_again() -> None:
    places = Places(1)
    assert places.take()
    assert not places.take()
    places.give()
    assert places.take()


def test_there_are_fewer_while_all_nodes_answer_slowly_and_more_again_afterwards() -> None:
    places = Places(64)
    for _ in range(200):
        places.learn(3 * CROWDED_S)
    assert taken(places) == LEAST
    for _ in range(200):
        places.learn(0.1)
    assert taken(places) == 64


def test_a_few_slow_nodes_change_nothing() -> None:
    places = Places(64)
    for _ in range(20):
        for _ in range(19):
            places.learn(0.1)
        places.learn(4.0)
    assert taken(places) == 64


def test_a_site_that_asks_for_few_gets_no_more() -> None:
    places = Places(2)
    for _ in range(200):
        places.learn(3 * CROWDED_S)
    assert taken(places) == 2


def test_patience_grows_with_how_slow_nodes_are() -> None:
    places = Places(64)
    assert places.patience_s == SILENT_S
    for _ in range(200):
        places.learn(2.0)
    assert places.patience_s > 2.0
