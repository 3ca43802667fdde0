"""What elinks, lynx and w3m print of the morning round at 80 columns."""

from __future__ import annotations

from botd.text import plain, width
from tests.program import DemoProgram
from tests.text_browsers.conftest import Dump


def bare(text: str) -> str:
    """The text without blanks, which a browser may put where it breaks a line."""
    return "".join(text.split())


def test_every_node_stands_under_its_family_with_state_reason_cause_and_next_step(
    dump: Dump, program: DemoProgram
) -> None:
    text = dump("/", 80)
    body = program.json("/api/v1/round")
    assert f"{body['out']} out of service of {body['total']} nodes" in text
    told = bare(text)
    place = 0
    for family in body["families"]:
        place = told.index(bare(f"{family['title']}{family['count']}")[1:], place)
        for node in family["nodes"]:
            at = told.index(bare(f"{node['node']} {node['mark'] or ''} {node['state']}"), place)
            after = told[at : at + 1200]
            assert bare(plain(node["reason"])) in after
            assert bare(node["explanation"]) in after
            assert family["aside"] or bare(f"-> {node['next']}") in after
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_it_keeps_to_80_columns_but_for_what_cannot_break(dump: Dump) -> None:
    wide = [line for line in dump("/", 80).splitlines() if width(line.rstrip()) > 80]
    assert all(len(line.split()) == 1 for line in wide)


def test_nothing_stands_there_that_only_a_script_can_use(dump: Dump) -> None:
    text = dump("/", 80)
    assert "Copy" not in text
    assert "All of n" not in text
