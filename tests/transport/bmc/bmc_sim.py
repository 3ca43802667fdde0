"""Real BMC simulators for tests: Debian's `ipmi_sim` on loopback addresses, one process per BMC."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from botd.transport.bmc.presence import read_answer, request_packet

USER = "watch"  # privilege USER, no more
ADMIN = "admin"
ACTOR = "actor"  # privilege OPERATOR
GUID = "a123456789abcdefa123456789abcdef"

_LAN = """\
name "{name}"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid {guid}
  endlan
  chassis_control "{chassis}"
  user 1 true "" "" user 10 none md2 md5 straight
  user 2 true "{user}" "{password}" user 10 none md2 md5 straight
  user 4 true "{actor}" "{password}" operator 10 none md2 md5 straight
  user 3 true "{admin}" "{password}" admin 10 none md2 md5 straight
"""

_EMU = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
sel_enable 0x20 1000 0x0a
"""

# ipmi_sim waits for this program, so it must return at once.
_CHASSIS = """\
#!/bin/sh
echo "$*" >> {log}
case "$1 $2" in
"get power") echo "power:$(cat {power})" ;;
"set power") echo "$3" > {power} ;;
esac
"""


Reply = Callable[[bytes], bytes | None]


class BmcSim:
    """One simulated BMC. `power` is what it reports; signals reach exactly this process."""

    def __init__(self, folder: Path, address: str, port: int, password: str) -> None:
        self.address = address
        self.port = port
        self.password = password
        self._folder = folder
        self._power_file = folder / "power"
        self._log = folder / "chassis.log"
        folder.mkdir(parents=True)
        self.set_power(True)
        self._process = self._start()

    def set_power(self, on: bool) -> None:
        self._power_file.write_text("1\n" if on else "0\n")

    @property
    def asked(self) -> int:
        """How often the chassis was asked for its power."""
        return self.told().count("get power")

    def told(self) -> list[str]:
        """What the chassis was asked for and told, in order."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    def forget(self) -> None:
        """Begins what it was told anew."""
        self._log.unlink(missing_ok=True)

    def stop(self) -> None:
        """From now on it receives and does not answer, as a BMC that hangs."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def ipmitool(self, *words: str) -> str:
        """What ipmitool prints, as the administrator."""
        who = ["-H", self.address, "-p", str(self.port), "-U", ADMIN, "-P", self.password]
        argv = ["ipmitool", "-I", "lanplus", "-C", "3", *who, *words]
        env = {**os.environ, "TZ": "UTC"}
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True, env=env).stdout

    def set_clock(self, at_s: int) -> None:
        """Set SEL Time (IPMI v2.0 rev. 1.1, 31.11)."""
        self.ipmitool("raw", "0x0a", "0x49", *_bytes(at_s.to_bytes(4, "little")))

    def log(self, event: str, record_type: int = 2) -> None:
        """Add SEL Entry (31.6), from the type of the sensor on; the simulator writes number and time itself."""
        before = b"\0\0" + bytes((record_type,)) + (b"\0\0\0\0\x20\0\x04" if record_type < 0xE0 else b"")
        self.ipmitool("raw", "0x0a", "0x44", *_bytes(before + bytes.fromhex(event)))

    def clear_log(self) -> None:
        self.ipmitool("sel", "clear")

    def answers(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.connect((self.address, self.port))
            with contextlib.suppress(OSError):
                sock.send(request_packet(0))
                return read_answer(sock.recv(1024)) is not None
        return False

    def wait_until_it_answers(self, limit_s: float = 20.0) -> None:
        end = time.monotonic() + limit_s
        while not self.answers():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError(f"ipmi_sim does not answer: {(self._folder / 'sim.log').read_text()}")
            time.sleep(0.02)

    def _start(self) -> subprocess.Popen[bytes]:
        (self._folder / "sim.emu").write_text(_EMU)
        chassis = self._folder / "chassis"
        chassis.write_text(_CHASSIS.format(power=self._power_file, log=self._log))
        chassis.chmod(0o755)
        lan = self._folder / "lan.conf"
        lan.write_text(_LAN.format(
            name=self._folder.name, address=self.address, port=self.port, chassis=chassis, guid=GUID,
            user=USER, admin=ADMIN, actor=ACTOR, password=self.password,
        ))  # fmt: skip
        (self._folder / "state").mkdir()
        with (self._folder / "sim.log").open("wb") as log:
            return subprocess.Popen(
                # The signal at the parent's death leaves no simulator behind when a test run is killed.
                ["setpriv", "--pdeathsig", "KILL", "ipmi_sim", "-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def _bytes(data: bytes) -> list[str]:
    return [hex(byte) for byte in data]


@contextlib.contextmanager
def bmc_sims(folder: Path, addresses: list[str], port: int) -> Iterator[list[BmcSim]]:
    """Simulators on these addresses, with one password, that all answer by now; they are gone afterwards."""
    password = secrets.token_hex(8)
    sims: list[BmcSim] = []
    try:
        for number, address in enumerate(addresses):
            sims.append(BmcSim(folder / f"bmc{number}", address, port, password))
        for sim in sims:
            sim.wait_until_it_answers()
        yield sims
    finally:
        for sim in sims:
            sim.kill()


@contextlib.contextmanager
def answering(address: str, port: int, reply: Reply) -> Iterator[None]:
    """Something on a UDP port that answers each datagram with what `reply` makes of it, or with nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((address, port))
        thread = threading.Thread(target=_serve, args=(sock, reply), daemon=True)
        thread.start()
        try:
            yield
        finally:
            sock.sendto(_END, sock.getsockname())
            thread.join()


def relay(sim: BmcSim, *, packets: int = 1_000_000, change: Callable[[int, bytes], bytes] | None = None) -> Reply:
    """A reply that asks a real simulator, and falls silent after so many packets.

    `change` may alter each answer; it is given the number of the packet, from 1, and what the simulator said.
    """
    seen = 0
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(5)
    sock.connect((sim.address, sim.port))

    def reply(request: bytes) -> bytes | None:
        nonlocal seen
        seen += 1
        if seen > packets:
            return None
        sock.send(request)
        answer = sock.recv(2048)
        return change(seen, answer) if change else answer

    return reply


def only_presence(sim: BmcSim) -> Reply:
    """A reply that knows who it is and opens no session: the first packet of a session asks for RMCP+ data."""
    ask = relay(sim)
    return lambda request: ask(request) if request == request_packet(request[18] >> 2) else None


_END = b"end"


def _serve(sock: socket.socket, reply: Reply) -> None:
    while True:
        request, peer = sock.recvfrom(2048)
        if request == _END:
            return
        answer = reply(request)
        if answer is not None:
            sock.sendto(answer, peer)
