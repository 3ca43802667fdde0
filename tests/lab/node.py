"""One compute node: what it is made of, its power, its services (how to break it: faults.py)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import net
from tests.lab.proc import LabError, Proc, detach, run, wait_until

BOOT_S = 2.5
TMP_MIB = 32
SCRATCH_MIB = 32
USERS: Sequence[str] = ("alice", "bob")

_SSHD_CONFIG = """\
Port 22
ListenAddress {address}
HostKey {host_key}
PidFile none
AuthorizedKeysFile /run/keys/%u
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
MaxStartups 200
Subsystem sftp internal-sftp
"""


def generate_key(path: Path, comment: str) -> None:
    """A new ed25519 key pair at path and path.pub."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])


@dataclass(frozen=True)
class Node:
    """A compute node of the lab in `directory`. All state is in files, so any process may command it."""

    directory: Path
    index: int
    cluster: str
    short: str

    @property
    def name(self) -> str:
        """The name Slurm and ssh know, as n0000.savio2."""
        return f"{self.short}.{self.cluster}"

    @property
    def bmc_name(self) -> str:
        """The name of its BMC, as n0000-ipmi.savio2."""
        return f"{self.short}-ipmi.{self.cluster}"

    @property
    def address(self) -> str:
        """Its address on the bridge."""
        return f"10.77.{1 + self.index // 250}.{1 + self.index % 250}"

    @property
    def bmc_address(self) -> str:
        """The address of its BMC on the bridge."""
        return f"10.77.{101 + self.index // 250}.{1 + self.index % 250}"

    @property
    def home(self) -> Path:
        """The directory with its keys, configuration and control socket."""
        return self.directory / "nodes" / self.name

    @property
    def netns(self) -> Path:
        """The file that keeps its network namespace."""
        return self.directory / "ns" / f"n{self.index}"

    @property
    def link(self) -> str:
        """The end of its cable at the bridge."""
        return f"labn{self.index}"

    @property
    def power_file(self) -> Path:
        """Holds 0 or 1: what the power was last told to be, by a verb or through the BMC."""
        return self.directory / "bmc" / self.name / "power"

    # --- making it ---

    def prepare(self) -> None:
        """Write its keys and configuration."""
        (self.home / "keys").mkdir(parents=True)
        self.power_file.parent.mkdir(parents=True)
        generate_key(self.home / "host_key", self.name)
        self._write_sshd_config("host_key")
        self.authorise(("root", *USERS))
        (self.home / "init.json").write_text(json.dumps(self._init_config(), indent=1))

    def _write_sshd_config(self, host_key: str) -> None:
        text = _SSHD_CONFIG.format(address=self.address, host_key=self.home / host_key)
        (self.home / "sshd_config").write_text(text)

    def _init_config(self) -> dict[str, Any]:
        scratch = self.directory / "scratch"
        sshd = [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", str(self.home / "sshd_config")]
        slurmd = ["slurmd", "-D", "-N", self.name, "-f", str(self.directory / "etc" / "slurm.conf")]
        services = {"sshd": {"argv": sshd, "mounts": ""}, "slurmd": {"argv": slurmd, "mounts": ""}}
        if shutil.which("bindfs"):
            # Two layers: stopping the upper one hangs a caller that can be killed, stopping the lower one
            # leaves the upper one's answer owing, and then the caller waits in state D, deaf to SIGKILL.
            bindfs = ["bindfs", "-f", "--multithreaded", "-o", "attr_timeout=0,entry_timeout=0"]
            lower = [*bindfs, "/run/scratch0", "/run/scratch1"]
            upper = [*bindfs, "/run/scratch1", str(scratch)]
            services = {
                "scratch_lower": {"argv": lower, "mounts": "/run/scratch1"},
                "scratch_upper": {"argv": upper, "mounts": str(scratch)},
            } | services
        return {
            "name": self.name,
            "directory": str(self.directory),
            "keys": str(self.home / "keys"),
            "control": str(self.home / "control"),
            "tmp_size": f"{TMP_MIB}m",
            "scratch_size": f"{SCRATCH_MIB}m",
            "services": services,
        }

    # --- power ---

    @property
    def process(self) -> Proc | None:
        """Its process 1 as this machine counts, or None when it has never run."""
        return Proc.load(self.home / "pid")

    @property
    def is_on(self) -> bool:
        """True while its process 1 runs."""
        process = self.process
        return process is not None and process.is_alive

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with open(self.home / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def set_power(self, is_wanted: bool) -> None:
        """Tell the power to be on or off; `settle` makes it so."""
        new = self.power_file.with_suffix(".new")
        new.write_text(f"{int(is_wanted)}\n")
        new.replace(self.power_file)

    def power_on(self) -> None:
        """Switch it on and wait until sshd answers; its network faults are gone then."""
        self.set_power(True)
        self.settle()

    def power_off(self) -> None:
        """Switch it off at once, as pulling the plug would."""
        self.set_power(False)
        self.settle()

    def settle(self, is_reset: bool = False) -> None:
        """Make the node what its power was last told to be, unless the lab is being taken down."""
        with self._lock():
            is_wanted = self.power_file.read_text().strip() == "1"
            if self.is_on and (is_reset or not is_wanted):
                self._stop()
            if is_wanted and not self.is_on and (self.directory / "up").exists():
                self._start()

    def _start(self) -> None:
        # slurmctld 22.05 sees a reboot when the boot time, in whole seconds, is after the last answer.
        stopped = self.home / "stopped"
        if stopped.exists():
            wait_until("boot", lambda: time.time() > stopped.stat().st_mtime + BOOT_S)
        self._stop()  # what a node leaves that ended by itself, by a reboot command
        net.create_netns(self.netns)
        net.plug(self.link, self.netns, self.address)
        (self.home / "control").unlink(missing_ok=True)
        up_s = int(float(Path("/proc/uptime").read_text().split()[0]))
        spaces = ["--mount", "--uts", "--ipc", "--pid", "--time", f"--boottime=-{up_s}"]
        init: list[str | Path] = [
            sys.executable,
            "-I",
            "-S",
            Path(__file__).with_name("init.py"),
            self.home / "init.json",
        ]
        unshare = ["unshare", *spaces, "--fork", "--mount-proc", *init]
        detach(net.in_netns(self.netns, unshare), self.directory, f"console.{self.name}.log")
        wait_until(f"process 1 of {self.name} (see log/console.{self.name}.log)", self._find_process)
        wait_until(f"sshd of {self.name}", self.answers_ssh)

    def _find_process(self) -> bool:
        # The kernel gives the listener's pid as this machine counts: unix(7), SO_PEERCRED.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.home / "control"))
            (pid,) = struct.unpack_from("i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            Proc.of(pid).save(self.home / "pid")
            return True
        return False

    def _stop(self) -> None:
        # First the wire: the dying kernel side of a connection would otherwise say goodbye.
        net.unplug(self.link)
        process = self.process
        if process and process.is_alive:
            process.stop(signal.SIGKILL)
            (self.home / "stopped").touch()
        net.delete_netns(self.netns)

    # --- orders ---

    def order(self, do: str, **details: Any) -> Any:
        """What process 1 of the node answers to an order (see init.py)."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(15)
            try:
                client.connect(str(self.home / "control"))
            except OSError as error:
                raise LabError(f"{self.name} takes no orders (is it on?): {error}") from error
            client.sendall(json.dumps({"do": do, **details}).encode())
            reply = json.loads(client.recv(65536))
        if "error" in reply:
            raise LabError(f"{self.name}: {do} {details}: {reply['error']}")
        return reply["ok"]

    def enter(self, *argv: str, timeout_s: float = 30) -> str:
        """Standard output of a command run as root inside the node, past its sshd."""
        process = self.process
        if not process or not process.is_alive:
            raise LabError(f"{self.name} is off")
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid"]
        return run(["nsenter", "--target", str(process.pid), *spaces, *argv], timeout_s=timeout_s)

    def answers_ssh(self) -> bool:
        """True when its sshd sends a banner now."""
        address = (self.address, 22)
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=2) as client:
            return client.recv(4) == b"SSH-"
        return False

    def signal_service(self, service: str, number: int) -> None:
        """Signal one of its services; LabError when that does not run."""
        if not self.order("signal", service=service, signal=int(number)):
            raise LabError(f"{service} does not run on {self.name}")

    def kill_service(self, service: str) -> None:
        """Kill one of its services, if it runs, and wait until it is gone."""
        if self.order("signal", service=service, signal=int(signal.SIGKILL)):
            wait_until(f"end of {service}", lambda: service not in self.order("status"))

    def use_host_key(self, name: str) -> None:
        """Start sshd anew with that host key of its directory."""
        self._write_sshd_config(name)
        self.kill_service("sshd")
        self.start_sshd()

    def start_sshd(self) -> None:
        """Start sshd and wait until it answers."""
        self.order("start", service="sshd")
        wait_until(f"sshd of {self.name}", self.answers_ssh)

    def authorise(self, users: Sequence[str]) -> None:
        """Accept the client key for these users and nobody else."""
        for file in (self.home / "keys").iterdir():
            file.unlink()
        for user in users:
            shutil.copy(self.directory / "etc" / "client_key.pub", self.home / "keys" / user)
