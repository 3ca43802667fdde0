"""Stand-ins for Slurm's commands: real little programs that print recorded outputs, fail or hang."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shlex import quote

import pytest

CASES = Path(__file__).parent / "cases"

MakeTool = Callable[..., str]


@pytest.fixture
def make_tool(tmp_path: Path) -> MakeTool:
    """Write a shell script and return the command to configure; `$calls` collects what it was started with."""

    def make(name: str, script: str) -> str:
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\ncalls={quote(str(path))}.calls\nprintf \'%s\\n\' "$*" >>"$calls"\n{script}\n')
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def calls_of() -> Callable[[str], list[str]]:
    """The argument lines with which a stand-in was started so far."""

    def read(command: str) -> list[str]:
        path = Path(f"{command}.calls")
        return path.read_text().splitlines() if path.exists() else []

    return read


def prints(case: str) -> str:
    """A script that prints a recorded output, with the token that `--format` brings in place of @TOKEN@."""
    return (
        'token=none; for word in "$@"; do case "$word" in --format=*) token=${word#--format=}; esac; done\n'
        f'LC_ALL=C sed "s/@TOKEN@/${{token%%|*}}/" {quote(str(CASES / case))}'
    )


def only_with(option: str, script: str) -> str:
    """A script that refuses its options as getopt does unless one of them is (or begins with) this one."""
    return f'case " $* " in *" {option}"*) ;; *) echo "unrecognized option" >&2; exit 1;; esac\n{script}'
