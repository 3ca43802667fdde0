"""What the demo writes into its own directory: keys, name lists, group files, stand-ins and a complete botd.toml."""

from __future__ import annotations

import io
import json
import secrets
import shlex
import sys
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import botd
from botd import nodeset
from botd.demo import standin
from botd.demo.machine import Node
from botd.demo.node_shell import USER
from botd.demo.node_ssh import Keys
from botd.demo.scenarios import SCRATCH, SOFTWARE, TMP
from botd.demo.site import racks

CONFIG_FILE, KEY, PASSWORD, SOCKET = "botd.toml", "id_ed25519", "bmc-password", "demo.sock"
ROLES_FILE = "roles.toml"
ACTOR, ACTOR_PASSWORD, SLURM_HELPER = "botd-operator", "bmc-operator-password", "slurm-helper"
TOOLS = ("sinfo", "scontrol", "squeue", "sacct", "fping")
OWN_TOOLS = ("heard",)

CONFIG = """\
# Written by the demo and removed with it: a complete configuration for the simulated cluster.

[server]
listen = {listen}

[store]
url = {store}

[slurm]
sinfo = {sinfo}
scontrol = {scontrol}
squeue = {squeue}
sacct = {sacct}
refresh = 10

[groups]
directories = [{groups}]

[nodes]
hosts_file = {hosts}

[sweep]
interval = 60
least_age = 0

[ping]
command = {fping}

[ssh]
user = {user}
port = {ssh_port}
key_file = {key}
known_hosts = {known_hosts}

[bmc]
port = {bmc_port}
user = {user}
password_file = {password}

[site]
name = "demo"

[access]
roles_file = {roles}

[actions]
mode = "on"
one_user = true
clock = "trusted"
slurm = {slurm_helper}
bmc_user = {actor}
bmc_password_file = {actor_password}
restart_slurmd = "sudo -n systemctl restart slurmd"

[mounts]
scratch = {scratch}
software = {software}
tmp = {tmp}

[tail]
slurmd = "/var/log/slurm/slurmd.log"
journal = "journal:slurmd"

[[check]]
name = "kernel"
title = "Kernel"
help = "The running kernel: an example of a check that a site adds."
command = "uname -r"
value = "text"
"""


ROLES = """\
# Written by the demo and removed with it: a student and an administrator.

[[role]]
name = "student"
actions = ["identify", "drain"]
nodes = "savio2,savio3"

[[role]]
name = "student-repair"
actions = ["resume", "restart-slurmd", "power-on", "power-cycle"]
nodes = "savio2,savio3"
when = ["out-of-service", "reason-not-human", "recommended", "seen-within-10min"]
per_hour = 5
at_once = 1

[[role]]
name = "admin"
actions = ["*"]
nodes = "all"
may = ["note", "tail", "approve", "re-arm", "harm", "people", "audit"]

[protected]
nodes = "n0000.savio2"
"""


def write_roles(directory: Path) -> None:
    """The roles file, which nobody else may write whatever the umask."""
    path = directory / ROLES_FILE
    path.write_text(ROLES, encoding="utf-8")
    path.chmod(0o644)


def config_text(directory: Path, listen: str, ssh_port: int, bmc_port: int) -> str:
    """A complete botd.toml for the demo in this directory."""
    texts = {
        "listen": listen,
        "store": f"sqlite:///{directory / 'botd.db'}",
        "groups": str(directory / "group"),
        "hosts": str(directory / "hosts"),
        "user": USER,
        "key": str(directory / KEY),
        "known_hosts": str(directory / "known_hosts"),
        "password": str(directory / PASSWORD),
        "roles": str(directory / ROLES_FILE),
        "slurm_helper": shlex.join([sys.executable, "-IS", str(directory / SLURM_HELPER)]),
        "actor": ACTOR,
        "actor_password": str(directory / ACTOR_PASSWORD),
        "scratch": SCRATCH,
        "software": SOFTWARE,
        "tmp": TMP,
        **{tool: shlex.quote(str(directory / "bin" / tool)) for tool in TOOLS},
    }
    # A JSON text is a TOML basic string too.
    quoted = {name: json.dumps(text, ensure_ascii=False) for name, text in texts.items()}
    return CONFIG.format(**quoted, ssh_port=ssh_port, bmc_port=bmc_port)


def make_keys(directory: Path) -> Keys:
    """New keys; the client's private key is written for botd."""
    _write_secret(directory / KEY, _new_key_text())
    client = paramiko.Ed25519Key.from_private_key_file(str(directory / KEY))
    return Keys(_new_key(), _new_key(), client)


def make_password(directory: Path, name: str) -> str:
    """A new password for the BMCs (16 characters, as IPMI 1.5 allows), written into that file for botd."""
    password = secrets.token_hex(8)
    _write_secret(directory / name, f"{password}\n")
    return password


def write_stand_ins(directory: Path) -> None:
    """The executables `bin/sinfo` and so on, which ask the demo at its socket."""
    start = shlex.join([sys.executable, "-IS", str(Path(standin.__file__)), str(directory / SOCKET)])
    (directory / "bin").mkdir()
    for tool in (*TOOLS, *OWN_TOOLS):
        path = directory / "bin" / tool
        path.write_text(f'#!/bin/sh\nexec {start} {tool} "$@"\n', encoding="utf-8")
        path.chmod(0o755)


def write_slurm_helper(directory: Path) -> None:
    """A copy of botd's helper for Slurm, made for the Slurm of the demo as a site makes it for its own."""
    text = _slurm_helper().read_text(encoding="utf-8")
    path = directory / SLURM_HELPER
    path.write_text(text.replace('"/usr/bin"', json.dumps(str(directory / "bin"))), encoding="utf-8")
    path.chmod(0o755)


def _slurm_helper() -> Path:
    """Where it is: inside the package where that is installed, beside it in a checkout."""
    package = Path(botd.__file__).parent
    inside = package / "libexec" / SLURM_HELPER
    return inside if inside.exists() else package.parent / "libexec" / SLURM_HELPER


def write_names(directory: Path, nodes: list[Node], host_key: paramiko.PKey, ssh_port: int) -> None:
    """The hosts file, the known host keys and the pdsh group files."""
    hosts, known = [], []
    for node in nodes:
        bmc = f"{nodeset.short(node.name)}-ipmi.{nodeset.cluster(node.name)}"
        hosts.append(f"{node.address} {node.name}\n{node.bmc_address} {bmc}\n")
        places = f"[{node.name}]:{ssh_port},[{node.address}]:{ssh_port}"
        known.append(f"{places} {host_key.get_name()} {host_key.get_base64()}\n")
    (directory / "hosts").write_text("".join(hosts), encoding="ascii")
    (directory / "known_hosts").write_text("".join(known), encoding="ascii")
    (directory / "group").mkdir()
    for group, names in groups_of(nodes).items():
        (directory / "group" / group).write_text(nodeset.fold(names) + "\n", encoding="ascii")


def groups_of(nodes: list[Node]) -> dict[str, list[str]]:
    """The site's groups: one per partition and one per rack."""
    groups: dict[str, list[str]] = {}
    for node in nodes:
        for partition in node.partitions:
            groups.setdefault(partition, []).append(node.name)
    return {**groups, **racks(nodes)}


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")


def _new_key_text() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode("ascii")


def _new_key() -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key(io.StringIO(_new_key_text()))
