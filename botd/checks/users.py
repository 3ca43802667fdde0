"""Who has processes on the node without a job there."""

from __future__ import annotations

from botd.answers import Output, Source
from botd.checks.processes import ALL_VISIBLE
from botd.model import Check, Facts, Finding, Option, State

NOBODY = (65534, 2**32 - 2)
"""The uids of what has no owner here: nfsnobody, unmapped ids; the second is -2 as 32 bits."""

DYNAMIC = range(61184, 65520)
"""The uids that systemd lends to services while they run (systemd.exec(5), DynamicUser=)."""


def parse_users(output: Output, facts: Facts) -> Finding:
    """The names of users with processes and no running job on this node, sorted.

    Judged by the running jobs, not by a list of names. System accounts (below `min_uid`, or in `ignore`), nobody, the
    dynamic users of systemd and botd's own login, which the first line names, do not count. A user without a name here
    is named by uid.
    """
    # botd
    #     0 root
    # 12345 alice
    if output.status != 0:
        return Finding(State.UNKNOWN, None, output.text or f"exit status {output.status}")
    own, *lines = output.text.splitlines()
    if facts.jobs is None:
        return Finding(State.UNKNOWN, None, "the running jobs are not known")
    ignored = [name.strip() for name in facts.settings["ignore"].split(",")]
    allowed = {own.strip(), *ignored, *(job.user for job in facts.jobs)}
    seen = [_account(line) for line in lines]
    left = sorted({name for uid, name in seen if _counts(uid, facts) and not allowed & {name, str(uid)}})
    if left:
        nameless = " (a number is a user without a name on this node)" if any(map(str.isdecimal, left)) else ""
        return Finding(State.WARN, left, f"processes but no job: {', '.join(left)}{nameless}")
    return Finding(State.OK, left, "nobody without a job")


def _account(line: str) -> tuple[int, str]:
    """The uid and name of one line; the name may hold blanks (winbind)."""
    uid, _, name = line.strip().partition(" ")
    return int(uid), name.strip() or uid


def _counts(uid: int, facts: Facts) -> bool:
    return uid >= int(facts.settings["min_uid"]) and uid not in NOBODY and uid not in DYNAMIC


CHECK = Check(
    name="users",
    title="Users",
    help="Users with processes and no running job on the node.",
    source=Source.COMMAND,
    needs=("ssh", "jobs"),
    # ps prints a uid for a name of more than 32 characters, as directories have them (procps 3.3); the third word
    # of the line is the effective uid (proc_pid_status(5)). What no account has is a sub-uid of somebody's container
    # (subuid(5)); an account comes first, as directories give out the same numbers. An owner who is gone is still told.
    command=f"""\
{ALL_VISIBLE}; id -un 2>/dev/null
grep -h '^Uid:' /proc/[0-9]*/status 2>/dev/null | cut -f 3 | sort -nu | while read -r uid; do
[ "$uid" -ge {{min_uid}} ] || continue; entry=$(getent passwd "$uid") || {{
entry=$(awk -F: -v uid="$uid" 'uid >= $2 && uid < $2 + $3 {{ print $1 "::" $2; exit }}' /etc/subuid 2>/dev/null)
[ -z "$entry" ] || entry=$(getent passwd "${{entry%%:*}}" || echo "$entry"); }}
name=${{entry%%:*}}; entry=${{entry#*:*:}}; entry=${{entry%%:*}}; echo "${{entry:-$uid}} ${{name:-$uid}}"
done | sort -nu""",
    parse=parse_users,
    options=(
        Option("min_uid", "int", 1000, "Accounts below this uid belong to the system."),
        Option("ignore", "str", "slurm,munge", "System accounts above it, separated by commas."),
    ),
)
