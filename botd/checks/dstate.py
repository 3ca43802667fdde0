"""Which processes hang in the kernel, and in what."""

from __future__ import annotations

from botd.answers import Output, Source
from botd.checks.processes import ALL_VISIBLE
from botd.model import Check, Facts, Finding, State

MOST = 20
"""Processes that are told of one node."""

_LOOKED_AT = 200
"""Threads that are looked at a second time: where a file server is gone, every process of a node may hang."""

BETWEEN_S = 2
"""Between the two looks. A disk answers sooner, a file server that does not is no better for it."""

_NOT_TOLD = ("0", "")
"""What /proc/<pid>/wchan holds for who may not trace the process (proc(5)): only its owner and root are told."""


def parse_dstate(output: Output, facts: Facts) -> Finding:
    """The processes that hang, a line each: `dd (4711) of daria in rpc_wait_bit_killable`."""
    # 4711 rpc_wait_bit_killable daria/dd
    # 4712 0 12345/tail end
    if output.status != 0:
        return Finding(State.UNKNOWN, None, output.text or f"exit status {output.status}")
    found = [_process(line) for line in output.text.splitlines()]
    if not found:
        return Finding(State.OK, found, "no process hangs in the kernel")
    many = f"{len(found)}{' or more' if len(found) >= MOST else ''} processes hang"
    return Finding(State.WARN, found, f"{many if found[1:] else '1 process hangs'} in the kernel: {found[0]}")


def _process(line: str) -> str:
    pid, wchan, rest = line.split(" ", 2)
    user, slash, command = rest.partition("/")
    if not pid.isdecimal() or not slash:
        raise ValueError("no process")
    return f"{command} ({pid}) of {user}{'' if wchan in _NOT_TOLD else f' in {wchan}'}"


# A process hangs that waits without being interruptible (D) in two looks and has not run in between: its switches of
# context are the same, which is what the kernel's own hung_task goes by. A thread hangs its process, also one whose
# first thread has ended. Threads of the kernel are idle in D on some (below Linux 4.14), and are told by their parent;
# a statfs of ours on a dead file server is that mount's finding.
_COMMAND = f"""\
{ALL_VISIBLE}; first=$(grep -ls '^State:.D' /proc/[0-9]*/task/[0-9]*/status | head -n {_LOOKED_AT})
[ -n "$first" ] || exit 0
same() {{ grep -sHE '^(State:.D|(non)?voluntary_ctxt_switches:)' $first /dev/null; }}
told=' ' count=0 kernel=; read -r kernel 2>/dev/null </proc/2/comm
{{ same; sleep {BETWEEN_S}; same; }} | awk 'seen[$0]++ {{ sub(/:.*/, ""); if (++same[$0] == 3) print }}' |
while read -r file; do pid= parent=; while read -r key value; do case $key in
Name:) name=$value;; Tgid:) pid=$value;; PPid:) parent=$value;;
Uid:) uid=${{value#*[!0-9]}} uid=${{uid%%[!0-9]*}}; break
esac; done 2>/dev/null <"$file"; [ "$pid" ] || continue
case $told in *" $pid "*) continue; esac
[ "$kernel" = kthreadd ] && case $pid:$parent in 2:*|*:2) continue; esac
[ "$uid" = "$(id -u)" ] && case $name in stat|readlink) continue; esac
told="$told$pid " count=$((count + 1)); [ $count -gt {MOST} ] && break
wchan=; read -r wchan 2>/dev/null <"${{file%status}}wchan"
user=$(getent passwd "$uid"); user=${{user%%:*}}; echo "$pid ${{wchan:-0}} ${{user:-$uid}}/$name"
done"""

CHECK = Check(
    name="dstate",
    title="Hung",
    help="Processes that hang in the kernel, and in what.",
    source=Source.COMMAND,
    needs=("ssh",),
    command=_COMMAND,
    parse=parse_dstate,
    lines=True,
)
