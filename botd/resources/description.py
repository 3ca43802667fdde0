"""The OpenAPI description, made from the routes and from the schemas that check the requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, is_typeddict

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from botd import __version__
from botd.display.formats import MIME
from botd.resources.health import HealthDocument
from botd.resources.schemas import item_schema, named_schemas, schema
from botd.web.faults import ErrorDocument

if TYPE_CHECKING:
    from botd.resources import Route

_TEXT = {"type": "string"}
_MEDIA = {"sse": "text/event-stream", **{form: mime.partition(";")[0] for form, mime in MIME.items()}}

_FAULTS = {
    "400": "The request cannot be understood.",
    "401": "Nobody is logged in, or what was shown is refused.",
    "403": "A page of another site may not ask this, or this visitor may not.",
    "404": "A node, group, check, sweep, note or action is not known.",
    "405": "The route does not take this method.",
    "406": "No form of the answer is accepted.",
    "408": "The request did not come to its end in time.",
    "409": "There are as many notes as there may be, or something keeps the action from being done.",
    "413": "The request body is too large.",
    "414": "The request line is too long.",
    "421": "The Host is not a name of botd.",
    "423": "There were too many failures.",
    "429": "Too many sweeps or requests are waiting, or streams are open.",
    "431": "The headers are too large.",
    "502": "Slurm failed.",
    "503": "The database or the ledger cannot be used, the agent is silent, or botd is not well.",
    "504": "Slurm did not answer in time.",
}


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """The OpenAPI 3.0 document of these routes. Raises TypeError where the answer of one has no schema."""
    spec = APISpec(
        title="botd",
        version=__version__,
        openapi_version="3.0.3",
        servers=[{"url": "/"}],
        info={"description": "The morning round of an HPC cluster: every drained or lost node checked at once."},
        plugins=[MarshmallowPlugin()],
    )
    made = (shape for route in routes for shape in (route.resource.MADE, route.resource.TAKEN) if shape)
    answers = [*map(_answer, routes), *made]
    for name, shape in named_schemas([ErrorDocument, *answers]).items():
        spec.components.schema(name, shape)
    for route in routes:
        spec.path(_openapi_path(route.path), operations=_operations(route), parameters=_path_parameters(route.path))
    document: dict[str, Any] = spec.to_dict()
    return document


def _operations(route: Route) -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for method in ("get", "post", "delete"):
        view = getattr(route.resource, method, None)
        if view is None:
            continue
        operation: dict[str, Any] = {
            "operationId": f"{method}-{route.name}",
            "summary": _summary(view.__doc__ or "", route.fixed),
            "parameters": [{"in": "query", "schema": _asked_with(route, method)}],
            "responses": _responses(route, method),
        }
        if sent := getattr(route.resource, {"post": "BODY", "delete": "ENDS_WITH"}.get(method, ""), None):
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": sent}}}
        operations[method] = operation
    return operations


def _asked_with(route: Route, method: str) -> Any:
    other = route.resource.SENT_WITH if method == "post" else None
    return other or route.resource.QUERY


def _summary(told: str, fixed: Mapping[str, str]) -> str:
    """The first line of what a resource says of itself, with what the path stands for where it has no argument."""
    first = told.strip().splitlines()[0]
    return f"{first.rstrip('.')}: {', '.join(fixed.values())}." if fixed else first


def _responses(route: Route, method: str) -> dict[str, Any]:
    made, taken = (route.resource.MADE, route.resource.TAKEN) if method == "post" else (None, None)
    answer = made or taken or _answer(route)
    content = _content(answer, ("json",) if taken else route.resource.FORMS)
    error = {"application/json": {"schema": schema(ErrorDocument)}, "text/plain": {"schema": _TEXT}}
    responses = {code: {"description": text, "content": error} for code, text in _FAULTS.items()}
    if answer is HealthDocument:
        responses["503"] = {"description": _FAULTS["503"], "content": content}
    if method == "delete" or (method == "post" and route.resource.SAYS_NOTHING):
        return {"204": {"description": "It is done."}, **responses}
    if taken:
        was = {"description": "It was taken up before, or was a dry run that has ended.", "content": content}
        return {"200": was, "202": {"description": "What was taken up.", "content": content}, **responses}
    if made:
        return {"201": {"description": "What was made.", "content": content}, **responses}
    return {
        "200": {"description": "The answer.", "content": content},
        "304": {"description": "Not changed."},
        **responses,
    }


def _answer(route: Route) -> type:
    """What a route answers: a TypedDict, or text. Raises TypeError where it does not say that."""
    answer: type = getattr(route.resource, "ANSWER", object)
    if answer is not str and not is_typeddict(answer):
        raise TypeError(f"{route.path} has no schema: ANSWER of {route.resource.__name__} is to be a TypedDict or str")
    return answer


def _content(answer: type, forms: Iterable[str]) -> dict[str, Any]:
    """The answer in each of its forms. OpenAPI before 3.2 has no `itemSchema` for the lines of a text."""
    if answer is str:
        return {"text/plain": {"schema": _TEXT}}
    lines = {"schema": _TEXT, "x-itemSchema": item_schema(answer)}
    shapes = {"json": {"schema": schema(answer)}, "ndjson": lines, "sse": lines}
    return {_MEDIA[form]: shapes.get(form, {"schema": _TEXT}) for form in forms}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"in": "path", "name": name, "required": True, "schema": {"type": "integer"} if kind == "int" else _TEXT}
        for kind, name in re.findall(r"<(\w+):(\w+)>", path)
    ]


def _openapi_path(path: str) -> str:
    return re.sub(r"<\w+:(\w+)>", r"{\1}", path)
