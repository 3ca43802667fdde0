"""Node states: sinfo's text and documents' words, both ways."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.inventory import states
from tests.recorded import FOLDER

# What a real 22.05.8 printed with %T for these bases and flags, and what node_state_string says of the others.
TEXTS = [
    ("IDLE", [], "idle"),
    ("IDLE", ["DRAIN"], "drained"),
    ("DOWN", ["DRAIN"], "drained"),
    ("UNKNOWN", ["DRAIN", "NOT_RESPONDING"], "drained*"),
    ("ALLOCATED", ["DRAIN"], "draining"),
    ("MIXED", ["DRAIN"], "draining"),
    ("IDLE", ["DRAIN", "COMPLETING"], "draining"),
    ("MIXED", ["DRAIN", "REBOOT_REQUESTED"], "draining@"),
    ("IDLE", ["DRAIN", "MAINTENANCE"], "drained$"),
    ("DOWN", ["NOT_RESPONDING"], "down*"),
    ("DOWN", ["MAINTENANCE", "RESERVED", "NOT_RESPONDING"], "down$"),
    ("DOWN", ["COMPLETING"], "down"),
    ("UNKNOWN", ["MAINTENANCE", "RESERVED", "NOT_RESPONDING"], "maint*"),
    ("UNKNOWN", ["FAIL", "NOT_RESPONDING"], "fail*"),
    ("ALLOCATED", ["FAIL"], "failing"),
    ("MIXED", ["FAIL"], "failing"),
    ("DOWN", ["REBOOT_ISSUED"], "reboot^"),
    ("IDLE", ["BLOCKED", "PLANNED"], "blocked"),
    ("MIXED", ["BLOCKED"], "mixed"),
    ("UNKNOWN", ["EXTERNAL"], "external"),
    ("IDLE", ["EXTERNAL"], "idle"),
    ("UNKNOWN", ["UNDRAIN"], "undrain"),
    ("UNKNOWN", ["DYNAMIC_NORM"], "dynamic_norm"),
    ("IDLE", ["POWER_DOWN", "POWER_DRAIN", "DRAIN"], "drained!"),
    ("IDLE", ["REBOOT_ISSUED"], "reboot^"),
    ("IDLE", ["REBOOT_REQUESTED"], "reboot"),
    ("ALLOCATED", ["REBOOT_REQUESTED"], "allocated@"),
    ("ALLOCATED", ["COMPLETING"], "allocated+"),
    ("IDLE", ["COMPLETING"], "completing"),
    ("MIXED", ["COMPLETING", "NOT_RESPONDING"], "completing*"),
    ("IDLE", ["POWERED_DOWN", "CLOUD"], "idle~"),
    ("IDLE", ["POWERING_UP", "CLOUD"], "idle#"),
    ("IDLE", ["POWERING_DOWN"], "idle%"),
    ("IDLE", ["POWER_DOWN"], "idle!"),
    ("IDLE", ["RESERVED"], "reserved"),
    ("IDLE", ["PLANNED"], "planned"),
    ("IDLE", ["PERFCTRS"], "perfctrs"),
    ("MIXED", ["PLANNED"], "mixed-"),
    ("IDLE", ["INVALID_REG", "DRAIN"], "inval"),
    ("UNKNOWN", ["CLOUD"], "cloud"),
    ("UNKNOWN", ["NOT_RESPONDING"], "unknown*"),
    ("UNKNOWN", ["POWERED_DOWN", "CLOUD"], "unknown"),
    ("UNKNOWN", ["POWERED_DOWN"], "powered_down"),
    ("UNKNOWN", ["RESUME", "NOT_RESPONDING"], "resume"),
    ("FUTURE", [], "future"),
    ("ERROR", [], "error"),
]


@pytest.mark.parametrize(("base", "flags", "text"), TEXTS)
def test_the_text_is_what_sinfo_prints(base: str, flags: list[str], text: str) -> None:
    assert states.text(base, flags) == text


@pytest.mark.parametrize(
    ("text", "base", "flags"),
    [
        ("drained*", "IDLE", ("DRAIN", "NOT_RESPONDING")),
        ("drain", "IDLE", ("DRAIN",)),
        ("drng@", "ALLOCATED", ("DRAIN", "REBOOT_REQUESTED")),
        ("mix-", "MIXED", ("PLANNED",)),
        ("alloc", "ALLOCATED", ()),
        ("alloc+", "ALLOCATED", ("COMPLETING",)),
        ("allocated+", "ALLOCATED", ("COMPLETING",)),
        ("idle~", "IDLE", ("POWERED_DOWN",)),
        ("idle#", "IDLE", ("POWERING_UP",)),
        ("idle%", "IDLE", ("POWERING_DOWN",)),
        ("idle!", "IDLE", ("POWER_DOWN",)),
        ("boot^", "IDLE", ("REBOOT_ISSUED", "REBOOT_REQUESTED")),
        ("maint", "IDLE", ("MAINTENANCE",)),
        ("resv", "IDLE", ("RESERVED",)),
        ("unk*", "UNKNOWN", ("NOT_RESPONDING",)),
        ("futr", "FUTURE", ()),
        ("pow_dn", "UNKNOWN", ("POWER_DOWN",)),
        ("canc_r", "UNKNOWN", ("REBOOT_CANCELED",)),
        ("block", "IDLE", ("BLOCKED",)),
        ("ext", "UNKNOWN", ("EXTERNAL",)),
        ("failg*", "ALLOCATED", ("FAIL", "NOT_RESPONDING")),
        ("mixed+fail", "MIXED", ("FAIL",)),
        ("inval", "UNKNOWN", ("INVALID_REG",)),
        ("powere", "UNKNOWN", ("POWERED_DOWN",)),  # cut to 6 bytes by %6t
        ("powrin", "UNKNOWN", ("POWERING_DOWN",)),
        ("idle+drain+not_respo", "IDLE", ("DRAIN", "NOT_RESPONDING")),
        ("down+power_down_asap", "DOWN", ("POWER_DOWN", "POWER_DRAIN")),
        ("IDLE+DRAIN", "IDLE", ("DRAIN",)),
        ("MIXED+PLANNED", "MIXED", ("PLANNED",)),
        ("DOWN*+CLOUD+POWERED_DOWN", "DOWN", ("CLOUD", "NOT_RESPONDING", "POWERED_DOWN")),
        ("idle+drain+dynamic_norm+blocked", "IDLE", ("BLOCKED", "DRAIN", "DYNAMIC_NORM")),
        ("", "UNKNOWN", ()),
    ],
)
def test_a_text_gives_base_and_flags(text: str, base: str, flags: tuple[str, ...]) -> None:
    assert states.from_text(text) == (base, flags, ())


def test_an_unknown_word_is_kept_as_it_was_written() -> None:
    assert states.from_text("Hovering*") == ("UNKNOWN", ("NOT_RESPONDING",), ("Hovering*",))
    assert states.from_text("IDLE+SPINNING") == ("IDLE", (), ("SPINNING",))
    assert states.from_document("hovering", ["DRAIN", "Spinning"]) == ("UNKNOWN", ("DRAIN",), ("hovering", "Spinning"))


def test_a_word_that_was_cut_to_what_may_be_several_is_not_known() -> None:
    assert states.from_text("power_").unrecognised == ("power_",)
    assert states.from_text("idle+power_").unrecognised == ("POWER_",)
    assert states.from_text("idle+cloud+power_down+?").unrecognised == ("?",)  # what 25.11 prints of POWER_DRAIN


def test_one_word_of_a_document_may_stand_for_two_flags() -> None:
    assert states.from_document("IDLE", ["POWER_DOWN_FORCE"]).flags == ("POWERED_DOWN", "POWER_DOWN")


def test_a_document_may_use_either_case_and_short_names() -> None:
    assert states.from_document("idle", ["DRAIN"]) == ("IDLE", ("DRAIN",), ())
    assert states.from_document("MIXED", ["MAINT", "RES", "NO_RESPOND"]).flags == (
        "MAINTENANCE",
        "NOT_RESPONDING",
        "RESERVED",
    )


@pytest.mark.parametrize("base", states.BASES)
def test_no_word_that_sinfo_prints_is_unrecognised(base: str) -> None:
    for flag in states.FLAGS:
        for flags in ([flag], [flag, "DRAIN"], [flag, "NOT_RESPONDING"], [flag, "COMPLETING"]):
            assert states.from_text(states.text(base, flags)).unrecognised == ()


@given(st.sampled_from(states.BASES), st.sets(st.sampled_from(states.FLAGS)))
def test_reading_a_printed_state_and_printing_it_gives_the_same_text(base: str, flags: set[str]) -> None:
    text = states.text(base, flags)
    assert states.text(*states.from_text(text)[:2]) == text


@given(st.text(max_size=30))
def test_any_text_gives_a_known_base_and_known_flags(text: str) -> None:
    base, flags, _ = states.from_text(text)
    assert base in states.BASES
    assert set(flags) <= set(states.FLAGS)


@pytest.mark.parametrize(
    ("base", "flags", "out"),
    [
        ("IDLE", ["DRAIN"], True),
        ("MIXED", ["DRAIN"], True),
        ("DOWN", [], True),
        ("ERROR", [], True),
        ("MIXED", ["FAIL"], True),
        ("IDLE", ["INVALID_REG"], True),
        ("IDLE", ["BLOCKED"], False),
        ("IDLE", ["EXTERNAL"], False),
        ("IDLE", ["POWER_DOWN", "POWERED_DOWN"], False),
        ("IDLE", ["REBOOT_ISSUED"], False),
        ("UNKNOWN", ["FAIL", "NOT_RESPONDING"], True),
        ("IDLE", ["NOT_RESPONDING"], False),
        ("UNKNOWN", ["MAINTENANCE", "RESERVED", "NOT_RESPONDING"], False),
        ("IDLE", ["POWERED_DOWN"], False),
        ("IDLE", [], False),
    ],
)
def test_out_is_what_sinfo_R_lists(base: str, flags: list[str], out: bool) -> None:
    assert states.is_out(base, flags) is out


def test_the_texts_agree_with_what_the_same_slurm_printed_in_both_forms() -> None:
    document = json.loads((FOLDER / "slurm-22.05.8/ten-nodes/sinfo.json").read_bytes().decode("utf-8", "replace"))
    rows = (FOLDER / "slurm-22.05.8/ten-nodes/sinfo-format.txt").read_bytes().decode("utf-8", "replace")
    printed = {row.split("|")[0]: row.split("|")[1] for row in rows.split("@TOKEN@|") if row}
    ours = {
        node["name"]: states.text(*states.from_document(node["state"], node["state_flags"])[:2])
        for node in document["nodes"]
    }
    assert ours == printed
