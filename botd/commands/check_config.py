"""`botd check-config`: what stands between this configuration and a sweep, found before the first one, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from botd.checks import Checks, named, replaced, site_checks
from botd.commands.config_files import check_files
from botd.commands.places import Level, Told
from botd.config import load_config, resolve_path
from botd.errors import BotdError, ConfigError, SlurmFailed
from botd.inventory import Inventory, build
from botd.inventory.groups import read_groups
from botd.inventory.jobs import last_jobs, running_jobs
from botd.inventory.networks import Network, networks_of
from botd.inventory.slurm import SlurmReader
from botd.model import Reading, State, utc_now
from botd.probes import Probes
from botd.settings import Config
from botd.sweep import make_plan, run_sweep
from botd.workers.shares import probers_of, unasked

Report = Iterator[Told]

SEE = "see docs/troubleshooting.rst"
"""The next step where no better one is known."""

NEXT = {
    "auth": "put botd's public key into authorized_keys there, and see [ssh] user and key_file",
    "host-key": "compare the key at the node's console, then put it into known_hosts; ssh-keyscan prints it",
    "unresolved": "see [nodes] address and hosts_file, and the resolver of this machine",
    "refused": "is sshd there, and does [ssh] port say where? Else try another node with --node",
    "timeout": "may this machine reach the port of sshd there? Else try another node with --node",
    "hung": "try another node with --node",
}
"""What to do next, by how a login ended."""


def check_config(path: str | None, node: str = "", *, offline: bool = False) -> Report:
    """What is well and what is not, a line as each step ends: the files, then Slurm, then one node.

    It reads what an agent would, and changes nothing.
    """
    try:
        config = load_config(path)
        checks, networks = site_checks(config), networks_of(config)
    except ConfigError as error:
        yield Told(Level.FAIL, "config", str(error), error.at)
        return
    yield _read(config, checks)
    yield from (Told(Level.WARN, "check", sentence) for sentence in replaced(config))
    yield from map(_of_network, networks)
    yield from check_files(config)
    if offline:
        yield Told(Level.SKIP, "slurm", "neither Slurm nor a node is asked (--offline)")
        return
    inventory, told = _ask_slurm(config)
    yield from told
    yield from _swept(config, checks, inventory)
    yield from _try_node(config, checks, inventory, node)


def _read(config: Config, checks: Checks) -> Told:
    if not config.path:
        return Told(Level.WARN, "config", "no file, all defaults: name one with --config or BOTD_CONFIG")
    return Told(Level.OK, "config", f"{config.path}: {len(checks)} checks")


def _of_network(network: Network) -> Told:
    """Whose nodes a network has, and whether anybody may answer for them."""
    at, asked = f"[[network]] name={network.name}", ", ".join(sorted(network.sources))
    if not network.keys:
        return Told(Level.WARN, "network", f"{network.name} has no keys, so that no worker of it is believed", at)
    nodes = "every node" if network.nodes is None else f"{len(network.nodes)} nodes"
    return Told(Level.OK, "network", f"{network.name}: {nodes} by {asked}, {len(network.keys)} keys")


# ---- Slurm ----


def _ask_slurm(config: Config) -> tuple[Inventory, list[Told]]:
    """The inventory, of the groups' files alone where Slurm gives no list."""
    groups, _ = read_groups(config.groups, partial(resolve_path, config))
    reader = SlurmReader(config.slurm, resolve=partial(resolve_path, config))
    try:
        inventory = build(reader.read(), groups, utc_now())
    except SlurmFailed as error:
        return build((), groups, None), [Told(Level.FAIL, "slurm", str(error), "[slurm]")]
    told = [Told(Level.WARN, "slurm", problem) for problem in (*reader.problems, *inventory.problems)]
    out, partitions = len(inventory.down()), len(inventory.partitions())
    words = f"{len(inventory.nodes)} nodes, {out} of them out of service, in {partitions} partitions"
    return inventory, [*told, Told(Level.OK, "slurm", words), *_ask_jobs(config, inventory)]


def _ask_jobs(config: Config, inventory: Inventory) -> Report:
    """The two commands that a sweep runs: without them some readings are unknown, and no more."""
    nodes = list(inventory.nodes)
    asked: tuple[tuple[str, str, Callable[[], Mapping[str, object] | None]], ...] = (
        ("squeue", "jobs and users", lambda: running_jobs(config.slurm, known=frozenset(nodes))),
        ("sacct", "last_job", lambda: last_jobs(config.slurm, nodes)),
    )
    for tool, checks, ask in asked:
        try:
            found = ask()
            words = "keeps no accounting" if found is None else f"has jobs of {len(found)} nodes"
            yield Told(Level.OK, "slurm", f"{tool} {words}")
        except SlurmFailed as error:
            yield Told(Level.WARN, "slurm", f"{error}; without it {checks} will be unknown", f"[slurm] {tool}")


def _swept(config: Config, checks: Checks, inventory: Inventory) -> Report:
    """What the regular sweep would cover."""
    at = "[sweep] groups"
    try:
        nodes = inventory.expand_groups(",".join(config.sweep.groups), max_nodes=config.server.max_nodes)
        at = "[sweep] checks"
        names = named(checks, ",".join(config.sweep.checks))
        yield Told(Level.OK, "sweep", f"{len(nodes)} nodes by {len(names)} checks, every {config.sweep.interval:g} s")
    except BotdError as error:
        yield Told(Level.FAIL, "sweep", str(error), at)


# ---- one node ----


def _try_node(config: Config, checks: Checks, inventory: Inventory, wanted: str) -> Report:
    """All readings of the node that is wanted, else of an idle one, which has every reason to be well."""
    idle = (name for name, node in inventory.nodes.items() if node.base == "IDLE" and not node.flags)
    try:
        nodes = inventory.expand_nodes(wanted, max_nodes=1) if wanted else list(idle)[:1]
    except BotdError as error:
        yield Told(Level.FAIL, "node", str(error))
        return
    if nodes:
        yield from _read_node(config, checks, inventory, nodes[0])
    else:
        yield Told(Level.WARN, "node", "no node was tried, as none is idle: name one with --node")


def _read_node(config: Config, checks: Checks, inventory: Inventory, node: str) -> Report:
    readings: dict[str, Reading] = {}
    plan = make_plan([node], checks, checks, inventory.nodes)
    try:
        probes = Probes(config)
    except ConfigError:  # which has been told
        yield Told(Level.SKIP, "node", f"{node} is not tried before that is mended")
        return
    try:
        deadline_s = config.sweep.deadline
        probers = probers_of(plan, networks_of(config), probes.probers, unasked)
        found = run_sweep(plan, probers, lambda _, each: readings.update(each), deadline_s=deadline_s, clock=utc_now)
    finally:
        probes.close()
    yield from (Told(Level.FAIL, "node", f"{node}: {error}") for error in found)
    yield from _of_readings(node, {name: readings[name] for name in plan.checks})


def _of_readings(node: str, readings: Mapping[str, Reading]) -> Report:
    """What is well on one line, each reading that is not on one of its own, and what was not asked on the last."""
    for name, reading in readings.items():
        if reading.state not in (State.OK, State.SKIPPED):
            yield _of_reading(node, name, reading)
        elif name == "ipmi_reachable" and reading.state is State.SKIPPED:
            yield Told(Level.WARN, "node", f"{node} {name}: {reading.detail}; see [bmc] address")
    for state, level, words in ((State.OK, Level.OK, "well are"), (State.SKIPPED, Level.SKIP, "not asked were")):
        if names := [name for name, reading in readings.items() if reading.state is state]:
            yield Told(level, "node", f"{node}: {words} {', '.join(names)}")


def _of_reading(node: str, name: str, reading: Reading) -> Told:
    level = Level.WARN if reading.state is State.WARN else Level.FAIL
    step = NEXT.get(str(reading.value), SEE) if name == "ssh" else SEE
    value = f"{reading.value}: " if isinstance(reading.value, str) else ""
    return Told(level, "node", f"{node} {name}: {value}{reading.detail}; {step}")
