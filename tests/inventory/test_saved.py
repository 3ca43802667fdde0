"""Saved `sinfo -R` outputs: recorded ones of each layout, and the ways in which files differ."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from botd.inventory.rows import LAYOUTS
from botd.inventory.saved import parse_saved
from botd.inventory.states import is_out_of_service
from botd.inventory.times import NEVER, parse_time
from botd.model import SlurmNode
from tests.inventory.tables import (
    LONG_REASONS,
    MARKED,
    NODE_FIRST,
    REASONS,
    TOUCHING,
    USER_FIRST,
    Column,
    printed,
    shape,
)
from tests.recorded import FOLDER

RECORDED = FOLDER / "slurm-22.05.8"
AT = datetime(2026, 11, 23, 20, 16, 37, tzinfo=UTC)
ROW = {"REASON": "bad", "USER": "root", "TIMESTAMP": "2026-11-23T20:16:37", "STATE": "down*", "NODELIST": "n1"}
SECOND = {**ROW, "REASON": "ß", "USER": "abc", "STATE": "drng", "NODELIST": "n2"}


@pytest.fixture(autouse=True)
def utc_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def recorded(name: str) -> str:
    return (RECORDED / name).read_bytes().decode("utf-8", "replace")


def names(nodes: tuple[SlurmNode, ...]) -> list[str]:
    return [node.node for node in nodes]


def read(text: str) -> tuple[tuple[SlurmNode, ...], list[str]]:
    return parse_saved(text.encode("utf-8", "surrogateescape"), "file")


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("name", ["sinfo-R.txt", "sinfo-R-node-first.txt", "sinfo-R-user-first.txt"])
def test_every_recorded_layout_gives_the_same_nodes_with_and_without_header(name: str, header: bool) -> None:
    text = recorded(f"twelve-nodes/{name}") if header else recorded(f"twelve-nodes/{name}").partition("\n")[2]
    nodes, problems = read(text)
    assert problems == []
    assert sorted(names(nodes)) == sorted([f"n000{i}.savio2" for i in range(5)] + [f"n000{i}.savio3" for i in range(4)])
    by_name = {node.node: node for node in nodes}
    assert {node.reason_by for node in nodes} == {"root"}
    assert by_name["n0001.savio2"].reason == "a  b\tc"
    assert by_name["n0001.savio2"].reason_at == AT
    assert by_name["n0001.savio3"].reason == "=cmd()|x"
    assert by_name["n0000.savio3"].reason.startswith("Reason=fake [root@20")
    assert by_name["n0003.savio3"].state == ("" if name == "sinfo-R.txt" else "down*")


def test_a_layout_with_states_gives_base_and_flags() -> None:
    nodes, _ = read(recorded("twelve-nodes/sinfo-R-node-first.txt"))
    node = next(node for node in nodes if node.node == "n0002.savio2")
    assert (node.state, node.base, node.flags) == ("drain", "IDLE", ("DRAIN",))  # as it stands there
    assert node.reason == "quote \" ' ; % & <b>x</b> `id` $(id)"


def test_the_long_form_has_a_date_above_and_states() -> None:
    nodes, problems = read(recorded("ten-nodes/sinfo-lR.txt"))
    states = {node.node: node.state for node in nodes}
    assert states == {"n0": "drain", "n1": "drain", "n2": "down$", "n3": "drain*", "n4": "fail*", "n5": "down*"}
    assert problems == []
    assert next(node.reason for node in nodes if node.node == "n3") == "line1\nline2 n4|drain"
    assert {node.reason_by for node in nodes} == {"root"}  # printed as root(0)


def test_a_table_with_partitions_and_without_reasons_is_read_too() -> None:
    for name in ("sinfo-N.txt", "sinfo.txt"):
        nodes, problems = read(recorded(f"twelve-nodes/{name}"))
        assert problems == []
        assert len(nodes) == 12
        assert {node.partitions for node in nodes} == {("savio2",), ("savio3",), ("vector0",)}
        assert [node.state for node in nodes if node.node == "n0000.vector0"] == ["idle"]


def test_a_node_of_two_partitions_is_one_node_with_both() -> None:
    nodes, _ = read(
        "NODELIST   NODES PARTITION STATE\nn1             1     main* drain\nn1             1       htc drain\n"
    )
    assert [(node.node, node.partitions) for node in nodes] == [("n1", ("htc", "main"))]


def test_a_reason_cut_inside_a_character_costs_nothing() -> None:
    data = "ünïcode ☃ — ☃x".encode()[:20] + b" root      2026-11-23T20:16:37 n0004.savio2\n"
    nodes, problems = read(data.decode("utf-8", "replace"))
    assert problems == []
    assert names(nodes) == ["n0004.savio2"]
    assert nodes[0].reason.startswith("ünïcode ☃ —")


def test_folded_names_in_one_cell_are_expanded() -> None:
    nodes, _ = read("bad             root 2026-11-23T20:16:37 n[0000-0003].savio2,n0007.savio[2-3]\n")
    assert names(nodes) == [f"n000{i}.savio2" for i in range(4)] + ["n0007.savio2", "n0007.savio3"]


@pytest.mark.parametrize(
    "text",
    [
        "bad disk  root 2026-11-23T20:16:37 n1,n2,\nn3\nworse     root 2026-11-23T20:16:37 n9\n",
        "bad disk  root 2026-11-23T20:16:37 n1,\n   n2,\n   n3\nworse     root 2026-11-23T20:16:37 n9\n",
        "bad disk  root 2026-11-23T20:16:37 n[1,\n   2-3]\nworse     root 2026-11-23T20:16:37 n9\n",
        "bad disk  root 2026-11-23T20:16:37 n1,n2\n           ,n3\nworse     root 2026-11-23T20:16:37 n9\n",
        "n1,n2, drain 2026-11-23T20:16:37 root bad disk\nn3\nn9 drain 2026-11-23T20:16:37 root worse\n",
        "n1,n2,\nn3 drain 2026-11-23T20:16:37 root bad disk\nn9 drain 2026-11-23T20:16:37 root worse\n",
        "root 2026-11-23T20:16:37 drain n1, bad disk\n       n2,n3\nroot 2026-11-23T20:16:37 drain n9 worse\n",
    ],
)
def test_a_node_list_goes_on_over_lines(text: str) -> None:
    nodes, problems = read(text)
    assert problems == []
    assert {node.node: node.reason for node in nodes} == {
        "n1": "bad disk",
        "n2": "bad disk",
        "n3": "bad disk",
        "n9": "worse",
    }


def test_an_indented_word_without_a_digit_is_no_node() -> None:
    nodes, problems = read("bad disk  root 2026-11-23T20:16:37 n1\n   rebooting\n")
    assert names(nodes) == ["n1"]
    assert [problem.partition(": ")[0] for problem in problems] == ["file:2"]


def test_comments_blank_lines_and_carriage_returns_do_not_matter() -> None:
    text = "# saved at seven\n\nREASON USER TIMESTAMP NODELIST\r\n\r\nbad disk root 2026-11-23T20:16:37 n1\r\n  \n#x\n"
    nodes, problems = read(text)
    assert problems == []
    assert [(node.node, node.reason) for node in nodes] == [("n1", "bad disk")]


def test_a_node_list_goes_on_over_lines_that_end_with_carriage_returns() -> None:
    nodes, problems = read("n1,\r\nn2 drain 2026-11-23T20:16:37 root bad disk\r\n")
    assert problems == []
    assert names(nodes) == ["n1", "n2"]


def test_the_header_says_which_column_is_which() -> None:
    nodes, problems = read(
        "PARTITION NODELIST STATE REASON               USER      TIMESTAMP\n"
        "savio2*   n1       down* 2020-01-01T00:00:00 n7 root      2026-11-23T20:16:37\n"
    )
    assert problems == []
    (node,) = nodes
    assert (node.node, node.reason, node.reason_at, node.partitions) == (
        "n1",
        "2020-01-01T00:00:00 n7",
        AT,
        ("savio2",),
    )


def test_a_second_header_changes_the_columns() -> None:
    nodes, problems = read(
        "REASON USER TIMESTAMP NODELIST\nbad root 2026-11-23T20:16:37 n1\n"
        "USER TIMESTAMP STATE NODELIST REASON\nroot 2026-11-23T20:16:37 drain n2 worse\n"
    )
    assert problems == []
    assert [(node.node, node.reason) for node in nodes] == [("n1", "bad"), ("n2", "worse")]


def test_a_time_stamp_inside_a_reason_moves_no_column() -> None:
    fake = "since 2020-01-01T00:00:00 n8 root 2021-01-01T00:00:00 n9"
    for line in (
        f"{fake} root 2026-11-23T20:16:37 n1",
        f"n1 drain 2026-11-23T20:16:37 root {fake}",
        f"root 2026-11-23T20:16:37 drain n1 {fake}",
    ):
        nodes, problems = read(line)
        assert problems == []
        assert [(node.node, node.reason, node.reason_at) for node in nodes] == [("n1", fake, AT)]


def test_no_reason_and_no_time_are_not_known() -> None:
    nodes, _ = read("none                 Unknown   Unknown             n1\n")
    assert [(node.node, node.reason, node.reason_at) for node in nodes] == [("n1", "", None)]


def test_a_line_that_cannot_be_read_is_named_and_the_rest_is_used() -> None:
    text = (
        "REASON USER TIMESTAMP NODELIST\n"
        "bad root\n"
        "bad root 2026-11-23T20:16:37 n[1-\n"
        "bad root 2026-11-23T20:16:37 n;rm\n"
        "bad root 2026-11-23T20:16:37 n[0-99999999]\n"
        "bad root 2026-11-23T20:16:37 n5\n"
    )
    nodes, problems = read(text)
    assert names(nodes) == ["n5"]
    assert sorted(problem.partition(": ")[0] for problem in problems) == ["file:2", "file:3", "file:4", "file:5"]


def test_an_unfinished_last_list_is_named() -> None:
    nodes, problems = read("bad root 2026-11-23T20:16:37 n5\nn6,\n")
    assert names(nodes) == ["n5"]
    assert problems == ["file: the last node list ends with a comma and does not go on"]


def test_the_first_record_of_a_node_counts() -> None:
    nodes, _ = read("one root 2026-11-23T20:16:37 n1\ntwo root 2026-11-23T20:16:37 n1\n")
    assert [node.reason for node in nodes] == ["one"]


def test_times_are_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XYZ+7")
    time.tzset()
    assert parse_time("2026-11-23T20:16:37") == datetime(2026, 11, 24, 3, 16, 37, tzinfo=UTC)


@pytest.mark.parametrize("text", ["Unknown", "", "0000-00-00T00:00:00", "0001-01-01T00:00:00", "2026-11-23"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_time(text) is None or text == "0001-01-01T00:00:00"


# ---- what is in the list is not its node ----


def out(nodes: tuple[SlurmNode, ...]) -> list[str]:
    return [node.node for node in nodes if is_out_of_service(node)]


def test_a_reason_may_begin_with_a_hash() -> None:
    row = {"REASON": "#4711 dimm B2 failed", "USER": "root", "TIMESTAMP": "2026-11-23T20:16:37", "NODELIST": "n[3-4]"}
    for header in (True, False):
        nodes, problems = parse_saved(b"# saved at seven\n" + printed(REASONS, [row], header=header), "file")
        assert problems == []
        assert [(node.node, node.reason) for node in nodes] == [("n3", row["REASON"]), ("n4", row["REASON"])]


def test_a_comment_that_may_be_a_row_is_told() -> None:
    nodes, problems = read("USER TIMESTAMP REASON NODELIST\nroot 2026-11-23T20:16:37 bad n1\n#root 2026-11-23 bad n2\n")
    assert (names(nodes), problems) == (["n1"], [])  # no user is called #root
    nodes, problems = read("REASON USER TIMESTAMP NODELIST\nbad root 2026-11-23 n1\n# on 2026-11-23 n2\n")
    assert (names(nodes), [problem.partition(": ")[0] for problem in problems]) == (["n1"], ["file:2", "file:3"])


def test_every_row_of_a_list_of_reasons_is_out_whatever_its_word() -> None:
    words = ("inval", "boot^", "boot", "maint", "down*", "drng", "fail", "hovering")
    rows = [{**ROW, "STATE": word, "NODELIST": f"n{i}"} for i, word in enumerate(words)]
    nodes, problems = parse_saved(printed(LONG_REASONS, rows), "file")
    assert out(nodes) == names(nodes) == [f"n{i}" for i in range(len(words))]
    assert [node.state for node in nodes] == [*words[:-1], "hoveri"]
    assert problems == ['file:9: "hoveri" is no state that botd knows']


def test_of_a_list_of_all_nodes_those_are_out_whose_word_says_so_or_hides_it() -> None:
    words = ("idle", "inval", "boot^", "reboot", "mix@", "maint", "down*", "idle+reboot_requested", "mixed+fail")
    rows = "".join(f"n{i} 1 main* {word}\n" for i, word in enumerate(words))
    nodes, problems = read(f"NODELIST NODES PARTITION STATE\n{rows}")
    assert (out(nodes), problems) == (["n1", "n2", "n3", "n6", "n8"], [])


def test_columns_that_touch_are_cut_where_the_titles_begin() -> None:
    reasons = shape(("REASON", 20), ("USER", 20), ("TIMESTAMP", 20), ("NODELIST", 20), behind="")
    nodes, problems = parse_saved(printed(reasons, [{**ROW, "REASON": "NHC: check_fs_mount:/scratch"}, SECOND]), "file")
    assert problems == []
    assert [(n.node, n.reason, n.reason_by) for n in nodes] == [
        ("n1", "NHC: check_fs_mount:", "root"),
        ("n2", "ß", "abc"),
    ]
    node_first = shape(("NODELIST", 20), ("STATE", 20), ("REASON", 20), behind="")
    rows = [{**ROW, "NODELIST": "gpu-a100-node-000001", "STATE": "drained"}, SECOND]
    nodes, problems = parse_saved(printed(node_first, rows).replace(b"STATE    ", b"STATELONG"), "file")
    assert [(n.node, n.state, n.reason) for n in nodes] == [
        ("gpu-a100-node-000001", "drained", "bad"),
        ("n2", "drng", "ß"),
    ]
    assert problems == [
        'file:2: "gpu-a100-node-000001" fills its column, so sinfo may have cut it; save the list with a wider one'
    ]


def test_words_may_stand_at_the_right_of_their_columns() -> None:
    columns = [Column(title, 20, "", right=True) for title in ("NODELIST", "STATE", "REASON")]
    rows = [ROW, {**ROW, "NODELIST": "gpu-a100-node-000001", "REASON": "disk 17"}]
    nodes, problems = parse_saved(printed(columns, rows), "file")
    assert [(node.node, node.state, node.reason) for node in nodes] == [
        ("n1", "down*", "bad"),
        ("gpu-a100-node-000001", "down*", "disk 17"),
    ]
    assert [problem.partition(" fills")[0] for problem in problems] == ['file:3: "gpu-a100-node-000001"']


@pytest.mark.parametrize(
    ("cut", "sure"),
    [
        ("n[0001-0004,0006-001", ["n0001", "n0002", "n0003", "n0004"]),
        ("n0001.savio2,n0002.s", ["n0001.savio2"]),
        ("n00000001,n000000002", ["n00000001"]),
        ("n0000001,n0000002,n3", ["n0000001", "n0000002"]),
        ("a000000001,b00000001", ["a000000001"]),
        ("nodes0001,nodes[2-3]", ["nodes0001", "nodes2", "nodes3"]),
    ],
)
def test_of_a_list_that_was_cut_the_whole_names_are_taken(cut: str, sure: list[str]) -> None:
    table = printed(shape(("NODELIST", 20), ("STATE", 20), behind=""), [{"NODELIST": cut, "STATE": "down"}])
    nodes, problems = parse_saved(table, "file")
    assert names(nodes) == sure
    assert "may have cut it" in problems[0]


def test_a_word_longer_than_the_title_above_it_is_one_word() -> None:
    nodes, problems = read("USER      NODELIST REASON\nroot      n0001.savio3 no IB\nroot      n1 bad\n")
    assert problems == []
    assert {node.node: node.reason for node in nodes} == {"n0001.savio3": "no IB", "n1": "bad"}


@pytest.mark.parametrize(
    "title", ["STATE", "STATELONG", "STATECOMPACT", "STATECOMPLETE", "STAT", "NODEHOST", "HOSTNAMES", "NODE_ADDR"]
)
def test_every_title_of_a_state_and_of_nodes_is_known(title: str) -> None:
    header = f"{title} STATE" if title[0] in "NH" else f"NODELIST {title}"
    (node,), problems = read(f"{header} REASON\nn1 down no IB\n")
    assert (node.node, node.state, node.reason, problems) == ("n1", "down", "no IB", [])


def test_the_best_of_two_columns_of_one_meaning_is_taken() -> None:
    (node,), problems = read("NODE_ADDR HOSTNAMES NODELIST STATE STATECOMPLETE\n10.0.0.1 h1 n1 boot idle+drain\n")
    assert (node.node, node.state, node.flags, problems) == ("n1", "idle+drain", ("DRAIN",), [])


@pytest.mark.parametrize("mark", ["|", ",", ";", "\t", " | "])
def test_a_mark_between_the_columns_cuts_them(mark: str) -> None:
    (node,), problems = read(f"{mark.join(('NODELIST', 'STATE', 'REASON'))}\n{mark.join(('n1', 'down', 'a| b; c'))}\n")
    assert (node.node, node.state, node.reason, problems) == ("n1", "down", "a| b; c", [])


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-23 20:16:37", AT),
        ("1795464997", AT),
        *(
            (text, None)
            for text in ("Ystday 01:02", "17 Nov 08:11", "09:12:13", "3 Feb 2024", "Sat 02:17", "Tomorr 03:22")
        ),
        *((text, None) for text in ("Mon Nov 23 20:16:37", "23.11.2026 20:16", "#" * 19, "Monday", "08:16 PM", "")),
    ],
)
@pytest.mark.parametrize("columns", [REASONS, LONG_REASONS, TOUCHING])
def test_a_time_in_another_form_costs_no_node(text: str, at: datetime | None, columns: tuple[Column, ...]) -> None:
    (node,), problems = parse_saved(printed(columns, [{**ROW, "TIMESTAMP": text}]), "file")
    assert (node.node, node.reason, node.reason_by, node.reason_at) == ("n1", "bad", "root", at)
    told = "cannot be read as a time; save the list with SLURM_TIME_FORMAT=standard"
    assert problems == ([f'file:2: "{text}" {told}'] if text and at is None else [])


def test_times_that_cannot_be_read_are_told_once() -> None:
    rows = [{**ROW, "TIMESTAMP": time, "NODELIST": f"n{i}"} for i, time in enumerate(["None", "09:12:13", "Sat 02:17"])]
    _, problems = parse_saved(printed(REASONS, rows), "file")
    assert [problem.partition(" cannot")[0] for problem in problems] == ['file:3: "09:12:13" (and 1 more)']


def test_a_row_that_is_broken_by_newlines_is_one_row() -> None:
    row = {**ROW, "REASON": "see\nticket 7 n8", "TIMESTAMP": "2026-11-23\n20:16:37"}
    (node,), problems = parse_saved(printed(REASONS, [row]), "file")
    assert (node.node, node.reason, node.reason_by, problems[1:]) == ("n1", row["REASON"], "root", [])


def test_a_file_may_begin_with_a_byte_order_mark_and_hold_several_clusters() -> None:
    table = printed(REASONS, [ROW])
    text = b"\xef\xbb\xbfCLUSTER: a\n" + table + b"\nCLUSTER: b\n" + table.replace(b"n1", b"n2")
    nodes, problems = parse_saved(text, "file")
    assert (names(nodes), problems) == (["n1", "n2"], [])


WORDS = ("down*", "drain", "drng", "inval", "boot^", "boot", "maint", "fail", "failg", "drain@", "hovering")
FORMATS = (
    "%FT%T", "%F %T", "%d.%m.%Y %H:%M", "%c", "%m/%d/%y", "%s", "%D-%T", "%I:%M %p", "%e %b %Y", "%H:%M:%S", "%a %H:%M",
    "%-d %b %H:%M", "%-d %b %Y", "Ystday %H:%M", "%Y%m%d", "%B %d", "%FT%T%z", "%F_%H:%M",
)  # fmt: skip
NO_NUMBERS = ("%A", "%b", "%%", "[%Y]", "week %V")
"""Formats whose times have no shape: they cost no node where the columns have widths."""

NASTY = ("#1", "# x", "none", "NHC: check_fs_mount: /global", "NODELIST STATE", "17 Nov 08:11 n7", "n1,", "x" * 40)
REASON_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=40) | st.sampled_from(NASTY)


@st.composite
def lists(draw: st.DrawFn, formats: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows with any reason, times of one format, and any state."""
    form = draw(st.sampled_from(formats))
    times = st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.strftime(form))
    row = st.fixed_dictionaries(
        {
            "REASON": REASON_TEXTS,
            "USER": st.sampled_from(("root", "Unknown", "nobody(4294967294)")),
            "TIMESTAMP": times | st.sampled_from(("Unknown", "None")),
            "STATE": st.sampled_from(WORDS),
            "NODELIST": st.from_regex(r"[a-z]{1,8}[0-9]{1,4}(\.[a-z]{1,5}[0-9])?", fullmatch=True),
        }
    )
    return draw(st.lists(row, min_size=1, max_size=5, unique_by=lambda row: row["NODELIST"]))


def assert_no_node_is_lost(columns: tuple[Column, ...], rows: list[dict[str, str]], *, header: bool = True) -> None:
    nodes, problems = parse_saved(printed(columns, rows, header=header), "file")
    assert set(out(nodes)) == set(names(nodes)) == {row["NODELIST"] for row in rows}
    times = [row["TIMESTAMP"][:19] for row in rows if row["TIMESTAMP"] not in NEVER]
    assert any("SLURM_TIME_FORMAT" in problem for problem in problems) == any(parse_time(at) is None for at in times)


@given(lists(FORMATS + NO_NUMBERS), st.sampled_from([REASONS, LONG_REASONS, TOUCHING, MARKED]))
def test_no_reason_time_or_state_costs_a_node_where_columns_have_widths_or_marks(
    rows: list[dict[str, str]], columns: tuple[Column, ...]
) -> None:
    assert_no_node_is_lost(columns, rows)


@given(lists(FORMATS), st.sampled_from([REASONS, LONG_REASONS]))
def test_nor_in_a_list_without_a_header(rows: list[dict[str, str]], columns: tuple[Column, ...]) -> None:
    assert_no_node_is_lost(columns, rows, header=False)


@given(lists(FORMATS), st.sampled_from([NODE_FIRST, USER_FIRST]))
def test_nor_where_columns_are_as_wide_as_their_words(rows: list[dict[str, str]], columns: tuple[Column, ...]) -> None:
    assert_no_node_is_lost(columns, rows)


ANY_REASON = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=40).map(str.strip)


@given(st.sampled_from(LAYOUTS), ANY_REASON)
@example(LAYOUTS[3], "NOT RESPONDING")
def test_any_reason_survives_in_any_layout_with_a_header(columns: tuple[str, ...], reason: str) -> None:
    cells = {"NODELIST": "n1", "STATE": "down*", "TIMESTAMP": "2026-11-23T20:16:37", "USER": "root", "REASON": reason}
    line = " ".join(cells[column] for column in columns)
    nodes, problems = read(f"{' '.join(columns)}\n{line}\n")
    assert problems == []
    assert [(node.node, node.reason) for node in nodes] == [("n1", "" if reason == "none" else reason)]


@given(st.text(alphabet=st.sampled_from("n1 [],-\n\r\t#:TROSE2026\x85\u2028é*"), max_size=300))
@example("n1,\n" * 50)
@example("NODELIST STATE\n")
def test_any_text_gives_nodes_and_problems_and_no_exception(text: str) -> None:
    nodes, problems = read(text)
    assert len(set(names(nodes))) == len(nodes)
    assert all(problem.startswith("file:") for problem in problems)
