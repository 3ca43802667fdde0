"""What Slurm says: the down and drained nodes, single nodes, and the groups."""

from __future__ import annotations

from typing import TypedDict

from flask import Response

from botd.display.formats import MIME
from botd.documents import (
    AnswerHead,
    HostinfoNodeDocument,
    SinfoNodeDocument,
    hostinfo_node_document,
    iso,
    sinfo_node_document,
)
from botd.errors import BadRequest, UnknownNode
from botd.inventory import listed_groups
from botd.model import SlurmNode
from botd.nodeset import fold
from botd.resources.base import BotdResource
from botd.view import View
from botd.web.here import board, config
from botd.web.params import FormatQuery, HostinfoQuery, SinfoQuery, chosen_format, either, query
from botd.web.replies import records_reply

SINFO_COLUMNS = ("node", "state", "reason_by", "reason_at", "reason")
HOSTINFO_COLUMNS = ("node", "state", "reason_by", "reason_at", "partitions", "features", "jobs", "reason")
GROUP_COLUMNS = ("group", "count", "source", "nodes")


class SinfoDocument(AnswerHead):
    """Slurm's list of down and drained nodes."""

    nodes: list[SinfoNodeDocument]


class HostinfoDocument(AnswerHead):
    """What Slurm says of single nodes."""

    nodes: list[HostinfoNodeDocument]


class GroupDocument(TypedDict):
    """A group: a file's path or `slurm` as its source, and its nodes as a nodeset."""

    group: str
    source: str
    count: int
    nodes: str


class GroupsDocument(AnswerHead):
    """The groups."""

    groups: list[GroupDocument]


class SinfoResource(BotdResource):
    """GET /api/v1/sinfo: the down and drained nodes as Slurm gives them."""

    QUERY = SinfoQuery
    FORMS = tuple(MIME)
    ANSWER = SinfoDocument

    def get(self) -> Response:
        """Slurm's list of down and drained nodes, with the reasons."""
        args = query(SinfoQuery)
        form = chosen_format(args)
        view, problems = board().slurm_nodes(args.get("max_age", config().slurm.max_age))
        nodes = view.inventory.down()
        records = [sinfo_node_document(view.inventory.nodes[node]) for node in nodes]
        return records_reply(form, _head(view, len(records), problems), "nodes", records, SINFO_COLUMNS)


class HostinfoResource(BotdResource):
    """GET /api/v1/hostinfo?h=: what Slurm says of single nodes."""

    QUERY = HostinfoQuery
    FORMS = tuple(MIME)
    ANSWER = HostinfoDocument

    def get(self) -> Response:
        """State, reason, partitions, features and running jobs of these nodes."""
        args = query(HostinfoQuery)
        form = chosen_format(args)
        wanted = either(args, "nodes", "h")
        if not wanted:
            raise BadRequest("name a node: /api/v1/hostinfo?h=n0000.savio2")
        max_age_s = args.get("max_age", config().slurm.max_age)
        view, problems = board().slurm_nodes(max_age_s)
        question = board().question(groups=None, nodes=wanted, checks="jobs", max_age_s=max_age_s, wait_s=None)
        nodes = [_slurm_node(view, name) for name in question.nodes]
        documents = board().bodies.node_documents(board().answer(question))
        records = [
            hostinfo_node_document(node, document["readings"]["jobs"])
            for node, document in zip(nodes, documents, strict=True)
        ]
        return records_reply(form, _head(view, len(records), problems), "nodes", records, HOSTINFO_COLUMNS)


class GroupListResource(BotdResource):
    """GET /api/v1/group-list: the groups, where each comes from, and how many nodes."""

    QUERY = FormatQuery
    FORMS = tuple(MIME)
    ANSWER = GroupsDocument

    def get(self) -> Response:
        """The groups."""
        form = chosen_format(query(FormatQuery))
        view = board().known()
        records: list[GroupDocument] = [
            {"group": group.name, "source": group.source, "count": len(group.nodes), "nodes": fold(group.nodes)}
            for group in listed_groups(view.inventory)
        ]
        head = _head(view, len(records), list(view.inventory.problems))
        return records_reply(form, head, "groups", records, GROUP_COLUMNS)


def _slurm_node(view: View, name: str) -> SlurmNode:
    found: SlurmNode | None = view.inventory.nodes.get(name)
    if found is None:
        raise UnknownNode(f'Slurm does not know the node "{name}"; it is in a group file only')
    return found


def _head(view: View, count: int, problems: list[str]) -> AnswerHead:
    return {
        "as_of": iso(view.pulse.list_as_of),
        "count": count,
        "complete": not problems,
        "problems": problems,
    }
