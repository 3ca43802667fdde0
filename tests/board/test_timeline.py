"""The history as the store has it: pages that hang together, and who has the most incidents."""

from __future__ import annotations

from datetime import timedelta

from botd.board.timeline import Span, read_offenders, read_page
from tests.conftest import Site, happened

NODE, OTHER = "n0000.savio2", "n0001.savio2"


def test_pages_hang_together_and_the_last_one_says_so(site: Site) -> None:
    for i in range(4):
        happened(site, subject=f"check{i}")
    first = read_page(site.store, None, Span(), limit=2)
    happened(site, subject="late")
    second = read_page(site.store, None, Span(), before=first.next, limit=2)
    assert [change.subject for change in [*first.changes, *second.changes]] == [f"check{i}" for i in (3, 2, 1, 0)]
    assert (first.next, second.next) == (first.changes[-1].id, None)


def test_a_page_is_of_these_nodes_and_this_time(site: Site) -> None:
    for hours in (1, 2, 3):
        happened(site, ago_s=hours * 3600, subject=f"h{hours}")
    happened(site, OTHER, ago_s=7200)
    ago = [site.now - timedelta(hours=hours) for hours in (2.5, 1.5)]
    assert [change.subject for change in read_page(site.store, [NODE], Span(*ago)).changes] == ["h2"]
    assert len(read_page(site.store, [NODE], Span(ago[0])).changes) == 2
    assert len(read_page(site.store, None, Span()).changes) == 4
    assert read_page(site.store, [], Span()).changes == []


def test_offenders_are_of_these_nodes_since_then_by_what_is_an_incident(site: Site) -> None:
    happened(site)
    happened(site, OTHER, ago_s=3 * 3600)
    happened(site, OTHER, subject="load", new="fail")

    def found(nodes: list[str] | None, since_h: int) -> list[tuple[str, int]]:
        since = site.now - timedelta(hours=since_h)
        return [(each.node, each.incidents) for each in read_offenders(site.store, site.checks, nodes, since)]

    assert found(None, 2) == [(NODE, 1)]
    assert found(None, 4) == [(NODE, 1), (OTHER, 1)]
    assert found([OTHER], 4) == [(OTHER, 1)]
    assert found([], 4) == []
