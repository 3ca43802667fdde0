"""libexec/slurm-helper as a site installs it, with a sinfo and a scontrol that stand in for Slurm's.

The helper on a real Slurm is in tests/lab/test_slurm_helper.py.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.conftest import need_program
from tests.program import wait_until

SOURCE = Path(__file__).parent.parent.parent / "libexec" / "slurm-helper"
NODE = "n0012.savio2"
REASON = "botd: drain 7f3a-1 by anna"
IDLE = "idle|Unknown|Unknown|none"

_SINFO = """\
#!/bin/sh
cd '{directory}'
[ ! -e sinfo-says ] || {{ cat sinfo-says >&2; exit 1; }}
for word; do case $word in --nodes=*) node=${{word#--nodes=}};; esac; done
[ ! -f "nodes/$node" ] || {{ printf '%s|' "$node"; cat "nodes/$node"; }}
"""

_SCONTROL = """\
#!/bin/sh
cd '{directory}'
printf '%s\\0' "$@" >>heard
printf '\\n' >>heard
[ ! -e scontrol-says ] || {{ cat scontrol-says >&2; exit 1; }}
case $3 in
state=drain) echo "drained|2026-11-26T10:04:00|slurm|${{4#reason=}}" ;;
*) echo '{idle}' ;;
esac >"row.$$"
mv "row.$$" "nodes/${{2#nodename=}}"
"""


@dataclass(frozen=True)
class Helper:
    """A helper that was installed for the Slurm in a directory."""

    directory: Path

    @property
    def path(self) -> Path:
        return self.directory / "botd-slurm-helper"

    def put(self, node: str, row: str) -> None:
        """What sinfo says of a node: state, time, user and reason."""
        new = self.directory / f"row.{os.getpid()}"  # whoever reads it meanwhile reads the one or the other
        new.write_bytes(row.encode() + b"\n")
        new.replace(self.directory / "nodes" / node)

    def says(self, name: str, words: str) -> None:
        """From now on a command fails with these words."""
        (self.directory / f"{name}-says").write_text(words + "\n")

    def heard(self) -> list[list[str]]:
        """The arguments of each scontrol so far."""
        path = self.directory / "heard"
        text = path.read_text() if path.exists() else ""
        return [line.split("\0")[:-1] for line in text.splitlines()]

    def run(self, request: bytes, *arguments: str) -> bytes:
        """What the helper prints when it reads this."""
        done = subprocess.run([self.path, *arguments], input=request, capture_output=True, timeout=60, check=False)
        assert done.stderr == b"", done.stderr.decode()
        return done.stdout

    def ask(self, line: str) -> dict[str, Any]:
        """The answer to a line."""
        found: dict[str, Any] = json.loads(self.run(line.encode() + b"\n"))
        return found

    def stamp(self, node: str = NODE) -> str:
        """The stamp of a node as it is now."""
        return str(self.ask(f"show {node}")["stamp"])


def installed(path: Path, directory: Path, conf: str = "") -> None:
    """Puts a copy of the helper there whose commands are in that directory, as a site would."""
    text = re.sub(r'^BIN = ".*?"', f'BIN = "{directory}"', SOURCE.read_text(), flags=re.MULTILINE)
    path.write_text(re.sub(r'^SLURM_CONF = ".*?"', f'SLURM_CONF = "{conf}"', text, flags=re.MULTILINE))
    path.chmod(0o755)


def make_helper(directory: Path) -> Helper:
    """A helper and its Slurm of two nodes, of which one was drained by somebody."""
    helper = Helper(directory)
    (directory / "nodes").mkdir(parents=True)
    for name, text in (("sinfo", _SINFO), ("scontrol", _SCONTROL)):
        (directory / name).write_text(text.format(directory=directory, idle=IDLE))
        (directory / name).chmod(0o755)
    installed(helper.path, directory)
    helper.put(NODE, IDLE)
    helper.put("n0013.savio2", "drained|2026-11-23T20:16:37|kmf|see hung mpirun")
    return helper


def load() -> ModuleType:
    """The helper as a module."""
    loader = SourceFileLoader("slurm_helper", str(SOURCE))
    spec = importlib.util.spec_from_loader("slurm_helper", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def _takes_connections(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@contextmanager
def listening(helper: Helper, path: Path) -> Iterator[Path]:
    """A socket with the helper behind it, as a socket unit with Accept=yes makes one for each connection."""
    program = need_program("systemd-socket-activate")
    command = [program, "--listen", path, "--accept", "--inetd", helper.path]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _takes_connections(path))
        yield path
    finally:
        process.kill()
        process.wait()
