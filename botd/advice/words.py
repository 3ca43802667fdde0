"""What explains a diagnosis, one sentence each, with the numbers and the times that a person would look for.

Times stand as they are and not as ages: what is said here is kept until something changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from botd.advice.case import LOOKS_BACK, Case
from botd.advice.reasons import Tells
from botd.checks.limits import human_bytes
from botd.text import one_line

LONGEST = 160
"""Characters of a text of somebody else's inside a sentence."""


def moment(at: datetime) -> str:
    """A time in a sentence: `26 Nov 03:10 UTC`."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %H:%M} UTC"


def joined(parts: Iterable[str]) -> str:
    """What there is to say, as one sentence."""
    return "; ".join(part for part in parts if part)


def since(case: Case, check: str) -> str:
    """`since 26 Nov 03:10 UTC`, empty where the history does not say."""
    at = case.past.since.get(check)
    return f"since {moment(at)}" if at else ""


def times(case: Case) -> str:
    """`3rd time in 30 days`, empty for the first."""
    count = case.past.incidents
    ending = "th" if count % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending} time in 30 days" if count > 1 else ""


def lost_job(case: Case) -> str:
    """The job that the node took with it."""
    if case.state("last_job") != "fail":
        return ""
    return f"last job {case.member('last_job', 'job_id')} {case.member('last_job', 'state')}"


def logged(case: Case) -> str:
    """What its BMC has logged of late, by the BMC's own clock."""
    part, what = case.member("sel", "part"), case.member("sel", "what")
    at = case.member("sel", "at")
    return f"its BMC logged {part}: {what}{f', {at} by its clock' if at else ''}" if part else ""


def title(case: Case, check: str) -> str:
    """What a check is called in a sentence."""
    return case.checks[check].short_title or case.checks[check].title


def seen(case: Case, *but: str) -> str:
    """What else is not well, by the checks' names: `load, users`."""
    others = [title(case, name) for name in case.bad if name not in but and name not in LOOKS_BACK]
    return f"also not well: {', '.join(others)}" if others else ""


def quoted(text: str) -> str:
    """Somebody's own words inside a sentence."""
    return f'"{one_line(text, LONGEST)}"' if text else ""


# ---- one for each rule ----


def of_a_person(case: Case) -> str:
    """What can be seen of a person's node; whose it is only where the reason, which stands beside it, does not say."""
    slurm = case.slurm
    if slurm is None or not slurm.reason:
        who = f" by {one_line(slurm.reason_by, 40)}" if slurm and slurm.reason_by else ""
        return joined([f"taken out of service{who} without a reason", _what_is_seen(case)])
    part = next(part for part in case.reasons if part.is_a_persons)
    who = one_line(part.by or slurm.reason_by or "somebody", 40)
    is_one_of_many = len(case.reasons) > 1 or part.by
    return joined([f"{who} wrote {quoted(part.text)}" if is_one_of_many else "", _what_is_seen(case)])


def of_maintenance(case: Case) -> str:
    """Which reservation it lies in and until when, and what is seen of the node."""
    slurm = case.slurm
    name = f" {one_line(slurm.maintenance, 40)}" if slurm and slurm.maintenance else ""
    until = f" until {moment(slurm.maintenance_until)}" if slurm and slurm.maintenance_until else ""
    return joined([f"reserved for the maintenance{name}{until}", reason_in_short(case), _what_is_seen(case)])


def planned(case: Case) -> str:
    """The maintenance that it will lie in before long; empty for none, and for one that is on."""
    slurm = case.slurm
    if slurm is None or not slurm.maintenance_at or case.is_in_maintenance:
        return ""
    return f"maintenance {one_line(slurm.maintenance, 40)} from {moment(slurm.maintenance_at)}"


def of_rack(case: Case) -> str:
    """How many of the group fell silent."""
    rack = case.rack
    if rack and rack.is_switch:
        where = f"behind the switch {one_line(rack.name, 40)}"
        return f"nobody {where} answers; {rack.silent} of its {rack.count} nodes fell silent at once"
    return f"{rack.silent} of the {rack.count} nodes of {rack.name} fell silent at once" if rack else ""


def of_server(case: Case) -> str:
    """On how many nodes the mount is bad."""
    around, mount = case.neighbours, case.shared_mount
    return f"{mount_path(case, mount)} is hung or gone on {around.mounts[mount]} of {around.count} nodes"


def of_power_off(case: Case) -> str:
    """Since when, and what it took along."""
    how = "Slurm waited for its boot in vain" if case.tells(Tells.NOT_BACK) else ""
    off = f"off {since(case, 'ipmi_state')}".strip()
    return joined([f"{off} by its BMC", logged(case), lost_job(case), how, times(case)])


def of_fault(case: Case) -> str:
    """What its BMC has logged, and how the node is."""
    how = "" if case.state("ssh") == "ok" else _what_is_seen(case)
    return joined([logged(case), how, lost_job(case), times(case)])


def of_silence(case: Case) -> str:
    """Who does not answer, and what its BMC says."""
    power = case.value("ipmi_state") if case.state("ipmi_state") in ("ok", "warn") else None
    bmc = {"on": "its BMC says on", "off": "Slurm saves its power"}.get(str(power), "")
    if case.state("ipmi_reachable") == "fail":
        bmc = "nor does its BMC"
    silent = f"neither ping nor ssh is answered {since(case, 'ping') or since(case, 'ssh')}".strip()
    return joined([silent, bmc or "its power is not known", logged(case), lost_job(case), times(case)])


def of_ssh(case: Case) -> str:
    """How the login ends."""
    ended = case.detail("ssh").partition(";")[0]
    return joined([f"{ended} {since(case, 'ssh')}".strip(), logged(case), lost_job(case), times(case)])


def of_draining(case: Case) -> str:
    """What still runs there, and what comes after it."""
    jobs = case.jobs
    count = len(jobs or ())
    held = f"{'job' if count == 1 else 'jobs'} {', '.join((jobs or [])[:4])}{' and more' if count > 4 else ''}"
    running = f"{held} still run{'s' if count == 1 else ''}" if jobs else "Slurm still has jobs on it"
    return joined([running, seen(case)])


def of_mount(case: Case, check: str) -> str:
    """What is the matter with a mount, and who hangs there."""
    left = f"processes of {_names(case)}" if case.state("users") == "warn" else ""
    gone = case.member(check, "mounted") is False
    what = "is not mounted" if gone else f"is {case.detail(check)}" if _is_closed(case, check) else ""
    told = f"{mount_path(case, check)} {what}" if what else f"{mount_path(case, check)}: {case.detail(check)}"
    return joined([f"{told} {since(case, check)}".strip(), left, times(case)])


def _is_closed(case: Case, check: str) -> bool:
    return case.member(check, "read_only") is True or case.member(check, "hung") is True


def of_memory(case: Case) -> str:
    """`47.4 of 62.5 GiB expected`."""
    size, expected = case.member("memory", "size"), case.member("memory", "expected")
    if case.state("memory") != "fail" or size is None or expected is None:
        return quoted(case.slurm.reason if case.slurm else "")
    number, _, unit = human_bytes(size).partition(" ")
    whole = human_bytes(expected)
    number = number if whole.endswith(f" {unit}") else f"{number} {unit}"
    return joined([f"{number} of {whole} expected", since(case, "memory")])


def of_reason(case: Case) -> str:
    """What Slurm or NHC says, in its own words."""
    slurm = case.slurm
    return joined([quoted(slurm.reason if slurm else ""), seen(case), times(case)])


def of_slurmd(case: Case) -> str:
    """slurmd's last words."""
    line = case.logged("fatal", "error") or case.logged()
    stopped = "slurmd does not run" if case.state("slurmd") == "fail" else "slurmd runs, and Slurm does not hear of it"
    return joined([stopped, f"its last words: {quoted(line)}" if line else "", times(case)])


def of_spool(case: Case) -> str:
    """The line of the log."""
    return quoted(case.logged("No space left"))


def of_stuck(case: Case) -> str:
    """The first process that hangs, in what, and whose processes are left besides."""
    found = case.value("dstate")
    lines = list(map(str, found)) if isinstance(found, list) else []
    left = f"processes of {_names(case)} and no job of theirs" if case.state("users") == "warn" else ""
    more = f" and {len(lines) - 1} more" if lines[1:] else ""
    return joined([f"{one_line(lines[0], 80)}{more}" if lines else "", left, times(case)])


def of_leftovers(case: Case) -> str:
    """Whose processes are left."""
    return joined([f"processes of {_names(case)} and no job of theirs", reason_in_short(case), seen(case, "users")])


def of_well_again(case: Case) -> str:
    """What is well again, since when, and how many checks are well."""
    count = sum(case.state(name) == "ok" for name in case.checks)
    well = f"{count} checks well" if case.bad else f"all {count} checks well"
    return joined([_healed(case), well, logged(case), lost_job(case), times(case)])


def of_own(case: Case, check: str) -> str:
    """What a check of the site's own says."""
    told = f"{title(case, check)}: {one_line(case.detail(check), LONGEST) or case.state(check)}"
    return joined([f"{told} {since(case, check)}".strip(), reason_in_short(case), seen(case, check), times(case)])


def of_log(case: Case) -> str:
    """The newest error of the log."""
    return quoted(case.logged())


def of_bad(case: Case) -> str:
    """Everything that is not well, in words."""
    told = [f"{title(case, name)}: {one_line(case.detail(name), 80) or case.state(name)}" for name in case.bad]
    return joined([*told[:4], f"and {len(told) - 4} more" if len(told) > 4 else "", times(case)])


def of_nothing_known(case: Case) -> str:
    """State and reason as they are, with what is seen."""
    return joined([f"Slurm has it as {case.slurm.state}" if case.slurm else "", reason_in_short(case), of_bad(case)])


def reason_in_short(case: Case) -> str:
    """Slurm's reason as it is, empty where there is none."""
    return quoted(case.slurm.reason) if case.slurm and case.slurm.reason else ""


def mount_path(case: Case, check: str) -> str:
    """Where a file system is mounted."""
    return case.checks[check].title


def _names(case: Case) -> str:
    names = case.value("users")
    return ", ".join(map(str, names[:4])) if isinstance(names, list) and names else "nobody known"


def _what_is_seen(case: Case) -> str:
    if not case.is_read:
        return "not read yet"
    if case.value("ipmi_state") == "off":
        return "powered off"
    if case.is_silent:
        return "silent"
    told = [f"{title(case, name)}: {_in_short(case, name)}" for name in case.bad if name not in LOOKS_BACK]
    return ", ".join(told[:4]) if told else "every check is well"


def _in_short(case: Case, check: str) -> str:
    """A reading in a few words: `not mounted`, `refused`, `alice, bob`."""
    value, show = case.value(check), case.checks[check].show
    if isinstance(value, Mapping) and show:
        return one_line(show(value), 60)
    if isinstance(value, list):
        return one_line(", ".join(map(str, value[-3:])), 60) or case.state(check)
    return one_line(str(value), 60) if isinstance(value, str | float) else case.state(check)


def _healed(case: Case) -> str:
    """What the reason was about, and that it is over."""
    if mount := _mount_of_reason(case):
        return f"{title(case, mount)} mounted again {since(case, mount)}".strip()
    if case.tells(Tells.REBOOTED, Tells.NOT_BACK, Tells.REBOOTING):
        at = case.slurm.boot_at if case.slurm else None
        return f"back since its boot {moment(at)}" if at else "it is back"
    if case.tells(Tells.MEMORY):
        return f"the memory is whole {since(case, 'memory')}".strip()
    if case.tells(Tells.KILL):
        return "no process is left"
    if case.tells(Tells.SILENT):
        return f"answers again {since(case, 'ssh')}".strip()
    return f"{reason_in_short(case)} is over" if reason_in_short(case) else ""


def _mount_of_reason(case: Case) -> str:
    """The check of the mount that the reason names; empty where it names none of this site's."""
    reason = case.slurm.reason if case.slurm else ""
    return mount_named(case, reason)


def mount_named(case: Case, reason: str) -> str:
    """The check of the longest mount whose path stands in a text as a word; empty where none does."""
    words = reason.replace('"', " ").split()
    found = [name for name in case.checks if name.startswith("df_") and mount_path(case, name) in words]
    return max(found, key=lambda name: len(mount_path(case, name)), default="")
