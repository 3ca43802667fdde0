"""The page that says how good botd's word is."""

from __future__ import annotations

from botd.advice.confidence import Outcome, counted
from botd.advice.experience import experience_of
from botd.advice.trust import Saying, trust_document
from tests.conftest import Site


def told(site: Site) -> None:
    outcomes = [Outcome("silent", "power-cycle", "savio2", site.now, place < 7) for place in range(9)]
    experience = experience_of(counted(outcomes), [], site.now.date())
    document = trust_document([Saying(0.75, place < 7) for place in range(9)], experience)
    site.store.copies.put("trust", {"now": document})


def test_before_anything_came_true_it_says_so(site: Site) -> None:
    page = site.client.get("/trust").text
    assert "No action was judged yet for which a chance had been told" in page
    assert "Nothing was counted yet." in page
    assert "<img" not in page
    assert site.client.get("/trust.svg").content_type == "image/svg+xml"
    assert b"botd_brier" not in site.client.get("/metrics").data


def test_it_says_what_was_told_and_what_came_and_that_few_are_few(site: Site) -> None:
    told(site)
    page = site.client.get("/trust").text
    assert "9 outcomes so far: too few to say" in page
    assert "7 of 9 were good" in page
    assert 'alt="told 75 %, came 78 % of 9"' in page
    assert "<td>7 of 9</td>" in page
    metrics = site.client.get("/metrics").text
    assert 'botd_outcomes{action="power-cycle",diagnosis="silent",verdict="good"} 7.0' in metrics
    assert "botd_brier 0." in metrics
    assert site.get("/api/v1/trust")["of"] == 9


def test_what_was_counted_is_a_table_as_well(site: Site) -> None:
    told(site)
    assert site.client.get("/api/v1/trust?format=csv").text.splitlines() == [
        "diagnosis,action,good,of,at_least,own,observed,imported,harms",
        "silent,power-cycle,7,9,0.5,9,0,0,0",
    ]
    assert site.client.get("/api/v1/trust?format=table").text.split()[-9:-6] == ["silent", "power-cycle", "7"]


def test_what_others_wrote_there_is_shown_as_nothing(site: Site) -> None:
    site.store.copies.put("trust", {"now": {"of": "<b>7</b>"}})
    assert "Nothing was counted yet." in site.client.get("/trust").text
