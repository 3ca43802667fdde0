"""The node list from Slurm: every recorded version, every nasty reason, every way to fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.errors import SlurmFailed, SlurmTimeout
from botd.inventory.slurm import (
    SlurmReader,
    generate_sinfo,
    parse_delimited,
    parse_nodes,
)
from botd.inventory.states import sinfo_list_to_node_list
from botd.model import SlurmNode
from botd.settings import SlurmSettings
from tests.recorded import FOLDER, replay

from .conftest import MakeTool, only_with

Calls = Callable[[str], list[str]]
NEWER = ("23.02.7", "23.11.10", "24.05.4")


def reader(sinfo: str = "", scontrol: str = "/nonexistent/scontrol", **settings: object) -> SlurmReader:
    return SlurmReader(SlurmSettings(sinfo=sinfo, scontrol=scontrol, **settings))  # type: ignore[arg-type]


def by_name(nodes: tuple[SlurmNode, ...]) -> dict[str, SlurmNode]:
    return {node.node: node for node in nodes}


def with_json(json_script: str, delimited_script: str) -> str:
    return f'case " $* " in *" --json"*) {json_script};; *) {delimited_script};; esac'


REFUSES_JSON = "echo \"sinfo: unrecognized option '--json'\" >&2; exit 1"


def test_it_reads_every_node_of_sinfo_json_once_and_naturally_sorted(make_tool: MakeTool) -> None:
    nodes = reader(make_tool("sinfo", only_with("--json", replay("slurm-22.05.8/twelve-nodes/sinfo.json")))).read()
    assert [node.node for node in nodes][:4] == ["n0000.savio2", "n0000.savio3", "n0000.vector0", "n0001.savio2"]
    assert len(nodes) == 12
    assert by_name(nodes)["n0003.savio3"] == SlurmNode(
        node="n0003.savio3",
        state="down*",
        base="DOWN",
        flags=("NOT_RESPONDING",),
        reason="Not responding",
        reason_by="root",
        reason_at=datetime(2026, 11, 23, 20, 16, 54, tzinfo=UTC),
        partitions=("savio3",),
        address="10.77.2.13",
        hostname="n0003.savio3",
        memory_mb=500,
        cpus=2,
        boot_at=datetime(2026, 11, 23, 20, 16, 35, tzinfo=UTC),
        slurmd_started_at=datetime(2026, 11, 23, 20, 16, 36, tzinfo=UTC),
        slurmd_version="22.05.8",
    )


def test_it_keeps_every_reason_of_a_real_slurm_as_it_was_given(make_tool: MakeTool) -> None:
    nodes = by_name(reader(make_tool("sinfo", replay("slurm-22.05.8/twelve-nodes/sinfo.json"))).read())
    assert nodes["n0001.savio2"].reason == "a  b\tc"
    assert nodes["n0002.savio2"].reason == "quote \" ' ; % & <b>x</b> `id` $(id)"
    assert nodes["n0003.savio2"].reason == "pipe | and % and \\ back\\slash"
    assert nodes["n0004.savio2"].reason == "ünïcode ☃ — x"
    assert nodes["n0000.vector0"].reason == ""
    assert nodes["n0000.vector0"].reason_at is None


@pytest.mark.parametrize("form", ["json", "delimited"])
def test_both_forms_of_one_slurm_give_the_same_reasons_and_states(make_tool: MakeTool, form: str) -> None:
    files = {"json": "sinfo.json", "delimited": "sinfo-format.txt"}
    scripts = {key: replay(f"slurm-22.05.8/ten-nodes/{file}") for key, file in files.items()}
    script = scripts["json"] if form == "json" else with_json(REFUSES_JSON, scripts["delimited"])
    nodes = by_name(reader(make_tool("sinfo", script)).read())
    assert list(nodes) == [f"n{i}" for i in range(10)]
    assert nodes["n0"].reason == "bad � utf8 | x"
    assert nodes["n2"].reason == 'tab\tand | pipe "q" <b> \\ %'
    assert nodes["n3"].reason == "line1\nline2 n4|drained"  # a newline, and a row that nobody printed
    assert nodes["n4"].state == "fail*"
    assert nodes["n5"].reason == "x" * 2000
    assert (nodes["n6"].reason, nodes["n6"].reason_by, nodes["n6"].reason_at) == ("", "", None)
    assert nodes["n9"].partitions == ("hid", "main")
    assert nodes["n0"].features == ("a", "b")
    assert nodes["n0"].memory_mb == 500
    assert (nodes["n0"].address, nodes["n0"].hostname) == ("127.0.0.1", "localhost")
    assert [node.node for node in sinfo_list_to_node_list(nodes.values())] == ["n0", "n1", "n2", "n3", "n4", "n5"]


@pytest.mark.parametrize("version", NEWER)
def test_newer_slurm_is_read_through_scontrol(make_tool: MakeTool, calls_of: Calls, version: str) -> None:
    sinfo = make_tool("sinfo", replay(f"slurm-{version}/sinfo.json"))
    scontrol = make_tool("scontrol", only_with("--json", replay(f"slurm-{version}/scontrol.json")))
    nodes = by_name(reader(sinfo, scontrol).read())
    assert list(nodes) == ["n0001.savio2", "n0002.savio2", "n0003.savio2", "n0004.savio2", "n0010.savio2"]
    down = nodes["n0010.savio2"]
    assert (down.state, down.base, down.flags) == ("drained*", "DOWN", ("DRAIN", "NOT_RESPONDING"))
    assert down.reason.startswith("quote \" ' <b>x</b> | % \\ tab\t newline\nn9999.savio2|idle \x1b[31m ü☃ xxx")
    assert down.reason.endswith("x" * 2000)
    assert (down.reason_by, down.reason_at) == ("slurm", datetime(2026, 11, 23, 20, 16, 54, tzinfo=UTC))
    assert down.boot_at is None  # 0 is never
    mixed = nodes["n0002.savio2"]
    assert (mixed.state, mixed.partitions, mixed.slurmd_version) == ("draining", ("savio2", "savio2_htc"), version)
    assert (mixed.memory_mb, mixed.cpus, mixed.features) == (64000, 32, ("savio2", "gpu"))
    assert nodes["n0003.savio2"].state == "idle~"
    assert nodes["n0004.savio2"].unrecognised == ("SOMETHING_NEW",)
    assert calls_of(scontrol) == ["--all --local show nodes --json"]


def test_numbers_that_are_infinite_or_not_set_are_not_known() -> None:
    document = json.loads((FOLDER / "slurm-24.05.4/scontrol.json").read_text())
    nodes = {node.node: node for node in parse_nodes(document)}
    assert nodes["n0003.savio2"].cpus is None
    assert nodes["n0001.savio2"].memory_mb == 64000


def test_it_remembers_the_way_that_worked(make_tool: MakeTool, calls_of: Calls) -> None:
    sinfo = make_tool("sinfo", with_json(REFUSES_JSON, replay("slurm-22.05.8/ten-nodes/sinfo-format.txt")))
    slurm = reader(sinfo)
    slurm.read()
    first = len(calls_of(sinfo))
    slurm.read()
    later = calls_of(sinfo)[first:]
    assert len(later) == 2
    assert re.fullmatch(r"--all --local -h -N --format=[0-9a-f]{16}\|%N\|%T\|%U\|%H\|%P\|%m\|%f\|%o\|%n\|%E", later[0])
    assert re.fullmatch(r"--all --local -h -N -R --format=[0-9a-f]{16}\|%N", later[1])


def test_a_word_that_hides_a_drain_costs_no_node_without_json(make_tool: MakeTool) -> None:
    rows = "".join(f"$t|n{i}|{word}|root(0)|Unknown|main*|1|(null)|n{i}|n{i}|none\\n" for i, word in enumerate(WORDS))
    token = 't=$(expr "$*" : ".*--format=\\([0-9a-f]*\\)")'
    listed = 'case " $* " in *" -R "*) printf "$t|n1\\n$t|n3\\n"; exit;; esac'
    nodes = reader(make_tool("sinfo", f'{token}\n{with_json(REFUSES_JSON, listed)}\nprintf "{rows}"')).read()
    assert [node.state for node in nodes] == list(WORDS)
    assert [node.node for node in sinfo_list_to_node_list(nodes)] == ["n0", "n1", "n3", "n5"]


WORDS = ("inval", "reboot^", "reboot", "maint", "idle", "drained")


def test_it_looks_for_another_way_after_slurm_was_upgraded(make_tool: MakeTool) -> None:
    slurm = reader(make_tool("sinfo", replay("slurm-22.05.8/twelve-nodes/sinfo.json")), make_tool("scontrol", "exit 1"))
    assert len(slurm.read()) == 12
    make_tool("sinfo", replay("slurm-23.11.10/sinfo.json"))
    make_tool("scontrol", replay("slurm-23.11.10/scontrol.json"))
    with pytest.raises(SlurmFailed):
        slurm.read()
    assert len(slurm.read()) == 5


def test_nobody_can_write_a_row_into_the_delimited_form() -> None:
    text = (
        "t0|n1|down|root(0)|2026-11-23T20:16:37|p|500|(null)|10.0.0.1|n1|x\nn2|idle|root(0)|Unknown|p|500|(null)|none\n"
    )
    nodes = parse_delimited(text, "t0")
    assert [node.node for node in nodes] == ["n1"]
    assert nodes[0].reason == "x\nn2|idle|root(0)|Unknown|p|500|(null)|none"


def test_a_node_with_a_bad_name_is_left_out_and_named(make_tool: MakeTool) -> None:
    document = {"nodes": [{"name": "n1", "state": "idle"}, {"name": "n2;rm", "state": "idle"}, {"name": 3}, "x"]}
    slurm = reader(make_tool("sinfo", f"cat <<'END'\n{json.dumps(document)}\nEND"))
    assert [node.node for node in slurm.read()] == ["n1"]
    assert any('"n2;rm"' in problem for problem in slurm.problems)


def test_without_a_reason_nobody_gave_it_at_no_time() -> None:
    (node,) = parse_nodes({"nodes": [{"name": "n1", "reason_changed_at": 1795464997, "reason_set_by_user": "root"}]})
    assert (node.reason, node.reason_by, node.reason_at) == ("", "", None)


def test_a_document_of_other_types_than_expected_is_read_as_far_as_it_goes() -> None:
    entry = {
        "name": "n1",
        "state": ["IDLE"],
        "reason": "a lone \ud800 surrogate",
        "reason_changed_at": 10**30,
        "partitions": None,
        "features": 7,
        "cpus": True,
        "real_memory": "much",
        "boot_time": {"set": True, "infinite": False, "number": -1},
    }
    (node,) = parse_nodes({"nodes": [entry]})
    assert node.reason == "a lone ? surrogate"
    assert (node.reason_at, node.partitions, node.features, node.cpus, node.memory_mb, node.boot_at) == (
        (None, (), (), None, None, None)
    )


# ---- faults ----


def test_a_missing_sinfo_is_named() -> None:
    with pytest.raises(SlurmFailed, match=r'"/nonexistent/sinfo" is missing; set \[slurm\] sinfo') as caught:
        reader("/nonexistent/sinfo").read()
    assert caught.value.status == 502


def test_a_failing_sinfo_is_reported_with_the_first_line_it_wrote(make_tool: MakeTool) -> None:
    script = "printf 'slurm_load_partitions: Unable to contact\\033[31m\\nsecond line\\n' >&2; exit 1"
    with pytest.raises(
        SlurmFailed, match=r"failed with status 1: slurm_load_partitions: Unable to contact\?"
    ) as caught:
        reader(make_tool("sinfo", script)).read()
    assert "second" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_long_complaint_is_cut(make_tool: MakeTool) -> None:
    sinfo = make_tool("sinfo", "head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1")
    with pytest.raises(SlurmFailed) as caught:
        reader(sinfo).read()
    assert str(caught.value).count("x") < 210


def test_a_crash_is_reported_as_one(make_tool: MakeTool) -> None:
    with pytest.raises(SlurmFailed, match="died of signal 11"):
        reader(make_tool("sinfo", "kill -SEGV $$")).read()


def test_a_hanging_sinfo_is_a_timeout_after_one_call(make_tool: MakeTool, calls_of: Calls) -> None:
    sinfo = make_tool("sinfo", "sleep 60")
    with pytest.raises(SlurmTimeout, match=r"did not end within 0\.3 s") as caught:
        reader(sinfo, timeout=0.3).read()
    assert caught.value.status == 504
    assert len(calls_of(sinfo)) == 1


@pytest.mark.parametrize(
    "script",
    [
        "echo garbage",
        "echo '{\"nodes\": 3}'",
        "head -c 100000 /dev/zero | tr '\\0' '['",
        "printf '\\377\\000\\001'",
        "echo 7",
    ],
)
def test_garbage_is_an_error_and_not_an_empty_list(make_tool: MakeTool, script: str) -> None:
    with pytest.raises(SlurmFailed, match="printed what cannot be read"):
        reader(make_tool("sinfo", script)).read()


def test_no_nodes_is_an_error_and_not_an_empty_list(make_tool: MakeTool) -> None:
    with pytest.raises(SlurmFailed, match="sinfo --format listed no nodes"):
        reader(make_tool("sinfo", "exit 0")).read()
    with pytest.raises(SlurmFailed, match="listed no nodes"):
        reader(make_tool("sinfo", 'echo \'{"nodes": [{"name": "-x"}]}\'')).read()


def test_the_empty_document_of_a_slurm_without_slurmctld_is_an_error(make_tool: MakeTool, calls_of: Calls) -> None:
    sinfo = make_tool("sinfo", replay("slurm-22.05.8/controller-stopped/sinfo.json"))
    with pytest.raises(SlurmFailed, match="sinfo --json listed no nodes: Unspecified error"):
        reader(sinfo).read()
    assert calls_of(sinfo) == ["--all --local --json"] * 2  # no other way is tried: each would wait for slurmctld too


def test_an_empty_document_in_the_moment_of_a_restart_costs_no_list(make_tool: MakeTool) -> None:
    """Slurm 22.05: `sinfo --json` ends at once with 0 and no nodes where slurmctld is killed while it is asked."""
    empty, full = (replay(f"slurm-22.05.8/{name}/sinfo.json") for name in ("controller-stopped", "twelve-nodes"))
    sinfo = make_tool("sinfo", f'if [ $(wc -l <"$calls") = 1 ]; then\n{empty}\nfi\n{full}')
    assert len(reader(sinfo).read()) == 12


def test_nodes_that_are_only_in_hidden_partitions_are_listed(make_tool: MakeTool) -> None:
    """scontrol hides them from an ordinary user unless it is asked for all (node_mgr.c of Slurm)."""
    document = {"nodes": [{"name": "n1", "state": ["IDLE"]}]}
    hidden = {"nodes": [*document["nodes"], {"name": "x1", "state": ["DOWN"]}]}
    script = f"document={quote(json.dumps(document))}\n"
    script += f'case " $* " in *" --all "*) document={quote(json.dumps(hidden))};; esac\nprintf %s "$document"'
    nodes = reader(make_tool("sinfo", "echo '{\"sinfo\": []}'"), make_tool("scontrol", script)).read()
    assert [node.node for node in nodes] == ["n1", "x1"]


def test_a_command_line_that_cannot_be_split_is_an_error() -> None:
    with pytest.raises(SlurmFailed, match="No closing quotation"):
        reader('sinfo "').read()


def test_generate_sinfo_reads_what_was_printed(make_tool: MakeTool) -> None:
    settings = SlurmSettings(sinfo=make_tool("sinfo", 'printf "%s\\377" "$*"'))
    assert generate_sinfo(settings, ("-h", "-R"), bytes) == b"--all --local -h -R\xff"


# ---- a saved file ----


def test_a_saved_file_takes_the_place_of_slurm() -> None:
    nodes = reader(sinfo_file=str(FOLDER / "slurm-22.05.8/twelve-nodes/sinfo-R.txt")).read()
    assert len(nodes) == 9
    assert sinfo_list_to_node_list(nodes) == list(nodes)


def test_a_relative_path_is_resolved() -> None:
    settings = SlurmSettings(sinfo_file="sinfo-R.txt")
    assert SlurmReader(settings, resolve=(FOLDER / "slurm-22.05.8/twelve-nodes").joinpath).read()


def test_the_down_list_is_what_sinfo_R_of_the_same_slurm_lists(make_tool: MakeTool) -> None:
    nodes = reader(make_tool("sinfo", replay("slurm-22.05.8/broken-nodes/sinfo.json"))).read()
    saved = reader(sinfo_file=str(FOLDER / "slurm-22.05.8/broken-nodes/sinfo-R.txt")).read()
    out = sinfo_list_to_node_list(nodes)
    assert (len(nodes), len(out)) == (20, 18)
    assert [node.node for node in out] == [node.node for node in saved]
    assert [node.reason_by for node in out] == [node.reason_by for node in saved]


def test_what_was_left_out_of_a_saved_file_is_told() -> None:
    slurm = reader(sinfo_file=str(FOLDER / "slurm-22.05.8/broken-nodes/sinfo-user-first.txt"))
    assert len(slurm.read()) == 18
    assert [problem.partition(": ")[0].rpartition(":")[2] for problem in slurm.problems] == ["5", "7"]


def test_a_saved_file_with_a_header_and_no_nodes_means_that_none_is_out(tmp_path: Path) -> None:
    path = tmp_path / "sinfo-R"
    path.write_text("REASON               USER      TIMESTAMP           NODELIST\n")
    assert reader(sinfo_file=str(path)).read() == ()


@pytest.mark.parametrize("content", [b"", b"\n \n", b"what is this\n", b"\xff\xfe\x00"])
def test_a_saved_file_that_holds_nothing_readable_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sinfo-R"
    path.write_bytes(content)
    with pytest.raises(SlurmFailed, match="holds no nodes"):
        reader(sinfo_file=str(path)).read()


def test_a_missing_saved_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SlurmFailed, match=r"cannot read the saved node list .*No such file"):
        reader(sinfo_file=str(tmp_path / "none")).read()


# ---- fuzz ----


@given(st.text(alphabet=st.sampled_from("t0|n1\n *none().,[]%é\x1b\x85"), max_size=200))
def test_any_delimited_text_gives_nodes_or_a_slurm_error(text: str) -> None:
    try:
        nodes = parse_delimited(text, "t0")
    except SlurmFailed:
        return
    assert all(isinstance(node, SlurmNode) for node in nodes)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
NUMBERS = st.fixed_dictionaries({"set": SCALARS, "infinite": SCALARS, "number": SCALARS})
JSON = SCALARS | st.lists(SCALARS, max_size=3) | NUMBERS
KEYS = st.sampled_from(
    ["name", "state", "state_flags", "reason", "reason_changed_at", "partitions", "cpus", "boot_time"]
)


@given(st.lists(st.dictionaries(KEYS, JSON), max_size=3))
def test_any_document_gives_nodes(entries: list[dict[str, object]]) -> None:
    assert len(parse_nodes({"nodes": entries})) == len(entries)


def test_some_nodes_are_read_as_they_are_now_by_the_way_that_works(
    make_tool: MakeTool, calls_of: Callable[[str], list[str]]
) -> None:
    sinfo = make_tool("sinfo", replay("slurm-22.05.8/twelve-nodes/sinfo.json"))
    found = reader(sinfo).read_some(["n0003.savio3", "n9999.savio3"])
    assert list(found) == ["n0003.savio3"]  # 22.05 lists all of them with --json, whatever is asked for
    assert calls_of(sinfo) == ["--all --local --json --nodes=n0003.savio3,n9999.savio3"]


def test_a_saved_list_does_not_say_what_a_node_is_now(tmp_path: Path) -> None:
    (tmp_path / "saved").write_text("NODELIST STATE\nn1 drain\n")
    with pytest.raises(SlurmFailed, match="sinfo_file"):
        reader(sinfo_file=str(tmp_path / "saved")).read_some(["n1"])
