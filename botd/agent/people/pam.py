"""Passwords that PAM knows: `[access] pam` names the service, as a file in /etc/pam.d.

The modules run in the agent and with its rights: pam_sss asks sssd and needs none; pam_unix compares others' passwords
only as root or in the group shadow (Linux-PAM 1.5.2, unix_chkpwd).
"""

from __future__ import annotations

import logging
import threading

import pamela

AT_ONCE = 2

log = logging.getLogger(__name__)


class Pam:
    """One service of PAM."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def fits(self, login: str, password: str) -> bool:
        """Whether PAM takes a password, and the account is neither locked nor expired."""
        if not password or "\0" in password or "\0" in login:
            return False  # C ends a text at a NUL, and some modules take none for a password
        try:
            with self._places:
                pamela.authenticate(login, password, service=self._service, resetcred=0)
        except pamela.PAMError as error:
            log.info("pam refuses service=%s login=%s error=%s", self._service, login, error)
            return False
        return True
