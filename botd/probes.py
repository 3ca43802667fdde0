"""Which prober answers for which source: where a sweep's plan meets the transports.

One Probes lives as long as the process, because it holds the kept ssh connections and the address cache.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from botd.answers import Deliver, Delivery, Job, LoginAnswer, Output, PowerAnswer, PresenceAnswer, SlurmAnswer, Source
from botd.checks import command_for
from botd.config import read_secret
from botd.errors import SlurmFailed
from botd.inventory.jobs import last_jobs, running_jobs
from botd.logs import Faults
from botd.model import SlurmNode
from botd.settings import Config, NodeSettings
from botd.sweep import Plan, Prober
from botd.transport.addresses import Resolver, node_names, slurm_names
from botd.transport.bmc.power import BmcTransport
from botd.transport.bmc.turns import Turns
from botd.transport.ping import ping_nodes
from botd.transport.ssh.follow import Take
from botd.transport.ssh.nodes import SshTransport
from botd.transport.ssh.script import Fragment

log = logging.getLogger(__name__)

Addresses = Mapping[str, str | None]

NOT_TOLD = "no name server could say whether its name has an address"


class Probes:
    """The transports of one process, made from the configuration."""

    def __init__(self, config: Config) -> None:
        """Reads the secrets. Raises ConfigError when one that is named cannot be read."""
        self._config = config
        self._resolver = Resolver(config)
        self._ssh = SshTransport(
            config.ssh,
            base=config,
            passphrase=read_secret(config, "", "BOTD_SSH_PASSPHRASE"),
            resolve=lambda names: self._resolver.resolve_all({name: name for name in names}),
        )
        self.turns = Turns()  # at the BMCs, shared with what acts on them
        password = read_secret(config, config.bmc.password_file, "BOTD_BMC_PASSWORD")
        self._bmc = BmcTransport(config.bmc, password, self.turns)
        self._unended: set[tuple[str, str]] = set()  # node and check of commands that did not end the last time
        self._faults = Faults(log)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="resolve")

    def probers(self, plan: Plan) -> list[Prober]:
        """The probers that the plan needs, and no others: a sweep for uptime starts no fping."""
        wanted = plan.sources
        addresses = self._pool.submit(self._find, plan)
        makers = (
            Prober("ping", frozenset({Source.PING}), lambda deliver: self._ping(addresses, deliver)),
            Prober("squeue", frozenset({Source.JOBS}), lambda deliver: self._jobs(plan, deliver)),
            Prober("sacct", frozenset({Source.LAST_JOB}), lambda deliver: self._last_jobs(plan, deliver)),
            Prober(
                "ssh", frozenset({Source.LOGIN, Source.COMMAND}), lambda deliver: self._login(plan, addresses, deliver)
            ),
            Prober(
                "bmc",
                frozenset({Source.PRESENCE, Source.POWER, Source.EVENTS}),
                lambda deliver: self._ask_bmcs(plan, deliver),
            ),
        )
        return [prober for prober in makers if prober.sources & wanted]

    def bmc_addresses(self, nodes: Iterable[str]) -> Addresses:
        """The address of each node's BMC, in digits; None where there is none."""
        return self._resolver.resolve_all(node_names(nodes, self._config.bmc.address))

    def powers(self, nodes: Iterable[str]) -> dict[str, PowerAnswer]:
        """What the BMCs say of these nodes' power now. One that does not answer is not there."""
        found: dict[str, PowerAnswer] = {}

        def take(delivery: Delivery) -> None:
            if isinstance(delivery.answer, PowerAnswer):
                found[delivery.node] = delivery.answer

        self._bmc.run(self.bmc_addresses(nodes), take, power=True)
        return found

    def follow(self, node: str, slurm: Mapping[str, SlurmNode], command: str, take: Take) -> str:
        """Has a node run a command that has no end, and `take` hear of it. Why it ended, in words."""
        address = self._addresses([node], slurm)[node]
        return self._ssh.follow(node, address, command, take, node_deadline_s=self._config.sweep.node_deadline)

    def tell(self, node: str, listed: SlurmNode | None, command: str) -> LoginAnswer | Output:
        """What came of one command on a node, which is sent at most once, or of the login, where that failed.

        The command has the time of all checks together. `listed` is what Slurm says of the node.
        """
        found: list[LoginAnswer | Output] = []

        def take(delivery: Delivery) -> None:
            if isinstance(delivery.answer, (LoginAnswer, Output)):
                found.append(delivery.answer)

        part = Fragment("command", command, self._config.ssh.command_timeout)
        addresses = self._addresses([node], {node: listed} if listed else {})
        self._ssh.run(addresses, lambda _: (part,), take, node_deadline_s=self._config.sweep.node_deadline)
        return found[-1]  # the login comes first

    def close(self) -> None:
        """Closes what is kept open."""
        self._ssh.close()
        self._bmc.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _find(self, plan: Plan) -> Addresses:
        return self._addresses(plan.nodes, plan.slurm)

    def _addresses(self, nodes: Sequence[str], slurm: Mapping[str, SlurmNode]) -> Addresses:
        """Where ping and ssh find the nodes: by their names, and where one has no address by what Slurm says of it.

        A site that has set `[nodes] address` has said where they are: then Slurm, which may mean another network, is
        not heard.
        """
        template = self._config.nodes.address
        found = self._resolver.resolve_all(node_names(nodes, template))
        if template != NodeSettings().address:
            return found
        lost = [slurm[node] for node, address in found.items() if address is None and node in slurm]
        return {**found, **self._resolver.resolve_first({node.node: slurm_names(node) for node in lost})}

    def _ping(self, addresses: Future[Addresses], deliver: Deliver) -> None:
        ping_nodes(addresses.result(), self._config.ping, deliver, timeout_s=self._config.sweep.deadline)

    def _login(self, plan: Plan, addresses: Future[Addresses], deliver: Deliver) -> None:
        remote = [check for check in plan.checks.values() if check.source is Source.COMMAND]

        def fragments(node: str) -> list[Fragment]:
            return [
                Fragment(
                    check.name,
                    command_for(check, node, guarded=(node, check.name) in self._unended),
                    0 if check.quick else check.timeout_s,
                )
                for check in remote
            ]

        def watch(delivery: Delivery) -> None:
            if isinstance(delivery.answer, Output):
                self._note_end(delivery.node, delivery.check, delivery.answer)
            deliver(delivery)

        deadline_s = self._config.sweep.node_deadline
        self._ssh.run(addresses.result(), fragments, watch, node_deadline_s=deadline_s, fresh=plan.fresh)

    def _note_end(self, node: str, check: str, output: Output) -> None:
        """Remembers the commands that did not end; only an end takes one off the list, not a lost connection."""
        if output.timed_out:
            self._unended.add((node, check))
        elif output.status is not None:
            self._unended.discard((node, check))

    def _ask_bmcs(self, plan: Plan, deliver: Deliver) -> None:
        names = node_names(plan.nodes, self._config.bmc.address)
        targets = self._resolver.resolve_all(names)
        without = [node for node, address in targets.items() if address is None]
        for node in (node for node in without if not self._resolver.has_none(names[node])):
            del targets[node]  # whether it has a BMC is not known
            deliver(Delivery(node, Source.PRESENCE, PresenceAnswer(False, error=NOT_TOLD)))
        self._bmc.run(targets, deliver, power=Source.POWER in plan.sources, events=Source.EVENTS in plan.sources)

    def _jobs(self, plan: Plan, deliver: Deliver) -> None:
        try:
            jobs = running_jobs(self._config.slurm, known=frozenset(plan.nodes))
        except SlurmFailed as error:
            self._fail(plan.nodes, Source.JOBS, error, deliver)
            return
        self._faults.tell(_subject(Source.JOBS))
        for node in plan.nodes:
            deliver(Delivery(node, Source.JOBS, SlurmAnswer(jobs.get(node, ()))))

    def _last_jobs(self, plan: Plan, deliver: Deliver) -> None:
        try:
            jobs = last_jobs(self._config.slurm, plan.nodes)
        except SlurmFailed as error:
            self._fail(plan.nodes, Source.LAST_JOB, error, deliver)
            return
        self._faults.tell(_subject(Source.LAST_JOB))
        for node in plan.nodes:
            deliver(Delivery(node, Source.LAST_JOB, _last_job(jobs, node)))

    def _fail(self, nodes: Iterable[str], source: Source, error: SlurmFailed, deliver: Deliver) -> None:
        """A Slurm command that fails is one event in the log, and an unknown in each cell that it would have filled."""
        self._faults.tell(_subject(source), [str(error)])
        for node in nodes:
            deliver(Delivery(node, source, SlurmAnswer(error=str(error))))


def _last_job(jobs: Mapping[str, Job] | None, node: str) -> SlurmAnswer:
    if jobs is None:
        return SlurmAnswer(nothing_kept="this cluster keeps no accounting")
    return SlurmAnswer((jobs[node],) if node in jobs else ())


def _subject(source: Source) -> str:
    return f"slurm command failed source={source}"
