"""What elinks, lynx and w3m print of the pages, in 80 and in 160 columns."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from botd.checks import Checks, site_checks
from botd.config import load_config
from botd.display.cells import cell
from botd.display.findings import verdict
from botd.text import plain, width
from tests.program import DemoProgram
from tests.text_browsers.conftest import Dump, every_node

QUOTES = "\"'“”`"


@pytest.fixture(scope="module")
def checks(program: DemoProgram) -> Checks:
    return site_checks(load_config(str(program.config_path)))


AGE = r"\d+(?:s|min|h|d)"
"""How long a node has been so, without the blank."""


def section(text: str, start: str, end: str) -> list[str]:
    """The lines between the captions of two tables."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if start in line)
    last = next(i for i, line in enumerate(lines) if i > first and re.match(rf"\W*(?:{end})", line))
    return [line for line in lines[first + 1 : last] if line.strip()]


def rows(lines: list[str], names: list[str]) -> dict[str, list[str]]:
    """The lines of each node: those from its name on."""
    found: dict[str, list[str]] = {}
    for line in lines:
        first = line.split()[0]
        if first in names:
            found[first] = []
        if found:
            found[list(found)[-1]].append(line)
    return found


def bare(text: str) -> str:
    """The text without blanks, which a browser may put where it breaks a line."""
    return re.sub(r"\s", "", text)


def columns(lines: list[str]) -> list[tuple[int, int]]:
    """Where the five columns of a table begin and end: between those that are blank in all lines."""
    wide = max(map(len, lines))
    used = [any(line[i : i + 1].strip() for line in lines) for i in range(wide)]
    edges = [i for i in range(1, wide) if used[i] != used[i - 1]]
    bounds = ([0] if used[0] else []) + edges + [wide]
    return [*zip(bounds[:8:2], bounds[1:8:2], strict=True), (bounds[8], wide)]


def cells(row: list[str], where: list[tuple[int, int]]) -> list[str]:
    return [bare("".join(line[start:end] for line in row)) for start, end in where]


def expected(node: dict[str, Any], checks: Checks) -> list[str]:
    """A node's row in the first table, without its age."""
    slurm, cause = node["slurm"], node["recommendation"]["title"]
    words = verdict(node["readings"], checks)
    return [node["node"], slurm["state"], cause, words, plain(slurm["reason_by"]), plain(slurm["reason"])]


@pytest.mark.parametrize("wide", [80, 160])
def test_every_node_stands_there_with_its_state_diagnosis_findings_age_and_reason(
    dump: Dump, browser: str, program: DemoProgram, checks: Checks, wide: int
) -> None:
    nodes = every_node(program, "sinfo")
    lines = section(dump("/nodes", wide), "What is wrong", "Every reading|CAPTION: Every reading")
    found = rows(lines, [node["node"] for node in nodes])
    assert list(found) == [node["node"] for node in nodes]
    for node in nodes:
        name, state, cause, words, by, reason = map(bare, expected(node, checks))
        told = AGE + re.escape(by) + f"[{QUOTES}]" + re.escape(reason) + f"[{QUOTES}]"
        if browser == "lynx":
            assert re.fullmatch(re.escape(name + state + cause + words) + told, bare("".join(found[node["node"]])))
        else:
            got = cells(found[node["node"]], columns(lines))
            assert got[:4] == [name, state, cause, words]
            assert re.fullmatch(told, got[4])


@pytest.mark.parametrize("wide", [80, 160])
def test_the_table_of_what_is_wrong_keeps_to_the_width_of_the_terminal(dump: Dump, wide: int) -> None:
    lines = section(dump("/nodes", wide), "What is wrong", "Every reading|CAPTION: Every reading")
    assert max(map(width, lines)) <= wide


def test_the_whole_page_keeps_to_160_columns(dump: Dump) -> None:
    assert max(map(width, dump("/nodes", 160).splitlines())) <= 160


def words_of(text: str) -> Counter[str]:
    """The words of a text, taken apart where a browser may break a line."""
    return Counter(re.findall(r"[^\s\-._/]+", text))


def test_every_value_of_every_node_stands_in_160_columns(dump: Dump, program: DemoProgram, checks: Checks) -> None:
    nodes = every_node(program, "sinfo")
    found = rows(section(dump("/nodes", 160), "Every reading", "Groups"), [node["node"] for node in nodes])
    assert list(found) == [node["node"] for node in nodes]
    for node in nodes:
        values = " ".join(cell(reading, checks[name]) for name, reading in node["readings"].items())
        assert words_of(" ".join(found[node["node"]])) == words_of(f"{node['node']} {values}")


@pytest.mark.parametrize("wide", [80, 160])
def test_the_page_says_how_old_it_is_what_was_not_reached_and_which_groups_there_are(
    dump: Dump, program: DemoProgram, wide: int
) -> None:
    text = " ".join(dump("/nodes", wide).split())
    nodes = every_node(program, "sinfo")
    silent = sum(node["readings"]["ping"]["state"] == "fail" for node in nodes)
    assert f"{len(nodes)} nodes: sinfo" in text
    assert re.search(r"Readings are \d+ (s|min)( to \d+ (s|min))? old", text)
    assert f"{silent} nodes do not answer ping" in text
    groups = program.json("/api/v1/group-list")["groups"]
    assert all(f"{group['group']} ({group['count']})" in text for group in groups)


@pytest.mark.parametrize("wide", [80, 160])
def test_the_page_of_a_node_has_every_reading_whole(
    dump: Dump, program: DemoProgram, checks: Checks, wide: int
) -> None:
    node = next(n for n in every_node(program) if n["readings"]["ssh"]["state"] == "fail")
    text = dump(f"/node/{node['node']}", wide)
    assert max(map(width, text.splitlines())) <= wide
    assert bare(plain(node["slurm"]["reason"])) in bare(text)
    wanted = Counter[str]()
    for name, reading in node["readings"].items():
        detail = "" if reading["detail"] == reading["value"] else reading["detail"]
        wanted += words_of(f"{checks[name].title} {reading['state']} {cell(reading, checks[name])} {detail}")
    assert wanted - words_of(text) == Counter()


@pytest.mark.parametrize("wide", [80, 160])
def test_the_picture_reads_as_words(dump: Dump, program: DemoProgram, wide: int) -> None:
    text = dump("/cluster?by=partitions", wide)
    assert max(map(width, text.splitlines())) <= wide
    flat = " ".join(text.split())
    for block in program.json("/cluster?by=partitions&format=json")["blocks"]:
        assert f"{block['group']} {block['count']} node" in flat
        if block["fail"]:
            assert f"{block['fail']} fail (" in flat
    squares = re.findall(r"(?<!\S)[.X!?-](?!\S)", flat)
    assert len(squares) >= len(every_node(program))


def test_hostile_text_is_text_in_a_dump(dump: Dump) -> None:
    text = dump("/nodes", 160)
    assert "<script>alert(1)</script>" in text
    assert "=cmd()" in text
    assert "&amp;" in text
    assert all(line.isprintable() for line in text.splitlines())


def test_what_needs_a_script_is_not_shown(dump: Dump) -> None:
    assert "Clear filters" not in dump("/nodes", 160)


def test_an_unknown_node_is_answered_with_the_nearest_names(dump: Dump, program: DemoProgram) -> None:
    names = [node["node"] for node in every_node(program)]
    text = dump(f"/node/{names[0]}x", 80)
    assert names[0] in text.split()
