"""What the helper for Slurm does, and that nothing else can be had of it."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.libexec.helper import NODE, REASON, SOURCE, Helper, installed, load

DRAINED = "n0013.savio2"
STAMP = "0" * 32


def test_it_needs_no_python_newer_than_3_6_and_nothing_but_python() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 6))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported <= {"hashlib", "json", "os", "re", "select", "subprocess", "sys", "syslog", "time"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


# ---- what it does ----


def test_show_says_what_slurm_has_and_changes_nothing(helper: Helper) -> None:
    found = helper.ask(f"show {DRAINED}")
    now = {"state": "drained", "reason": "see hung mpirun", "by": "kmf", "at": "2026-11-23T20:16:37Z"}
    assert (found["answer"], found["node"], found["now"]) == ("shown", DRAINED, now)
    assert helper.ask(f"show {NODE}")["now"] == {"state": "idle", "reason": None, "by": None, "at": None}
    assert helper.heard() == []


def test_a_node_is_drained_with_one_command_and_taken_back_with_another(helper: Helper) -> None:
    drained = helper.ask(f"drain {NODE} {helper.stamp()} {REASON}")
    assert (drained["answer"], drained["after"]["state"], drained["after"]["reason"]) == ("done", "drained", REASON)
    undrained = helper.ask(f"undrain {NODE} {helper.stamp()}")
    assert (undrained["answer"], undrained["before"], undrained["after"]["state"]) == ("done", drained["after"], "idle")
    assert helper.heard() == [
        ["update", f"nodename={NODE}", "state=drain", f"reason={REASON}"],
        ["update", f"nodename={NODE}", "state=undrain"],
    ]


@pytest.mark.parametrize(
    "row",
    [
        "drained|2026-11-23T20:16:37|kmf|see hung mpirun, again",
        "drained|2026-11-23T20:16:38|kmf|see hung mpirun",
        "drained|2026-11-23T20:16:37|anna|see hung mpirun",
        "drained|2026-11-23T20:16:37|kmf|see hung\nmpirun",
        "down|2026-11-23T20:16:37|kmf|see hung mpirun",
        "idle|Unknown|Unknown|none",
    ],
)
@pytest.mark.parametrize("request_", ["undrain {} {}", "resume {} {}", "drain {} {} " + REASON])
def test_what_is_not_as_it_was_when_it_was_looked_at_is_left_alone(helper: Helper, row: str, request_: str) -> None:
    stamp = helper.stamp(DRAINED)
    helper.put(DRAINED, row)
    found = helper.ask(request_.format(DRAINED, stamp))
    assert (found["answer"], found["code"], found["now"]["state"]) == ("refused", "changed", row.partition("|")[0])
    assert helper.heard() == []


@pytest.mark.parametrize("state", ["draining", "drained*"])
def test_a_job_that_ends_and_a_slurmd_that_falls_silent_change_no_stamp(helper: Helper, state: str) -> None:
    stamp = helper.stamp(DRAINED)
    helper.put(DRAINED, f"{state}|2026-11-23T20:16:37|kmf|see hung mpirun")
    assert helper.stamp(DRAINED) == stamp


@pytest.mark.parametrize(
    ("state", "verb"),
    [*(("drained", "drain"), ("draining*", "drain"), ("down*", "undrain"), ("idle", "undrain"), ("mixed", "resume"))],
)
def test_what_a_state_does_not_allow_is_refused(helper: Helper, state: str, verb: str) -> None:
    helper.put(NODE, f"{state}|2026-11-23T20:16:37|root|x")
    reason = f" {REASON}" if verb == "drain" else ""
    found = helper.ask(f"{verb} {NODE} {helper.stamp()}{reason}")
    assert (found["answer"], found["code"]) == ("refused", "wrong-state")
    assert helper.heard() == []


# What scontrol of Slurm 22.05.8 says; the last two are those of slurm_errno.c for a controller that is not there.
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("slurm_update error: Invalid node state specified", "refused"),
        ("slurm_update error: Invalid user id", "refused"),
        ("slurm_update error: Socket timed out on send/recv operation", "unknown"),
        ("slurm_update error: Unable to contact slurm controller (connect failure)", "unknown"),
        ("", "unknown"),
    ],
)
def test_only_what_slurm_says_it_did_not_do_counts_as_not_done(helper: Helper, words: str, answer: str) -> None:
    helper.says("scontrol", words)
    found = helper.ask(f"drain {NODE} {helper.stamp()} {REASON}")
    assert found["answer"] == answer
    assert words in found["words"]
    assert len(helper.heard()) == 1  # it is not tried again


def test_nothing_is_done_on_a_slurm_that_cannot_be_read(helper: Helper) -> None:
    stamp = helper.stamp()
    helper.says("sinfo", "slurm_load_partitions: Unable to contact slurm controller (connect failure)")
    found = helper.ask(f"drain {NODE} {stamp} {REASON}")
    assert (found["answer"], found["code"]) == ("refused", "slurm-unreadable")
    assert helper.heard() == []


def test_a_scontrol_that_does_not_end_is_ended_and_may_have_done_it(helper: Helper) -> None:
    helper.path.write_text(helper.path.read_text().replace("READ_S, UPDATE_S,", "READ_S, UPDATE_S = 10, 0.5;", 1)
                           .replace("LINE_S = 10, 20, 10", "LINE_S = 10"))  # fmt: skip
    (helper.directory / "scontrol").write_text("#!/bin/sh\nexec sleep 600\n")
    found = helper.ask(f"drain {NODE} {helper.stamp()} {REASON}")
    assert (found["answer"], found["words"]) == ("unknown", "scontrol: no answer within 0.5 s")
    assert found["after"]["state"] == "idle"


@pytest.mark.parametrize("name", ["savio2", "n0012"])
def test_a_name_for_which_sinfo_has_another_node_is_none(helper: Helper, name: str) -> None:
    row = f"{NODE}|idle|Unknown|Unknown|none"
    (helper.directory / "sinfo").write_text(f"#!/bin/sh\necho '{row}'\n")
    found = helper.ask(f"drain {name} {STAMP} {REASON}")
    assert (found["answer"], found["code"]) == ("refused", "unknown-node")


# ---- what cannot be had ----

NOT_A_REQUEST = [
    "",
    "drain",
    f"drain {NODE}",
    f"drain {NODE} {STAMP}",
    f"drain  {NODE} {STAMP} {REASON}",
    f"drain {NODE} {STAMP} {REASON} ",
    f"drain {NODE} {STAMP} no IB",
    f"drain {NODE} {STAMP} botd: drain 7f3a by anna state=resume",
    f'drain {NODE} {STAMP} botd: drain 7f3a by "anna"',
    f"drain {NODE} {STAMP} botd: drain 7f3a by anna,weight=1",
    f"drain {NODE} {STAMP} botd: drain 7f3a by ännä",
    f"drain {NODE} {STAMP} botd: {'d' * 20} {'7' * 40} by {'a' * 60}",
    f"drain ALL {STAMP} {REASON}",
    f"drain all {STAMP} {REASON}",
    f"drain n[12-13].savio2 {STAMP} {REASON}",
    f"drain n0012.savio2,n0013.savio2 {STAMP} {REASON}",
    f"drain n001?.savio2 {STAMP} {REASON}",
    f"drain * {STAMP} {REASON}",
    f"drain -v {STAMP} {REASON}",
    f"drain ../nodes/{NODE} {STAMP} {REASON}",
    f"drain {NODE}=x {STAMP} {REASON}",
    f"drain nosuch {STAMP} {REASON}",
    f"resume {NODE}",
    f"resume {NODE} {STAMP.replace('0', 'G')}",
    f"resume {NODE} {STAMP} {REASON}",
    f"down {NODE} {STAMP} {REASON}",
    f"DRAIN {NODE} {STAMP} {REASON}",
    f"show {NODE}\n{NODE}",
    f"show {NODE}\r",
    f"show {NODE}\0",
    "show " + "n" * 600,
]


@pytest.mark.parametrize("line", NOT_A_REQUEST)
def test_a_line_that_is_no_request_is_refused(helper: Helper, line: str) -> None:
    found = helper.ask(line)
    assert found["answer"] == "refused"
    assert found["code"] in ("bad-request", "unknown-node")
    assert helper.heard() == []


def test_a_request_that_was_cut_on_its_way_is_refused(helper: Helper) -> None:
    whole = f"drain {NODE} {helper.stamp()} {REASON}".encode()
    for request in (whole, whole[:-2], b""):
        assert json.loads(helper.run(request))["code"] == "bad-request"
    assert helper.heard() == []


def test_the_only_argument_is_a_request_too(helper: Helper) -> None:
    request = f"drain {NODE} {helper.stamp()} {REASON}"
    assert json.loads(helper.run(b"", *request.split()))["code"] == "bad-request"
    assert json.loads(helper.run(b"", request))["answer"] == "done"


class Recorder:
    """Stands in for the programs: two nodes, and every argument that would have been passed on."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.changes: list[list[str]] = []
        module.subprocess = self  # type: ignore[attr-defined]

    DEVNULL, PIPE, TimeoutExpired = subprocess.DEVNULL, subprocess.PIPE, subprocess.TimeoutExpired

    def run(self, words: list[str], **options: Any) -> Any:
        assert set(options) == {"env", "cwd", "timeout", "stdin", "stdout", "stderr"}
        assert options["env"] == {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        if words[0] == "/usr/bin/scontrol":
            self.changes.append(words[1:])
            return subprocess.CompletedProcess(words, 0, b"", b"")
        assert words[0] == "/usr/bin/sinfo"
        (node,) = [word[8:] for word in words if word.startswith("--nodes=")]
        rows = {NODE: f"{NODE}|idle|Unknown|Unknown|none\n", DRAINED: f"{DRAINED}|drained|2026|kmf|x\n"}
        return subprocess.CompletedProcess(words, 0, rows.get(node, "").encode(), b"")


MODULE = load()
RECORDER = Recorder(MODULE)
STAMPS = {name: MODULE.look(name)[1] for name in (NODE, DRAINED)}
WORDS = [
    *("show", "drain", "undrain", "resume", "down", "ALL", NODE, DRAINED, *STAMPS.values(), "botd:", "7f3a", "by"),
    *("anna", "state=resume", "reason=x", "n[12-13].savio2", "nodename=ALL", "-a", "", "\n", "\t", '"', ",", "=", "\0"),
]
ANY_LINE = st.one_of(
    st.binary(max_size=600),
    st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=20)), max_size=10).map(" ".join).map(str.encode),
    st.builds(
        lambda verb, node, rest: f"{verb} {node} {STAMPS[node]}{rest}".encode(),
        st.sampled_from(["drain", "undrain", "resume"]),
        st.sampled_from([NODE, DRAINED]),
        st.one_of(st.just(""), st.just(f" {REASON}"), st.text(max_size=150), st.text(max_size=60).map(REASON.__add__)),
    ),
)
PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@- :")


def is_allowed(words: list[str]) -> bool:
    """Whether arguments of scontrol are one of the three changes of one known node."""
    update, node, state, *reason = words
    if update != "update" or node not in {f"nodename={name}" for name in STAMPS}:
        return False
    if state in ("state=undrain", "state=resume"):
        return reason == []
    return state == "state=drain" and len(reason) == 1 and is_ours(reason[0].removeprefix("reason="))


def is_ours(reason: str) -> bool:
    """Whether a reason is of the form `botd: <action> <id> by <user>`, short, and of plain characters."""
    words = reason.split(" ")
    return len(words) == 5 and (words[0], words[3]) == ("botd:", "by") and len(reason) <= 120 and set(reason) <= PLAIN


@settings(max_examples=1500)
@example(f"drain {NODE} {STAMPS[NODE]} {REASON}".encode())
@example(f"drain {NODE} {STAMPS[NODE]} {REASON}\n".encode())
@example(f"resume {DRAINED} {STAMPS[DRAINED]}".encode())
@given(ANY_LINE)
def test_whatever_is_asked_scontrol_is_only_told_of_one_known_node_in_one_of_three_forms(line: bytes) -> None:
    RECORDER.changes.clear()
    try:
        answer = MODULE.answer_to(MODULE.parse(line))
    except MODULE.Refused:
        assert RECORDER.changes == []
        return
    assert len(RECORDER.changes) == (0 if answer["answer"] == "shown" else 1)
    assert all(map(is_allowed, RECORDER.changes))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A helper on a machine without Slurm."""
    path = tmp_path_factory.mktemp("alone") / "botd-slurm-helper"
    installed(path, path.parent)
    return path


@settings(max_examples=40)
@given(st.one_of(ANY_LINE, ANY_LINE.map(lambda line: line + b"\n")))
def test_whatever_comes_in_one_line_of_json_goes_out(alone: Path, line: bytes) -> None:
    done = subprocess.run([alone], input=line, capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    assert done.stdout.endswith(b"\n")
    assert done.stdout.count(b"\n") == 1
    assert json.loads(done.stdout)["answer"] == "refused"


def test_the_recorder_would_see_what_is_not_allowed() -> None:
    for words in (
        ["update", "nodename=ALL", "state=resume"],
        ["update", f"nodename={NODE}", "state=down"],
        ["update", f"nodename={NODE}", "state=resume", "weight=1"],
        ["update", f"nodename={NODE},{DRAINED}", "state=resume"],
    ):
        assert not is_allowed(words)
    assert Path(SOURCE).stat().st_mode & 0o111
