"""Passwords that PAM knows: `[access] pam` names the service, as a file in /etc/pam.d.

The modules run with the agent's rights: pam_sss asks sssd and needs none; pam_unix compares others' passwords only as
root or in the group shadow (Linux-PAM 1.5.2, unix_chkpwd). They run in a process of their own: one that hangs or
crashes costs its login, and neither the agent nor for long the others who wait.
"""

from __future__ import annotations

import json
import logging
import sys

from botd.agent.people import pam_child
from botd.text import one_line
from botd.transport.local import LocalCommandError, run_command

TIMEOUT_S = 5.0
"""How long PAM may take: pam_unix waits for some 2 s before it says that a password is wrong."""

MAX_OUTPUT = 65_536

log = logging.getLogger(__name__)


class Pam:
    """One service of PAM."""

    def __init__(self, service: str, timeout_s: float = TIMEOUT_S, program: str = pam_child.__file__) -> None:
        self._service = service
        self._timeout_s = timeout_s
        self._words = [sys.executable, "-P", program]

    def fits(self, login: str, password: str) -> bool:
        """Whether PAM takes a password, and the account is neither locked nor expired. No answer is none."""
        if not password or "\0" in password or "\0" in login:
            return False  # C ends a text at a NUL, and some modules take none for a password
        asked = json.dumps([self._service, login, password]).encode()
        try:
            done = run_command(self._words, timeout_s=self._timeout_s, stdin=asked, max_output=MAX_OUTPUT)
        except LocalCommandError as error:
            log.error("pam does not answer service=%s login=%s error=%s", self._service, login, error)
            return False
        if done.status != pam_child.YES:
            why = one_line(done.stderr.decode("utf-8", "replace")) or f"exit status {done.status}"
            log.info("pam refuses service=%s login=%s error=%s", self._service, login, why)
        return done.status == pam_child.YES
