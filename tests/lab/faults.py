"""Every way to break a node, its BMC or Slurm, and to mend it: the verbs of `python -m tests.lab do`."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from typing import Any

from tests.lab import net
from tests.lab.bmc import Bmc
from tests.lab.node import SCRATCH_MIB, TMP_MIB, USERS, Node, generate_key
from tests.lab.proc import LabError, Proc, run, wait_until
from tests.lab.slurm import Slurm

# --- the wire; a power cycle ends these ---


def cut(node: Node) -> None:
    """Pull its network cable: silence."""
    net.set_link(node.link, "down")


def join(node: Node) -> None:
    """Undo every network fault: plug the cable in, drop no packets, keep the route."""
    net.set_link(node.link, "up")
    node.enter("iptables", "-w", "-F", "INPUT")
    with contextlib.suppress(LabError):
        run(["ip", "route", "delete", "unreachable", f"{node.address}/32"])


def drop_icmp(node: Node) -> None:
    """Ignore ping; everything else works."""
    node.enter("iptables", "-w", "-A", "INPUT", "-p", "icmp", "-j", "DROP")


def drop_ssh(node: Node) -> None:
    """Ignore what comes for port 22: a connect times out."""
    node.enter("iptables", "-w", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP")


def unreachable(node: Node) -> None:
    """Answer "no route to host" on this machine for its address."""
    run(["ip", "route", "replace", "unreachable", f"{node.address}/32"])


# --- sshd and keys ---


def stop_sshd(node: Node) -> None:
    """End the sshd that listens (refused); sessions that are open stay, as with systemd."""
    node.kill_service("sshd")


def hang_sshd(node: Node) -> None:
    """Stop sshd in its tracks: it accepts and sends no banner; sessions that are open go on."""
    node.signal_service("sshd", signal.SIGSTOP)


def resume_sshd(node: Node) -> None:
    """Let a hung sshd go on."""
    node.signal_service("sshd", signal.SIGCONT)


def remove_key(node: Node) -> None:
    """Accept the client key for nobody: not authorised."""
    node.authorise(())


def restore_key(node: Node) -> None:
    """Accept the client key for root and the ordinary users."""
    node.authorise(("root", *USERS))


def wrong_host_key(node: Node) -> None:
    """Show a host key that no known_hosts has, as a reinstalled node does."""
    if not (node.home / "other_key").exists():
        generate_key(node.home / "other_key", node.name)
    node.use_host_key("other_key")


def right_host_key(node: Node) -> None:
    """Show the host key that known_hosts has."""
    node.use_host_key("host_key")


# --- the whole node ---


def freeze(node: Node) -> None:
    """Stop every process of the node: ping answers, nothing else does, open sessions hang too."""
    node.order("signal_all", signal=int(signal.SIGSTOP))


def thaw(node: Node) -> None:
    """Let a frozen node go on."""
    node.order("signal_all", signal=int(signal.SIGCONT))


def left_over_process(node: Node, user: str = "alice", seconds: str = "86400") -> int:
    """Leave a process of an ordinary user on it, with no job; its pid inside the node."""
    return int(node.order("spawn", argv=["sleep", seconds], user=user))


def end_processes(node: Node, user: str) -> None:
    """End every process of a user on it, and wait until they are gone."""
    with contextlib.suppress(LabError):  # pkill(1) ends with 1 where there is none
        node.enter("pkill", "-KILL", "-u", user)
    wait_until(f"end of the processes of {user}", lambda: not node.enter("sh", "-c", f"pgrep -u {user} || true"))


def kill_slurmd(node: Node) -> None:
    """Kill slurmd; Slurm says "*" after about 12 s, "down*" after about 20 s."""
    node.kill_service("slurmd")


def start_slurmd(node: Node) -> None:
    """Start slurmd again."""
    node.order("start", service="slurmd")


def restart_slurmd(node: Node) -> None:
    """End slurmd, if it runs, and start it: what systemctl restart does, and may be done from inside the node."""
    kill_slurmd(node)
    start_slurmd(node)


# --- mounts ---


def hang_mount(node: Node, kind: str = "killable") -> None:
    """Hang whoever looks at scratch; with "hard" in state D, where SIGKILL has to wait too."""
    node.signal_service("scratch_lower" if kind == "hard" else "scratch_upper", signal.SIGSTOP)


def resume_mount(node: Node) -> None:
    """Let a hung scratch go on."""
    node.signal_service("scratch_lower", signal.SIGCONT)
    node.signal_service("scratch_upper", signal.SIGCONT)


def unmount_scratch(node: Node) -> None:
    """Take the scratch mount away; a power cycle brings it back."""
    node.kill_service("scratch_upper")
    node.enter("umount", "--lazy", str(node.directory / "scratch"))


def fill(node: Node, where: str = "tmp", percent: str = "100") -> None:
    """Fill "tmp" or "scratch" of this node to that part; 0 empties it."""
    path, size = {"tmp": ("/tmp", TMP_MIB), "scratch": ("/run/scratch0", SCRATCH_MIB)}[where]
    node.enter("rm", "-f", f"{path}/fill")
    if kib := size * 1024 * int(percent) // 100:
        # The last block of a full file system is refused: head says so with 1.
        node.enter("sh", "-c", f"head -c {kib}k /dev/zero >{path}/fill || test $? = 1")


# --- Slurm ---


def make_idle(slurm: Slurm, node: Node) -> None:
    """Wait until Slurm has heard from the node as it booted last and has it idle; resume it whenever it is out."""
    booted_at = int((node.home / "pid").stat().st_mtime)

    def is_idle() -> bool:
        told = next(each for each in slurm.nodes() if each["name"] == node.name)
        state = slurm.states()[node.name]
        if state in ("down", "drained"):
            with contextlib.suppress(LabError):  # it may have come back by itself meanwhile
                slurm.undrain(node)
        # Before it has registered it may look idle, and is set down as "unexpectedly rebooted" a moment later.
        return state == "idle" and told["slurmd_start_time"] >= booted_at

    wait_until(f"idle {node.name}", is_idle, 60, every_s=0.2)


def kill_slurmctld(slurm: Slurm) -> None:
    """Kill slurmctld as the kernel does when memory is short: what it had not saved is lost."""
    if process := Proc.load(slurm.directory / "run" / "slurmctld.proc"):
        process.stop(signal.SIGKILL)


NODE_VERBS: dict[str, Callable[..., Any]] = {
    "cut": cut,
    "join": join,
    "drop_icmp": drop_icmp,
    "drop_ssh": drop_ssh,
    "unreachable": unreachable,
    "stop_sshd": stop_sshd,
    "start_sshd": Node.start_sshd,
    "hang_sshd": hang_sshd,
    "resume_sshd": resume_sshd,
    "remove_key": remove_key,
    "restore_key": restore_key,
    "wrong_host_key": wrong_host_key,
    "right_host_key": right_host_key,
    "freeze": freeze,
    "thaw": thaw,
    "power_off": Node.power_off,
    "power_on": Node.power_on,
    "left_over_process": left_over_process,
    "end_processes": end_processes,
    "kill_slurmd": kill_slurmd,
    "start_slurmd": start_slurmd,
    "restart_slurmd": restart_slurmd,
    "hang_mount": hang_mount,
    "resume_mount": resume_mount,
    "unmount_scratch": unmount_scratch,
    "fill": fill,
}
BMC_VERBS: dict[str, Callable[[Bmc], None]] = {
    "hang_bmc": Bmc.hang,
    "resume_bmc": Bmc.resume,
    "stop_bmc": Bmc.stop,
    "start_bmc": Bmc.start,
    "cut_bmc": Bmc.cut,
    "join_bmc": Bmc.join,
}
SLURM_VERBS: dict[str, Callable[..., Any]] = {
    "drain": Slurm.drain,
    "undrain": Slurm.undrain,
    "make_idle": make_idle,
    "submit_job": Slurm.submit_job,
    "cancel_jobs": Slurm.cancel_jobs,
}
# These are no node's; they take none.
CONTROLLER_VERBS: dict[str, Callable[[Slurm], None]] = {
    "kill_slurmctld": kill_slurmctld,
    "stop_slurmctld": Slurm.stop_slurmctld,
    "start_slurmctld": Slurm.start_slurmctld,
    "hang_slurmctld": Slurm.hang_slurmctld,
    "resume_slurmctld": Slurm.resume_slurmctld,
    "cut_slurmctld": Slurm.cut_slurmctld,
    "join_slurmctld": Slurm.join_slurmctld,
    "stop_slurmdbd": Slurm.stop_slurmdbd,
    "start_slurmdbd": Slurm.start_slurmdbd,
    "stop_munged": Slurm.stop_munged,
    "start_munged": Slurm.start_munged,
}
VERBS = {**NODE_VERBS, **BMC_VERBS, **SLURM_VERBS, **CONTROLLER_VERBS}
