"""Stand-ins for Slurm's commands: little programs that print recorded outputs (tests/recorded), fail or hang."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from shlex import quote

import pytest

MakeTool = Callable[..., str]


def write_tool(folder: Path, name: str, script: str) -> str:
    """Write a shell script and return the command to configure; `$calls` collects what it was started with."""
    path = folder / name
    path.write_text(f'#!/bin/sh\ncalls={quote(str(path))}.calls\nprintf \'%s\\n\' "$*" >>"$calls"\n{script}\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def make_tool(tmp_path: Path) -> MakeTool:
    """Writes stand-ins into this test's folder."""
    return partial(write_tool, tmp_path)


@pytest.fixture
def calls_of() -> Callable[[str], list[str]]:
    """The argument lines with which a stand-in was started so far."""

    def read(command: str) -> list[str]:
        path = Path(f"{command}.calls")
        return path.read_text().splitlines() if path.exists() else []

    return read


def only_with(option: str, script: str) -> str:
    """A script that refuses its options as getopt does unless one of them is (or begins with) this one."""
    return f'case " $* " in *" {option}"*) ;; *) echo "unrecognized option" >&2; exit 1;; esac\n{script}'
