"""What vouches for a request: a code that is typed, a signature by ssh, a credential of munge.

The text that is signed is made here, of what a person asked for, and shown before; no server has a say in it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botd.access.requests import ActionRequest, signed_text
from botd.client import person
from botd.client.asking import said
from botd.client.sites import Site
from botd.client.trouble import Unusable
from botd.text import one_line

SIGNED_S = 120.0
"""How long a signature may take: somebody may have to touch a key."""

WORDS = {"ssh": "an ssh key", "munge": "a credential of munge"}


@dataclass(frozen=True)
class Proving:
    """How somebody vouches for what they ask: `signs` is `ssh`, `munge` or empty, `types` whether a code is typed."""

    site: Site
    signs: str
    types: bool
    login: str

    @property
    def cluster(self) -> str:
        """The name in the text, which the agent holds against its own. Raises Unusable where a signature has none."""
        if not self.site.cluster and self.signs:
            raise Unusable("what is signed names its cluster: write [sites.NAME] into bofhbot.toml, and use it")
        return self.site.cluster or "unsigned"

    def code(self) -> str:
        """The code that goes into the signed text, empty where none is typed."""
        return person.asked("code of the moment") if self.signs and self.types else ""

    def sent_with(self, request: ActionRequest) -> dict[str, Any]:
        """The members of a body that prove the request. Raises Unusable."""
        if not self.signs:
            return {"proof": {"otp": person.asked("code of the moment")} if self.types else {}}
        text = signed_text(request)
        said(f"to be signed with {WORDS[self.signs]}: {text}")
        if self.signs == "munge":
            return {"proof": {"munge": _made(["munge", "-u", self.site.agent_user, "-t", "120"], text)}, "text": ""}
        return {"proof": {"ssh": {"login": self.login, "signature": self._signature(text)}}, "text": text}

    def _signature(self, text: str) -> str:
        """By the key of the site's table, with the agent's help where it is a public one (ssh-keygen(1), -Y sign)."""
        if not self.site.ssh_key:
            raise Unusable(f'which key? write ssh_key = "~/.ssh/id_ed25519.pub" into [sites.{self.site.name}]')
        words = ["ssh-keygen", "-q", "-Y", "sign", "-n", f"botd-action@{self.cluster}", "-f", self.site.ssh_key]
        return _made(words, text)


def _made(words: Sequence[str], text: str) -> str:
    """What a program makes of a text. Raises Unusable, with what it says where it fails."""
    try:
        done = subprocess.run(words, input=text.encode(), capture_output=True, timeout=SIGNED_S)
    except FileNotFoundError as error:
        raise Unusable(f"there is no {words[0]} on this machine: install it, or prove it by --otp") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unusable(f"{words[0]} has made nothing: {one_line(str(error))}") from error
    if done.returncode != 0 or not done.stdout:
        why = one_line(done.stderr.decode("utf-8", "replace"))
        raise Unusable(f"{words[0]} has made nothing: {why or f'exit status {done.returncode}'}")
    return done.stdout.decode("ascii", "replace")
