"""The stand-in for scontrol, Slurm 22.05: `show node`, `update`, `ping`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from botd.demo.machine import Node
from botd.demo.site import racks
from botd.demo.state import CHANGES, ClusterState, InvalidUpdate
from botd.demo.tools.base import VERSION, Printed, failed, flags, iso, printed, unseen
from botd.demo.tools.options import Asked, Option, Usage, read_options

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
   BootTime={boot} SlurmdStartTime={slurmd}
   LastBusyTime={boot}
   CfgTRES=cpu={cores},mem={memory}M,billing={cores}
   AllocTRES={tres}
   CapWatts=n/a
   CurrentWatts=0 AveWatts=0
   ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s
"""


RESERVATION = """\
ReservationName=cooling StartTime={start} EndTime={end} Duration=04:00:00 Nodes={nodes} NodeCnt={count} \
CoreCnt={cores} Features=(null) PartitionName=(null) Flags=MAINT,IGNORE_JOBS,SPEC_NODES TRES=cpu={cores} Users=root \
Groups=(null) Accounts=(null) Licenses=(null) State=INACTIVE BurstBuffer=(null) Watts=n/a MaxStartDelay=(null)
"""
SWITCH = "SwitchName={name} Level={level} LinkSpeed=1 Nodes={nodes}"
RESERVED = "bigmem"
"""The partition whose nodes are reserved."""

DAY_S = 86_400

OPTIONS: tuple[Option, ...] = (
    Option("V", "version"),
    Option("o", "oneliner"),
    Option("a", "all"),
    Option("", "local"),
)

UPDATED = ("nodename", "state", "reason")
"""What an update may hold."""

NO_ENTITY = """\
No valid entity in update command
Input line must include "NodeName", "PartitionName", "Reservation", "JobId", or "SlurmctldDebug\""""

BAD_STATE = """\
Invalid input: state={word}
Request aborted
Valid states are: NoResp DRAIN FAIL FUTURE RESUME POWER_DOWN POWER_UP UNDRAIN
Not all states are valid given a node's prior state"""


def scontrol(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What `scontrol` with these arguments prints, and does."""
    try:
        asked = read_options("scontrol", OPTIONS, words, hint='Try "scontrol --help" for more information')
        return _done(state, asked)
    except Usage as error:
        return failed(str(error))


def _done(state: ClusterState, asked: Asked) -> Printed:
    """What comes of the keywords. Raises Usage, also for those that the real one knows besides."""
    first, second, *_ = (*asked.operands, "", "")
    if asked.has("version"):
        return _version(state, asked, ())
    for length in (2, 1):
        if command := COMMANDS.get(" ".join(asked.operands[:length])):
            return command(state, asked, asked.operands[length:])
    if first != "show":
        raise Usage(f"invalid keyword: {first}")
    raise Usage(f"invalid entity:{second} for keyword:show " if second else "too few arguments for keyword:show")


def _version(state: ClusterState, asked: Asked, words: Sequence[str]) -> Printed:
    return printed(f"{VERSION}\n")


def _ping(state: ClusterState, asked: Asked, words: Sequence[str]) -> Printed:
    return printed("Slurmctld(primary) at demo is UP\n")


def _show(state: ClusterState, asked: Asked, lists: Sequence[str]) -> Printed:
    if len(lists) > 1:
        raise Usage("too many arguments for keyword:show")
    out, status, hidden = [], 0, unseen(state, asked)
    seen = {name for name, node in state.nodes.items() if not node.partitions or set(node.partitions) - hidden}
    for name in lists[0].split(",") if lists else sorted(seen):
        if name in seen:
            out.append(_shown(state, state.nodes[name], asked.has("oneliner")))
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
        slurmd=iso(node.slurmd_started_at),
        tres=f"cpu={used}" if used else "",
    )
    if node.standing.reason:
        text += f"   Reason={node.standing.reason} [{node.standing.reason_by}@{iso(node.standing.reason_at)}]\n"
    return " ".join(text.split("\n   ")) if oneline else text + "\n"


def _reservations(state: ClusterState, asked: Asked, names: Sequence[str]) -> Printed:
    """The one that there is: the nodes of a group are to be cooled anew tomorrow."""
    nodes = [name for name, node in state.nodes.items() if RESERVED in node.partitions]
    if not nodes or not asked.has("oneliner"):
        return printed("No reservations in the system\n")
    start = state.now() // DAY_S * DAY_S + 2 * DAY_S
    return printed(
        RESERVATION.format(
            start=iso(start),
            end=iso(start + 4 * 3600),
            nodes=",".join(sorted(nodes)),
            count=len(nodes),
            cores=sum(state.nodes[name].cores for name in nodes),
        )
    )


def _topology(state: ClusterState, asked: Asked, names: Sequence[str]) -> Printed:
    """A switch for each rack, and one above them."""
    leaves = {name.replace("rack", "ib"): nodes for name, nodes in racks(list(state.nodes.values())).items()}
    lines = [SWITCH.format(name=name, level=0, nodes=",".join(nodes)) for name, nodes in leaves.items()]
    spine = SWITCH.format(name="ib-core", level=1, nodes=",".join(state.nodes)) + f" Switches={','.join(leaves)}"
    return printed("".join(f"{line}\n" for line in [*lines, spine]))


def _update(state: ClusterState, asked: Asked, settings: Sequence[str]) -> Printed:
    """Every node of the list is changed, or the first refusal is told. Raises Usage."""
    if not settings:
        raise Usage("too few arguments for update keyword")
    given = {key.lower(): value for key, _, value in (setting.partition("=") for setting in settings)}
    if "nodename" not in given:
        raise Usage(NO_ENTITY)
    for setting in settings:
        if setting.partition("=")[0].lower() not in UPDATED:
            raise Usage(f"Update of this parameter is not supported: {setting}\nRequest aborted")
    if len(given) == 1:
        raise Usage("No changes specified")
    word = given.get("state", "")
    if word and word.lower() not in CHANGES:
        raise Usage(BAD_STATE.format(word=word))
    return _changed(state, given["nodename"], word, given.get("reason", ""))


def _changed(state: ClusterState, names: str, word: str, reason: str) -> Printed:
    asked = " ".join(filter(None, (f"state={word}" if word else "", f"reason={reason}" if reason else "")))
    try:
        for name in names.split(","):
            state.update(name, word, reason, "root")
    except InvalidUpdate as refusal:
        text = str(refusal)
        state.journal.note("Slurm", names, asked, text)
        raise Usage(text if "must" in text else f"slurm_update error: {text}") from None
    state.journal.note("Slurm", names, asked)
    return Printed()


COMMANDS: dict[str, Callable[[ClusterState, Asked, Sequence[str]], Printed]] = {
    "ping": _ping,
    "version": _version,
    "show node": _show,
    "show reservation": _reservations,
    "show topology": _topology,
    "show nodes": _show,
    "update": _update,
}
"""What it can be told to do; each is compared with the real tool."""
