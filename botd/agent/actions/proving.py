"""Who asks for an action, and by what one knows: the proof in a letter, which is used up here and nowhere else."""

from __future__ import annotations

from functools import partial
from typing import Any

from botd.access.letters import Letter, said
from botd.access.requests import MAX_TEXT, ActionRequest, digest, signed_text
from botd.acting.actions import WEIGHTS, Weight
from botd.agent.actions.kit import Kit
from botd.agent.people.holders import Holder
from botd.agent.people.proofs import MAX_CREDENTIAL, MAX_SIGNATURE, CheckCode, Proofs, Vouched
from botd.errors import LoginRequired, NotAllowed, ProofRefused, ProofRequired


class Proving:
    """Looks at the proofs of letters. Used from any thread."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def vouched(self, letter: Letter, holder: Holder | None) -> Vouched:
        """Who asks for what. `holder` is the session or token that the letter shows, None for none.

        Raises ProofRequired, ProofRefused, LockedOut, LoginRequired, and ValueError for what no botd writes.
        """
        text, (kind, proof) = said(letter, "text", MAX_TEXT), _proof(letter)
        if kind == "ssh" and isinstance(proof, dict):
            login, signature = _text(proof.get("login"), 64), _text(proof.get("signature"), MAX_SIGNATURE)
            return self._proofs(partial(self._check_code, letter)).ssh(login, text, signature)
        if kind == "munge":
            found = self._proofs(partial(self._check_code, letter)).munge(_text(proof, MAX_CREDENTIAL))
            if text and signed_text(found.request) != text:
                raise ProofRefused("the credential of munge is for another request")
            return found
        if holder is None:
            raise LoginRequired("log in to act by a code, or sign the request by ssh or munge")
        check_asks(holder)
        if kind == "otp":
            return self._proofs(partial(self._prove, letter, holder)).otp(holder.login, text, _text(proof, 16))
        return self._in_session(letter, holder, text)

    def is_known(self, login: str, request: ActionRequest) -> bool:
        """Whether this login has asked exactly this under this nonce before."""
        with self._kit.ledger.read() as db:
            found = self._kit.ledger.actions.of_nonce(db, request.nonce)
        return bool(found) and all((each.login, each.digest) == (login, digest(request)) for each in found)

    def _in_session(self, letter: Letter, holder: Holder, text: str) -> Vouched:
        """A soft action without a proof of its own, by a code that was given in this session a moment ago."""
        proofs = self._proofs(partial(self._check_code, letter))
        request = proofs.request(text)
        if not self.is_known(holder.login, request):
            is_hard = WEIGHTS.get(request.action, Weight.HARD) is Weight.HARD
            if is_hard or holder.kind != "session" or not self._kit.people.is_proved(holder, letter.address):
                raise ProofRequired("type a code of the moment: none was given in this session within 5 minutes")
            proofs.check_times(request)
        return Vouched(holder.login, request, frozenset({"otp"}))

    def _proofs(self, check_code: CheckCode) -> Proofs:
        return Proofs(self._kit.config, self._kit.clock, check_code, self.is_known)

    def _check_code(self, letter: Letter, login: str, code: str) -> None:
        self._kit.people.check_code(login, code, letter.address)

    def _prove(self, letter: Letter, holder: Holder, login: str, code: str) -> None:
        if holder.kind == "session":
            self._kit.people.prove(holder, code, letter.address)
        else:
            self._check_code(letter, login, code)


def check_asks(holder: Holder) -> None:
    """Raises NotAllowed for a token that only reads."""
    if holder.scope != "ask":
        raise NotAllowed("this token is for reading only")


def _proof(letter: Letter) -> tuple[str, Any]:
    """The kind of the proof and what it is; empty where there is none. Raises ValueError."""
    proof = letter.says.get("proof", {})
    if not isinstance(proof, dict) or len(proof) > 1 or not proof.keys() <= {"otp", "ssh", "munge"}:
        raise ValueError("a proof is one of otp, ssh and munge")
    return next(iter(proof.items()), ("", None))


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError("a proof is text, and not longer than it can be")
    return value
