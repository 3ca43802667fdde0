"""Asks PAM once, as a program of its own: service, login and password come in as JSON, the exit status is the answer.

It imports nothing of botd, so that it starts in a moment.
"""

from __future__ import annotations

import json
import signal
import sys

import pamela

YES = 100
"""No module of PAM that ends its process ends it with this."""

LONGEST_S = 30
"""It ends by itself then, where who asked is gone."""


def main() -> None:
    """Ends with YES, or with why not on standard error."""
    signal.alarm(LONGEST_S)
    service, login, password = json.load(sys.stdin)
    try:
        pamela.authenticate(login, password, service=service, resetcred=0)
    except pamela.PAMError as error:
        sys.exit(str(error))
    sys.exit(YES)


if __name__ == "__main__":
    main()
