"""Can botd log in to the node."""

from __future__ import annotations

from botd.answers import LoginAnswer, Source, SshState
from botd.model import Check, Facts, Finding, State

MEANING = {
    SshState.UP: "logged in",
    SshState.REFUSED: "the node is there, sshd is not",
    SshState.TIMEOUT: "no answer from the node",
    SshState.HUNG: "the connection opened, then sshd said nothing",
    SshState.AUTH: "sshd did not accept botd's key",
    SshState.HOST_KEY: "the host key is not the known one",
    SshState.UNRESOLVED: "the name has no address",
}
"""What each value means, for a person."""


def check_ssh(answer: LoginAnswer, facts: Facts) -> Finding:
    """How the login ended: one of SshState's values; only `up` is ok."""
    state = State.OK if answer.state is SshState.UP else State.FAIL
    return Finding(state, answer.state.value, answer.detail or MEANING[answer.state])


CHECK = Check(
    name="ssh",
    title="SSH",
    help="How a login ends: up, refused, timeout, hung, auth, host-key or unresolved.",
    source=Source.LOGIN,
    parse=check_ssh,
    says_how=True,
    opens_incident=True,
    always_drawn=True,
    silent=("1 node takes no ssh login", "{} nodes take no ssh login"),
)
