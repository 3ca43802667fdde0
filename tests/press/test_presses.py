"""Presses at the same moment, by real HTTP on the running program; what was sent is counted where it arrives."""

from __future__ import annotations

import secrets

import pytest

from tests.press.site import LONG, PER_HOUR, Answer, PressSite, together
from tests.press.truth import Figures, pulses

TIMES = 12 if LONG else 1
AT_ONCE = 20


def counted(site: PressSite, found: dict[str, Figures], name: str, tried: int, sent_before: int) -> Figures:
    """The figures of all so far, which this test has its share in."""
    every = site.figures(tried)
    found[name] = every._replace(sent=every.sent - sent_before)
    return found[name]


def sent(site: PressSite) -> int:
    return len(list(pulses(site.orders())))


@pytest.mark.parametrize("action", ["drain", "identify"])
def test_twenty_presses_of_one_nonce_are_one_order(site: PressSite, found: dict[str, Figures], action: str) -> None:
    before, nodes = sent(site), site.take(1)
    for _ in range(TIMES):
        seen, nonce = site.evidence("bert", nodes), secrets.token_urlsafe(18)
        answers = together(lambda _: site.press("bert", action, seen, nonce=nonce), AT_ONCE)  # noqa: B023
        assert {answer.status for answer in answers} <= {200, 202}, answers
        assert [answer.status for answer in answers].count(202) == 1
        ids = set[int]().union(*(answer.ids for answer in answers))
        assert (len(ids), site.ends(ids)) == (1, ["succeeded"])
        other = site.press("bert", action, seen, nonce=nonce, reason="another reason")
        assert other.code == "same-nonce"
        if action == "drain" and LONG:
            site.undrain(nodes)
    figures = counted(site, found, f"{AT_ONCE} presses of one nonce, {action}", TIMES * AT_ONCE, before)
    assert figures.is_clean, figures
    assert figures.sent == TIMES


def test_fifty_presses_on_fifty_nodes_send_as_many_as_the_role_may_in_an_hour(
    site: PressSite, found: dict[str, Figures]
) -> None:
    before, nodes = sent(site), site.take(50)
    seen = site.evidence("anna", nodes)

    def press(number: int) -> Answer:
        return site.press("anna", "drain", {nodes[number]: seen[nodes[number]]})

    answers = together(press, len(nodes))
    taken = [answer for answer in answers if answer.status == 202]
    assert {answer.code for answer in answers if answer.status != 202} <= {"cap"}, answers
    ends = site.ends(number for answer in taken for number in answer.ids)
    assert (ends.count("succeeded"), set(ends)) == (PER_HOUR, {"succeeded", "refused"} & set(ends))
    name = f"{len(nodes)} presses on {len(nodes)} nodes, {PER_HOUR} an hour"
    figures = counted(site, found, name, len(nodes), before)
    assert figures.is_clean, figures
    assert figures.sent == PER_HOUR


def test_two_people_and_one_node_are_one_order(site: PressSite, found: dict[str, Figures]) -> None:
    before, nodes = sent(site), site.take(4)
    for _ in range(TIMES):
        for node in nodes:
            seen = site.evidence("kmf", [node])
            answers = together(lambda i: site.press(("bert", "kmf")[i], "drain", seen), 2)  # noqa: B023
            ids = [number for answer in answers for number in answer.ids]
            assert site.ends(ids).count("succeeded") == 1, answers
            codes = {answer.code for answer in answers} - {""}
            assert codes <= {"busy", "wrong-state", "evidence-changed"}
        if LONG:
            site.undrain(nodes)
    figures = counted(site, found, "two people and one node", 2 * len(nodes) * TIMES, before)
    assert figures.is_clean, figures
    assert figures.sent == len(nodes) * TIMES
