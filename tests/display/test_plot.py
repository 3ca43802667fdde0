"""The history of a node as a picture: what is drawn, and what it says to who does not see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from botd.display.plot import GRID, LABEL, WIDTH, Line, Plot, Row, draw, level, shown
from botd.history.bands import Band

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SVG = "{http://www.w3.org/2000/svg}"


def plot(*rows: Row, lines: Sequence[Line] = (), since: datetime = NOW - 10 * HOUR) -> Plot:
    return Plot(since, NOW, rows, lines)


def row(*words: str, title: str = "SSH") -> Row:
    """A subject that had these words for the last hours, an hour each."""
    begin = NOW - len(words) * HOUR
    return Row(title, [Band(begin + i * HOUR, begin + (i + 1) * HOUR, word) for i, word in enumerate(words)])


def drawn(picture: Plot, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(draw(picture)).iter(SVG + tag))


def texts(picture: Plot) -> list[str | None]:
    return [text.text for text in drawn(picture, "text")]


def curves(picture: Plot) -> list[list[tuple[float, float]]]:
    """The points of each number over time."""
    paths = [path.attrib["d"] for path in drawn(picture, "path") if path.attrib["stroke"] != GRID]
    pairs = [[point.partition(",") for point in path.removeprefix("M").split("L")] for path in paths]
    return [[(float(x), float(y)) for x, _, y in points] for points in pairs]


@pytest.mark.parametrize(
    ("word", "look"),
    [
        ("ok", "ok"),
        ("fail: timeout", "fail"),
        ("warn", "warn"),
        ("in service", "ok"),
        ("in service, not responding", "warn"),
        ("down*", "fail"),
        ("drained", "fail"),
        ("not in Slurm", "unknown"),
        ("", "unknown"),
    ],
)
def test_every_word_of_the_history_has_a_look(word: str, look: str) -> None:
    assert level(word) == look


def test_each_band_stands_where_its_time_is_and_tells_itself() -> None:
    bands = drawn(plot(row("ok", "fail: timeout")), "rect")
    room = WIDTH - LABEL
    assert [float(band.attrib["x"]) for band in bands] == [LABEL + room * 0.8, LABEL + room * 0.9]
    assert [float(band.attrib["width"]) for band in bands] == pytest.approx([room / 10, room / 10])
    assert [band.findtext(SVG + "title") for band in bands] == [
        "SSH: ok, 23 Nov 06:00 to 23 Nov 07:00 UTC",
        "SSH: fail: timeout, 23 Nov 07:00 to 23 Nov 08:00 UTC",
    ]


def test_what_is_worse_is_higher_for_who_sees_no_colours() -> None:
    bands = drawn(plot(row("ok", "warn", "fail")), "rect")
    heights = [float(band.attrib["height"]) for band in bands]
    assert heights == sorted(heights)
    assert len(set(heights)) == len({band.attrib["fill"] for band in bands}) == 3
    bottoms = {round(float(band.attrib["y"]) + float(band.attrib["height"]), 6) for band in bands}
    assert len(bottoms) == 1


def test_a_moment_can_still_be_seen_and_what_is_older_than_the_picture_ends_at_its_edge() -> None:
    moment = Band(NOW, NOW, "fail")
    before = Band(NOW - 99 * HOUR, NOW - 9 * HOUR, "ok")
    first, last = drawn(plot(Row("SSH", [before, moment])), "rect")
    assert float(last.attrib["width"]) == 1
    assert float(first.attrib["x"]) == LABEL
    assert float(first.attrib["width"]) == pytest.approx((WIDTH - LABEL) / 10)


def test_the_words_say_what_it_is_now_since_when_and_how_often_it_changed() -> None:
    line = Line("Load", None, [(0, 0.25), (60, 1.5), (120, 0.5)])
    picture = plot(row("fail", "ok"), row("", title="Ping"), row("ok", "fail", "ok", title="Slurm"), lines=[line])
    words = "SSH: ok for 60 min, 1 change; Ping: not known for 60 min; Slurm: ok for 60 min, 2 changes"
    assert picture.words() == f"{words}; Load: 0.5 now, 0.25 to 1.5"
    assert drawn(picture, "title")[0].text == picture.words()
    assert plot().words() == "nothing on record"


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [(1.23456, None, "1.23"), (0.184, "ms", "0.184 ms"), (2**40, "B", "1.0 TiB")],
)
def test_a_number_stands_in_the_unit_that_a_person_reads(number: float, unit: str | None, text: str) -> None:
    assert shown(number, unit) == text


def test_a_line_goes_through_its_points_and_names_now_and_its_bounds() -> None:
    begin, end = (int(at.timestamp()) for at in (NOW - 10 * HOUR, NOW))
    picture = plot(lines=[Line("Ping", "ms", [(begin, 1.0), ((begin + end) // 2, 3.0), (end, 2.0)])])
    (curve,) = curves(picture)
    xs, ys = zip(*curve, strict=True)
    assert xs == (LABEL, (LABEL + WIDTH) / 2, WIDTH)
    assert ys[1] < ys[2] < ys[0]  # up is less in a picture
    assert texts(picture)[-3:] == ["Ping", "2 ms now", "1 ms to 3 ms"]


@pytest.mark.parametrize("points", [[(0, 5.0)], [(0, 5.0), (60, 5.0)]])
def test_a_number_that_never_moved_is_a_flat_line(points: list[tuple[int, float]]) -> None:
    (curve,) = curves(plot(lines=[Line("Load", None, points)]))
    assert len({y for _, y in curve}) == 1


def test_a_picture_of_no_time_is_a_picture_too() -> None:
    assert drawn(plot(Row("SSH", [Band(NOW, NOW, "ok")]), since=NOW), "rect")


@pytest.mark.parametrize(
    ("hours", "first"), [(1 / 6, "07:50"), (1.5, "06:30"), (6, "02:00"), (24, "12:00"), (24 * 7, "17 Nov")]
)
def test_the_times_below_are_round_and_few(hours: float, first: str) -> None:
    times = texts(plot(row("ok"), since=NOW - hours * HOUR))[:-1]
    assert times[0] == first
    assert 2 <= len(times) <= 9


def test_rows_and_lines_stand_below_each_other_and_all_within_the_picture() -> None:
    picture = plot(row("ok"), row("ok", title="Ping"), lines=[Line("Load", None, [(0, 1.0)])])
    height = float(ElementTree.fromstring(draw(picture)).attrib["height"])
    first, second = (float(band.attrib["y"]) + float(band.attrib["height"]) for band in drawn(picture, "rect"))
    (((_, end),),) = curves(picture)
    assert first < second < end < height


def test_hostile_text_is_text_in_a_picture_too() -> None:
    hostile = "</svg><script>alert(1)</script>\x1b[31m\u202e"
    picture = draw(plot(row(hostile, title=hostile), lines=[Line(hostile, hostile, [(0, 1.0)])]))
    assert not list(ElementTree.fromstring(picture).iter(SVG + "script"))
    assert "\x1b" not in picture.decode()
    assert "\u202e" not in picture.decode()
