"""The BMC of a node: ipmi_sim (openipmi) with RMCP+, whose power switch is the node's."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.lab import net
from tests.lab.node import Node
from tests.lab.proc import Proc, detach, wait_until

USER = "botd"
PORT = 623

_LAN_CONF = """\
name "{name}"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_admin md5
    guid {guid}
  endlan
  chassis_control "{chassis} {name}"
  user 1 false "" "" user 1 md5
  user 2 true "{user}" "{password}" admin 10 md5
"""

_COMMANDS = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
"""

# ipmi_sim calls "chassis NODE get power", "... set power 0|1", "... set reset 1", "... set shutdown 1",
# "... set identify 15 0" and stands still until the program ends: it notes the order and leaves the work to a process
# of its own, in this machine's network namespace (ipmi_sim itself is in the BMC's).
_CHASSIS = """\
#!/bin/sh
power={directory}/bmc/$1/power
settle() {{
    setsid --fork nsenter --net={directory}/ns/host env PYTHONPATH={root} \\
        {python} -m tests.lab settle {directory} "$@" </dev/null >>{directory}/log/chassis.log 2>&1
}}
set_power() {{
    echo "$2" >"$power.$$" && mv "$power.$$" "$power" && settle "$1"
}}
case "$2 $3 $4" in
    "get power ") echo "power:$(cat "$power")" ;;
    "set power "[01]) echo "$4" >>{directory}/bmc/$1/switched; set_power "$1" "$4" ;;
    "set shutdown 1") echo shutdown >>{directory}/bmc/$1/switched; set_power "$1" 0 ;;
    "set reset 1") settle "$1" reset ;;
    "set identify "*) echo "$4" >>{directory}/bmc/$1/identified ;;
esac
"""

# IPMI 2.0, 22.13: get channel authentication capabilities, without a session; any answer will do.
_PRESENCE = bytes.fromhex("0600ff07000000000000000000092018c88100388e04b5")


def write_chassis(directory: Path) -> None:
    """Write the power switch that every BMC of the lab uses."""
    path = directory / "bin" / "chassis"
    root = Path(__file__).resolve().parents[2]
    path.write_text(_CHASSIS.format(directory=directory, root=root, python=sys.executable))
    path.chmod(0o755)


@dataclass(frozen=True)
class Bmc:
    """The BMC of one node, with a network namespace and an address of its own."""

    node: Node

    @property
    def netns(self) -> Path:
        """The file that keeps its network namespace."""
        return self.node.directory / "ns" / f"b{self.node.index}"

    @property
    def link(self) -> str:
        """The end of its cable at the bridge."""
        return f"labb{self.node.index}"

    @property
    def home(self) -> Path:
        """The directory with its configuration."""
        return self.node.directory / "bmc" / self.node.name

    @property
    def process(self) -> Proc | None:
        """Its ipmi_sim, or None when it has never run."""
        return Proc.load(self.home / "pid")

    def build(self, password: str) -> None:
        """Wire it up, start ipmi_sim and wait until it answers."""
        net.create_netns(self.netns)
        net.plug(self.link, self.netns, self.node.bmc_address)
        (self.home / "state").mkdir()
        (self.home / "commands").write_text(_COMMANDS)
        config = self.home / "lan.conf"
        config.touch(mode=0o600)
        config.write_text(
            _LAN_CONF.format(
                name=self.node.name,
                address=self.node.bmc_address,
                port=PORT,
                guid=f"{self.node.index:032x}",
                chassis=self.node.directory / "bin" / "chassis",
                user=USER,
                password=password,
            )
        )
        self.start()

    def start(self) -> None:
        """Start its program and wait until it answers."""
        files: list[str | Path] = [
            "-c",
            self.home / "lan.conf",
            "-f",
            self.home / "commands",
            "-s",
            self.home / "state",
        ]
        argv = net.in_netns(self.netns, ["ipmi_sim", *files, "-n", "-p"])
        process = detach(argv, self.node.directory, f"bmc.{self.node.name}.log")
        process.save(self.home / "pid")
        wait_until(f"BMC of {self.node.name}", self.answers)

    def answers(self) -> bool:
        """True when it answers a presence probe now."""
        with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.connect((self.node.bmc_address, PORT))
            client.send(_PRESENCE)
            return bool(client.recv(512))
        return False

    def stop(self) -> None:
        """Kill its program: the port is closed, the address still answers ping."""
        process = self.process
        if process:
            process.stop(signal.SIGKILL)

    def hang(self) -> None:
        """Stop it in its tracks: it receives and never answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a hung BMC go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        process = self.process
        if process:
            process.send(number)

    def cut(self) -> None:
        """Pull its network cable."""
        net.set_link(self.link, "down")

    def join(self) -> None:
        """Plug its network cable in."""
        net.set_link(self.link, "up")
