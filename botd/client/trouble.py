"""What keeps the command from doing what was asked: one sentence with the next step, and an exit status."""

from __future__ import annotations


class Trouble(Exception):
    """Raised when something fails on the way: nobody answers, or what answers is no botd.

    `is_strange` is whether it may be so since botd there is older or newer.
    """

    exit_status = 1
    is_strange = False


class Strange(Trouble):
    """Raised when what answers is no botd, or one of another version."""

    is_strange = True


class Unusable(Trouble):
    """Raised when it cannot be done as asked: a wrong word, setting or file."""

    exit_status = 2


class Refused(Trouble):
    """Raised when botd says no. `code` is the stable word of its error, empty where there is none."""

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.is_strange = code in ("not-found", "bad-request")  # a route, a parameter or a member that is not there
        self.exit_status = 2 if status < 500 else 1
