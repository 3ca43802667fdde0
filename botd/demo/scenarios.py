"""The groups of the simulated site, and the faults of its morning: two literal tables."""

from __future__ import annotations

from dataclasses import dataclass, replace

from botd.demo.machine import SOUND, Health, Mount, Partition, Sshd

SCRATCH, SOFTWARE, TMP, VAR = "/global/scratch", "/global/software", "/tmp", "/var"  # noqa: S108


@dataclass(frozen=True, slots=True)
class Kind:
    """One hardware generation: a group, and a partition of the same name. `share` is its part of all nodes."""

    name: str
    share: float
    cores: int
    memory_mb: int
    features: str
    gres: str = ""


KINDS: tuple[Kind, ...] = (
    Kind("savio2", 0.375, 24, 64000, "savio2,haswell"),
    Kind("savio3", 0.3, 32, 96000, "savio3,skylake"),
    Kind("vector0", 0.2, 16, 128000, "vector0,gpu", "gpu:A40:4"),
    Kind("bigmem", 0.125, 40, 768000, "bigmem,icelake"),
)

SHARED_PARTITION = "htc"
"""A second partition over the first nodes of the first group, so that nodes stand in more than one."""

PARTITIONS: tuple[Partition, ...] = (
    *(Partition(kind.name, usual=kind is KINDS[0]) for kind in KINDS),
    Partition(SHARED_PARTITION),
)
"""In the order of Slurm's configuration."""

USERS: tuple[str, ...] = (
    "amara", "bjorn", "chidi", "daria", "emeka", "farid", "greta", "hanna", "ivo", "jun", "kofi", "lena", "user42",
)  # fmt: skip
"""Who runs jobs; the uid of each is 12000 and its place here."""

JOB_NAMES: tuple[str, ...] = ("relax", "md_prod", "train|resnet", "fit-3", "assemble", "wrap", "ocean_4km", "cp2k")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A node that Slurm lists as down, drained or draining, and what is really the matter with it.

    `state` is Slurm's: `down*`, `down`, `drained` or `draining` (which has a job). `since_h` is the age of the
    reason, `up_h` that of the last boot where it matters. An empty `group` is any group.
    """

    state: str
    reason: str
    by: str
    since_h: float
    health: Health = SOUND
    group: str = ""
    up_h: float | None = None
    last_job: str = "COMPLETED"


_ECC = "0c 87 6f a1 ff 10"  # an uncorrectable error, of module 10h
_NHC_MEMORY = "NHC: check_hw_physmem: actual RAM size (57459408 kB) less than minimum allowed (67108864 kB)"
_CONNECT = "error: Unable to register: Unable to contact slurm controller (connect failure)"
_STEPD = "error: *** JOB 48213 STEPD TERMINATED DUE TO JOB NOT ENDING WITH SIGNALS ***"

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("down*", "Not responding", "root", 7.2, Health(powered=False), last_job="NODE_FAIL"),
    Scenario("down*", "Not responding", "root", 31, Health(cut_off=True), last_job="NODE_FAIL"),
    Scenario("down*", "Not responding", "root", 55, Health(powered=False, bmc=False)),
    Scenario("down*", "Not responding", "root", 2.5, Health(sshd=Sshd.HUNG, slurmd=False), last_job="NODE_FAIL"),
    Scenario("down*", "Not responding", "root", 5.1, Health(slurmd=False, log=(
        "fatal: Unable to determine this slurmd's NodeName",)), group="savio3"),
    Scenario("down*", "Not responding", "root", 12, Health(sshd=Sshd.REFUSED, slurmd=False)),
    Scenario("down*", "batch job complete failure : Not responding", "root", 18, Health(
        slurmd=False, log=(_CONNECT,)), last_job="FAILED"),
    Scenario("down", "Node unexpectedly rebooted", "root", 3, up_h=3.1, last_job="NODE_FAIL"),
    Scenario("down", "Node unexpectedly rebooted", "root", 9, up_h=9.2, group="vector0"),
    Scenario("drained", "NHC: check_fs_mount:  /global/scratch not mounted", "root", 6,
             Health(mounts={SCRATCH: Mount.MISSING})),
    Scenario("drained", "NHC: check_fs_mount:  /global/scratch not mounted", "root", 26),
    Scenario("drained", 'NHC: script timed out while executing "check_fs_mount_rw -f /global/scratch"', "root", 1.5,
             Health(mounts={SCRATCH: Mount.HUNG}, load=1.6)),
    Scenario("drained", "NHC: check_fs_mount:  /global/software not mounted", "root", 40,
             Health(mounts={SOFTWARE: Mount.MISSING})),
    Scenario("drained", "gpfs client wedged, scratch ro -kmf 11/20", "kmf", 70,
             Health(mounts={SCRATCH: Mount.READ_ONLY})),
    Scenario("drained", "Kill task failed", "root", 4, Health(mounts={SCRATCH: Mount.HUNG}, left_over=("daria",),
             log=(_STEPD,)), last_job="CANCELLED by 12003"),
    Scenario("drained", "Kill task failed", "root", 16, last_job="CANCELLED by 12007"),
    Scenario("drained", "Low RealMemory (reported:48128 < 100.00% of configured:64000)", "slurm", 90,
             Health(missing_mb=15872), group="savio2"),
    Scenario("drained", _NHC_MEMORY, "root", 120, Health(missing_mb=8000), group="savio2"),
    Scenario("drained", "HW: sda missing after reseat -jd", "jd", 210, Health(mounts={TMP: Mount.READ_ONLY})),
    Scenario("drained", "bad GPU 3, RMA open", "jd", 400, group="vector0", last_job="FAILED"),
    Scenario("drained", "needs new dimms", "kmf", 600, Health(powered=False), group="bigmem"),
    Scenario("drained", "no IB", "kmf", 33, Health(mounts={SCRATCH: Mount.MISSING}), group="bigmem"),
    Scenario("down*", "wont power on, even after reseating blade", "jd", 300, Health(powered=False, power_dead=True)),
    Scenario("drained", "vnfs testing", "kmf", 8, Health(sshd=Sshd.REINSTALLED, kernel="5.14.0-427.el9_4.x86_64"),
             up_h=7.5),
    Scenario("draining", "see hung mpirun for user42", "jd", 20, Health(load=2.4, left_over=("user42",))),
    Scenario("draining", "Epilog error", "root", 0.6, Health(left_over=("bjorn",),
             log=("error: epilog for job 48377 ran for 60 seconds",))),
    Scenario("drained", "Prolog error", "root", 2, Health(sshd=Sshd.NO_KEY)),
    Scenario("drained", "SlurmdSpoolDir is full", "root", 11, Health(mounts={VAR: Mount.FULL},
             log=("error: write /var/spool/slurmd/cred_state: No space left on device",))),
    Scenario("drained", "Kill task failed", "root", 14, Health(load=0.2, left_over=("kofi",), log=(_STEPD,), stuck=(
        "folio_wait_bit kofi/cp2k.psmp", "folio_wait_bit kofi/cp2k.psmp")), last_job="CANCELLED by 12010"),
    Scenario("down*", "Not responding", "root", 3.4, Health(cut_off=True, sel=(
        (800.0, "23 00 6f c1 ff ff"), (3.5, "07 8b 6f 8b ff ff"), (3.5, _ECC))), group="bigmem", last_job="NODE_FAIL"),
    Scenario("down*", "Not responding", "root", 6.5, Health(powered=False, power_dead=True, sel=(
        (6.6, "08 52 6f 01 ff ff"),)), last_job="NODE_FAIL"),
)  # fmt: skip

QUIET: tuple[Health, ...] = (
    Health(bmc=False),
    Health(lossy=True),
    Health(left_over=("greta",)),
    Health(sel=((30.0, _ECC.replace("a1", "a0")), (2.0, _ECC.replace("a1", "a0")))),
    Health(log=("error: Could not open stdout file: Permission denied",)),
)
"""Faults of nodes that Slurm takes for sound: seen only when a whole group is checked."""

PER_SITE = 320
"""The number of nodes that these tables are meant for; a larger cluster repeats them."""


def sick_scenarios(nodes: int) -> list[Scenario]:
    """As many scenarios as a cluster of this size has, in the order of the table, repeated where it is large."""
    count = round(len(SCENARIOS) * nodes / PER_SITE) if nodes > PER_SITE else min(len(SCENARIOS), nodes // 2)
    repeated = [SCENARIOS[i % len(SCENARIOS)] for i in range(count)]
    return [replace(item, since_h=item.since_h + i // len(SCENARIOS)) for i, item in enumerate(repeated)]
