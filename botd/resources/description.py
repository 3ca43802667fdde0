"""The OpenAPI description, made from the routes and from the schemas that check the requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from botd import __version__
from botd.display.formats import MIME

if TYPE_CHECKING:
    from botd.resources import Route

_TIME = {"type": "string", "format": "date-time", "nullable": True}
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_COUNT = {"type": "integer"}


def _object(properties: Mapping[str, Any], *, required: Iterable[str] | None = None) -> dict[str, Any]:
    names = list(properties) if required is None else list(required)
    return {"type": "object", "properties": dict(properties), "required": names}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_SLURM: dict[str, dict[str, Any]] = {
    "state": _TEXT,
    "flags": _TEXTS,
    "unrecognised": _TEXTS,
    "reason": _TEXT,
    "reason_by": _TEXT,
    "reason_at": _TIME,
    "partitions": _TEXTS,
}

_ANSWERS = {
    "groups": _TEXTS,
    "readings": {"type": "object", "additionalProperties": _ref("Reading")},
    "recommendation": {"type": "object", "nullable": True},
}

_CHECK = {
    "name": _TEXT,
    "title": _TEXT,
    "unit": {"type": "string", "nullable": True},
    "kind": {"type": "string", "enum": ["batch", "bmc", "remote"]},
    "needs": _TEXTS,
    "parent": {"type": "string", "nullable": True},
    "help": _TEXT,
}

_CHANGE = {
    "id": _COUNT,
    "at": _TIME,
    "node": _TEXT,
    "subject": _TEXT,
    "old": {"type": "string", "nullable": True},
    "new": {"type": "string", "nullable": True},
    "why": _TEXT,
    "bad": {"type": "boolean"},
}

_HEAD = {"as_of": _TIME, "count": _COUNT, "complete": {"type": "boolean"}, "problems": _TEXTS}

SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": _object({"error": _object({"status": _COUNT, "code": _TEXT, "message": _TEXT})}),
    "Reading": _object(
        {
            "state": {"type": "string", "enum": ["ok", "warn", "fail", "unknown", "skipped"]},
            "value": {"nullable": True, "description": "A number, text, truth value, list or object; see the check."},
            "unit": {"type": "string", "nullable": True},
            "at": _TIME,
            "took_s": {"type": "number", "nullable": True},
            "detail": _TEXT,
        }
    ),
    "Slurm": {**_object(_SLURM), "nullable": True},
    "Node": _object({"node": _TEXT, **_ANSWERS, "slurm": _ref("Slurm")}),
    "Fold": _object(
        {
            **_ANSWERS,
            "nodeset": _TEXT,
            "count": _COUNT,
            "slurm": {
                **_object({name: {**shape, "nullable": True} for name, shape in _SLURM.items()}),
                "nullable": True,
            },
        }
    ),
    "Status": _object(
        {
            **_HEAD,
            "groups": _TEXTS,
            "checks": _TEXTS,
            "sweep": {"type": "integer", "nullable": True},
            "nodes": {"type": "array", "items": {"anyOf": [_ref("Node"), _ref("Fold")]}},
        }
    ),
    "Table": _object(
        {
            **_HEAD,
            "groups": _TEXTS,
            "checks": {"type": "array", "items": _object(_CHECK)},
            "sweep": {"type": "integer", "nullable": True},
            "reached": _TEXT,
            "running": {**_object({"sweep": _COUNT, "done": _COUNT, "total": _COUNT}), "nullable": True},
            "rows": {
                "type": "array",
                "items": _object(
                    {
                        "node": _TEXT,
                        "groups": _TEXTS,
                        "state": {"type": "string", "nullable": True},
                        "reason": _TEXT,
                        "reason_by": _TEXT,
                        "reason_at": {"type": "integer", "nullable": True},
                        "cells": {"type": "array", "items": {"type": "array", "items": {}}},
                    }
                ),
            },
        }
    ),
    "Changes": _object(
        {
            "since": _TIME,
            "until": _TIME,
            "count": _COUNT,
            "next": {"type": "integer", "nullable": True},
            "changes": {
                "type": "array",
                "items": _object(_CHANGE),
            },
        }
    ),
    "Offenders": _object(
        {
            "since": _TIME,
            "count": _COUNT,
            "nodes": {
                "type": "array",
                "items": _object({"node": _TEXT, "incidents": _COUNT, "last_at": _TIME, "last": _TEXT}),
            },
        }
    ),
    "Sinfo": _object({**_HEAD, "nodes": {"type": "array", "items": _object({"node": _TEXT, **_SLURM})}}),
    "Hostinfo": _object(
        {
            **_HEAD,
            "nodes": {
                "type": "array",
                "items": _object(
                    {
                        "node": _TEXT,
                        **_SLURM,
                        "base": _TEXT,
                        "features": _TEXTS,
                        "address": _TEXT,
                        "cpus": {"type": "integer", "nullable": True},
                        "memory_mb": {"type": "integer", "nullable": True},
                        "boot_at": _TIME,
                        "slurmd_version": _TEXT,
                        "jobs": {"type": "array", "items": _TEXT, "nullable": True},
                        "jobs_detail": _TEXT,
                        "jobs_at": _TIME,
                    }
                ),
            },
        }
    ),
    "Groups": _object(
        {
            **_HEAD,
            "groups": {
                "type": "array",
                "items": _object({"group": _TEXT, "source": _TEXT, "count": _COUNT, "nodes": _TEXT}),
            },
        }
    ),
    "Checks": _object(
        {
            "count": _COUNT,
            "checks": {
                "type": "array",
                "items": _object(_CHECK),
            },
        }
    ),
    "Sweep": _object(
        {
            "sweep": _COUNT,
            "state": {"type": "string", "enum": ["queued", "running", "done", "cut"]},
            "done": _COUNT,
            "total": _COUNT,
            "nodes": _TEXT,
            "checks": _TEXTS,
            "requested_at": _TIME,
            "started_at": _TIME,
            "ended_at": _TIME,
            "errors": _TEXTS,
        }
    ),
    "Health": _object(
        {
            "status": {"type": "string", "enum": ["ok", "degraded"]},
            "version": _TEXT,
            "problems": _TEXTS,
            "notes": _TEXTS,
            "agent": {"type": "object"},
            "last_sweep": {"type": "object", "nullable": True},
            "node_list": {"type": "object"},
        }
    ),
}
"""The shapes of the answers."""

_FAULTS = {
    "400": "The request cannot be understood.",
    "404": "A node, group, check or sweep is not known.",
    "405": "The route does not take this method.",
    "406": "No form of the answer is accepted.",
    "413": "The request body is too large.",
    "429": "Too many sweeps are waiting, or streams are open.",
    "502": "Slurm failed.",
    "503": "The database cannot be used, or botd is not well.",
    "504": "Slurm did not answer in time.",
}


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI 3.0 document of these routes."""
    spec = APISpec(
        title="botd",
        version=__version__,
        openapi_version="3.0.3",
        info={"description": "The morning round of an HPC cluster: every drained or lost node checked at once."},
        plugins=[MarshmallowPlugin()],
    )
    for name, schema in SCHEMAS.items():
        spec.components.schema(name, schema)
    for route in routes:
        spec.path(_openapi_path(route.path), operations=_operations(route), parameters=_path_parameters(route.path))
    document: dict[str, Any] = spec.to_dict()
    return document


def _operations(route: Route) -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for method in ("get", "post"):
        view = getattr(route.resource, method, None)
        if view is None:
            continue
        operation: dict[str, Any] = {
            "operationId": f"{method}-{route.name}",
            "summary": (view.__doc__ or "").strip().splitlines()[0],
            "parameters": [{"in": "query", "schema": route.resource.QUERY}],
            "responses": _responses(route),
        }
        if method == "post":
            operation["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": getattr(route.resource, "BODY", None)}},
            }
        operations[method] = operation
    return operations


def _responses(route: Route) -> dict[str, Any]:
    media = {"sse": "text/event-stream", **{form: mime.partition(";")[0] for form, mime in MIME.items()}}
    answer = route.resource.ANSWER
    shape = {"$ref": f"#/components/schemas/{answer}"} if answer in SCHEMAS else {"type": "object"}
    content = {media[form]: {"schema": shape if form == "json" else _TEXT} for form in route.resource.FORMS}
    if answer == "text":
        content = {"text/plain": {"schema": _TEXT}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses = {code: {"description": text, "content": error} for code, text in _FAULTS.items()}
    if answer == "Health":
        responses["503"] = {"description": _FAULTS["503"], "content": content}
    return {
        "200": {"description": "The answer.", "content": content},
        "304": {"description": "Not changed."},
        **responses,
    }


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"in": "path", "name": name, "required": True, "schema": _COUNT if kind == "int" else _TEXT}
        for kind, name in re.findall(r"<(\w+):(\w+)>", path)
    ]


def _openapi_path(path: str) -> str:
    return re.sub(r"<\w+:(\w+)>", r"{\1}", path)
