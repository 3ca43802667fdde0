"""The simulated cluster as its user holds it: started, stopped, and botd run on it."""

from __future__ import annotations

import json
import os
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, cast

import botd
from botd.demo.past import MONTH, past_changes
from botd.demo.site import build_site
from botd.errors import BotdError
from botd.model import Change, utc_now

DEMO_PASSWORD = "as in the demo"  # noqa: S105 - it is no secret
"""Of everybody: nothing in the demo is worth more."""

PRESSED = "n0001.savio2"
"""The node on which it is shown how botd acts: in service, with a BMC that answers."""

SEED = 1

START_S = 60.0
STOP_S = 10.0

WELCOME = r"""{nodes} simulated nodes; their files, and sinfo, scontrol, squeue, sacct, fping: {directory}
botd is at  {url}/  (Ctrl-C stops everything). Try:

  curl {url}/
  curl '{url}/api/v1/status?groups=sinfo&checks=ping,ssh,ipmi&format=table'
  curl {url}/api/v1/sinfo

Log in at {url}/login as anna, a student, or kmf, an administrator, with the password
"{password}" and the code that this prints (of kmf: the file kmf):

  {python} -m botd.demo.code {secrets}/anna

It acts: {url}/node/{node}/do/drain shows what would be done, and does it. Or light an LED from a shell:

  export T="Authorization: Bearer $(curl -s {url}/api/v2/login -H 'Content-Type: application/json' \
    -d '{{"login": "anna", "password": "{password}", "code": "'"$({python} -m botd.demo.code {secrets}/anna)"'"}}' \
    | sed 's/.*"token":"\([^"]*\)".*/\1/')"
  E=$(curl -s -H "$T" '{url}/api/v2/policy?nodes={node}' | sed 's/.*"evidence":"\([0-9a-f]*\)".*/\1/')
  curl {url}/api/v2/actions -H "$T" -H 'Content-Type: application/json' \
    -d '{{"action": "identify", "node": "{node}", "evidence": "'"$E"'", "reason": "which one is it?", "proof": {{}}}}'

and see what the BMCs and Slurm were told, and which LEDs blink:

  {heard}

In another terminal, one sweep without the server:

  BOTD_CONFIG={config} {program} sweep
"""


class DemoCluster:
    """A simulated cluster in a child process, from entering the context to leaving it.

    Everything is in the temporary `directory`, which goes with it. `listen` only goes into the configuration.
    """

    def __init__(
        self,
        nodes: int = 320,
        listen: str = "127.0.0.1:5000",
        *,
        seed: int = SEED,
        boot_s: float | None = None,
        slurmd_timeout_s: float | None = None,
    ) -> None:
        self._options = [f"--nodes={nodes}", f"--listen={listen}", f"--seed={seed}"]
        self._options += [f"--boot={boot_s}"] if boot_s is not None else []
        self._options += [f"--slurmd-timeout={slurmd_timeout_s}"] if slurmd_timeout_s is not None else []
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = Path()

    @property
    def config_path(self) -> Path:
        """The configuration file that botd is started with."""
        return self.directory / "botd.toml"

    @property
    def tools(self) -> Path:
        """The directory of the stand-ins for Slurm's commands and fping."""
        return self.directory / "bin"

    @property
    def secrets(self) -> Path:
        """The directory with what codes are worked out from, a file for each person."""
        return self.directory / "secrets"

    @property
    def pid(self) -> int | None:
        """The child process, or None when there is none."""
        return self._process.pid if self._process else None

    def config_text(self) -> str:
        """The complete botd.toml for this cluster."""
        return self.config_path.read_text(encoding="utf-8")

    def start(self) -> None:
        """Starts the cluster and returns when every part of it answers. Raises BotdError."""
        self.directory = Path(tempfile.mkdtemp(prefix="botd-demo-"))
        command = [sys.executable, "-m", "botd.demo.simulator", str(self.directory), f"--parent={os.getpid()}"]
        root = str(Path(botd.__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        # A session of its own: Ctrl-C is for the program in front, which then stops the cluster it looks at.
        self._process = subprocess.Popen(
            command + self._options,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        try:
            _wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the child process and removes the directory. Nothing happens when it has ended already."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
            self._process = None
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> DemoCluster:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def run_demo(
    nodes: int,
    listen: str,
    serve: Callable[[str], int],
    add_people: Callable[[str, str, Path], None] | None = None,
    remember: Callable[[str, datetime, Sequence[Change]], None] | None = None,
) -> int:
    """Runs botd on a simulated cluster; the exit status is that of `serve`.

    `add_people` is given the path of the configuration, a password and a directory for the secrets of people;
    `remember` that path, when the record begins, and what changed since; `serve` is given that path too and blocks
    until Ctrl-C. However it ends, the cluster and all its files are gone afterwards. Raises BotdError when the cluster
    cannot start.
    """
    with DemoCluster(nodes, listen) as cluster:
        if add_people:
            add_people(str(cluster.config_path), DEMO_PASSWORD, cluster.secrets)
        if remember:
            now = utc_now()
            site = build_site(nodes, SEED, now.timestamp())  # as the child has it, but for the seconds since
            remember(str(cluster.config_path), now - MONTH, past_changes(site, SEED, now))
        print(_welcome(cluster, nodes, listen), flush=True)
        return serve(str(cluster.config_path))


def _welcome(cluster: DemoCluster, nodes: int, listen: str) -> str:
    """What there is to try, in words that a shell takes as they stand."""
    return WELCOME.format(
        nodes=nodes,
        directory=cluster.directory,
        url=f"http://{listen}",
        config=shlex.quote(str(cluster.config_path)),
        program=_program(),
        python=_python(),
        password=DEMO_PASSWORD,
        secrets=shlex.quote(str(cluster.secrets)),
        node=PRESSED,
        heard=shlex.quote(str(cluster.tools / "heard")),
    )


def _python() -> str:
    here = Path(sys.executable)
    return shlex.quote(str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here))


def _program() -> str:
    """How this environment's botd is called from here: by its command where one is installed."""
    command = Path(sys.executable).with_name("botd")
    here = command if not command.is_relative_to(Path.cwd()) else command.relative_to(Path.cwd())
    return shlex.quote(str(here)) if command.exists() else f"{shlex.quote(sys.executable)} -m botd"


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    """Reads the line that the child process prints when it is there. Raises BotdError."""
    pipe = cast("IO[bytes]", process.stdout)
    if not select.select([pipe], [], [], START_S)[0]:
        raise BotdError(f"the simulated cluster did not start within {START_S:.0f} s")
    line = pipe.readline()
    message = json.loads(line) if line else {"error": "the simulated cluster ended while it started"}
    if "error" in message:
        raise BotdError(message["error"])
