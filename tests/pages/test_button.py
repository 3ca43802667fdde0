"""The button of what is recommended, in the round and on the page of a node: only where it may be pressed now."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.actor import Actor, make_actor, tell_switches
from tests.conftest import Site
from tests.pages.person import Person
from tests.pages.ready import BESIDE, BROWSERS, ELSEWHERE, ILL, READY, ROLES, ready_site


def buttons(page: str) -> list[str]:
    return sorted(re.findall(r'class="button" href="(/node/[^"]+)"', page))


@pytest.mark.parametrize("browser", BROWSERS)
def test_a_row_of_the_round_has_the_button_where_the_role_allows_it(actor: Actor, anna: Person, browser: str) -> None:
    page = anna.look("/", **{"User-Agent": browser})
    assert buttons(page) == [f"/node/{node}/do/resume" for node in (READY, BESIDE)]
    assert page.count("(not by your roles)") == 2
    assert 'title="student: it is for savio2"' in page
    assert 'title="student: it allows resume"' in page


def test_the_page_of_a_node_has_it_too(actor: Actor, anna: Person) -> None:
    assert buttons(anna.look(f"/node/{READY}")) == [f"/node/{READY}/do/resume"]
    for node, why in ((ELSEWHERE, "(not by your roles)"), (ILL, "(not by your roles)")):
        page = anna.look(f"/node/{node}")
        assert buttons(page) == []
        assert why in page


@pytest.mark.parametrize("path", ["/", f"/node/{READY}"])
def test_what_stands_in_the_way_is_said_in_its_place(actor: Actor, anna: Person, path: str) -> None:
    tell_switches(actor.site.store, stop="kmf has stopped it")
    page = anna.look(path)
    assert buttons(page) == []
    assert "(held back by a stop)" in page


@pytest.mark.parametrize("browser", BROWSERS)
def test_a_node_that_only_a_worker_reaches_has_none_and_says_why(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, browser: str
) -> None:
    network = {"name": "mgmt", "nodes": [READY], "probes": ["bmc"]}
    made = make_actor(ready_site(make_site, network=[network]), monkeypatch, ROLES)
    with made.office.open():
        tell_switches(made.site.store)
        anna = Person(made.site)
        for path, left in (("/", [f"/node/{BESIDE}/do/resume"]), (f"/node/{READY}", [])):
            page = anna.look(path, **{"User-Agent": browser})
            assert buttons(page) == left
            assert page.count("(held back by its network)") == 1
            assert "its BMC is reached by a worker of mgmt alone; only the agent acts" in page
        told = anna.client.get(f"/api/v2/policy?nodes={READY},{BESIDE}").json["outlook"]
    codes = {node: {each["code"] for each in told[node]["stands"]["resume"]} for node in told}
    assert codes == {READY: {"elsewhere"}, BESIDE: set()}
    assert {each["code"] for each in told[READY]["stands"]["drain"]} == {"wrong-state"}


@pytest.mark.parametrize("path", ["/", f"/node/{READY}"])
def test_who_is_not_logged_in_sees_neither(actor: Actor, path: str) -> None:
    page = Person(actor.site, None).look(path)
    assert 'class="button"' not in page
    assert 'class="held"' not in page


def test_there_is_none_where_botd_does_not_act(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_actor(ready_site(make_site, "off"), monkeypatch, ROLES)
    with made.office.open():
        anna = Person(made.site)
        for path in ("/", f"/node/{READY}"):
            page = anna.look(path)
            assert 'class="button"' not in page
            assert 'class="held"' not in page


@pytest.mark.parametrize(("groups", "left"), [('["savio2"]', 1), ('["savio2", "gone"]', 0)])
def test_of_a_cap_by_groups_that_are_not_there_nothing_is_left(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, groups: str, left: int
) -> None:
    made = make_actor(ready_site(make_site), monkeypatch, f"[caps]\ngroups = {groups}\n{ROLES}")
    with made.office.open():
        tell_switches(made.site.store)
        told = Person(made.site).client.get(f"/api/v2/policy?nodes={READY}").json["outlook"][READY]
    by_group = [
        cap for cap in told["caps"]["power-cycle"] if " in a group " in cap["words"] or " in savio2 " in cap["words"]
    ]
    assert [cap["left"] for cap in by_group] == [left]
