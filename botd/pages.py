"""HTML pages, and the same tables as text: they read the same core functions as the resources."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, Response, current_app, render_template, request

from botd.cells import cell, plain
from botd.documents import Document
from botd.errors import UnknownNode
from botd.formats import status_table, to_table
from botd.nodeset import check_name
from botd.resources.base import board, error_reply, reply
from botd.resources.params import CheckQuery, StatusQuery, query
from botd.resources.status import status_question, status_reply
from botd.status import listed_groups

LAST_KNOWN_S = 10 * 365 * 86400.0
"""The age that a page accepts where nothing else is said: it shows what is known and makes nobody wait."""


def register(app: Flask) -> None:
    """Adds the pages to the application."""
    app.add_url_rule("/", "dashboard", dashboard)
    app.add_url_rule("/node/<string:name>", "node", node_page)


def wants_html() -> bool:
    """Whether the client is a browser. curl asks for */*, and so does elinks, which says who it is."""
    accepted = request.accept_mimetypes
    named = "text/html" in [mime for mime, _ in accepted]
    text_browser = (request.user_agent.string or "").lower().startswith(("elinks", "links"))
    return text_browser or (named and accepted["text/html"] >= accepted["text/plain"])


def dashboard() -> Response:
    """The table of all nodes asked for, from the latest readings."""
    args = query(StatusQuery)
    question = status_question(_patience(args))
    if "format" in args:
        return status_reply(question, args["format"])
    answer = board().answer(question)
    nodes = board().node_documents(answer)
    if not wants_html():
        return reply("table", status_table(answer.head(), nodes, board().checks))
    return _page(
        "dashboard.html",
        head=answer.head(),
        checks=[board().checks[name] for name in answer.checks],
        nodes=nodes,
        groups=listed_groups(answer.view.inventory),
        asked=",".join(answer.groups) or request.args.get("nodes", ""),
    )


def node_page(name: str) -> Response:
    """One node: every reading in words."""
    args = query(CheckQuery)
    question = status_question({**_patience(args), "nodes": check_name(name)})
    if len(question.nodes) != 1:
        raise UnknownNode(f'"{name[:60]}" is not one node')
    if "format" in args:
        return status_reply(question, args["format"])
    answer = board().answer(question)
    node = board().node_documents(answer)[0]
    if not wants_html():
        return reply("table", _node_text(node))
    return _page("node.html", head=answer.head(), node=node, checks=[board().checks[c] for c in answer.checks])


def error_page(error: Exception) -> Response:
    """An error for a person, with the status and the words of the JSON one."""
    response = error_reply(error)
    details = response.get_json()["error"]
    page = _page("error.html", **details)
    page.status_code = response.status_code
    page.headers.extend((name, value) for name, value in response.headers if name == "Allow")
    return page


def _patience(args: Mapping[str, object]) -> dict[str, object]:
    """Who says nothing of ages gets what is known, at once; nodes that were never read are read meanwhile."""
    return dict(args) if "max_age" in args else {"wait": 0.0, **args, "max_age": LAST_KNOWN_S}


def _page(template: str, **values: object) -> Response:
    html = render_template(template, cell=cell, plain=plain, **values)
    response = current_app.make_response(html)
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept")
    return response


def _node_text(node: Document) -> bytes:
    slurm = node["slurm"] or {"state": "not in Slurm", "reason": ""}
    head = f"{node['node']}  {slurm['state']}  {plain(slurm['reason'])}".rstrip() + "\n\n"
    rows = [
        [name, reading["state"], cell(reading), reading["at"] or "never", plain(reading["detail"])]
        for name, reading in node["readings"].items()
    ]
    return head.encode() + to_table(["CHECK", "STATE", "VALUE", "AT", "DETAIL"], rows)
