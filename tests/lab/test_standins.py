"""The demo's stand-ins against the real tools: each option alone, in botd's combinations, and wrong ones.

The stand-in's state is rebuilt from what the real Slurm says of its nodes and jobs, and set to the second in which
the real tool ran. Both must print the same and end with the same status. What has to differ is made neutral, and
stands with its reason in `NEUTRAL`, `OF_THE_MACHINE` and `round_trips`.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import pytest

from botd.demo.state import CHANGES, ClusterState
from botd.demo.tools import sacct, sinfo, squeue
from botd.demo.tools.base import Printed
from botd.demo.tools.scontrol import COMMANDS
from botd.demo.tools.table import OPTIONS
from botd.inventory.command import SCOPE
from botd.inventory.jobs import LAST_FIELDS, QUEUE_FIELDS
from botd.inventory.slurm import FIELDS
from botd.settings import PingSettings
from botd.transport.ping import SAFE_INTERVAL_MS, fping_options
from tests.lab.cluster import Lab
from tests.lab.proc import wait_until
from tests.lab.standins import PARTITIONS, Both, break_lab, jobs_of, mend_lab, nodes_of
from tests.libexec.helper import load

NEUTRAL: dict[str, str] = {
    r"(Slurmctld\(primary\) at) \S+": r"\1 HOST",  # the name of the controller's machine
    r"CPULoad=\S+": "CPULoad=N",  # this machine's load, as slurmd last told it
    r"FreeMem=\d+": "FreeMem=N",  # and its memory
    r"OS=Linux [^\n]*?(?=\n|RealMemory)": "OS=Linux ",  # and its kernel
    r"(CoresPerSocket|Sockets)=\d+": r"\1=N",  # one socket for each CPU of this machine; the demo's nodes have two
    r"SlurmdStartTime=\S+": "SlurmdStartTime=T",  # the demo has one time for boot and slurmd
    r"BootTime=\S+": "BootTime=T",  # reckoned anew from each uptime that slurmd tells: a second more or less
    r"LastBusyTime=\S+": "LastBusyTime=T",  # and does not keep when a job was there last
}
"""What must differ in a text, and why."""

OF_THE_MACHINE = frozenset(
    {"cpu_load", "free_memory", "operating_system", "cores", "sockets", "slurmd_start_time", "last_busy"}
)
"""The same in the JSON document."""


# ---- Slurm's commands ----


@pytest.fixture(scope="module")
def both(lab: Lab) -> Iterator[Both]:
    try:
        words = break_lab(lab)
        clock = [time.time()]
        state = ClusterState(nodes_of(lab), jobs_of(lab, words["mine"]), lambda: clock[0], partitions=PARTITIONS)
        yield Both(lab, state, clock, words)
    finally:
        mend_lab(lab)


ALL = {tool: " ".join(options) for tool, options in SCOPE.items()}
"""What botd says to each tool in every call."""

SINFO = (
    *("sinfo", "sinfo -h", "sinfo --noheader", "sinfo -N", "sinfo --Node", "sinfo -R", "sinfo --list-reasons"),
    *("sinfo -a", "sinfo --all", "sinfo -V", "sinfo --version", "sinfo -hN", "sinfo -N -R", "sinfo -h -R -a"),
    *("sinfo -o '%N %T'", "sinfo --format='%N|%T|%E'", "sinfo --format '%P'", "sinfo -h -o '<%.9P>%%%5D;%c'"),
    *("sinfo -S N", "sinfo --sort=-N", "sinfo -S %N", "sinfo -N -S E -o '%N %E'", "sinfo -N -S -P -o '%P %N'"),
    *(f"sinfo -p savio3 -N -o '%N %T' -S {sort}" for sort in ("N", "-N", "t", "-T", "%T,-N", "E", "-E")),
    *("sinfo -p savio2 -R", "sinfo -p savio3 -R -S %E", "sinfo -N -p savio2 -h", "sinfo -p savio_lowprio -S -N"),
    *("sinfo -p savio_lowprio -o '%D %t %N' -S D", "sinfo -p vector0 -o '%N %c' -S -c", "sinfo -p savio2 -S P"),
    *("sinfo -p savio3", "sinfo --partition=savio2,vector0", "sinfo -p nosuch", "sinfo -N -p savio_lowprio"),
    *("sinfo -n {drained}", "sinfo --nodes={drained},{idle}", "sinfo -n nosuch", "sinfo -N -n nosuch"),
    *("sinfo -h -n {idle} -o '%T|%E'", "sinfo -h -N -n {busy} -o '%T|%E|%u'"),
    *("sinfo -t drain", "sinfo --states=down,idle", "sinfo -t mixed -N", "sinfo -t alloc", "sinfo -h -t drained -o %N"),
    *("sinfo -t draining -o '%N %t'", "sinfo -R -t down"),
    # as botd asks, and as people save lists for it
    f"sinfo {ALL['sinfo']} -h -N --format='0123|{FIELDS}'",
    *("sinfo -R -S %E -o '%N %6t %19H %9u %E'", "sinfo -R -S %E -o '%9u %19H %6t %N %E'"),
    "sinfo -h -N -R -S %E --format='%N|%T|%U|%H|%P|%E'",
    # wrong ones
    *("sinfo --nope", "sinfo -x", "sinfo -o", "sinfo --format", "sinfo --noheader=1", "sinfo -t bogus"),
    *("sinfo -o %y", "sinfo -o '%N%y'", "sinfo extra"),
)
HIDDEN = (
    *("sinfo", "sinfo -N", "sinfo -a", "sinfo -N --all --local -o '%P %N'", "sinfo -p vector0", "sinfo -n {idle}"),
    *("scontrol show nodes", "scontrol show node {idle}", "scontrol --all --local show nodes -o"),
    *("scontrol show node {idle},{drained} -o", "squeue -h -o '%i %N'", "squeue --all --local -h -o '%i %N'"),
    *("squeue -h -j {job} -o %i", "sacct --allusers --local -X -j {mine} -o jobid,partition"),
)
"""Asked as an ordinary user while the partition of {idle} is hidden."""
SINFO_JSON = ("sinfo --json", "sinfo -a --json", f"sinfo {ALL['sinfo']} --json")
SQUEUE = (
    *("squeue", "squeue -h", "squeue --noheader", "squeue -a", "squeue --all", "squeue -r", "squeue --array"),
    *("squeue -V", "squeue --version", "squeue -ha", "squeue -o '%i %j'", "squeue --format='%i|%j|%T'"),
    *("squeue -w {busy}", "squeue --nodelist={busy},{mixed}", "squeue -h -w {idle}", "squeue -u alice"),
    *("squeue --user=alice", "squeue -u nosuchuser", "squeue -t running", "squeue --states=R", "squeue -t PD"),
    *("squeue -t all -j {mine}", "squeue -t cancelled -j {mine}", "squeue -t F,CD -j {mine} -o '%i %t %T %r'"),
    *("squeue -j {job}", "squeue --jobs={jobs}", "squeue -j {job} -h -o %i", "squeue -j {ended}"),
    f"squeue {ALL['squeue']} -h --format='0123|{QUEUE_FIELDS}'",
    *("squeue --nope", "squeue -x", "squeue -o", "squeue -w nosuch", "squeue -t bogus", "squeue -j x"),
    *("squeue -j 99999",),
)
SACCT = (
    *("sacct -a", "sacct -X", "sacct --allocations --allusers", "sacct -n", "sacct --noheader", "sacct -V"),
    *("sacct --version", "sacct -P", "sacct --parsable2", "sacct -p", "sacct --parsable", "sacct -nPX"),
    *(
        "sacct -P --delimiter=::",
        "sacct -p --delimiter :",
        "sacct -X -o JobID,State",
        "sacct --format=jobid%20,state%5",
    ),
    *("sacct -X -S now-1hour", "sacct --starttime now-2hours -X", "sacct -X -S now-1day -E now-1hour"),
    *("sacct -X --endtime=now", "sacct -X -E now+1hour", "sacct -X -N {busy}", "sacct -X --nodelist={busy},{mixed}"),
    *("sacct -X -N nosuch", "sacct -X -N 'n[0-'", "sacct -X -u alice", "sacct -X --user=alice"),
    *(
        "sacct -X -s running",
        "sacct -X -s R -S now-1hour",
        "sacct -X -s F -E now",
        "sacct -X --state=F,CD -S now-1hour -E now",
        "sacct -j {job}",
    ),
    *("sacct --jobs={jobs} -X", "sacct -j 99999"),
    f"sacct {ALL['sacct']} -n -P -X -S now-1day -E now -o {LAST_FIELDS}",
    f"sacct {ALL['sacct']} -n -P -X -S now-1day -E now -o {LAST_FIELDS} -N {{busy}},{{mixed}},{{idle}}",
    *("sacct --nope", "sacct -o", "sacct -o JobID,nosuch", "sacct -u nosuchuser", "sacct -s bogus", "sacct -j x"),
    "sacct -S bogus",
)
SCONTROL = (
    *("scontrol ping", "scontrol version", "scontrol -V", "scontrol --version", "scontrol show node"),
    *("scontrol show nodes", "scontrol show node {drained}", "scontrol show node {dead},{busy}"),
    *("scontrol show nodes {down}", "scontrol show node nosuch", "scontrol show node nosuch,{mixed}"),
    *("scontrol -o show node", "scontrol --oneliner show node {mixed}", "scontrol show node {idle} -o"),
    *("scontrol -a show node {idle}", f"scontrol {ALL['scontrol']} show node {{idle}}"),
    *("scontrol --nope", "scontrol -x", "scontrol explode", "scontrol show", "scontrol show bogus", "scontrol update"),
    *("scontrol show node {idle} {busy}", "scontrol update foo=bar", "scontrol update nodename={idle}"),
    *("scontrol update nodename={idle} bogus=1", "scontrol update nodename=nosuch state=resume"),
    *("scontrol update nodename={idle} state=drain", "scontrol update nodename={idle} state=down"),
    *("scontrol update nodename={idle} state=resume", "scontrol update nodename={idle} state=bogus"),
)
COLUMNS = (
    *(f"sinfo -N -o '%N|%{letter}|%.30{letter}|%5{letter}'" for letter in sinfo.COLUMNS),
    *(f"sinfo -o '%{letter}'" for letter in sinfo.COLUMNS),
    *(f"squeue -o '%{letter}|%.30{letter}|%5{letter}'" for letter in squeue.COLUMNS),
    *(f"sacct -X -j {{mine}} -o {name}{width}" for name in sacct.FIELDS for width in ("", "%4", "%-30")),
    *(f"sacct -X -j {{mine}} -P -o {name}" for name in sacct.FIELDS),
)
LINES = (*SINFO, *SQUEUE, *SACCT, *SCONTROL, *COLUMNS)


def neutral(output: bytes) -> str:
    text = output.decode("utf-8", "surrogateescape")
    for pattern, plain in NEUTRAL.items():
        text = re.sub(pattern, plain, text)
    return text


def lines_of(both: Both, line: str, output: bytes) -> list[str]:
    """The lines that both can have, in an order that is no chance.

    sinfo asks for each partition at the same time, so only rows of one partition have an order. The accounts hold
    the jobs of earlier tests too; their rows are left out.
    """
    lines = neutral(output).split("\n")
    if line.startswith("sinfo") and not re.search(r"(-p |--partition=)[a-z0-9_]+( |$)", line):
        return sorted(lines)
    if line.startswith("sacct") and "-j" not in line:
        mine = both.words["mine"].replace(",", "|")
        return [each for each in lines if re.match(rf"JobID|-+ |$|slurm|({mine})\b", each)]
    return lines


@pytest.mark.parametrize("line", LINES)
def test_it_prints_and_ends_as_the_real_one(both: Both, line: str) -> None:
    real = both.real(line)
    ours = both.ours(line)
    assert lines_of(both, line, ours.out) == lines_of(both, line, real.out)
    assert (neutral(ours.err), ours.status) == (neutral(real.err), real.status)


@pytest.mark.parametrize("line", SINFO_JSON)
def test_the_json_document_says_the_same(both: Both, line: str) -> None:
    real, ours = (json.loads(print_it(line).out) for print_it in (both.real, both.ours))
    for document in (real, ours):
        for node in document["nodes"]:
            for key in OF_THE_MACHINE:
                assert node.pop(key, None) is not None
    for one, other in zip(ours["nodes"], real["nodes"], strict=True):  # slurmd works it out anew, in whole seconds
        assert abs(one.pop("boot_time") - other.pop("boot_time")) <= 3
    assert ours == real
    assert [list(node) for node in ours["nodes"]] == [list(node) for node in real["nodes"]]


@pytest.fixture(scope="module")
def hidden(both: Both) -> Iterator[Both]:
    """The same lab with a hidden partition, seen by an ordinary user, who must be let in to its slurm.conf."""
    lab, mode = both.lab, both.lab.directory.stat().st_mode
    lab.directory.chmod(0o711)
    lab.slurm.run("scontrol", "update", "partition=vector0", "hidden=yes")
    partitions = tuple(replace(each, hidden=each.name == "vector0") for each in PARTITIONS)
    state = ClusterState(nodes_of(lab), [*both.state.running, *both.state.ended], both.state.now, partitions=partitions)
    yield replace(both, state=state, user="alice")
    lab.slurm.run("scontrol", "update", "partition=vector0", "hidden=no")
    lab.directory.chmod(mode)


@pytest.mark.parametrize("line", HIDDEN)
def test_it_hides_what_the_real_one_hides_from_an_ordinary_user(hidden: Both, line: str) -> None:
    real, ours = hidden.real(line), hidden.ours(line)
    assert lines_of(hidden, line, ours.out) == lines_of(hidden, line, real.out)
    assert (neutral(ours.err), ours.status) == (neutral(real.err), real.status)


def test_sinfo_json_of_an_ordinary_user_has_the_nodes_of_hidden_partitions_too(hidden: Both) -> None:
    for print_it in (hidden.real, hidden.ours):
        names = {node["name"] for node in json.loads(print_it("sinfo --json").out)["nodes"]}
        assert names == {node.name for node in hidden.lab.nodes}


UPDATES = (
    "scontrol update nodename={idle} state=drain reason='one | two'",
    "scontrol update nodename={idle} reason=three",
    "scontrol update nodename={idle} state=undrain",
    "scontrol update NodeName={idle} State=DRAIN Reason=four",
    "scontrol update nodename={idle} state=drain reason='botd: drain 7 by anna'",
    "scontrol update nodename={idle} state=resume",
    "scontrol update nodename={idle} state=resume",
    "scontrol update nodename={idle} state=undrain",
    "scontrol update nodename={idle},{mixed} state=drain reason=both",
    "scontrol update nodename={mixed} state=undrain",
    "scontrol update nodename={idle} state=down reason=five",
    "scontrol update nodename={idle} state=drain reason=six",
    "scontrol update nodename={idle} state=undrain",
    "scontrol update nodename={idle} state=resume",
)

HELPED = (
    "undrain {idle} {stamp}",
    "drain {idle} {stamp} botd: drain 7 by anna",
    "drain {idle} {stamp} botd: drain 8 by kmf",
    "undrain {idle} {stamp}",
    "resume {idle} {stamp}",
    "drain {mixed} {stamp} botd: drain 9 by anna",
    "undrain {mixed} 00000000000000000000000000000000",
    "undrain {mixed} {stamp}",
    "drain nosuch 00000000000000000000000000000000 botd: drain 9 by anna",
)
"""What the helper is asked, one after the other; the stamp is that of a `show` right before."""


def test_updates_change_the_same(both: Both) -> None:
    look = "sinfo -h -N -n {idle},{mixed} -p vector0 -o '%N|%T|%E|%u'"
    for number, line in enumerate(UPDATES):
        assert both.ours(line) == both.real(line), f"{number}: {line}, of {both.real(look)}"
        told = both.ours(look)
        # slurmctld says "*" for a moment, again and again, until slurmd has registered.
        wait_until(f"{told} from Slurm after {line}", lambda: both.real(look) == told, 60)  # noqa: B023


def test_the_helper_for_slurm_does_the_same_on_both(both: Both) -> None:
    real, ours = load(), load()
    real.SLURM_CONF = str(both.lab.slurm.config)
    ours.run = lambda name, words, _: told_as_process(both.ours(shlex.join([name, *words])))
    for line in HELPED:
        assert helped(ours, line, both.words) == helped(real, line, both.words), line


def told_as_process(told: Printed) -> tuple[int, bytes, bytes]:
    return told.status, told.out, told.err


def helped(helper: ModuleType, line: str, words: dict[str, str]) -> object:
    """What a helper answers, without what no two can share: the time, and "*" until slurmd has registered again."""
    node = line.split()[1].format(**words)
    try:
        stamp = helper.look(node)[1] if "{stamp}" in line else ""
        answer = helper.answer_to(helper.parse(line.format(stamp=stamp, **words).encode()))
    except helper.Refused as refused:
        return refused.code, str(refused).rstrip("*"), standing(refused.now)
    return answer["answer"], answer["words"], standing(answer["before"]), standing(answer["after"])


def standing(now: dict[str, str] | None) -> object:
    return now and (now["state"].rstrip("*"), now["reason"], now["by"])


# ---- fping ----

FPING = (
    *("fping -C 2 -q -p 20 -t 50", "fping --vcount=1 --quiet -t 50", "fping -c 2 -q -p 20 -t 50"),
    *("fping --count 1 -t 50", "fping -C 2 -p 20 -t 50", "fping -a -r 0 -t 50", "fping --alive -r 0 -t 50"),
    *("fping -u -r 0 -t 50", "fping --unreach --retry=0 --timeout=50", "fping -r 1 -t 50 -B 1", "fping -v"),
    *("fping --version", "fping -4 -R -r 0 -t 50", "fping --ipv4 --random -r 0 -t 50", "fping -b 100 -C 1 -t 50"),
    *("fping --size=30 -c 1 -t 50", "fping -i 1 -p 20 -C 1 -q -t 50", "fping --interval=1 --period=20 -C 1 -t 50"),
    *("fping --backoff=1 -r 0 -t 50", "fping -q -r 0 -t 50", "fping -Z", "fping --nope", "fping -C"),
    *(
        " ".join(["fping", *fping_options(PingSettings(), interval_ms)])
        for interval_ms in (PingSettings().interval, SAFE_INTERVAL_MS)
    ),
)


def round_trips(output: bytes) -> list[str]:
    """The lines without round trips, which no two packets share; their order is that of the answers."""
    return sorted(re.sub(r"\d+\.\d+(?= |/|$| ms| avg)", "N", line) for line in output.decode().splitlines())


@pytest.fixture(scope="module")
def off(lab: Lab) -> Iterator[str]:
    """A node without power."""
    node = lab.nodes[9]
    node.power_off()
    yield node.name
    node.power_on()
    lab.do("make_idle", node.name)


@pytest.mark.parametrize("line", FPING)
@pytest.mark.parametrize("targets", ["alive", "alive and dead", "unknown", "none"])
def test_fping_prints_and_ends_as_the_real_one(lab: Lab, off: str, line: str, targets: str) -> None:
    nodes = [replace(node, up=node.name != off) for node in nodes_of(lab)]
    both = Both(lab, ClusterState(nodes, [], time.time), [0.0], {})
    alive, dead = nodes[0].address, next(node.address for node in nodes if node.name == off)
    stdin = {"alive": [alive], "alive and dead": [alive, dead], "unknown": ["nosuch.invalid", alive], "none": []}
    text = "".join(f"{word}\n" for word in stdin[targets])
    real, ours = both.real(line, text), both.ours(line, text)
    assert round_trips(ours.out) == round_trips(real.out)
    assert round_trips(ours.err) == round_trips(real.err)
    assert ours.status == real.status


# ---- nothing is left out ----


@pytest.mark.parametrize("tool", OPTIONS)
def test_every_option_of_a_stand_in_is_compared(tool: str) -> None:
    words = {word for line in (*LINES, *SINFO_JSON, *FPING) if line.startswith(tool) for word in shlex.split(line)[1:]}
    given = {word.partition("=")[0] for word in words}
    letters = {f"-{letter}" for word in words if re.fullmatch(r"-[A-Za-z]+", word) for letter in word[1:]}
    missing = {spelling for option in OPTIONS[tool] for spelling in option.spellings} - given - letters
    assert missing == set()


ELSEWHERE = ("show reservation", "show topology")
"""The lab has neither: tests/demo/test_slurm_tools.py holds them against what Slurm has printed."""


def test_every_command_of_scontrol_is_compared() -> None:
    compared = (*SCONTROL, *ELSEWHERE)
    assert [word for word in COMMANDS if not any(f"{word} " in f"{line} " for line in compared)] == []


def test_every_change_of_a_node_is_compared() -> None:
    assert [word for word in CHANGES if not any(f"state={word} " in f"{line.lower()} " for line in UPDATES)] == []
