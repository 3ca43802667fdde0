"""Notes on nodes, several at once; and what botd suggests as a script."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd import nodeset
from botd.client.suggest import _family
from tests.client.conftest import Home, answering, http
from tests.program import DemoProgram


def notes(home: Home, nodes: str) -> list[list[str]]:
    rows = json.loads(home.good("notes", nodes, "--json", "node,kind,text,by,until"))
    return [[row["node"], row["kind"], row["text"], row["by"], "timed" if row["until"] else ""] for row in rows]


def ill(program: DemoProgram, place: int) -> str:
    """A node that somebody would note something of."""
    families = program.json("/api/v1/round")["families"]
    every = [node["node"] for family in families for node in family["nodes"] if not node["in_service"]]
    return sorted(every)[place]


def test_a_note_is_written_on_each_node_under_ones_own_name(kmf: Home, program: DemoProgram) -> None:
    one, two = ill(program, 0), ill(program, 1)
    assert kmf.good("note", f"{one},{two}", "parts ordered") == ""
    assert notes(kmf, one) == [[one, "say", "parts ordered", "kmf", ""]]
    assert notes(kmf, two) == [[two, "say", "parts ordered", "kmf", ""]]
    (number,) = [row["id"] for row in json.loads(kmf.good("notes", one, "--json", "id"))]
    assert kmf.good("notes", "--end", str(number)) == ""
    assert notes(kmf, one) == []


def test_each_kind_of_note_has_its_word(kmf: Home, program: DemoProgram) -> None:
    node = ill(program, 2)
    kmf.good("ack", node, "I am on it")
    kmf.good("snooze", node, "3d")
    kmf.good("note", node, "RT 4711", "--ticket")
    assert notes(kmf, node) == [
        [node, "acknowledge", "I am on it", "kmf", ""],
        [node, "snooze", "", "kmf", "timed"],
        [node, "ticket", "RT 4711", "kmf", ""],
    ]


def test_a_node_that_there_is_not_keeps_no_other_from_its_note(kmf: Home, program: DemoProgram) -> None:
    node = ill(program, 3)
    done = kmf.run("note", f"n9998.savio2,{node}", "x")
    assert done.returncode == 2
    assert done.stderr.startswith("bofhbot: n9998.savio2: ")
    assert len(notes(kmf, node)) == 1


def test_who_may_not_write_is_told_so(at_home: Home, program: DemoProgram) -> None:
    done = at_home.run("note", ill(program, 0), "x")
    assert done.returncode == 2
    assert 'notes take the right "note"' in done.stderr


def test_the_script_has_a_line_for_what_can_be_done_now(at_home: Home, program: DemoProgram) -> None:
    script = at_home.good("suggest")
    assert subprocess.run(["sh", "-n"], input=script, text=True).returncode == 0
    lines = [shlex.split(line) for line in script.splitlines() if line and not line.startswith("#")]
    ready = next(f for f in program.json("/api/v1/round")["families"] if f["family"] == "ready")
    resumed = {line[5]: line[3] for line in lines if line[:3] == ["bofhbot", "do", "resume"]}
    assert {"ready to go back", "well, the processes have ended"} <= resumed.keys()
    assert set(nodeset.expand(",".join(resumed.values()))) == set(nodeset.expand(ready["nodeset"]))
    assert all(line[:2] == ["bofhbot", "do"] for line in lines)


def test_how_often_it_helped_stands_beside_it() -> None:
    node = {"node": "n1", "title": "powered off", "next": "power on", "action": "power-on", "explanation": "off"}
    counted = {**node, "node": "n2", "sure": "at least 73 %, 6 of 6"}
    told = list(_family({"title": "powered off", "gloss": "", "nodes": [node, counted]}, ["bofhbot", "do"]))
    assert told[1:3] == ["#   n1: off", "#   n2: off; power-on: at least 73 %, 6 of 6"]


def test_what_has_to_be_looked_at_first_is_commented_out(at_home: Home) -> None:
    lines = at_home.good("suggest").splitlines()
    first = [place for place, line in enumerate(lines) if line.startswith("# first: ")]
    assert first
    assert all(lines[place + 1].startswith("# bofhbot do ") for place in first)


def test_a_script_for_a_named_site_names_it(home: Home, program: DemoProgram) -> None:
    home.sites(f'[sites.demo]\nurl = "{program.base}"\n')
    assert "\nbofhbot do --site demo resume " in home.good("suggest")


EVIL = st.text() | st.sampled_from(["$(id)", "`id`", "'; id; '", "a\nid", "a\r\nid\x00", "\\", "-rf", "resume"])


@given(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL)
def test_nothing_that_a_server_wrote_runs(
    title: str, gloss: str, explanation: str, following: str, action: str, node_title: str, sure: str
) -> None:
    node = {"node": "n1", "title": node_title, "next": following, "action": action, "explanation": explanation}
    node["sure"] = sure
    lines = list(_family({"title": title, "gloss": gloss, "nodes": [node]}, ["bofhbot", "do"]))
    assert all(line.isprintable() for line in lines)
    live = [line for line in lines if not line.startswith("#")]
    assert all(shlex.split(line)[:2] == ["bofhbot", "do"] and len(shlex.split(line)) == 6 for line in live)


@pytest.mark.parametrize("name", ["n1; id", "$(id)", "-rf", "n1\nid", ""])
def test_a_name_that_is_none_makes_no_script(home: Home, name: str) -> None:
    node = {"node": name, "title": "x", "next": "resume", "action": "resume", "explanation": ""}
    families = [{"title": "x", "gloss": "x", "aside": False, "nodes": [node]}]
    with answering(http(json.dumps({"families": families}).encode())) as hostile:
        home.environ["BOFHBOT_URL"] = hostile.url
        done = home.run("suggest")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not a name" in done.stderr
