"""The people of `botd demo`: a student and an administrator, in a ledger that goes with the demo."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from botd.agent.people.codes import STEP_S, code_at, new_secret
from botd.agent.people.passwords import Passwords
from botd.agent.people.register import Register
from botd.commands.ledger import me, owned
from botd.config import load_config
from botd.model import utc_now

PEOPLE = {"anna": ("student", "student-repair"), "kmf": ("admin",)}
"""Each with the roles that they have."""


def add_people(config_path: str, password: str, secrets: Path, people: Mapping[str, tuple[str, ...]] = PEOPLE) -> None:
    """Adds them with this password, and puts what their codes are worked out from into files that nobody else reads."""
    secrets.mkdir(mode=0o700)
    with owned(load_config(config_path)) as ledger:
        register = Register(ledger, utc_now, Passwords())
        for login, roles in people.items():
            secret = new_secret()
            register.add(login, roles, me())
            register.set_password(login, password, me())
            # The code of a moment ago, so that the one of now is still there to log in with.
            register.enrol(login, secret, code_at(secret, utc_now() - timedelta(seconds=STEP_S)), me())
            path = secrets / login
            path.touch(mode=0o600)
            path.write_text(f"{secret}\n", encoding="ascii")
