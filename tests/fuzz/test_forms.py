"""How outside text is shown: whatever it holds, a line stays a line, a cell a cell, a text no formula."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from botd.checks import Checks, site_checks
from botd.config import parse_config
from botd.display.cells import cell, short_value
from botd.display.formats import MIME, Form, records_body, status_body, to_csv
from botd.display.terminal import Column, Look, draw
from botd.documents import NodeDocument, encode, iso, node_document, reading_document
from botd.model import Check, Reading, SlurmNode, State, utc_now
from botd.text import fit, plain, width
from tests.fuzz.conftest import FUZZ, fuzz
from tests.fuzz.strategies import encoded, names, texts

SITE: Checks = site_checks(parse_config({"mounts": {"tmp": "/tmp"}}))
CHECKS: Checks = {name: SITE[name] for name in ("ping", "df_tmp", "last_job")}
UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of control characters, of what turns the direction of text round, of half characters and line ends."""

clean = texts.filter(lambda text: text.isascii() or encodable(text))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | clean,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(clean, inner, max_size=3),
    max_leaves=5,
)
readings = st.builds(
    Reading, st.sampled_from(State), values, st.sampled_from([None, "s", "B", "ms", "per core"]), detail=clean
)


def encodable(text: str) -> bool:
    """Whether the text has no half characters: none gets past the parsers, and JSON takes none."""
    return text.encode("utf-8", "replace").decode() == text


def nodes_of(reading: st.SearchStrategy[Reading]) -> st.SearchStrategy[NodeDocument]:
    return st.builds(
        document, names, clean, st.lists(clean, max_size=2), st.fixed_dictionaries(dict.fromkeys(CHECKS, reading))
    )


def document(name: str, reason: str, groups: list[str], found: dict[str, Reading]) -> NodeDocument:
    slurm = SlurmNode(name, "drained", "IDLE", ("DRAIN",), reason=reason, reason_by=reason, partitions=tuple(groups))
    return node_document(name, groups, slurm, {c: reading_document(r) for c, r in found.items()}, CHECKS.values())


def body(form: Form, nodes: list[NodeDocument], problems: list[str]) -> str:
    head = {"as_of": None, "checks": list(CHECKS), "count": len(nodes), "chosen": "", "problems": problems}
    return status_body(form, head, lambda: nodes, lambda: list(map(encode, nodes)), CHECKS, utc_now()).decode()


@fuzz(200)
@given(texts)
def test_plain_text_holds_nothing_that_fools_a_terminal_or_a_reader(text: str) -> None:
    shown = plain(text)
    assert UNSAFE.isdisjoint(map(unicodedata.category, shown))
    assert len(shown) <= len(text)
    assert plain(shown) == shown
    assert encoded(shown).decode() == shown


@fuzz(150)
@given(readings, st.sampled_from(list(SITE.values())))
def test_any_reading_fits_into_a_cell_on_one_line(reading: Reading, check: Check) -> None:
    shown = cell(reading_document(reading), check)
    assert UNSAFE.isdisjoint(map(unicodedata.category, shown))
    assert isinstance(short_value(reading_document(reading), check), str)


@FUZZ
@given(texts.map(plain), st.integers(1, 30))
def test_fitted_text_takes_exactly_its_columns(text: str, columns: int) -> None:
    assert width(fit(text, columns)) == columns


@FUZZ
@given(st.lists(st.lists(texts, min_size=3, max_size=3), max_size=4))
def test_what_stands_in_the_last_column_stands_in_line(rows: list[list[str]]) -> None:
    columns = [Column(f"C{i}", [row[i] for row in rows]) for i in range(3)] + [Column("END", ["END"] * len(rows))]
    lines = draw(columns, Look()).lines
    assert len(lines) == len(rows) + 1
    assert all(line.endswith("END") for line in lines)
    assert len({width(line) for line in lines}) == 1


@FUZZ
@given(st.lists(st.lists(texts, min_size=4, max_size=4), max_size=4), st.integers(20, 60), st.booleans())
def test_no_line_of_a_table_is_wider_than_asked_for(rows: list[list[str]], limit: int, color: bool) -> None:
    columns = [Column(f"C{i}", [row[i] for row in rows], ["fail"] * len(rows)) for i in range(4)]
    for line in draw(columns, Look(limit, color)).lines:
        bare = line.replace("\x1b[1;31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")
        assert UNSAFE.isdisjoint(map(unicodedata.category, bare))
        assert width(bare) <= limit


@fuzz(150)
@given(st.lists(st.lists(texts | st.integers() | st.none(), min_size=2, max_size=2), max_size=4))
def test_no_text_of_a_csv_cell_starts_a_formula(rows: list[list[Any]]) -> None:
    read = list(csv.reader(io.StringIO(to_csv(["a", "b"], rows).decode(), newline="")))
    assert len(read) == len(rows) + 1
    for shown, given_row in zip(read[1:], rows, strict=True):
        assert len(shown) == 2
        for text, value in zip(shown, given_row, strict=True):
            start = unicodedata.normalize("NFKC", text).lstrip()[:1]
            assert not isinstance(value, str) or start not in tuple("=+-@")
            assert UNSAFE.isdisjoint(map(unicodedata.category, text))


@fuzz(40)
@given(st.lists(nodes_of(readings), max_size=3), st.lists(clean, max_size=2), st.booleans())
def test_any_nodes_can_be_shown_in_every_form(nodes: list[NodeDocument], problems: list[str], folded: bool) -> None:
    shown = {name: body(Form(name, Look(80), folded), nodes, problems) for name in MIME}
    found = json.loads(shown["json"])["nodes"]
    assert found == [json.loads(line) for line in shown["ndjson"].split("\n")[:-1]]
    assert len(list(csv.reader(io.StringIO(shown["csv"], newline="")))) == len(found) + 1
    assert all(width(line) <= 80 for line in shown["table"].split("\n"))
    if not folded:
        assert found == json.loads(json.dumps(nodes))


@fuzz(40)
@given(st.lists(st.fixed_dictionaries({"a": values, "b": values, "c": clean}), max_size=3))
def test_any_records_can_be_shown_in_every_form(records: list[dict[str, Any]]) -> None:
    for name in MIME:
        shown = records_body(Form(name), {"count": len(records)}, "records", records, ("a", "b", "c")).decode()
        lines = shown.split("\r\n" if name == "csv" else "\n")
        assert len(lines) == {"json": 1, "ndjson": len(records)}.get(name, len(records) + 1) + 1
        assert name in ("json", "ndjson") or all(line.isprintable() for line in lines)


@FUZZ
@given(st.datetimes(timezones=st.just(UTC)))
def test_any_time_is_text_of_one_form_that_sorts(at: datetime) -> None:
    shown = iso(at)
    assert shown is not None
    assert len(shown) == len("2026-11-23T20:16:37.123Z")
    assert datetime.fromisoformat(shown) <= at
