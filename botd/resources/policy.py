"""What one may do."""

from __future__ import annotations

from flask import Response

from botd.access.policy import PolicyDocument
from botd.resources.base import BotdResource
from botd.resources.login import personal
from botd.web.params import NodesQuery, query
from botd.web.questions import chosen_nodes
from botd.web.rights import policy_of
from botd.web.who import known


class PolicyResource(BotdResource):
    """GET /api/v2/policy: the roles as they apply to who asks."""

    QUERY = NodesQuery
    ANSWER = PolicyDocument

    def get(self) -> Response:
        """Your roles, and what they come to on the nodes that you name. The agent judges by itself when you press."""
        args = query(NodesQuery)
        who = known()
        return personal(policy_of(who, sorted(chosen_nodes(args) or ())))
