"""GET /cluster: the picture of the cluster."""

from __future__ import annotations

import re
from dataclasses import replace

from botd.model import Reading, State
from tests.conftest import Site, drained, idle
from tests.pages.elements import BROWSER, Elements, page


def test_the_picture_has_a_square_for_every_node_in_one_block(site: Site) -> None:
    site.reading("n0002.savio3", ssh=Reading(State.FAIL, "timeout"), load=Reading(State.WARN, 2.0))
    site.reading("n0010.savio3", load=Reading(State.WARN, 2.0))
    found = page(site, "/cluster?by=partitions")
    squares = [link for link in found.all("a") if (link["href"] or "").startswith("/node/")]
    assert {square["href"]: (square["class"], square["title"]) for square in squares} == {
        "/node/n0000.savio2": ("ok", "n0000.savio2: ok"),
        "/node/n0001.savio2": ("ok", "n0001.savio2: ok"),
        "/node/n0002.savio3": ("fail", "n0002.savio3: fail SSH"),
        "/node/n0010.savio3": ("warn", "n0010.savio3: warn Load"),
    }
    assert len(squares) == 4
    text = " ".join(found.text.split())
    assert "Together: 1 fail in 1 of 2 groups, 1 warn in 1 of 2 groups, 2 ok in 1 of 2 groups." in text
    assert "savio2 2 nodes: 2 ok . ." in text
    assert "savio3 2 nodes: 1 fail (n0002.savio3), 1 warn (n0010.savio3) X !" in text


def test_a_narrow_table_names_what_failed(site: Site) -> None:
    for node, state in (("n0000.savio2", State.FAIL), ("n0002.savio3", State.WARN)):
        site.reading(node, ssh=Reading(state, "timeout"))
    header, *rows = site.client.get("/cluster?width=70").text.splitlines()
    assert header.split()[-1] == "FAIL_NODES"
    assert any(row.endswith(" n0000.savio2") for row in rows)
    assert "# no room for: WARN_NODES" in rows


def test_the_picture_causes_no_sweep_unless_an_age_is_given(site: Site) -> None:
    site.nodes(idle("n0099.savio2"))
    text = page(site, "/cluster").text
    assert "1 node was not read yet." in text
    assert site.store.sweeps.figures().by_state == {}
    page(site, "/cluster?max_age=60&wait=0")
    assert site.store.sweeps.figures().by_state == {"queued": 1}


def test_the_picture_of_ten_thousand_nodes_is_small(site: Site) -> None:
    site.nodes(*(idle(f"n{number:04d}.savio2") for number in range(10_000)))
    html = site.client.get("/cluster", headers=BROWSER).text
    assert html.count('href="/node/') == 10_000
    assert len(html) < 120 * 10_000


def test_the_words_below_a_block_cut_a_long_nodeset(site: Site) -> None:
    names = [f"n{number * 2:04d}.savio2" for number in range(100)]
    site.nodes(*map(idle, names))
    for name in names:
        site.reading(name, ssh=Reading(State.FAIL, "timeout"))
    assert re.search(r"100 fail \(n\[0000,[\d,]+…\)", page(site, "/cluster").text)


def test_a_picture_by_an_unknown_group_is_an_error_with_the_nearest(site: Site) -> None:
    response = site.client.get("/cluster?by=rack2", headers=BROWSER)
    assert response.status_code == 404
    assert "/?groups=rack1" in Elements(response.text).links


def test_a_node_that_was_not_read_is_as_slurm_has_it(site: Site) -> None:
    busy = [
        replace(idle(f"n009{n}.savio2"), state=base.lower(), base=base)
        for n, base in enumerate(("MIXED", "ALLOCATED"), 5)
    ]
    strange = replace(idle("n0097.savio2"), state="planned<b>", base="PLANNED<b>")
    site.nodes(*busy, strange, drained("n0098.savio2"), idle("n0099.savio2"))
    found = page(site, "/cluster")
    squares = {link["href"]: (link["class"], link["title"]) for link in found.all("a") if "title" in link}
    assert squares == {
        "/node/n0095.savio2": ("mixed", "n0095.savio2: mixed and not read"),
        "/node/n0096.savio2": ("allocated", "n0096.savio2: allocated and not read"),
        "/node/n0097.savio2": ("unread", "n0097.savio2: not read"),
        "/node/n0098.savio2": ("out", "n0098.savio2: out of service and not read"),
        "/node/n0099.savio2": ("idle", "n0099.savio2: idle and not read"),
    }
    text = " ".join(found.text.split())
    for told in ("1 out of service and not read (n0098.savio2)", "1 mixed and not read", "1 not read m a - x i"):
        assert told in text
    assert "m mixed and not read, a allocated and not read, i idle and not read, - not read." in text
    assert site.get("/cluster?format=json")["blocks"][0]["unread"] == 5
