"""GET and POST /actions and /actions/<id>: what was done to nodes, what stops it, and what may be said to one of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flask import Response

from botd.acting.moves import MOVES, By, State
from botd.acting.told import ActionDocument
from botd.acting.words import DONE, STATES
from botd.advice.outcomes import JUDGED
from botd.board.actions import is_over, is_unseen
from botd.errors import BadRequest
from botd.nodeset import natural_key
from botd.pages.base import page_form, render, same_page
from botd.pages.people import personal, redirected
from botd.web.actions import actions_reply, asked_actions, is_off, last_words, one_action, switches
from botd.web.clients import is_text_browser
from botd.web.forms import form_field
from botd.web.here import board
from botd.web.params import ActionForm, ActionsQuery, JsonQuery, form, query
from botd.web.press import approve, re_arm, say
from botd.web.rights import policy_of
from botd.web.who import Who, asker

NOT_SENT = frozenset(move.source for move in MOVES if By.ANYBODY in move.by)
"""The states in which anybody may stop an action."""

REFRESH_S = 3
"""How often a page without a script is loaded again, as long as there is more to come."""

EVERYTHING = ("stop", "go-on", "close-breaker")
BATCH = "halt-batch"
ONE = ("halt", BATCH, "approve", "veto", "seen", "harm", "not-it")
"""What the forms say: to everything, and to one action."""


def actions_page() -> Response:
    """What was done to nodes, newest first."""
    args = query(ActionsQuery)
    wanted = page_form(args)
    page = asked_actions(args)
    if wanted:
        return actions_reply(page, wanted)
    if args.get("batch"):
        return _batch_page(page.actions)
    found = asker()
    shown = render(
        "actions.html",
        actions=page.actions,
        states=STATES,
        off=is_off(),
        now_told=switches(),
        asker=found,
        may_re_arm=_has_right(found, "re-arm"),
        form=form_field(),
        older=same_page("actions_page", before=page.next) if page.next else "",
        all_of_it=same_page("actions_page", state=None, before=None),
        open_only=same_page("actions_page", state="under-way", before=None),
        now=board().now(),
    )
    return personal(shown)


def _batch_page(actions: Sequence[ActionDocument]) -> Response:
    """What came of each node that was pressed for together; it follows them."""
    names, goes_on = {each["action"] for each in actions}, not all(map(is_over, actions))
    told = DONE.get(next(iter(names), ""))
    shown = render(
        "batch.html",
        actions=sorted(actions, key=lambda each: natural_key(each["node"])),
        title=told.title if told else ", ".join(sorted(names)) or "Actions",
        counts=[f"{count} {state}" for state, count in _by_state(actions).items()],
        states=STATES,
        last_words=last_words,
        goes_on=goes_on,
        can_stop=asker() is not None and any(each["state"] in NOT_SENT for each in actions),
        form=form_field(),
        asker=asker(),
        refresh_s=REFRESH_S,
        now=board().now(),
    )
    if goes_on and is_text_browser():
        shown.headers["Refresh"] = str(REFRESH_S)
    return personal(shown)


def _by_state(actions: Sequence[ActionDocument]) -> dict[str, int]:
    """How many actions are in each state, those that are over first."""
    found = Counter(each["state"] for each in actions)
    order = [*(state for state in reversed(State)), *found]
    return {state: found[state] for state in dict.fromkeys(order) if found[state]}


def actions_sent() -> Response:
    """Stops everything, or lets it go on."""
    given = form(ActionForm)
    said, reason = given.get("do", ""), given.get("reason", "")
    if said not in EVERYTHING:
        raise BadRequest("the form does not say what is wanted: load its page again")
    if said == "stop":
        say("stop", {"reason": reason})
    else:
        re_arm(said, reason, code_of(given.get("code", "")))
    return redirected("actions_page")


def action_page(action: int) -> Response:
    """One action, step by step; it follows what comes of it."""
    query(JsonQuery)
    told, found = one_action(action), asker()
    shown = render(
        "action.html",
        action=told,
        words=STATES[State(told["state"])] if told["state"] in STATES else told["state"],
        states=STATES,
        done=DONE.get(told["action"]),
        is_over=is_over(told),
        asker=found,
        offered=_offered(told, found),
        form=form_field(),
        refresh_s=REFRESH_S,
        now=board().now(),
    )
    if is_text_browser() and not is_over(told):
        shown.headers["Refresh"] = str(REFRESH_S)
    return personal(shown)


def action_sent(action: int) -> Response:
    """Says something to an action."""
    given = form(ActionForm)
    said = given.get("do", "")
    if said not in ONE:
        raise BadRequest("the form does not say what is wanted: load its page again")
    if said == "approve":
        approve(action, code_of(given.get("code", "")))
    elif said == BATCH:
        say("halt", {"id": action, "batch": True})
        return redirected("actions_page", batch=one_action(action)["batch"])
    else:
        _say(said, action, given.get("reason", ""))
    return redirected("action_page", action=action)


def _say(said: str, action: int, reason: str) -> None:
    """What takes no proof, of which some takes a reason."""
    if said in ("harm", "not-it"):
        say("harm", {"id": action, "harm": said == "harm", "reason": reason})
    else:
        say(said, {"id": action, **({"reason": reason} if said == "seen" else {})})


def code_of(code: str) -> dict[str, str]:
    """The proof in a form: a code as it was typed, in groups or not; none where nothing was."""
    digits = "".join(code.split())
    return {"otp": digits} if digits else {}


def _offered(action: ActionDocument, found: Who | None) -> list[str]:
    """What this person may say to an action, as far as that is known here."""
    if found is None:
        return []
    waits, is_theirs = action["state"] == State.AWAITING, action["login"] == found.login
    rows = (
        ("approve", waits and not is_theirs),
        ("veto", waits),
        ("halt", action["state"] in NOT_SENT and not waits),
        ("seen", is_unseen(action) and _has_right(found, "re-arm")),
        ("harm", _is_judged(action) and _has_right(found, "harm")),
    )
    return [name for name, is_offered in rows if is_offered]


def _is_judged(action: ActionDocument) -> bool:
    """Whether there may be something to say of what came of it: it was sent to mend a node."""
    was_sent = action["sent_at"] is not None and not action["dry"]
    return action["action"] in JUDGED and was_sent and is_over(action)


def _has_right(found: Who | None, right: str) -> bool:
    return found is not None and right in policy_of(found)["rights"]
