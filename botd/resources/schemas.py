"""OpenAPI 3.0 schemas of TypedDicts, so that an answer's shape stands in one place: beside the function that makes it.

`Annotated` says beside a text the enumeration that its words are of, or else a keyword of the schema with its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

Schema = dict[str, Any]

_SINGLE: Mapping[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {"nullable": True},
}


def schema(hint: Any) -> Schema:
    """The schema of a type; of a TypedDict a reference to its own. Raises TypeError for a type that has none."""
    origin, args = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return {"$ref": f"#/components/schemas/{name_of(hint)}"}
    if origin in (Annotated, NotRequired):
        return {**schema(args[0]), **dict(map(_keyword, args[1:]))}
    if origin is Literal:
        return {"type": "string", "enum": list(args)}
    if origin in (Union, UnionType):
        return _union(args)
    if origin is list:
        return {"type": "array", "items": schema(args[0])}
    if origin is tuple:
        return {"type": "array", "items": {}, "minItems": len(args), "maxItems": len(args)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": schema(args[1])}
    if hint not in _SINGLE:
        raise TypeError(f"{hint} has no schema; an answer is a TypedDict of texts, numbers, lists and TypedDicts")
    return dict(_SINGLE[hint])


def name_of(document: type) -> str:
    """The name of a TypedDict's schema."""
    return document.__name__.removesuffix("Document")


def named_schemas(documents: Iterable[type]) -> dict[str, Schema]:
    """The schemas of these TypedDicts and of those in them, by name. Raises TypeError where two have the same name."""
    found: dict[str, type] = {}
    for part in (part for document in documents for part in _typed_dicts(document)):
        if found.setdefault(name_of(part), part) is not part:
            raise TypeError(f"two documents are called {name_of(part)}: {found[name_of(part)]} and {part}")
    return {name: _object(part) for name, part in found.items()}


def item_schema(answer: type) -> Schema:
    """The schema of a line of an answer: of what its last member is a list of, or of itself where it is no list."""
    *_, last = get_type_hints(answer, include_extras=True).values()
    return schema(last)["items"] if get_origin(last) is list and any(_typed_dicts(last)) else schema(answer)


def _object(document: type) -> Schema:
    hints = get_type_hints(document, include_extras=True)
    # Not __required_keys__, which takes every member for required where annotations are texts (Python 3.11).
    required = [name for name, hint in hints.items() if get_origin(hint) is not NotRequired]
    properties = {name: schema(hint) for name, hint in hints.items()}
    told = " ".join((document.__doc__ or "").split())
    named = {"description": told} if told else {}
    return {"type": "object", **named, "properties": properties, "required": required}


def _keyword(said: type[StrEnum] | tuple[str, str]) -> tuple[str, Any]:
    return said if isinstance(said, tuple) else ("enum", [word.value for word in said])


def _union(members: Iterable[Any]) -> Schema:
    """What may be null says so. A reference cannot say it (OpenAPI 3.0.3), so then the shape itself stands there."""
    some = [member for member in members if member is not NoneType]
    if len(some) == len(tuple(members)):
        return {"anyOf": list(map(schema, some))}
    [only] = some
    found = _object(only) if is_typeddict(only) else schema(only)
    words = (
        {"enum": [*found["enum"], None]} if "enum" in found else {}
    )  # a word that it lists, or null, which is one too
    return {**found, **words, "nullable": True}


def _typed_dicts(hint: Any) -> Iterator[type]:
    """The TypedDicts in a type, itself the first."""
    if is_typeddict(hint):
        yield hint
    inner = get_type_hints(hint, include_extras=True).values() if is_typeddict(hint) else get_args(hint)
    for part in inner:
        yield from _typed_dicts(part)
