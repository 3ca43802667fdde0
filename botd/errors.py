"""Every exception botd raises on purpose.

::

    BotdError                 500  internal
    ├── ConfigError           500  bad-config         a setting that cannot be used; the program does not start
    ├── LoginRequired         401  login-required     nobody is logged in who asks for what is somebody's
    ├── ProofRefused          401  proof-refused      a proof that does not vouch for the request
    ├── ProofRequired         401  proof-required     an action that nothing vouches for
    ├── BadRequest            400  bad-request        a request that cannot be understood
    │   └── BadNodeset        400  bad-nodeset        a node list that is malformed, unsafe or too long
    ├── NotFound              404  not-found          a route that does not exist
    │   ├── UnknownNode       404  unknown-node
    │   ├── UnknownGroup      404  unknown-group
    │   ├── UnknownCheck      404  unknown-check
    │   ├── UnknownLog        404  unknown-log        a log that the configuration does not name
    │   ├── UnknownSweep      404  unknown-sweep
    │   ├── UnknownNote       404  unknown-note
    │   └── UnknownAction     404  unknown-action
    ├── MethodNotAllowed      405  method-not-allowed
    ├── NotAcceptable         406  not-acceptable     no format that the client accepts
    ├── TooManyNotes          409  too-many-notes     as many notes as a node, or botd, may have
    ├── NotAllowed            403  not-allowed        a person without the right or role
    ├── SameNonce             409  same-nonce         another request under a nonce that was used
    ├── NodeBusy              409  busy               somebody has an action under way on the node
    ├── MovedOn               409  moved-on           an action that is no longer where somebody saw it
    ├── ActionsOff            409  actions-off        [actions] mode does not let botd act
    ├── LiveJob               409  live-job           a job that an action could end
    ├── JobsUnknown           409  jobs-unknown       it is not known whether a node has jobs
    ├── EvidenceChanged       409  evidence-changed   a node is not what it was when somebody looked
    ├── HumanReason           409  human-reason       a person keeps the node out
    ├── Protected             409  protected          a node that nobody touches through botd
    ├── BreakerOpen           409  breaker-open       the breaker is open
    ├── StormOn               409  storm              so many nodes fell ill at once that they share a fault
    ├── Stopped               409  stopped            somebody has stopped everything, or this
    ├── NotRecommended        409  not-recommended    an action that is not the recommended one
    ├── Elsewhere             409  elsewhere          a node that only a worker reaches
    ├── OtherBmc              409  other-bmc          a BMC that may not be that of the node
    ├── WrongState            409  wrong-state        power, drain or base state are not what it needs
    ├── Capped                429  cap                as much was done as may be
    ├── ClockUnsure           503  clock              the clock of the agent's machine is not believed
    ├── RolesUnreadable       503  roles-unreadable   the roles file, or a protected group, is not believed
    ├── SlurmUnreadable       503  slurm-unreadable   Slurm did not say what a node is just now
    ├── CrossSite             403  cross-site         a page of another site wants more than to be looked at
    ├── WrongHost             421  wrong-host         a Host header with a name that is not botd's
    ├── RequestTimeout        408  request-timeout    a request that did not come to its end in time
    ├── TooLarge              413  too-large          a body over the limit
    ├── UriTooLong            414  uri-too-long       a request line over the limit
    ├── HeadTooLarge          431  head-too-large     headers over a limit
    ├── LockedOut             423  locked-out         too many failures: no code and no password is looked at
    ├── TooMany               429  too-many           as many sweeps, requests or streams as may wait
    ├── SlurmFailed           502  slurm-failed       a Slurm command is missing, failed or printed garbage
    │   └── SlurmTimeout      504  slurm-timeout      a Slurm command did not end in time
    ├── StoreUnavailable      503  store-unavailable  the database is locked, full or away
    │   ├── StoreEmpty        503  store-unavailable  the database has no tables, or nothing in them
    │   └── StoreDamaged      503  store-damaged      the database file, or something in it, is damaged
    ├── LedgerUnavailable     503  ledger-unavailable the agent's ledger is damaged, restored or where others can write
    ├── AgentSilent           503  agent-silent       the agent does not answer what it is asked
    └── NoNodeList            503  no-node-list       no agent has written a node list yet

A sick node is never an exception: it is a Reading (see `botd.model`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class BotdError(Exception):
    """The root. `status` is the HTTP status, `code` a stable word for scripts, the text is for a person."""

    status = 500
    code = "internal"


class ConfigError(BotdError):
    """Raised when the configuration holds an unknown key, a wrong type or a value that cannot work.

    `at` is the setting, as far as it is known: `[ssh] parallel`, `[ssh]`, `[[check]] name=gpu`.
    """

    code = "bad-config"

    def __init__(self, message: str, at: str = "") -> None:
        super().__init__(message)
        self.at = at


class BadRequest(BotdError):
    """Raised when a request cannot be understood."""

    status = 400
    code = "bad-request"


class BadNodeset(BadRequest):
    """Raised when a node list is malformed, holds an unsafe name or spans more nodes than allowed."""

    code = "bad-nodeset"


class LoginRequired(BotdError):
    """Raised when nobody is logged in who asks for what is somebody's, or no longer is."""

    status = 401
    code = "login-required"


class NotAllowed(BotdError):
    """Raised when somebody has neither the right nor a role for what is asked, or nobody may do it here."""

    status = 403
    code = "not-allowed"


class LockedOut(BotdError):
    """Raised when there were too many failures: no code and no password is looked at for a while."""

    status = 423
    code = "locked-out"


class AgentSilent(BotdError):
    """Raised when the agent does not answer what it is asked."""

    status = 503
    code = "agent-silent"


class WorkerAbsent(BotdError):
    """Raised when nobody can ask the nodes of a network: none of its workers is there, or the broker is gone."""


class ProofRefused(BotdError):
    """Raised when a code, signature or credential does not vouch for what is asked."""

    status = 401
    code = "proof-refused"


class NotFound(BotdError):
    """Raised when a request names something that does not exist. `near` are known names that it may have meant."""

    status = 404
    code = "not-found"
    near: tuple[str, ...] = ()

    def __init__(self, message: str, near: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.near = tuple(near)


class UnknownNode(NotFound):
    """Raised when a request names a node that the node list does not hold."""

    code = "unknown-node"


class UnknownGroup(NotFound):
    """Raised when a request names a group that no source defines."""

    code = "unknown-group"


class UnknownCheck(NotFound):
    """Raised when a request names a check that is neither built in nor configured."""

    code = "unknown-check"


class UnknownLog(NotFound):
    """Raised when a request names a log that `[tail]` does not."""

    code = "unknown-log"


class UnknownSweep(NotFound):
    """Raised when a request names a sweep that the store does not hold."""

    code = "unknown-sweep"


class UnknownNote(NotFound):
    """Raised when a request names a note that the store does not hold."""

    code = "unknown-note"


class UnknownAction(NotFound):
    """Raised when a request names an action that the agent has not told of, or that is too long ago."""

    code = "unknown-action"


class TooManyNotes(BotdError):
    """Raised when a node, or botd as a whole, has as many notes as there may be."""

    status = 409
    code = "too-many-notes"


class MethodNotAllowed(BotdError):
    """Raised when a route exists, but not for this HTTP method."""

    status = 405
    code = "method-not-allowed"


class NotAcceptable(BotdError):
    """Raised when the client accepts none of the formats that a route can answer with."""

    status = 406
    code = "not-acceptable"


class TooLarge(BotdError):
    """Raised when a request body is over the limit."""

    status = 413
    code = "too-large"

    def __init__(self) -> None:
        super().__init__("the request body is over 2 MB; ask for groups or nodesets instead of single nodes")


class CrossSite(BotdError):
    """Raised when a page of another site sends a request that could have nodes asked, or read what they say."""

    status = 403
    code = "cross-site"

    def __init__(self, message: str = "") -> None:
        told = "a page of another site may link to botd's pages and no more; open it in the browser itself"
        super().__init__(message or told)


class SameNonce(BotdError):
    """Raised when a request has the nonce of another one. The same request again is that one, and no error."""

    status = 409
    code = "same-nonce"


class NodeBusy(BotdError):
    """Raised when somebody has an action under way on a node, which is locked until that has ended."""

    status = 409
    code = "busy"


class MovedOn(BotdError):
    """Raised when an action is no longer in the state in which somebody saw it, or never was."""

    status = 409
    code = "moved-on"


class ActionsOff(BotdError):
    """Raised when botd is asked to act, and [actions] mode does not let it."""

    status = 409
    code = "actions-off"


class ProofRequired(BotdError):
    """Raised for an action that nothing vouches for: neither a code, nor a signature, nor a credential."""

    status = 401
    code = "proof-required"


class LiveJob(BotdError):
    """Raised when Slurm has a job on a node that an action could end."""

    status = 409
    code = "live-job"


class JobsUnknown(BotdError):
    """Raised when it is not known whether a node has jobs, or it is not known to Slurm."""

    status = 409
    code = "jobs-unknown"


class EvidenceChanged(BotdError):
    """Raised when a node is no longer what it was when somebody looked at it."""

    status = 409
    code = "evidence-changed"


class HumanReason(BotdError):
    """Raised when a person keeps a node out of service, other than who asks."""

    status = 409
    code = "human-reason"


class Protected(BotdError):
    """Raised for a node that nobody touches through botd."""

    status = 409
    code = "protected"


class BreakerOpen(BotdError):
    """Raised when the breaker is open: too much was done, or ended badly."""

    status = 409
    code = "breaker-open"


class StormOn(BotdError):
    """Raised when so many nodes fell ill at once that it is a fault of what they share."""

    status = 409
    code = "storm"


class Stopped(BotdError):
    """Raised when somebody has stopped everything, or this action."""

    status = 409
    code = "stopped"


class NotRecommended(BotdError):
    """Raised for an action that is not the one that is recommended."""

    status = 409
    code = "not-recommended"


class Elsewhere(BotdError):
    """Raised for an action on a node that the agent reaches only through a worker."""

    status = 409
    code = "elsewhere"


class OtherBmc(BotdError):
    """Raised when the BMC at an address may be another than the node's, or has no address."""

    status = 409
    code = "other-bmc"


class WrongState(BotdError):
    """Raised when power, drain or base state of a node, or what became of an action, is not what is needed."""

    status = 409
    code = "wrong-state"


class Capped(BotdError):
    """Raised when as much was done as may be for a while."""

    status = 429
    code = "cap"


class ClockUnsure(BotdError):
    """Raised when the clock of the agent's machine is not believed, by which codes and caps are counted."""

    status = 503
    code = "clock"


class RolesUnreadable(BotdError):
    """Raised when the roles file, or a group in it that is protected, cannot be read or believed."""

    status = 503
    code = "roles-unreadable"


class SlurmUnreadable(BotdError):
    """Raised when Slurm did not say a moment ago what a node is."""

    status = 503
    code = "slurm-unreadable"


class WrongHost(BotdError):
    """Raised when the Host header names something that is not botd's."""

    status = 421
    code = "wrong-host"

    def __init__(self, host: str) -> None:
        super().__init__(f'botd is not reached as "{host}"; put that name into [server] names if it is')


class RequestTimeout(BotdError):
    """Raised when a request has begun and does not come to its end in time."""

    status = 408
    code = "request-timeout"

    def __init__(self) -> None:
        super().__init__("the request did not come to its end in time; send it at once")


class UriTooLong(BotdError):
    """Raised when a request line is over gunicorn's limit."""

    status = 414
    code = "uri-too-long"

    def __init__(self) -> None:
        super().__init__("the request line is over 4,094 bytes; send a long list in the body of POST /api/v1/status")


class HeadTooLarge(BotdError):
    """Raised when the headers of a request are over one of gunicorn's limits."""

    status = 431
    code = "head-too-large"

    def __init__(self) -> None:
        super().__init__("the headers are over 100 lines, 8 kB in one of them or 64 kB; send fewer of them")


class TooMany(BotdError):
    """Raised when as many sweeps or requests are waiting, or streams are open, as there may be."""

    status = 429
    code = "too-many"
    retry_after_s = 10


class SlurmFailed(BotdError):
    """Raised when a Slurm command is missing, exits with an error or prints what cannot be read."""

    status = 502
    code = "slurm-failed"


class SlurmTimeout(SlurmFailed):
    """Raised when a Slurm command does not end within `slurm.timeout`."""

    status = 504
    code = "slurm-timeout"


class StoreUnavailable(BotdError):
    """Raised when the database is locked, full, damaged or cannot be reached."""

    status = 503
    code = "store-unavailable"


class StoreEmpty(StoreUnavailable):
    """Raised when there is no database yet, or none any more: an agent that runs makes it anew."""

    def __init__(self) -> None:
        super().__init__("the database is empty; start `botd agent`, which makes it")


class StoreDamaged(StoreUnavailable):
    """Raised when the database file or something in it is damaged.

    What the agent has in memory it writes anew, while it runs. Where it cannot it ends, and keeps the file aside when
    it starts again.
    """

    code = "store-damaged"


class LedgerUnavailable(BotdError):
    """Raised when the agent's ledger is damaged, restored, full, or where others can write. Nothing acts then."""

    status = 503
    code = "ledger-unavailable"


class NoNodeList(BotdError):
    """Raised when no node list was ever written to the store: the agent has not run yet."""

    status = 503
    code = "no-node-list"


MAX_COMPARED = 300
"""Characters of a mistyped name that are compared: a request may hold one of megabytes."""


def nearest(name: str, known: Iterable[str], count: int = 5) -> list[str]:
    """The known names that are most like this one, nearest first; empty when nothing is near."""
    return difflib.get_close_matches(name[:MAX_COMPARED], list(known), n=count, cutoff=0.6)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message: `; did you mean "n0001.savio2"?`, or an empty string when nothing is near."""
    near = nearest(name, known, 1)
    return f'; did you mean "{near[0]}"?' if near else ""
