"""GET /api: the description of the interface as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flask import Response
from markupsafe import Markup, escape

from botd.pages.base import page_form, render
from botd.web.index import content_of, description, index_reply
from botd.web.params import FormatQuery, query

Shape = Mapping[str, Any]

WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
}


class Member(NamedTuple):
    """A parameter, or a member of an answer. `kind` is HTML."""

    name: str
    kind: Markup
    is_required: bool
    told: str


class Operation(NamedTuple):
    """A route with a method, as the page shows it. What is answered is a media type and HTML of what it holds."""

    key: str
    method: str
    path: str
    summary: str
    parameters: list[Member]
    body: list[Member]
    answers: list[tuple[str, Markup]]


def api_page() -> Response:
    """Every route with its parameters and answers, and every document that stands in one."""
    form = page_form(query(FormatQuery))
    if form:
        return index_reply(form)
    spec = description()
    schemas = spec["components"]["schemas"]
    operations = list(_operations(spec["paths"], schemas))
    faults = spec["paths"]["/api/v1"]["get"]["responses"]
    return render(
        "api.html",
        operations=operations,
        faults=[(code, fault["description"]) for code, fault in faults.items() if code >= "300"],
        documents=[(name, shape.get("description", ""), _members(shape)) for name, shape in schemas.items()],
    )


def _operations(paths: Mapping[str, Any], schemas: Mapping[str, Shape]) -> Iterator[Operation]:
    for path, operations in paths.items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            asked = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            yield Operation(
                operation["operationId"],
                method.upper(),
                path,
                operation["summary"],
                [_parameter(each) for each in (*operations.get("parameters", ()), *operation["parameters"])],
                _members(schemas[_name(asked)]) if asked else [],
                [(media, _answer(content)) for media, content in content_of(operation).items()],
            )


def _parameter(parameter: Shape) -> Member:
    told = parameter.get("description", "Part of the path." if parameter["in"] == "path" else "")
    return Member(parameter["name"], kind(parameter["schema"]), parameter.get("required", False), told)


def _members(shape: Shape) -> list[Member]:
    """The members of an object."""
    required = shape.get("required", ())
    return [
        Member(name, kind(member), name in required, member.get("description", ""))
        for name, member in shape.get("properties", {}).items()
    ]


def _answer(content: Shape) -> Markup:
    """What an answer of a media type holds."""
    if "x-itemSchema" in content:
        return Markup("a line for each {}").format(kind(content["x-itemSchema"]))
    return kind(content["schema"])


def kind(shape: Shape) -> Markup:
    """The type of a schema in words, as HTML: documents are links to their place on the page."""
    words = _kind(shape)
    return Markup("{} or null").format(words) if shape.get("nullable") and "type" in shape else words


def _kind(shape: Shape) -> Markup:
    if "$ref" in shape:
        return Markup('<a href="#{0}">{0}</a>').format(_name(shape))
    if "anyOf" in shape:
        return Markup(" or ").join(map(kind, shape["anyOf"]))
    if "enum" in shape:
        return escape(", ".join(word for word in shape["enum"] if word is not None))
    if shape.get("type") == "array":
        return Markup("list of {}").format(kind(shape["items"]) if shape.get("items") else "anything")
    if "properties" in shape:
        return Markup("object of {}").format(", ".join(shape["properties"]))
    if isinstance(shape.get("additionalProperties"), Mapping):
        return Markup("object by name, each {}").format(kind(shape["additionalProperties"]))
    return escape(_plain_kind(shape))


def _plain_kind(shape: Shape) -> str:
    """The type of what has no parts, with the least and the most that it may be."""
    word = WORDS.get(shape.get("type", ""), "anything")
    bounds = [f"{shape[key]:,.0f}" for key in ("minimum", "maximum") if key in shape]
    word = "time" if shape.get("format") == "date-time" else word
    return f"{word}, {' to '.join(bounds)}" if bounds else word


def _name(reference: Shape) -> str:
    """The name of the document that a reference is to."""
    return str(reference["$ref"]).rpartition("/")[2]
