"""The fragments of the checks run for real: by a shell of this machine, in namespaces of their own."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from botd.answers import Job, Output, Source
from botd.checks import command_for, site_checks
from botd.config import parse_config
from botd.model import Facts, Finding, SlurmNode
from botd.sweep import read_answer
from botd.transport.ssh.script import COMMAND, Fragment, FrameReader, build_script
from tests.conftest import leave_out, need_program

NODE = "n0001.savio2"
NONCE = "0123456789abcdef"
SPACES = ("unshare", "--mount", "--pid", "--fork", "--mount-proc")
USER = ("setpriv", "--reuid=65533", "--regid=65533", "--clear-groups")
"""Runs a command as a user that is in no list of users."""


@cache
def _may_unshare() -> bool:
    return subprocess.run([*SPACES, "true"], capture_output=True).returncode == 0


def need_namespaces() -> None:
    """Skips the test where this user may not make mount and pid namespaces."""
    need_program("unshare")
    if not _may_unshare():
        leave_out("mount and pid namespaces need root: run `make test` as root")


def outputs(
    document: Mapping[str, Any],
    names: Iterable[str] = (),
    *,
    setup: str = "",
    shell: str = "dash",
    before: Sequence[str] = (),
    spaces: Sequence[str] = SPACES,
    after: str = "",
    timeout_s: float = 60,
    env: Mapping[str, str] | None = None,
) -> tuple[dict[str, Output], str]:
    """What each remote check of this configuration prints, and what `after` prints when all of them have ended.

    `setup` runs first in the same namespaces, with `shell` as /bin/sh, and `before` stands before the shell.
    """
    checks = [check for check in site_checks(parse_config(document)).values() if check.source is Source.COMMAND]
    wanted = [check for check in checks if not names or check.name in names]
    fragments = [Fragment(check.name, command_for(check, NODE, guarded=True), timeout_s) for check in wanted]
    other_shell = f"mount --bind {need_program(shell)} $(readlink -f /bin/sh)\n" if shell != "dash" else ""
    # As with ssh, the output ends when the last fragment does; with the first shell the namespaces end.
    script = f"set -e\n{setup}\n{other_shell}{shlex.join(before)} {COMMAND.removeprefix('exec ')} | cat\n{after}"
    ran = subprocess.run(
        [*spaces, "/bin/sh", "-c", script],
        input=build_script(NONCE, fragments), stdout=subprocess.PIPE, timeout=120, check=True,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    frames, _, rest = ran.stdout.rpartition(f"\x1f{NONCE}\n".encode())
    return dict(FrameReader(NONCE).feed(frames + f"\x1f{NONCE}\n".encode())), rest.decode()


def findings(
    document: Mapping[str, Any],
    names: Iterable[str] = (),
    *,
    slurm: SlurmNode | None = None,
    jobs: tuple[Job, ...] | None = (),
    **options: Any,
) -> dict[str, Finding]:
    """What the checks make of their outputs on this machine."""
    checks = site_checks(parse_config(document))
    found, _ = outputs(document, names, **options)
    return {
        name: read_answer(checks[name], output, Facts(NODE, slurm, jobs, checks[name].settings))
        for name, output in found.items()
    }


def df(path: str, setup: str = "", **options: Any) -> Finding:
    """The reading of the mount at this path."""
    return findings({"mounts": {"x": path}}, ["df_x"], setup=setup, **options)["df_x"]
