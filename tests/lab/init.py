"""Process 1 of a lab node: mounts what is the node's own, starts its services, takes orders on a socket.

It is the parent of every service, so it signals exactly what it started. It runs alone, with the standard
library only, as `python -I init.py CONFIG`, inside the node's namespaces. Orders are JSON, one to a
connection: {"do": "start", "service": "sshd"}; {"do": "signal", "service": "sshd", "signal": 19};
{"do": "signal_all", "signal": 19}; {"do": "spawn", "argv": [...], "user": "alice"}; {"do": "status"}.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

Order = dict[str, Any]


def mount(*args: str | Path) -> None:
    """Run mount(8)."""
    subprocess.run(["mount", *map(str, args)], check=True)


def mount_own(config: Order) -> None:
    """Give the node its own /run, /tmp, /var/log and boot id; all else stays the machine's."""
    directory = Path(config["directory"])
    mount("-t", "tmpfs", "-o", "mode=755", "run", "/run")
    for name in ("lab", "sshd", "keys", "scratch0", "scratch1", "slurmd"):
        Path("/run", name).mkdir(mode=0o755)
    mount("--bind", directory, "/run/lab")
    checkout = Path(__file__).resolve().parents[2]  # by which a stand-in on a node gives the lab orders
    is_hidden = checkout.is_relative_to("/tmp")
    if is_hidden:
        Path("/run/checkout").mkdir(mode=0o755)
        mount("--bind", checkout, "/run/checkout")
    mount("-t", "tmpfs", "-o", f"mode=1777,size={config['tmp_size']}", "tmp", "/tmp")
    mount("-t", "tmpfs", "-o", "mode=755", "log", "/var/log")
    directory.mkdir(parents=True, exist_ok=True)  # hidden just now, when it lies below /tmp
    mount("--bind", "/run/lab", directory)
    if is_hidden:
        checkout.mkdir(parents=True, exist_ok=True)
        mount("--bind", "/run/checkout", checkout)
    mount("--bind", config["keys"], "/run/keys")
    mount("-t", "tmpfs", "-o", f"mode=1777,size={config['scratch_size']}", "scratch", "/run/scratch0")
    boot_id = Path("/run/boot_id")
    boot_id.write_text(f"{uuid.uuid4()}\n")
    mount("--bind", boot_id, "/proc/sys/kernel/random/boot_id")
    if Path("/root/.bashrc").exists():
        mount("--bind", "/dev/null", "/root/.bashrc")  # the machine's profile is no part of a node


class Init:
    """The services of one node and the socket that commands them."""

    def __init__(self, config: Order) -> None:
        self.config = config
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self.services: dict[str, int] = {}

    def boot(self) -> None:
        """Start every service in order, waiting for the mount that one stands for."""
        for name, service in self.config["services"].items():
            self.start({"service": name})
            deadline = time.monotonic() + 10
            while service["mounts"] and not os.path.ismount(service["mounts"]):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{name} mounted nothing at {service['mounts']}")
                time.sleep(0.01)

    def start(self, order: Order) -> int:
        """Start a service unless it runs; its pid, as the node counts."""
        name = order["service"]
        if name not in self.services:
            self.services[name] = self._popen(self.config["services"][name]["argv"])
        return self.services[name]

    def signal(self, order: Order) -> bool:
        """Signal a service; False when it does not run."""
        pid = self.services.get(order["service"])
        if pid:
            os.kill(pid, order["signal"])
        return bool(pid)

    def signal_all(self, order: Order) -> bool:
        """Signal every process of the node but this one (kill(2): pid -1)."""
        os.kill(-1, order["signal"])
        return True

    def spawn(self, order: Order) -> int:
        """Start any command as an ordinary user, as a job that outlived its end would be."""
        null = subprocess.DEVNULL
        groups: list[int] = []
        user = order["user"]
        return self._popen(order["argv"], stdout=null, stderr=null, user=user, extra_groups=groups)

    def status(self, _order: Order) -> dict[str, int]:
        """The pids of the services that run."""
        return self.services

    def _popen(self, argv: list[str], **options: Any) -> int:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/", **options)
        self.running[process.pid] = process
        return process.pid

    def reap(self) -> None:
        """Collect every child that ended, adopted ones too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if process := self.running.pop(pid, None):
                process.returncode = os.waitstatus_to_exitcode(status)
            self.services = {name: child for name, child in self.services.items() if child != pid}

    def answer(self, connection: socket.socket) -> None:
        """Carry out one order and say what came of it."""
        orders = {f.__name__: f for f in (self.start, self.signal, self.signal_all, self.spawn, self.status)}
        try:
            order = json.loads(connection.recv(65536))
            reply: Order = {"ok": orders[order["do"]](order)}
        except Exception as error:  # process 1 must not die of an order: the kernel would end the node
            reply = {"error": repr(error)}
        with contextlib.suppress(OSError):  # the caller may have left
            connection.sendall(json.dumps(reply).encode())

    def serve(self) -> None:
        """Take orders and collect children, for ever."""
        wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.config["control"])
            listener.listen(64)
            watched: list[Any] = [listener, wake]
            while True:
                self.reap()
                ready, _, _ = select.select(watched, [], [])
                if wake in ready:
                    os.read(wake, 4096)
                if listener in ready:
                    connection, _ = listener.accept()
                    connection.settimeout(5)
                    with connection:
                        self.answer(connection)


def main(config_path: str) -> None:
    """Bring the node up and serve."""
    for number in (signal.SIGINT, signal.SIGQUIT):  # a shell started us with both ignored; sshd inherits
        signal.signal(number, signal.SIG_DFL)
    config = json.loads(Path(config_path).read_text())
    os.umask(0o022)
    socket.sethostname(config["name"])
    mount_own(config)
    init = Init(config)
    init.boot()
    init.serve()


if __name__ == "__main__":
    main(sys.argv[1])
