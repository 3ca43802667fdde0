"""Why a node is not well: the families of causes, and `RULES`, the literal table of what each is known by, in order.

The first rule that fits is the diagnosis, so what keeps people's hands off a node stands first, then what hides
everything else (nobody answers), then what a login shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from botd.advice import words
from botd.advice.case import LOOKS_BACK, REBOOTS, Case
from botd.advice.reasons import Author, Tells
from botd.checks.df import BROKEN
from botd.checks.sel_records import HEAT, MEMORY, POWER

FAMILIES: dict[str, str] = {
    "ready": "ready to go back",
    "powered-off": "powered off",
    "silent": "silent",
    "bmc-silent": "BMC silent too",
    "ssh": "ssh broken",
    "file-system": "file system",
    "hardware": "disk, memory or hardware",
    "slurmd": "slurmd stopped",
    "leftovers": "left-over processes",
    "draining": "draining, a job runs",
    "colleague": "a colleague's",
    "unknown": "nothing known",
}
"""What kind of cause it is, in the order of what can be done now, with the title of each."""

GLOSSES: dict[str, str] = {
    "ready": "everything is well again, the reason is no longer true",
    "powered-off": "their BMCs say that the power is off",
    "silent": "no ping and no ssh, and no BMC says that the power is off",
    "bmc-silent": "nor does the BMC answer: somebody has to go there",
    "ssh": "they are there, and take no login",
    "file-system": "a mount is missing, hung, read-only or full",
    "hardware": "a part is missing or fails",
    "slurmd": "the node is there, and Slurm does not hear it",
    "leftovers": "processes of users who have no job there",
    "draining": "a job still runs: wait for its end",
    "colleague": "a person took them out: leave them, or ask",
    "unknown": "nothing more is known: look for yourself",
}
"""What the nodes of a family have in common, in a few words."""

ASIDE = ("colleague",)
"""The families that are somebody's already: they stand at the end."""

WAIT, PERSON = "wait", "person"
"""The two ways on that press nothing."""

RESUME, RESTART_SLURMD, POWER_ON, POWER_CYCLE = "resume", "restart-slurmd", "power-on", "power-cycle"

REPEATS = 3
"""An incident for the third time in 30 days is not settled by what settled it twice."""


@dataclass(frozen=True)
class Rule:
    """A cause. `when` is its condition, `explain` the sentence with the numbers, `next` what a person does about it.

    `ladder` are the actions that may follow, softest first; empty is a person's own hands. `about` finds the check that
    it is about: in `title` and `next`, `{mount}` is the short name of that file system and `{path}` where it is, and
    `{check}` the title of a check that is none. `reads` are the checks that it judges by: `df` for every mount, `all`
    for all. A node in service of which a rule is `calm` needs nobody.
    """

    name: str
    title: str
    family: str
    when: Callable[[Case], bool]
    explain: Callable[[Case], str]
    next: str
    reads: tuple[str, ...]
    ladder: tuple[str, ...] = ()
    about: Callable[[Case], str] | None = None
    calm: bool = False


def _bmc_is_silent(case: Case) -> bool:
    return case.state("ipmi_reachable") == "fail"


def _is_off(case: Case) -> bool:
    return case.value("ipmi_state") == "off" and (case.state("ipmi_state") == "fail" or case.is_out)


def _ssh_is(*how: str) -> Callable[[Case], bool]:
    return lambda case: case.state("ssh") == "fail" and case.value("ssh") in how


def _has_failed(case: Case, *parts: str) -> bool:
    """Whether the BMC has logged that a part failed, of any kind where none is named."""
    return case.state("sel") == "fail" and (not parts or case.member("sel", "part") in parts)


def _fell_by(*parts: str) -> Callable[[Case], bool]:
    """That nobody can log in any more and the BMC has logged why."""
    return lambda case: case.state("ssh") == "fail" and _has_failed(case, *parts)


def _hung(case: Case) -> str:
    return case.mount("hung", True)


def _missing(case: Case) -> str:
    return case.mount("mounted", False)


def _broken(case: Case) -> str:
    """A mount that is read-only since an error of its disk."""
    return next((name for name in case.mounts() if any(f"({word})" in case.detail(name) for word in BROKEN)), "")


def _read_only(case: Case) -> str:
    return case.mount("read_only", True)


def _full(case: Case) -> str:
    """A mount that fails and answers: it is too full."""
    failed = (name for name in case.mounts() if case.state(name) == "fail")
    return next((name for name in failed if case.member(name, "used_percent") is not None), "")


def _unanswered(case: Case) -> str:
    """A mount that fails in yet another way, such as with an error of the server."""
    return next((name for name in case.mounts() if case.state(name) == "fail"), "")


def _spool_was_full(case: Case) -> bool:
    return case.tells(Tells.SPOOL) and bool(case.logged("No space left"))


def _slurm_is_deaf(case: Case) -> bool:
    """Whether Slurm hears nothing of a slurmd that runs."""
    return case.is_out and case.has("NOT_RESPONDING") and case.state("ssh") == "ok" and case.state("slurmd") == "ok"


def _is_unverifiable(case: Case) -> bool:
    """Whether NHC found something that no check of botd looks at: a mount or a fault that it does not know."""
    found = [part for part in case.reasons if part.author is Author.NHC]
    return case.is_out and any(
        part.tells is Tells.OTHER or (part.tells is Tells.MOUNT and not words.mount_named(case, part.text))
        for part in found
    )


def _memory_is_unread(case: Case) -> bool:
    return case.is_out and case.tells(Tells.MEMORY) and case.state("memory") != "ok"


def _is_untold(case: Case) -> bool:
    """Whether something cannot be told, and all else that is bad tells of what was."""
    untold = {name for name in case.bad if case.state(name) == "unknown"}
    return bool(untold) and set(case.bad) <= untold | set(LOOKS_BACK)


def _own(case: Case) -> str:
    """A check of the site's own that is not well; empty for none."""
    return next((name for name in case.bad if case.checks[name].is_own and case.state(name) in ("fail", "warn")), "")


def _is_ready(*after: Tells) -> Callable[[Case], bool]:
    """That a node is well which is out of service for one of these, for anything where none is named."""
    return lambda case: case.is_out and case.is_sound and (not after or case.tells(*after))


def _only(*checks: str) -> Callable[[Case], bool]:
    """That nothing but these is bad."""
    return lambda case: bool(case.bad) and set(case.bad) <= set(checks)


RULES: tuple[Rule, ...] = (
    Rule(
        "maintenance", "in maintenance", "colleague",
        lambda case: case.is_in_maintenance,
        words.of_maintenance,
        "leave it: wait for the end of the reservation, or ask who made it",
        ("all",),
        calm=True,
    ),
    Rule(
        "colleague", "a colleague's", "colleague",
        lambda case: case.is_kept_by_a_person,
        words.of_a_person,
        "leave it to who wrote the reason, or ask them",
        ("all",),
    ),
    Rule(
        "unread", "not read yet", "unknown",
        lambda case: case.is_out and not case.is_read,
        words.of_nothing_known,
        "have it read: max_age=0, or Check now",
        ("all",),
    ),
    # ---- nobody answers ----
    Rule(
        "switch-silent", "all nodes behind a switch silent", "silent",
        lambda case: case.rack is not None and case.rack.is_switch and case.is_silent and not _is_off(case),
        words.of_rack,
        "look at the switch: its power, its uplink, its ports",
        ("ping", "ssh", "ipmi_state"),
    ),
    Rule(
        "rack-off", "a whole group without power", "powered-off",
        lambda case: case.rack is not None and _is_off(case),
        words.of_rack,
        "see to the group's power first (its distribution unit), then each node",
        ("ping", "ssh", "ipmi_state"),
    ),
    Rule(
        "rack-dead", "a whole group silent, BMCs too", "bmc-silent",
        lambda case: case.rack is not None and _bmc_is_silent(case),
        words.of_rack,
        "look at the group's power and switches, not at the single node",
        ("ping", "ssh", "ipmi_reachable"),
    ),
    Rule(
        "rack-silent", "a whole group silent", "silent",
        lambda case: case.rack is not None and case.is_silent,
        words.of_rack,
        "look at the switch of the group, not at the single node",
        ("ping", "ssh", "ipmi_state"),
    ),
    Rule(
        "fell-memory", "down after memory errors", "hardware",
        _fell_by(MEMORY),
        words.of_fault,
        "replace the module that its BMC's event log names, clear the log",
        ("ping", "ssh", "ipmi_state", "sel"),
    ),
    Rule(
        "fell-power", "down after a power supply failed", "hardware",
        _fell_by(POWER),
        words.of_fault,
        "see its power supplies and their cables before it is switched",
        ("ping", "ssh", "ipmi_state", "sel"),
    ),
    Rule(
        "fell-heat", "down after it was too hot", "hardware",
        _fell_by(HEAT),
        words.of_fault,
        "see its fans, its heat sinks and the air before it is switched",
        ("ping", "ssh", "ipmi_state", "sel"),
    ),
    Rule(
        "fell-part", "down after a part failed", "hardware",
        _fell_by(),
        words.of_fault,
        "have the part replaced that its BMC's event log names",
        ("ping", "ssh", "ipmi_state", "sel"),
    ),
    Rule(
        "powered-off", "powered off", "powered-off",
        _is_off,
        words.of_power_off,
        "power on",
        ("ping", "ssh", "ipmi_state"),
        (POWER_ON,),
    ),
    Rule(
        "no-address", "its name has no address", "ssh",
        lambda case: _ssh_is("unresolved")(case) or (case.is_out and case.tells(Tells.ADDRESS) and not case.is_sound),
        words.of_ssh,
        "give its name an address (DNS, /etc/hosts), or take it out of slurm.conf",
        ("ping", "ssh"),
    ),
    Rule(
        "bmc-silent", "silent, and its BMC too", "bmc-silent",
        lambda case: case.is_silent and _bmc_is_silent(case),
        words.of_silence,
        "go and look at it: power cable, power supply, chassis",
        ("ping", "ssh", "ipmi_reachable"),
    ),
    Rule(
        "silent", "silent", "silent",
        lambda case: case.is_silent,
        words.of_silence,
        "look at its console, then power cycle",
        ("ping", "ssh", "ipmi_reachable", "ipmi_state"),
        (POWER_CYCLE,),
    ),
    # ---- it answers, and takes no login ----
    Rule(
        "ssh-hung", "hung: ssh says nothing", "ssh",
        _ssh_is("hung"),
        words.of_ssh,
        "look at its console (out of memory?), then power cycle",
        ("ping", "ssh", "ipmi_state"),
        (POWER_CYCLE,),
    ),
    Rule(
        "ssh-refused", "sshd is not there", "ssh",
        _ssh_is("refused"),
        words.of_ssh,
        "see on its console how far its boot came, then power cycle",
        ("ping", "ssh", "ipmi_state"),
        (POWER_CYCLE,),
    ),
    Rule(
        "ssh-timeout", "answers ping and not ssh", "ssh",
        _ssh_is("timeout"),
        words.of_ssh,
        "look at its console (a firewall that drops port 22?), then power cycle",
        ("ping", "ssh", "ipmi_state"),
        (POWER_CYCLE,),
    ),
    Rule(
        "ssh-auth", "botd's key is not accepted", "ssh",
        _ssh_is("auth"),
        words.of_ssh,
        "put botd's key on the node again: its image or its home has lost it",
        ("ssh",),
    ),
    Rule(
        "ssh-host-key", "another host key: reinstalled", "ssh",
        _ssh_is("host-key"),
        words.of_ssh,
        "see who reinstalled it, then bring known_hosts up to date",
        ("ssh",),
    ),
    # ---- a job is there ----
    Rule(
        "draining", "draining, a job runs", "draining",
        lambda case: case.is_draining,
        words.of_draining,
        "wait for the end of the job, then look again",
        ("jobs",),
        (WAIT,),
    ),
    Rule(
        "rebooting", "Slurm is to reboot it", "draining",
        lambda case: case.has(*REBOOTS) and (case.is_out or case.tells(Tells.REBOOTING)),
        words.of_reason,
        "wait: Slurm reboots it as soon as it is empty",
        ("ssh",),
        (WAIT,),
    ),
    # ---- what a login shows ----
    Rule(
        "file-server", "{mount}: its file server does not answer", "file-system",
        lambda case: bool(case.shared_mount),
        words.of_server,
        "see to the server of {path}: the nodes come back with it",
        ("df",),
        (WAIT,),
        about=lambda case: case.shared_mount,
    ),
    Rule(
        "disk-error", "{mount} read-only after a disk error", "hardware",
        lambda case: bool(_broken(case)),
        lambda case: words.of_mount(case, _broken(case)),
        "look for the error in the kernel's log, have the disk replaced",
        ("df",),
        about=_broken,
    ),
    Rule(
        "mount-hung", "{mount} hung", "file-system",
        lambda case: bool(_hung(case)),
        lambda case: words.of_mount(case, _hung(case)),
        "see whether its server answers others, then power cycle",
        ("df", "users"),
        (POWER_CYCLE,),
        about=_hung,
    ),
    Rule(
        "mount-missing", "{mount} not mounted", "file-system",
        lambda case: bool(_missing(case)),
        lambda case: words.of_mount(case, _missing(case)),
        "mount it, and see why it was not; a power cycle mounts it too",
        ("df",),
        (POWER_CYCLE,),
        about=_missing,
    ),
    Rule(
        "mount-read-only", "{mount} read-only", "file-system",
        lambda case: bool(_read_only(case)),
        lambda case: words.of_mount(case, _read_only(case)),
        "see in the kernel's log why: a disk that fails looks like this",
        ("df",),
        about=_read_only,
    ),
    Rule(
        "var-full", "/var full", "file-system",
        lambda case: case.state("df_var") == "fail" and case.member("df_var", "used_percent") is not None,
        lambda case: words.of_mount(case, "df_var"),
        "make room on {path} (logs, slurmd's spool), then start slurmd",
        ("df",),
        about=lambda _: "df_var",
    ),
    Rule(
        "mount-full", "{mount} full", "file-system",
        lambda case: bool(_full(case)),
        lambda case: words.of_mount(case, _full(case)),
        "make room on {path}, then resume",
        ("df",),
        about=_full,
    ),
    Rule(
        "mount-fails", "{mount} does not answer", "file-system",
        lambda case: bool(_unanswered(case)),
        lambda case: words.of_mount(case, _unanswered(case)),
        "see why the node cannot use {path}, then power cycle",
        ("df",),
        (POWER_CYCLE,),
        about=_unanswered,
    ),
    Rule(
        "spool-full", "slurmd's spool directory full", "file-system",
        _spool_was_full,
        words.of_spool,
        "make room where SlurmdSpoolDir is, then resume",
        ("slurmd_log", "df"),
    ),
    Rule(
        "fault-logged", "a part failed, by its BMC's log", "hardware",
        _has_failed,
        words.of_fault,
        "have the part replaced that the log names; clear the log then",
        ("sel",),
    ),
    Rule(
        "memory", "memory missing", "hardware",
        lambda case: case.state("memory") == "fail" or _memory_is_unread(case),
        words.of_memory,
        "reseat or replace the module that its BMC's event log names",
        ("memory",),
    ),
    Rule(
        "hardware", "hardware is not as configured", "hardware",
        lambda case: case.is_out and case.tells(Tells.HARDWARE),
        words.of_reason,
        "compare the node (slurmd -C) with slurm.conf; have the part replaced",
        ("ssh",),
    ),
    Rule(
        "stuck", "processes hang in the kernel", "file-system",
        lambda case: case.state("dstate") == "warn",
        words.of_stuck,
        "see what they wait for; what hangs in the kernel ends with a boot only",
        ("dstate", "users"),
        (POWER_CYCLE,),
        calm=True,
    ),
    Rule(
        "slurmd", "slurmd stopped", "slurmd",
        lambda case: case.state("slurmd") == "fail",
        words.of_slurmd,
        "settle what its log says, then start slurmd",
        ("slurmd", "slurmd_log"),
        (RESTART_SLURMD, POWER_CYCLE),
    ),
    Rule(
        "slurmd-unheard", "slurmd runs, Slurm does not hear it", "slurmd",
        _slurm_is_deaf,
        words.of_slurmd,
        "see that node and controller reach each other, then restart slurmd",
        ("ssh", "slurmd", "slurmd_log"),
        (RESTART_SLURMD, POWER_CYCLE),
    ),
    Rule(
        "config", "slurm.conf and node do not agree", "slurmd",
        lambda case: case.is_out and case.tells(Tells.CONFIG),
        words.of_reason,
        "compare slurm.conf and gres.conf with the node, then restart slurmd",
        ("ssh", "slurmd"),
    ),
    Rule(
        "leftovers", "left-over processes", "leftovers",
        lambda case: case.state("users") == "warn",
        words.of_leftovers,
        "end these processes; if one cannot be killed, power cycle",
        ("users", "jobs"),
        (POWER_CYCLE,),
    ),
    Rule(
        "own-check", "{check} not well", "unknown",
        lambda case: bool(_own(case)),
        lambda case: words.of_own(case, _own(case)),
        "see what the check says: what is done about it, the site knows",
        ("all",),
        about=_own,
    ),
    Rule(
        "nhc", "NHC refuses it", "unknown",
        _is_unverifiable,
        words.of_reason,
        "run NHC on the node: what it found is nothing that botd looks at",
        ("ssh",),
    ),
    Rule(
        "reboots-again", "reboots by itself, again and again", "hardware",
        lambda case: case.is_out and case.is_sound and case.tells(Tells.REBOOTED) and case.past.incidents >= REPEATS,
        words.of_well_again,
        "see its BMC's event log before it goes back: power supply, memory, heat",
        ("all",),
    ),
    Rule(
        "ready-prolog", "well, its prolog failed", "ready",
        _is_ready(Tells.PROLOG),
        words.of_well_again,
        "see why the prolog failed (the next job has the same), then resume",
        ("all",),
        (RESUME,),
    ),
    Rule(
        "ready-rebooted", "well, rebooted by itself", "ready",
        _is_ready(Tells.REBOOTED),
        words.of_well_again,
        "resume",
        ("all",),
        (RESUME,),
    ),
    Rule(
        "ready-killed", "well, the processes have ended", "ready",
        _is_ready(Tells.KILL),
        words.of_well_again,
        "resume",
        ("all",),
        (RESUME,),
    ),
    Rule(
        "ready", "ready to go back", "ready",
        _is_ready(),
        words.of_well_again,
        "resume",
        ("all",),
        (RESUME,),
    ),
    # ---- in service, or nothing that keeps it out ----
    Rule(
        "ping-dropped", "takes logins and no ping", "unknown",
        lambda case: case.state("ping") == "fail" and case.state("ssh") == "ok",
        words.of_bad,
        "see whether a firewall drops echo requests",
        ("ping", "ssh"),
        calm=True,
    ),
    Rule(
        "packets-lost", "packets are lost on the way", "hardware",
        lambda case: case.state("ping") == "warn",
        words.of_bad,
        "look at its cable, its port and the errors of both",
        ("ping",),
    ),
    Rule(
        "bmc-only", "only its BMC is silent", "bmc-silent",
        lambda case: _bmc_is_silent(case) and case.state("ssh") == "ok",
        words.of_bad,
        "reset the BMC from the node (ipmitool mc reset cold), or reseat its cable",
        ("ssh", "ipmi_reachable"),
    ),
    Rule(
        "mount-filling", "a file system fills up", "file-system",
        lambda case: any(case.state(name) == "warn" for name in case.mounts()),
        words.of_bad,
        "see what fills it",
        ("df",),
        calm=True,
    ),
    Rule(
        "overload", "more load than cores", "unknown",
        lambda case: case.state("load") in ("warn", "fail"),
        words.of_bad,
        "see what runs there (top): too many processes, or a slow disk",
        ("load",),
        calm=True,
    ),
    Rule(
        "lost-job", "lost a job, well now", "unknown",
        lambda case: not case.is_out and _only(*LOOKS_BACK)(case) and case.state("last_job") == "fail",
        words.of_bad,
        "keep an eye on it: the same again is no accident",
        ("last_job",),
        calm=True,
    ),
    Rule(
        "passed", "its BMC logged what has passed", "hardware",
        lambda case: not case.is_out and _only(*LOOKS_BACK)(case) and case.state("sel") == "warn",
        words.of_fault,
        "keep an eye on it: the same again is a part that fails",
        ("sel",),
        calm=True,
    ),
    Rule(
        "log", "errors in slurmd's log", "unknown",
        lambda case: not case.is_out and _only("slurmd_log")(case) and case.state("slurmd_log") == "warn",
        words.of_log,
        "read them; nothing else is wrong",
        ("slurmd_log",),
        calm=True,
    ),
    Rule(
        "not-told", "cannot be told", "unknown",
        _is_untold,
        words.of_bad,
        "see why these checks have no answer, then look again",
        ("all",),
        calm=True,
    ),
    Rule(
        "nothing-known", "nothing known", "unknown",
        lambda case: case.is_out or bool(case.bad),
        words.of_nothing_known,
        "look at it: no rule of botd knows this",
        ("all",),
    ),
)  # fmt: skip
"""Every cause that botd knows. A node that none fits is in service and well."""
