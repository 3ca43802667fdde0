"""What a person asks the agent to do, as it is sent: the request that it judges, and the proof that it checks.

A proof by ssh or munge signs a text that the client made. It is handed on as it is, after a look whether it says what
the request says. For a code the text is made here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypedDict

from flask import request

from botd.access.requests import WITHOUT_NODES, ActionRequest, RequestError, new_request, parse_request, signed_text
from botd.access.tokens import new_token
from botd.acting.halts import Mode
from botd.acting.told import ActionDocument
from botd.board.actions import Wanted, is_over, read_action, read_actions
from botd.board.outlook import power_of
from botd.documents import has_shape
from botd.errors import ActionsOff, BadRequest, StoreDamaged, UnknownAction, UnknownNode, WrongState
from botd.web.actions import is_off, last_words
from botd.web.here import board, config, store
from botd.web.mail import PATIENCE_S, ask
from botd.web.visitors import address_of
from botd.web.who import known

RE_ARM = WITHOUT_NODES[0]

REBOOTS: Mapping[str, str] = {"on": "power-cycle", "off": "power-on"}
"""The action that boots a node, by its power."""

DRY_RUN_S = 3.0
"""How long an answer waits for the end of a dry run, which takes seconds."""

TOLD_S = 2.0
"""How long it waits until the agent has told of what it has taken up, which takes a fifth of a second."""

_POLL_S = 0.05


class SshProof(TypedDict):
    """Whose key signed the text of the request, and the signature."""

    login: str
    signature: str


PROOFS: Mapping[str, type] = {"otp": str, "ssh": SshProof, "munge": str}
"""What a proof looks like, by its name."""

SIGNED = ("ssh", "munge")
"""The proofs that sign the text of the request, and say who that was."""


class TakenActionDocument(TypedDict):
    """An action that was taken up, and where it stood then."""

    id: int
    node: str
    state: str


class PressDocument(TypedDict):
    """What was taken up. `new` is false for a request that was sent before.

    `batch` is the nonce of several, else empty. `would_have` says what a dry run would have done; empty for others.
    """

    new: bool
    batch: str
    would_have: list[str]
    actions: list[TakenActionDocument]


@dataclass(frozen=True)
class Wish:
    """What somebody wants done, and why. `nodes` gives each node the evidence that they looked at."""

    action: str
    nodes: Mapping[str, str]
    reason: str
    nonce: str = ""


def press(wish: Wish, proof: object, text: str = "") -> PressDocument:
    """What the agent has taken up. Raises ActionsOff before a code is used up, BadRequest, and what it refuses with."""
    _check_acts()
    answer = _sent("act", wish, proof, text, {}, patience_s=config().slurm.timeout + PATIENCE_S)
    taken: list[TakenActionDocument] = answer["actions"]
    is_dry = config().actions.mode == Mode.DRY_RUN
    told = _look(taken, is_over, DRY_RUN_S) if is_dry else _look(taken, bool, TOLD_S)
    would_have = [_ending(action) for action in told] if is_dry else []
    return {"new": answer["new"], "batch": answer["batch"], "would_have": would_have, "actions": taken}


def reboot_of(node: str, nonce: str) -> str:
    """What a reboot of the node is: the action under this nonce where there is one, else by its power.

    Raises ActionsOff, UnknownNode, and WrongState where the power is not known.
    """
    _check_acts()
    check_node(node)
    there = read_actions(store(), Wanted(nodes=frozenset({node}))).actions
    asked = next((each["action"] for each in there if each["nonce"] == nonce), "")
    power = power_of(board().known().readings.get(node, {}))
    if not asked and power is None:
        raise WrongState(f"{node}: its BMC did not say whether its power is on: nothing is done; look at its BMC first")
    return asked or REBOOTS[str(power)]


def approve(number: int, proof: object, text: str = "") -> None:
    """Agrees to what another person has asked for, as the second one. Raises what the agent refuses with."""
    action = read_action(store(), number)
    wish = Wish(action["action"], {action["node"]: action["evidence"]}, action["reason"])
    _sent("approve", wish, proof, text, {"id": number})


def re_arm(kind: str, reason: str, proof: object, text: str = "") -> None:
    """Lets botd act again: `go-on` after a stop, `close-breaker`. Raises what the agent refuses with."""
    _sent(kind, Wish(RE_ARM, {}, reason), proof, text, {"reason": reason})


def say(kind: str, says: Mapping[str, Any]) -> None:
    """Says what takes no proof: `veto`, `halt`, `seen`, `harm`, `stop`. Raises what the agent refuses with."""
    ask(kind, known().token, address_of(request.environ), says)


def _check_acts() -> None:
    if is_off():
        raise ActionsOff("botd does not act: [actions] mode is off")


def _sent(
    kind: str, wish: Wish, proof: object, text: str, says: Mapping[str, Any], *, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """The agent's answer to a request with a proof. Who signs it need not be logged in."""
    given = _proof(proof)
    written = _made(wish)
    signed = next((name for name in SIGNED if name in given), "")
    token = new_token() if signed else known().token
    letter = {**says, "text": _checked(text, wish, signed) if signed else written, "proof": given}
    return ask(kind, token, address_of(request.environ), letter, patience_s=patience_s)


def _proof(given: object) -> dict[str, Any]:
    """The proof of a request, one of `PROOFS` or none. Raises BadRequest."""
    proof = {} if given is None else given
    if not isinstance(proof, dict) or len(proof) > 1 or not all(has_shape(PROOFS.get(n), p) for n, p in proof.items()):
        raise BadRequest('"proof" is {"otp": "123456"}, {"ssh": {"login": …, "signature": …}} or {"munge": "…"}')
    return proof


def _made(wish: Wish) -> str:
    """The text of a request about nodes that there are. Raises BadRequest, UnknownNode."""
    try:
        made = new_request(config().site.name, wish.action, wish.nodes, wish.reason, board().now(), nonce=wish.nonce)
    except RequestError as error:
        raise BadRequest(str(error)) from error
    for node in wish.nodes:
        check_node(node)
    return signed_text(made)


def check_node(node: str) -> None:
    """Raises UnknownNode, with the nearest name, for what is not the whole name of a node."""
    if not board().known().inventory.is_known(node):
        board().question(groups=None, nodes=node, checks=None, max_age_s=None, wait_s=0)
        raise UnknownNode(f'there is no node "{node}"; give its whole name')


def _checked(text: str, wish: Wish, signed: str) -> str:
    """The text that was signed; that of munge is in the credential. Raises BadRequest where it says something else."""
    if not text and signed == "munge":
        return text
    try:
        read = parse_request(text)
    except RequestError as error:
        raise BadRequest(f'the "text" that is signed: {error}') from error
    for name in ("action", "nodes", "reason", "nonce"):
        if not _says(read, wish, name):
            what = f"{name} than {wish.action}" if name == "action" else f"{name} than the request"
            raise BadRequest(f'the "text" that is signed has another {what}')
    return text


def _says(signed: ActionRequest, wish: Wish, name: str) -> bool:
    said, wanted = getattr(signed, name), getattr(wish, name)
    return wanted == "" or (dict(said) == dict(wanted) if name == "nodes" else said == wanted)


def _look(
    taken: Sequence[TakenActionDocument], enough: Callable[[ActionDocument], bool], wait_s: float
) -> list[ActionDocument]:
    """The actions as the agent tells of them, once there is enough; empty where that takes longer.

    It answers before it tells: who follows the answer at once must find them all the same.
    """
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        found = [copy for each in taken if (copy := _copy(each["id"])) and enough(copy)]
        if len(found) == len(taken):
            return found
        time.sleep(_POLL_S)
    return []


def _copy(number: int) -> ActionDocument | None:
    with suppress(UnknownAction, StoreDamaged):
        return read_action(store(), number)
    return None


def _ending(action: ActionDocument) -> str:
    return f"{action['node']}: {last_words(action) or action['state']}"
