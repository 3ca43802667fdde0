"""The stand-in for scontrol, Slurm 22.05: `show node`, `update`, `ping`."""

from __future__ import annotations

from botd.demo.machine import Node
from botd.demo.state import ClusterState, InvalidUpdate
from botd.demo.tools.base import VERSION, Printed, failed, flags, iso, printed

SHOWN = """\
NodeName={name} Arch=x86_64 CoresPerSocket={per_socket}{blank}
   CPUAlloc={used} CPUEfctv={cores} CPUTot={cores} CPULoad={load:.2f}
   AvailableFeatures={features}
   ActiveFeatures={features}
   Gres={gres}
   NodeAddr={address} NodeHostName={name} Version={version}
   OS=Linux {kernel} #1 SMP
   RealMemory={memory} AllocMem=0 FreeMem={free} Sockets=2 Boards=1
   State={state} ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A
   Partitions={partitions}{blank}
   BootTime={boot} SlurmdStartTime={boot}
   LastBusyTime={boot}
   CfgTRES=cpu={cores},mem={memory}M,billing={cores}
   AllocTRES={tres}
   CapWatts=n/a
   CurrentWatts=0 AveWatts=0
   ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s
"""


def scontrol(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What `scontrol` with these arguments prints, and does."""
    plain = [word for word in words if word not in ("-o", "--oneliner", "-a", "--all")]
    oneline = "-o" in words or "--oneliner" in words
    match plain:
        case ["-V" | "--version" | "version"]:
            return printed(f"{VERSION}\n")
        case ["ping"]:
            return printed("Slurmctld(primary) at demo is UP\n")
        case ["show", "node" | "nodes", *names]:
            return _show(state, names[0].split(",") if names else list(state.nodes), oneline)
        case ["update", *settings] if settings:
            return _update(state, settings)
    return failed("scontrol", f'error: the demo knows no "{" ".join(plain)}": try show node, update or ping')


def _show(state: ClusterState, names: list[str], oneline: bool) -> Printed:
    out, status = [], 0
    for name in names:
        if name in state.nodes:
            out.append(_shown(state, state.nodes[name], oneline))
        else:
            out.append(f"Node {name} not found\n")
            status = 1
    return Printed("".join(out).encode(), status=status)


def _shown(state: ClusterState, node: Node, oneline: bool) -> str:
    used = state.used_cores(node.name)
    text = SHOWN.format(
        name=node.name,
        per_socket=node.cores // 2,
        blank=" ",
        used=used,
        cores=node.cores,
        load=used * 0.98,
        features=node.features or "(null)",
        gres=node.gres or "(null)",
        address=node.address,
        version=VERSION.split()[1],
        kernel=node.health.kernel,
        memory=node.memory_mb,
        free=node.memory_mb // 2,
        state="+".join([state.base(node), *flags(node)]),
        partitions=",".join(node.partitions),
        boot=iso(node.booted_at),
        tres=f"cpu={used}" if used else "",
    )
    if node.standing.reason:
        text += f"   Reason={node.standing.reason} [{node.standing.reason_by}@{iso(node.standing.reason_at)}]\n"
    return " ".join(text.split("\n   ")) if oneline else text + "\n"


def _update(state: ClusterState, settings: list[str]) -> Printed:
    """Every node of the list is changed, or the first refusal is told."""
    pairs = [setting.partition("=") for setting in settings]
    asked = {key.lower(): value for key, _, value in pairs}
    known = {"nodename", "state", "reason"}
    if "nodename" not in asked or asked.keys() - known:
        return failed("scontrol", "error: the demo updates nodename=, state= and reason= only")
    try:
        for name in asked["nodename"].split(","):
            state.update(name, asked.get("state", ""), asked.get("reason", ""), "root")
    except InvalidUpdate as refusal:
        text = str(refusal)
        return Printed(err=f"{text if 'must' in text else f'slurm_update error: {text}'}\n".encode(), status=1)
    return Printed()
