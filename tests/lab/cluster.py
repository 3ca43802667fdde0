"""The whole lab: built in seconds, taken down to the last process, mount and line."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.lab import bmc, net
from tests.lab.bmc import Bmc
from tests.lab.faults import BMC_VERBS, CONTROLLER_VERBS, NODE_VERBS, SLURM_VERBS, VERBS
from tests.lab.node import USERS, Node, generate_key
from tests.lab.proc import LabError, Proc, end_marked, run, wait_until
from tests.lab.slurm import CLUSTERS, Slurm

PROGRAMS = [
    *["bash", "ip", "iptables", "ipmi_sim", "mariadbd", "mount", "munged", "nsenter", "sbatch", "sinfo"],
    *["slurmctld", "slurmd", "slurmdbd", "ssh-keygen", "sshd", "unshare", "useradd"],
]
# Everything of a lab but its logs, which the way down leaves.
OWN = [
    *["etc", "run", "bmc", "nodes", "ns", "bin", "state", "groups", "scratch"],
    *["known_hosts", "bmc_password", "botd.toml", "lab.json", "maker", "up"],
]

USER_COMMENT = "botd lab"

_BOTD_TOML = """\
[server]
listen = "127.0.0.1:5055"

[store]
url = "sqlite:///{directory}/botd.db"

[slurm]
sinfo = "env SLURM_CONF={directory}/etc/slurm.conf sinfo"
scontrol = "env SLURM_CONF={directory}/etc/slurm.conf scontrol"
squeue = "env SLURM_CONF={directory}/etc/slurm.conf squeue"
sacct = "env SLURM_CONF={directory}/etc/slurm.conf sacct"
timeout = 6

[groups]
directories = ["{directory}/groups"]

[ssh]
user = "root"
port = 22
key_file = "{directory}/etc/client_key"
known_hosts = "{directory}/known_hosts"
connect_timeout = 3
command_timeout = 6

[bmc]
address = "{{short}}-ipmi.{{cluster}}"
port = {bmc_port}
user = "{bmc_user}"
password_file = "{directory}/bmc_password"
timeout = 3

[sweep]
least_age = 0

[mounts]
tmp = "/tmp"
scratch = "{directory}/scratch"

[checks.load]
warn = 1000
fail = 1000

[checks.slurmd_log]
path = "{directory}/log/slurmd.{{node}}.log"
"""


def make_nodes(directory: Path, count: int) -> list[Node]:
    """The nodes of a lab: two in ten in vector0, the others half and half in savio2 and savio3."""
    vector = max(1, count // 5)
    savio2 = (count - vector + 1) // 2
    clusters = [*["savio2"] * savio2, *["savio3"] * (count - vector - savio2), *["vector0"] * vector]
    return [
        Node(directory, index, cluster, f"n{index - clusters.index(cluster):04}")
        for index, cluster in enumerate(clusters)
    ]


def create_users() -> None:
    """Make the ordinary users, where the machine has none of that name."""
    for user in USERS:
        if user not in {entry.pw_name for entry in pwd.getpwall()}:
            # "*" and not "!": sshd refuses a locked account even with a key.
            options = ["--no-create-home", "--home-dir", "/", "--password", "*", "--shell", "/bin/bash"]
            run(["useradd", *options, "--user-group", "--comment", USER_COMMENT, user])


def delete_users() -> None:
    """Remove the users that a lab made."""
    for entry in pwd.getpwall():
        if entry.pw_gecos == USER_COMMENT:
            run(["userdel", entry.pw_name])


class Lab:
    """A cluster in one directory. As a context manager it is up inside and gone after."""

    def __init__(self, directory: Path | str, nodes: int = 10) -> None:
        self.directory = Path(directory).resolve()
        if not 3 <= nodes <= 1000:
            raise LabError(f"{nodes} nodes: a lab has 3 to 1000")
        # A socket's path is 107 bytes at most (unix(7)); "nodes/n0000.vector0/control" is the longest.
        if len(str(self.directory)) > 78 or not str(self.directory).isascii() or " " in str(self.directory):
            raise LabError(f"{self.directory}: needs a plain path of at most 78 characters")
        if Path("/run") in self.directory.parents:
            raise LabError(f"{self.directory}: every node has a /run of its own, choose another place")
        self.nodes = make_nodes(self.directory, nodes)
        self.bmcs = [Bmc(node) for node in self.nodes]
        self.slurm = Slurm(self.directory)

    @classmethod
    def load(cls, directory: Path | str) -> Lab:
        """The lab that was built in a directory, by this process or another."""
        try:
            state = json.loads((Path(directory) / "lab.json").read_text())
        except FileNotFoundError as error:
            raise LabError(f"no lab in {directory}") from error
        return cls(directory, state["nodes"])

    def __enter__(self) -> Lab:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def node(self, name: str) -> Node:
        """The node of that name."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise LabError(f"no node {name}: there are {', '.join(node.name for node in self.nodes)}")

    def bmc(self, name: str) -> Bmc:
        """The BMC of the node of that name."""
        return Bmc(self.node(name))

    def do(self, verb: str, *args: str) -> Any:
        """Do a verb (see faults.py), for most with a node's name first; what it returns, such as a job id."""
        if verb in CONTROLLER_VERBS:
            return CONTROLLER_VERBS[verb](self.slurm)
        if verb not in VERBS or not args:
            raise LabError(f"{verb}: give a verb and a node's name; verbs: {', '.join(VERBS)}")
        name, *rest = args
        if verb in BMC_VERBS:
            return BMC_VERBS[verb](self.bmc(name))
        if verb in NODE_VERBS:
            return NODE_VERBS[verb](self.node(name), *rest)
        return SLURM_VERBS[verb](self.slurm, self.node(name), *rest)

    # --- up ---

    def up(self) -> None:
        """Build everything and wait until every node is idle in Slurm; on a failure leave nothing."""
        missing = [program for program in PROGRAMS if not shutil.which(program)]
        if missing:
            raise LabError(f"not installed: {', '.join(missing)} (see tests/lab/__init__.py)")
        take_down_abandoned(net.lab_in_hosts())
        net.create_bridge()
        try:
            self._build()
        except BaseException:
            self.down()
            raise

    def _build(self) -> None:
        # An earlier lab's jobs would be read as this one's: sacct -c reads log/jobcomp.log.
        shutil.rmtree(self.directory / "log", ignore_errors=True)
        for name in ("etc", "run", "log", "ns", "bin", "state", "groups", "scratch"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        Proc.of(os.getpid()).save(self.directory / "maker")
        (self.directory / "lab.json").write_text(json.dumps({"nodes": len(self.nodes)}))
        hosts = [(net.CONTROLLER, net.CONTROLLER_NAME)]
        hosts += [(node.address, node.name) for node in self.nodes]
        hosts += [(node.bmc_address, node.bmc_name) for node in self.nodes]
        net.add_hosts(self.directory, hosts)
        net.keep_own_netns(self.directory / "ns" / "host")
        create_users()
        generate_key(self.directory / "etc" / "client_key", "botd lab")
        self._write_files()
        password = secrets.token_hex(8)
        self._write_secret("bmc_password", password)
        (self.directory / "up").touch()
        with ThreadPoolExecutor(8) as pool:
            accounting = pool.submit(self.slurm.start_accounting)
            list(pool.map(Node.prepare, self.nodes))
            accounting.result()
            self.slurm.start()
            self._write_known_hosts()
            starts = [pool.submit(node.power_on) for node in self.nodes]
            starts += [pool.submit(each.build, password) for each in self.bmcs]
            for start in starts:
                start.result()
        wait_until("idle nodes", lambda: set(self.slurm.states().values()) == {"idle"}, 60, every_s=0.1)

    def _write_secret(self, name: str, text: str) -> None:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(f"{text}\n")

    def _write_files(self) -> None:
        self.slurm.prepare(self.nodes)
        bmc.write_chassis(self.directory)
        groups = {cluster: [node for node in self.nodes if node.cluster == cluster] for cluster in CLUSTERS}
        groups["rack1"] = self.nodes[::2]
        for group, members in groups.items():
            (self.directory / "groups" / group).write_text("".join(f"{node.name}\n" for node in members))
        text = _BOTD_TOML.format(directory=self.directory, bmc_port=bmc.PORT, bmc_user=bmc.USER)
        (self.directory / "botd.toml").write_text(text)

    def _write_known_hosts(self) -> None:
        lines = []
        for node in self.nodes:
            kind, key, *_ = (node.home / "host_key.pub").read_text().split()
            lines.append(f"{node.name},{node.address} {kind} {key}\n")
        (self.directory / "known_hosts").write_text("".join(lines))

    # --- down ---

    def down(self) -> None:
        """Take everything down, in whatever state it is; only the logs stay."""
        (self.directory / "up").unlink(missing_ok=True)  # from here on no BMC switches a node on
        end_marked(self.directory)
        net.remove_hosts()
        net.delete_all_netns(self.directory / "ns")
        delete_users()
        for name in OWN:
            path = self.directory / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        net.delete_bridge()  # the last: it is the lock


def take_down_abandoned(directory: str) -> None:
    """Take down the lab in that directory if the process that built it was killed; one that lives is left alone."""
    maker = Proc.load(Path(directory) / "maker") if directory else None
    if maker and not maker.is_alive:
        Lab.load(directory).down()
