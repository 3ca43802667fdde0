"""TypedDicts as OpenAPI 3.0 schemas."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest

from botd.resources.schemas import item_schema, named_schemas, schema


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class LeafDocument(TypedDict):
    colour: Annotated[str, Colour]
    fallen_at: Annotated[str, ("format", "date-time")] | None


class BranchDocument(TypedDict):
    leaf: LeafDocument
    lost: LeafDocument | None
    birds: NotRequired[int]


class TreeDocument(TypedDict):
    count: int
    branches: list[BranchDocument]


LEAF = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "enum": ["red", "blue"]},
        "fallen_at": {"type": "string", "format": "date-time", "nullable": True},
    },
    "required": ["colour", "fallen_at"],
}


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (str, {"type": "string"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (int | None, {"type": "integer", "nullable": True}),
        (Any, {"nullable": True}),
        (Literal["ok", "degraded"], {"type": "string", "enum": ["ok", "degraded"]}),
        (Literal["new"] | None, {"type": "string", "enum": ["new", None], "nullable": True}),
        (list[str] | None, {"type": "array", "items": {"type": "string"}, "nullable": True}),
        (tuple[str, int], {"type": "array", "items": {}, "minItems": 2, "maxItems": 2}),
        (Mapping[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (LeafDocument, {"$ref": "#/components/schemas/Leaf"}),
        (
            LeafDocument | BranchDocument,
            {"anyOf": [{"$ref": "#/components/schemas/Leaf"}, {"$ref": "#/components/schemas/Branch"}]},
        ),
        (LeafDocument | None, LEAF | {"nullable": True}),
    ],
)
def test_a_type_has_the_schema_of_what_it_may_be(hint: object, expected: dict[str, Any]) -> None:
    assert schema(hint) == expected


@pytest.mark.parametrize("hint", [object, datetime, dict, Colour])
def test_a_type_that_says_nothing_of_its_json_is_refused(hint: object) -> None:
    with pytest.raises(TypeError, match="has no schema"):
        schema(hint)


def test_a_document_comes_with_those_in_it_under_their_names() -> None:
    found = named_schemas([TreeDocument])
    assert list(found) == ["Tree", "Branch", "Leaf"]
    assert found["Leaf"] == LEAF
    assert found["Branch"]["required"] == ["leaf", "lost"]


def test_two_documents_of_one_name_are_refused() -> None:
    class LeafDocument(TypedDict):
        size: int

    with pytest.raises(TypeError, match="two documents are called Leaf"):
        named_schemas([TreeDocument, LeafDocument])


def test_a_line_is_what_the_last_member_lists_or_the_answer_itself() -> None:
    assert item_schema(TreeDocument) == {"$ref": "#/components/schemas/Branch"}
    assert item_schema(BranchDocument) == {"$ref": "#/components/schemas/Branch"}


def test_a_document_is_described_in_its_own_words() -> None:
    class ToldDocument(TypedDict):
        """What was told,
        in two lines."""

    assert named_schemas([ToldDocument])["Told"]["description"] == "What was told, in two lines."
