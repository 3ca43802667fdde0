"""Who wrote a reason: Slurm, NHC, botd or a person, and what it tells."""

from __future__ import annotations

import pytest

from botd.advice.reasons import NHC_REASONS, SLURM_REASONS, Author, Tells, Written, read_reason

PEOPLE = (
    "HW: sda missing after reseat -jd",
    "bad GPU 3, RMA open",
    "needs new dimms",
    "no IB",
    "wont power on, even after reseating blade",
    "see hung mpirun for user42",
    "Not responding, called Dell -jd",
    "Kill task failed again, look at lustre -kmf",
    "not responding",
    "Low CPUs, Low RealMemory and no fan -jd",
    "NHC",
    "nhc: check_fs_mount",
    "Set in slurm.conf",
    "botd",
    "botd: drained it",
    "Node unexpectedly re-cabled",
)


@pytest.mark.parametrize("row", SLURM_REASONS, ids=lambda row: row.text)
def test_what_slurm_writes_is_slurms(row: Written) -> None:
    [part] = read_reason(row.text.replace("…", "48128"))
    assert (part.author, part.tells) == (Author.SLURM, row.tells)


@pytest.mark.parametrize("row", SLURM_REASONS, ids=lambda row: row.text)
def test_a_person_who_goes_on_where_slurm_ends_has_the_last_word(row: Written) -> None:
    if not row.text.endswith("…"):
        [part] = read_reason(row.text.replace("…", "48128") + " -jd 11/20")
        assert part.is_a_persons


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("Low RealMemory (reported:48128 < 100.00% of configured:64000)", Tells.MEMORY),
        ("Low socket*core*thread count, Low CPUs", Tells.HARDWARE),
        ("Low CPUs, gres/gpu count reported lower than configured (3 < 4)", Tells.HARDWARE),
        ("gres/gpu count too low (3 < 4), Low RealMemory (reported:1 < 100.00% of configured:2)", Tells.HARDWARE),
        ("Kill task failed (JobId=48213 StepId=batch)", Tells.KILL),
    ],
)
def test_a_registration_may_have_several_faults(text: str, tells: Tells) -> None:
    assert [(part.author, part.tells) for part in read_reason(text)] == [(Author.SLURM, tells)]


@pytest.mark.parametrize("reason", PEOPLE)
def test_what_is_not_recognised_as_a_whole_is_a_persons(reason: str) -> None:
    assert [part.author for part in read_reason(reason)] == [Author.PERSON]


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("NHC: check_fs_mount:  /global/scratch not mounted", Tells.MOUNT),
        ('NHC: script timed out while executing "check_fs_mount_rw -f /global/scratch"', Tells.MOUNT),
        ("NHC: check_hw_physmem: actual RAM size (57459408 kB) less than minimum allowed (67108864 kB)", Tells.MEMORY),
        ("NHC: check_hw_ib:  No IB port is ACTIVE (LinkUp).", Tells.HARDWARE),
        ("NHC: check_ps_daemon: process crond not running", Tells.OTHER),
    ],
)
def test_what_nhc_writes_is_nhcs(text: str, tells: Tells) -> None:
    assert [(part.author, part.tells) for part in read_reason(text)] == [(Author.NHC, tells)]


@pytest.mark.parametrize("row", NHC_REASONS, ids=lambda row: row.text)
def test_each_row_of_nhc_is_reached(row: Written) -> None:
    [part] = read_reason("NHC: " + row.text.replace("…", ": something"))
    assert part.tells == row.tells


def test_several_reasons_are_joined_by_a_colon_between_blanks() -> None:
    parts = read_reason("no IB -kmf : Not responding : Node unexpectedly rebooted")
    assert [part.author for part in parts] == [Author.PERSON, Author.SLURM, Author.SLURM]
    assert [part.tells for part in parts] == [Tells.OTHER, Tells.SILENT, Tells.REBOOTED]
    assert read_reason("") == read_reason(" : ") == ()


@pytest.mark.parametrize("row", SLURM_REASONS, ids=lambda row: row.text)
def test_what_sinfo_cut_at_20_bytes_is_still_slurms(row: Written) -> None:
    head = row.text.partition("…")[0]
    if len(head) >= 20:
        [part] = read_reason(head[:20])
        assert part.author is Author.SLURM


def test_19_bytes_of_slurms_words_are_no_cut() -> None:
    assert read_reason("Node unexpectedly r")[0].is_a_persons


def test_only_the_drain_of_a_hard_action_on_record_is_botds_own() -> None:
    own, strange = "botd: power-cycle a17 by kmf", "botd: power-cycle b99 by kmf"
    drain = "botd: drain a18 by kmf"
    assert [read_reason(text, {"a17", "a18"})[0].author for text in (own, strange, drain)] == [
        Author.BOTD,
        Author.PERSON,
        Author.PERSON,
    ]
    assert read_reason(own)[0].is_a_persons
    assert read_reason(drain, {"a18"})[0].by == "kmf"
