"""What one may do."""

from __future__ import annotations

from flask import Response

from botd.access.policy import PolicyDocument
from botd.access.requests import MAX_NODES
from botd.acting.told import SwitchesDocument
from botd.board.outlook import NodeOutlookDocument
from botd.resources.base import BotdResource
from botd.resources.login import personal
from botd.web.actions import switches
from botd.web.params import NodesQuery, query
from botd.web.questions import chosen_nodes
from botd.web.rights import outlooks, policy_of
from botd.web.who import who


class OutlookDocument(PolicyDocument):
    """The policy, what everything waits for now, and for each node what would come of an action there.

    `outlook` is of at most 64 nodes, which is as many as one request takes; of more it is empty.
    """

    now: SwitchesDocument
    outlook: dict[str, NodeOutlookDocument]


class PolicyResource(BotdResource):
    """GET /api/v2/policy: the roles as they apply to who asks."""

    QUERY = NodesQuery
    ANSWER = OutlookDocument

    def get(self) -> Response:
        """Your roles, what they come to on the nodes that you name, what stands in the way now, and what is left.

        The agent judges by itself when you press. Who is not logged in has no roles, and takes the evidence to sign.
        """
        args = query(NodesQuery)
        found, nodes = who(), sorted(chosen_nodes(args) or ())
        seen = outlooks(found, nodes) if len(nodes) <= MAX_NODES else {}
        document: OutlookDocument = {**policy_of(found, nodes), "now": switches(), "outlook": seen}
        return personal(document)
