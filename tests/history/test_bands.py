"""The words of a subject over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from botd.history.bands import Band, bands
from botd.model import Change

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_bands_cover_the_whole_time_without_a_gap() -> None:
    since, now = NOW - 10 * HOUR, NOW
    found = [  # newest first
        Change("n1", "ssh", "fail", "ok", NOW - 2 * HOUR),
        Change("n1", "ssh", "ok", "fail", NOW - 5 * HOUR),
        Change("n1", "ssh", "warn", "ok", NOW - 20 * HOUR),
    ]
    assert bands(found, "ok", since, now) == [
        Band(since, NOW - 5 * HOUR, "ok"),
        Band(NOW - 5 * HOUR, NOW - 2 * HOUR, "fail"),
        Band(NOW - 2 * HOUR, NOW, "ok"),
    ]
    assert bands([], "ok", since, now) == [Band(since, now, "ok")]


def test_a_change_is_the_end_of_the_word_that_it_names_as_old() -> None:
    drained = Change("n1", "slurm", "in service", "drained", NOW - HOUR)
    assert [band.word for band in bands([drained], "drained", NOW - 2 * HOUR, NOW)] == ["in service", "drained"]


@given(st.lists(st.tuples(st.integers(-30, 5), st.sampled_from(["ok", "fail", ""])), max_size=6), st.sampled_from("ab"))
def test_bands_follow_each_other_whatever_the_clocks_said(times: list[tuple[int, str]], word: str) -> None:
    since = NOW - 10 * HOUR
    found = bands([Change("n1", "ssh", old, "", NOW + hours * HOUR) for hours, old in times], word, since, NOW)
    assert (found[0].begin, found[-1].end, found[-1].word) == (since, NOW, word)
    assert all(before.end == after.begin for before, after in pairwise(found))
    assert all(band.begin <= band.end for band in found)
