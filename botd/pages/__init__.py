"""HTML pages, and the same tables as text: they read the same core functions as the resources."""

from __future__ import annotations

from flask import Flask

from botd.pages import notes
from botd.pages.actions import action_page, action_sent, actions_page, actions_sent
from botd.pages.api import api_page
from botd.pages.audit import audit
from botd.pages.cluster import cluster
from botd.pages.dry_runs import dry_runs_page
from botd.pages.errors import error_page
from botd.pages.history import changes, history_picture, offenders
from botd.pages.node import node_page
from botd.pages.nodes import nodes_page
from botd.pages.people import login_page, login_sent, me_page, me_sent
from botd.pages.press import press_page, press_sent
from botd.pages.round import round_page
from botd.pages.several import several_page, several_sent
from botd.pages.trust import trust_page, trust_picture

__all__ = ["error_page", "register"]


def register(app: Flask) -> None:
    """Adds the pages to the application."""
    app.add_url_rule("/", "round", round_page)
    app.add_url_rule("/nodes", "nodes", nodes_page)
    app.add_url_rule("/node/<string:name>", "node", node_page)
    app.add_url_rule("/node/<string:name>/history.svg", "history_picture", history_picture)
    app.add_url_rule("/node/<string:name>/notes", "write_note", notes.write, methods=["POST"])
    app.add_url_rule("/node/<string:name>/notes/<int:note>/end", "end_note", notes.end, methods=["POST"])
    app.add_url_rule("/node/<string:name>/do/<string:action>", "press_page", press_page)
    app.add_url_rule("/node/<string:name>/do/<string:action>", "press_sent", press_sent, methods=["POST"])
    app.add_url_rule("/do/<string:action>", "several_page", several_page)
    app.add_url_rule("/do/<string:action>", "several_sent", several_sent, methods=["POST"])
    app.add_url_rule("/actions", "actions_page", actions_page)
    app.add_url_rule("/actions", "actions_sent", actions_sent, methods=["POST"])
    app.add_url_rule("/actions/<int:action>", "action_page", action_page)
    app.add_url_rule("/actions/<int:action>", "action_sent", action_sent, methods=["POST"])
    app.add_url_rule("/dry-runs", "dry_runs_page", dry_runs_page)
    app.add_url_rule("/cluster", "cluster", cluster)
    app.add_url_rule("/api", "api_page", api_page)
    app.add_url_rule("/audit", "audit_page", audit)
    app.add_url_rule("/trust", "trust_page", trust_page)
    app.add_url_rule("/trust.svg", "trust_picture", trust_picture)
    app.add_url_rule("/changes", "changes_page", changes)
    app.add_url_rule("/login", "login_page", login_page)
    app.add_url_rule("/login", "login_sent", login_sent, methods=["POST"])
    app.add_url_rule("/me", "me_page", me_page)
    app.add_url_rule("/me", "me_sent", me_sent, methods=["POST"])
    app.add_url_rule("/offenders", "offenders_page", offenders)
