"""What vouches for a request: a signature of ssh, a credential of munge, a code of the moment.

ssh and munge sign the text of the request itself (see `botd.access.requests`), so that a web process which carries it
can neither make nor alter one. The agent asks ssh-keygen(1) and unmunge(1), without a shell.
"""

from __future__ import annotations

import os
import pwd
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from botd.access.requests import MAX_TEXT, ActionRequest, RequestError, check_times, parse_request
from botd.config import command_words, resolve_path
from botd.errors import ConfigError, ProofRefused
from botd.file_modes import check_unwritable
from botd.model import Clock
from botd.settings import Config
from botd.text import one_line
from botd.transport.local import Completed, LocalCommandError, run_command

TIMEOUT_S = 10.0
MAX_SIGNATURE = 16_384
MAX_CREDENTIAL = 2 * MAX_TEXT
MAX_OUTPUT = 4 * MAX_TEXT
TTL_S = 120

_MUNGE = {15: "it has expired", 16: "it is of a time to come", 17: "it was used before", 18: "it is not for the agent"}
"""Exit statuses of unmunge(1), which prints the payload for some of them as if all were well (munge 0.5.15)."""

CODE = re.compile(r"[0-9]{6}")
LOGIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")

CheckCode = Callable[[str, str], None]
"""Takes a login and a code, uses the code up, and raises ProofRefused where it is not the code of the moment."""

IsKnown = Callable[[str, ActionRequest], bool]
"""Whether a login has asked exactly this before, under this nonce: then nothing is done again, and no code is used."""


@dataclass(frozen=True)
class Vouched:
    """Who asks, what for, and which proofs there are of it: a code inside the signed text is one more."""

    login: str
    request: ActionRequest
    kinds: frozenset[str]


class Proofs:
    """The proofs as this site takes them."""

    def __init__(
        self, config: Config, clock: Clock, check_code: CheckCode, is_known: IsKnown = lambda login, request: False
    ) -> None:
        access = config.access
        self._site = config.site.name
        self._namespace = f"botd-action@{self._site}"
        self._signers = resolve_path(config, access.allowed_signers) if access.allowed_signers else None
        self._ssh_keygen = command_words(access.ssh_keygen)
        self._unmunge = command_words(access.unmunge)
        self._clock = clock
        self._check_code = check_code
        self._is_known = is_known

    def otp(self, login: str, text: str, code: str) -> Vouched:
        """The request in a text that a login sent with a code. Raises ProofRefused."""
        if not CODE.fullmatch(code):
            raise ProofRefused("a code has 6 digits")
        return self._vouched(login, text, "otp", code)

    def ssh(self, login: str, text: str, signature: str) -> Vouched:
        """The request in a text that a login signed, with a key of theirs. Raises ProofRefused."""
        if not LOGIN.fullmatch(login) or len(text) > MAX_TEXT or len(signature) > MAX_SIGNATURE:
            raise ProofRefused("the signature, its text or the login is malformed: sign again with bofhbot")
        signers = self._allowed_signers()
        with tempfile.NamedTemporaryFile(prefix="botd-", suffix=".sig") as file:
            file.write(signature.encode("utf-8", "replace"))
            file.flush()
            words = [
                "-Y",
                "verify",
                "-n",
                f"botd-action@{self._site}",
                "-I",
                login,
                "-f",
                str(signers),
                "-s",
                file.name,
            ]
            done = _run([*self._ssh_keygen, *words], text)
        if done.status != 0:
            raise ProofRefused(f"ssh-keygen does not know this signature as one of {login}: {_said(done)}")
        return self._vouched(login, text, "ssh")

    def munge(self, credential: str) -> Vouched:
        """The request in a credential, of the user who had munged make it for this agent alone. Raises ProofRefused."""
        if len(credential) > MAX_CREDENTIAL:
            raise ProofRefused("the credential of munge is too long: ask for fewer nodes")
        done = _run([*self._unmunge, "-N"], credential)
        if done.status != 0:
            why = _MUNGE.get(done.status) or one_line(done.stderr.decode("utf-8", "replace"))
            raise ProofRefused(f"munge does not take this credential: {why}")
        metadata, text = _unmunged(done.stdout)
        if metadata.get("UID_RESTRICTION") != str(os.geteuid()):
            raise ProofRefused(f"others could read the credential too: make it by munge -u {_name_of(os.geteuid())}")
        if not 0 < int(metadata.get("TTL", "0")) <= TTL_S:
            raise ProofRefused(f"the credential is good for too long: make it by munge -t {TTL_S}")
        return self._vouched(_name_of(int(metadata["UID"])), text, "munge")

    def _allowed_signers(self) -> Path:
        if self._signers is None:
            raise ProofRefused("no signature of ssh is taken here: [access] allowed_signers names no file")
        try:
            check_unwritable(self._signers, "the allowed signers")
        except (OSError, ConfigError) as error:
            raise ProofRefused(f"no signature of ssh is taken now: {error}") from None
        return self._signers

    def _vouched(self, login: str, text: str, kind: str, code: str = "") -> Vouched:
        """The request, looked at before its code is used up."""
        request = self.request(text)
        code = code or request.otp
        if not self._is_known(login, request):
            self.check_times(request)
            if code:
                self._check_code(login, code)
        return Vouched(login, request, frozenset({kind} | ({"otp"} if code else set())))

    def request(self, text: str) -> ActionRequest:
        """The request in a text, for this cluster. Raises ProofRefused."""
        try:
            request = parse_request(text)
        except RequestError as error:
            raise ProofRefused(str(error)) from None
        if request.site != self._site:
            raise ProofRefused(f'the request is for "{request.site}", and this is "{self._site}": ask there')
        return request

    def check_times(self, request: ActionRequest) -> None:
        """Raises ProofRefused unless the request is good now."""
        try:
            check_times(request, self._clock())
        except RequestError as error:
            raise ProofRefused(str(error)) from None


def _run(words: Sequence[str], stdin: str) -> Completed:
    try:
        return run_command(words, timeout_s=TIMEOUT_S, stdin=stdin.encode("utf-8", "replace"), max_output=MAX_OUTPUT)
    except LocalCommandError as error:
        raise ProofRefused(f"the proof cannot be looked at: {error}") from None


def _said(done: Completed) -> str:
    said = one_line((done.stderr or done.stdout).decode("utf-8", "replace"))
    return said or f"exit status {done.status}"


# UID:             1000
# UID_RESTRICTION: 998
# LENGTH:          7
#
# {"a":1}
def _unmunged(output: bytes) -> tuple[dict[str, str], str]:
    """The metadata and the payload that `unmunge -N` prints (munge 0.5.15). Raises ProofRefused for anything else."""
    head, _, payload = output.partition(b"\n\n")
    pairs = (line.partition(":") for line in head.decode("utf-8", "replace").splitlines())
    metadata = {name: value.strip() for name, _, value in pairs}
    numbers = [metadata.get(name, "") for name in ("STATUS", "UID", "TTL", "LENGTH")]
    if not all(number.isascii() and number.isdecimal() for number in numbers) or metadata["STATUS"] != "0":
        raise ProofRefused("unmunge printed what cannot be read")
    if len(payload) != int(metadata["LENGTH"]):
        raise ProofRefused("unmunge printed another text than it says")
    return metadata, payload.decode("utf-8", "replace")


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise ProofRefused(f"no user has the number {uid} on the agent's machine") from None
