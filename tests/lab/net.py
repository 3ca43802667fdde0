"""The wires: one bridge, network namespaces kept by files, a marked block in /etc/hosts."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab.proc import LabError, run

BRIDGE = "labbr0"
NETWORK = "10.77.0.0/16"
BRIDGE_ADDRESS = "10.77.0.1"
CONTROLLER = "10.77.0.2"
CONTROLLER_NAME = "lab-master"
HOSTS = Path("/etc/hosts")
_BEGIN = "# BEGIN botd lab"
_END = "# END botd lab"


def create_bridge() -> None:
    """Make the bridge; it also is the lock that keeps a second lab off this machine."""
    try:
        run(["ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0", "stp_state", "0"])
    except LabError as error:
        raise LabError(f"a lab is up already ({lab_in_hosts() or 'directory unknown'}): {error}") from error
    Path(f"/proc/sys/net/ipv6/conf/{BRIDGE}/disable_ipv6").write_text("1")
    run(["ip", "-batch", "-"], f"addr add {BRIDGE_ADDRESS}/16 dev {BRIDGE}\nlink set {BRIDGE} up\n")


def delete_bridge() -> None:
    """Remove the bridge, what is plugged into it and every route of the lab, as far as they exist."""
    for port in Path(f"/sys/class/net/{BRIDGE}/brif").glob("*"):
        unplug(port.name)
    subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)
    subprocess.run(["ip", "route", "flush", "type", "unreachable", "root", NETWORK], capture_output=True, check=False)


def create_netns(path: Path) -> None:
    """A new network namespace that lives as long as the file."""
    path.touch()
    run(["unshare", f"--net={path}", "true"])


def keep_own_netns(path: Path) -> None:
    """Keep a way back into the caller's network namespace, for programs that run inside another."""
    path.touch()
    run(["mount", "--bind", "/proc/self/ns/net", path])


def delete_netns(path: Path) -> None:
    """Let a network namespace go; its links go with the last process inside."""
    subprocess.run(["umount", "--lazy", path], capture_output=True, check=False)
    # Other nodes' mount namespaces hold copies of this mount: removing the file detaches those too.
    path.unlink(missing_ok=True)


def delete_all_netns(folder: Path) -> None:
    """Let every namespace kept in a folder go, also where the file was removed behind its mount."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for path in {*folder.glob("*"), *(Path(mount) for mount in mounts if mount.startswith(f"{folder}/"))}:
        delete_netns(path)


def in_netns(path: Path, argv: Sequence[str | Path]) -> list[str]:
    """The command line that runs a command inside a network namespace."""
    return ["nsenter", f"--net={path}", *map(str, argv)]


def plug(link: str, netns: Path, address: str) -> None:
    """Join a namespace to the bridge as eth0 with this address.

    The neighbour entry is permanent, so a node that vanishes is silent, as behind a router; without it
    the kernel would say "host unreachable" after about 3 s of failing ARP.
    """
    octets = [int(part) for part in address.split(".")]
    mac = "02:77:{:02x}:{:02x}:{:02x}:{:02x}".format(*octets)
    run(
        ["ip", "-batch", "-"],
        f"link add {link} type veth peer name eth0 address {mac} netns {netns}\n"
        f"link set {link} master {BRIDGE} up\n"
        f"neigh replace {address} lladdr {mac} nud permanent dev {BRIDGE}\n",
    )
    Path(f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6").write_text("1")
    off = "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; exec ip -batch -"
    up = f"link set lo up\naddr add {address}/16 dev eth0\nlink set eth0 up\n"
    run(in_netns(netns, ["sh", "-c", off]), up)


def unplug(link: str) -> None:
    """Remove a link and its other end, wherever that is."""
    subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False)


def set_link(link: str, state: str) -> None:
    """Set a link "up" or "down"; a link that is gone is down."""
    subprocess.run(["ip", "link", "set", link, state], capture_output=True, check=state == "up")


def lab_in_hosts() -> str:
    """The directory of the lab that stands in /etc/hosts, or "" when there is none."""
    for line in HOSTS.read_text().splitlines():
        if line.startswith(_BEGIN):
            return line.removeprefix(_BEGIN).strip()
    return ""


def add_hosts(directory: Path, entries: Sequence[tuple[str, str]]) -> None:
    """Add a marked block of (address, name) to /etc/hosts."""
    lines = [f"{_BEGIN} {directory}", *(f"{address} {name}" for address, name in entries), _END]
    _edit_hosts(lines)


def remove_hosts() -> None:
    """Remove the marked block from /etc/hosts; every other byte stays."""
    _edit_hosts([])


def _edit_hosts(block: list[str]) -> None:
    # Written in place: in a container /etc/hosts is a mount of its own and cannot be replaced.
    fd = os.open(HOSTS, os.O_RDWR)
    with os.fdopen(fd, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        kept: list[str] = []
        is_ours = False
        for line in file.read().splitlines(keepends=True):
            is_ours = is_ours or line.startswith(_BEGIN)
            if not is_ours:
                kept.append(line)
            is_ours = is_ours and not line.startswith(_END)
        file.seek(0)
        file.write("".join(kept) + "".join(f"{line}\n" for line in block))
        file.truncate()
