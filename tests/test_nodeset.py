"""Nodesets: what they expand to, what is refused, and that folding loses nothing."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from botd import nodeset
from botd.errors import BadNodeset

PARTS = st.from_regex(r"[A-Za-z_][A-Za-z_-]{0,3}", fullmatch=True)
NUMBERS = st.from_regex(r"[0-9]{1,5}", fullmatch=True)
NAMES = st.builds("{}{}{}".format, PARTS, NUMBERS, st.just("") | st.builds(".{}{}".format, PARTS, NUMBERS))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n1", ["n1"]),
        ("n[1-3]", ["n1", "n2", "n3"]),
        ("n[0008-0011].savio1", ["n0008.savio1", "n0009.savio1", "n0010.savio1", "n0011.savio1"]),
        ("n[3,1],n2,n1", ["n3", "n1", "n2"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        (" n1 , n2,,", ["n1", "n2"]),
        ("", []),
        ("n[00,1]", ["n00", "n1"]),
        ("n[12345678901-12345678902]", ["n12345678901", "n12345678902"]),
    ],
)
def test_it_expands(text: str, names: list[str]) -> None:
    assert nodeset.expand(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "n[1-", "n]1[", "n[[1]]", "n[]", "n[a]", "n[1-2-3]", "n[3-1]", "n1;rm", "n1 n2", "-n1", ".n1", "n1/", "n1\n",
        "n\x00", "é1", "n[١]", "$(id)", "n'", "n" * 254, "[-]", "a]", "*", "n[1-3]-[", "n[,]", "n[1,]",
    ],
)  # fmt: skip
def test_it_refuses_what_is_no_nodeset(text: str) -> None:
    with pytest.raises(BadNodeset) as caught:
        nodeset.expand(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text", ["n[0-99999999]", "n[0-999]r[0-999]", "n[1-5],n[1-6]", "[0-9][0-9][0-9][0-9][0-9][0-9]"]
)
def test_it_measures_before_it_expands(text: str) -> None:
    with pytest.raises(BadNodeset, match="spans more than 10 nodes"):
        nodeset.expand(text, max_nodes=10)


def test_a_range_that_runs_backwards_says_so() -> None:
    with pytest.raises(BadNodeset, match=r'the range "3-1" in "n\[3-1\]" runs backwards'):
        nodeset.expand("n[3-1]")


def test_the_limit_itself_is_allowed() -> None:
    assert len(nodeset.expand("n[1-10]", max_nodes=10)) == 10
    assert len(nodeset.expand(f"n[1-{nodeset.MAX_NODES}]")) == nodeset.MAX_NODES


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadNodeset, match="send at most"):
        nodeset.expand("n" * (nodeset.MAX_TEXT + 1))


def test_many_brackets_in_one_part_are_refused() -> None:
    with pytest.raises(BadNodeset, match="brackets"):
        nodeset.expand("n" + "[1]" * 100_000)
    assert nodeset.expand("n" + "[1]" * nodeset.MAX_BRACKETS) == ["n" + "1" * nodeset.MAX_BRACKETS]


def test_commas_inside_brackets_do_not_split() -> None:
    assert nodeset.split("n[1,2].a, b ,,c/d") == ["n[1,2].a", "b", "c/d"]


def test_it_folds_what_belongs_together() -> None:
    assert nodeset.fold(["n0003.savio1", "n0001.savio1", "n0002.savio1", "n0001.savio1"]) == "n[0001-0003].savio1"
    assert nodeset.fold(["n10", "n9", "login"]) == "login,n[9-10]"
    assert nodeset.fold([]) == ""


ANY_NAME = st.from_regex(nodeset._NAME, fullmatch=True)
MANY_NUMBERS = {"n".join(numbers) for numbers in product(*["12"] * 12)}
LONG_NUMBERS = {"1" * length for length in (60, 61, 252, 253)} | {"n" + "9" * 251 + "8", "n" + "9" * 252}


@given(st.sets(NAMES | ANY_NAME, max_size=30))
@example({"n1", "n01", "n001"})
@example({"n99999999999", "n99999999998"})
@example(MANY_NUMBERS)
@example(LONG_NUMBERS)
def test_folding_and_expanding_gives_the_same_names(names: set[str]) -> None:
    assert set(nodeset.expand(nodeset.fold(names))) == names


def test_a_list_of_the_longest_names_comes_back() -> None:
    names = {"".join(letters).ljust(nodeset.MAX_NAME, "x") for letters in product("abcdefgh", repeat=4)}
    folded = nodeset.fold(names)
    assert len(folded) > 1_000_000
    assert set(nodeset.expand(folded)) == names


@given(st.text(st.sampled_from("n019[]-,. ;é\x00"), max_size=60))
def test_any_text_gives_safe_names_or_a_bad_nodeset(text: str) -> None:
    try:
        names = nodeset.expand(text, max_nodes=100)
    except BadNodeset:
        return
    assert len(names) <= 100
    assert len(set(names)) == len(names)
    assert [nodeset.check_name(name) for name in names] == names


def test_names_sort_by_number() -> None:
    names = ["n10.savio2", "n2.savio10", "n2.savio2", "login", "n2", "10", "9"]
    assert sorted(names, key=nodeset.natural_key) == ["9", "10", "login", "n2", "n2.savio2", "n2.savio10", "n10.savio2"]


@given(st.lists(st.text(max_size=10), max_size=10))
@example(["n²", "²", "2", "n٢"])
def test_any_texts_can_be_sorted_and_equal_ones_stand_together(texts: list[str]) -> None:
    backwards = texts[::-1]
    assert sorted(backwards, key=nodeset.natural_key) == sorted(texts, key=nodeset.natural_key)


def test_short_and_cluster_are_the_parts_around_the_first_dot() -> None:
    assert (nodeset.short("n0006.savio3.local"), nodeset.cluster("n0006.savio3.local")) == ("n0006", "savio3.local")
    assert (nodeset.short("n0006"), nodeset.cluster("n0006")) == ("n0006", "")


def test_a_template_is_filled_in() -> None:
    assert nodeset.fill_in("{short}-ipmi.{cluster}", "n0006.savio3") == "n0006-ipmi.savio3"
    assert nodeset.fill_in("{node}/{nothing}", "n1") == "n1/{nothing}"


def test_a_hostlist_that_slurm_takes_has_brackets_at_the_end_only() -> None:
    # scontrol show hostnames of 22.05: Invalid hostlist: n[0001-0003].savio2
    assert nodeset.hostlist_of(["n2", "n1", "n3", "n0001.savio2", "n0002.savio2"]) == "n0001.savio2,n0002.savio2,n[1-3]"
    assert nodeset.hostlist_of(["r1n1", "r1n2", "r2n1", "r2n2"]) == "r[1-2]n[1-2]"
    assert nodeset.hostlist_of([]) == ""
