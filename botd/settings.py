"""The table of settings: each section of the configuration is a frozen dataclass, each field a setting.

A setting has its default, its unit and a sentence of help. `SETTINGS` is the same as one flat table, which the
documentation and its test read. Secrets never stand here: settings name files, or the environment has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, NamedTuple


def _setting(default: Any, help: str, *, unit: str = "") -> Any:
    """A dataclass field that carries what the documentation says of it. Lists become empty-list factories."""
    meta = {"help": help, "unit": unit}
    if isinstance(default, (tuple, dict)):
        return field(default_factory=lambda: default, metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class ServerSettings:
    """[server]: the web processes."""

    listen: str = _setting("127.0.0.1:5000", "Address and port of the web server.")
    names: tuple[str, ...] = _setting(
        (), "Names by which browsers reach it, beside localhost and `listen`; `*` is any. Another Host is a 421."
    )
    proxies: tuple[str, ...] = _setting(
        (), "Addresses and nets of proxies before it, beside loopback: who asks is the last in their X-Forwarded-For."
    )
    workers: int = _setting(2, "Web processes that `botd serve` starts.")
    threads: int = _setting(64, "Requests that one web process handles at once; a waiting one costs no CPU.")
    max_nodes: int = _setting(20_000, "Nodes that one request may name.")
    max_streams: int = _setting(16, "Event streams that one web process serves at once.")


@dataclass(frozen=True)
class StoreSettings:
    """[store]: the database that web and agent share."""

    url: str = _setting("sqlite:///botd.db", "SQLAlchemy URL; a relative SQLite path is relative to this file.")
    timeout: float = _setting(5.0, "How long to wait for a locked database.", unit="s")


@dataclass(frozen=True)
class LedgerSettings:
    """[ledger]: the agent's own database, which the web part cannot open."""

    url: str = _setting(
        "sqlite:///ledger/ledger.db", "An SQLite file in a directory that nobody but the agent and root can write."
    )
    checkpoints: str = _setting(
        "ledger-checkpoints.jsonl", "Where the signed heads of the audit go; not into a backup of the ledger."
    )
    public_key: str = _setting(
        "ledger-seal.pub", "Where the agent writes the key that logins are sealed to; the web part must read it."
    )


@dataclass(frozen=True)
class HistorySettings:
    """[history]: how long what happened is kept."""

    keep_failures: float = _setting(365.0, "How long changes for the worse are kept.", unit="days")
    keep_changes: float = _setting(90.0, "How long all other changes are kept.", unit="days")
    keep_numbers: float = _setting(30.0, "How long numbers are kept, one an hour after the first day.", unit="days")


@dataclass(frozen=True)
class SlurmSettings:
    """[slurm]: the commands that name the nodes. Each is a command line without a shell, e.g. `sacct -c`."""

    sinfo: str = _setting("sinfo", "Command for the node list.")
    scontrol: str = _setting(
        "scontrol", "Command for reservations and switches, and for the node list of Slurm 23.02 or newer."
    )
    squeue: str = _setting("squeue", "Command for the running jobs.")
    sacct: str = _setting("sacct", "Command for the last jobs; empty asks nobody.")
    sacctmgr: str = _setting("sacctmgr", "Command for what slurmdbd remembers of nodes: `botd history import`.")
    sinfo_file: str = _setting("", "A saved `sinfo -R` output to use instead of Slurm.")
    timeout: float = _setting(10.0, "How long one Slurm command may take.", unit="s")
    refresh: float = _setting(60.0, "How often the agent reads the node list.", unit="s")
    max_age: float = _setting(10.0, "How old the node list may be in `/api/v1/sinfo` and `hostinfo`.", unit="s")


@dataclass(frozen=True)
class GroupSettings:
    """[groups]: named sets of nodes beside Slurm's partitions."""

    directories: tuple[str, ...] = _setting(
        ("/etc/pdsh/group", "/etc/dsh/group"), "pdsh/dsh group directories: one file per group."
    )
    files: tuple[str, ...] = _setting((), "Hostlist files: one group named after the file, or `name: nodeset` lines.")


@dataclass(frozen=True)
class NodeSettings:
    """[nodes]: how a node's name becomes an address for ping and ssh."""

    address: str = _setting("{node}", "Name or address of a node; {node}, {short} and {cluster} are filled in.")
    hosts_file: str = _setting("", "Addresses that follow no rule, as in /etc/hosts; asked before the resolver.")


@dataclass(frozen=True)
class SweepSettings:
    """[sweep]: the round."""

    interval: float = _setting(300.0, "How often the agent sweeps; 0 sweeps only on request.", unit="s")
    groups: tuple[str, ...] = _setting(("sinfo",), "What the regular sweep covers.")
    checks: tuple[str, ...] = _setting(("all",), "The checks of the regular sweep.")
    node_deadline: float = _setting(
        20.0, "How long one node may take, from its first packet; what it waits for botd is not counted.", unit="s"
    )
    deadline: float = _setting(240.0, "How long a whole sweep may take.", unit="s")
    least_age: float = _setting(
        5.0, "A reading or node list that is younger is not taken again, whatever `max_age` a request has.", unit="s"
    )
    parallel: int = _setting(4, "Sweeps at once: the regular one and those asked for.")
    queue: int = _setting(32, "Sweeps that may wait; one more is answered with 429.")


@dataclass(frozen=True)
class PingSettings:
    """[ping]: one fping for all nodes."""

    command: str = _setting("fping", "The fping to use; where it is missing, one `ping` per node is started.")
    count: int = _setting(3, "Packets for each node.")
    timeout: float = _setting(0.5, "How long to wait for an answer to a packet.", unit="s")
    interval: float = _setting(
        0.0,
        "Between two packets to any nodes. 0 is some 100,000 a second, and asks again at 0.05 who lost some; "
        "0.05 is about 8,000 a second.",
        unit="ms",
    )


@dataclass(frozen=True)
class SshSettings:
    """[ssh]: one connection per node, one command for all its remote checks."""

    user: str = _setting("", "Login name; empty is the agent's own user, or what ssh_config says.")
    port: int = _setting(22, "Port of sshd.")
    key_file: str = _setting("", "Private key without a passphrase, or with it in BOTD_SSH_PASSPHRASE.")
    agent: bool = _setting(False, "Use the keys of the ssh-agent at SSH_AUTH_SOCK as well.")
    config: str = _setting("", "An ssh_config that says how nodes are reached.")
    known_hosts: str = _setting("", "Host keys; empty is ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts.")
    host_key_policy: str = _setting(
        "reject", "A host without a known key: `reject` it, `accept-new` and remember it, or `accept-any` (unsafe)."
    )
    connect_timeout: float = _setting(
        5.0, "How long to wait for the connection, then for each step of the login.", unit="s"
    )
    command_timeout: float = _setting(8.0, "How long to wait for all remote checks of a node.", unit="s")
    parallel: int = _setting(64, "Logins and commands at once.")
    keep: int = _setting(1000, "Connections that stay open between sweeps; 0 closes each after its sweep.")
    keep_for: float = _setting(3600.0, "After this long a kept connection is made afresh.", unit="s")


@dataclass(frozen=True)
class BmcSettings:
    """[bmc]: the management controllers."""

    address: str = _setting("{short}-ipmi.{cluster}", "Name or address of a node's BMC; looked up like a node's.")
    port: int = _setting(623, "RMCP+ port.")
    user: str = _setting("", "BMC user; empty asks no BMC for its power state.")
    password_file: str = _setting("", "File with the password and nothing else; or BOTD_BMC_PASSWORD.")
    timeout: float = _setting(3.0, "How long a BMC may stay silent before it counts as dead.", unit="s")
    parallel: int = _setting(256, "BMCs at once; more than 128 makes no difference.")


@dataclass(frozen=True)
class AdviceSettings:
    """[advice]: what ways on cost, and how sure is sure enough."""

    press: float = _setting(0.15, "What it costs that somebody presses, in hours of a node.", unit="h")
    time: float = _setting(0.3, "What it costs that a node is busy with an action.", unit="h")
    harm: float = _setting(24.0, "What a job costs that an action has ended.", unit="h")
    person: float = _setting(12.0, "What it costs that somebody has to find out, and go there.", unit="h")
    least_p: float = _setting(
        0.5, "An action that mends less often than this, even if the few outcomes were bad luck, is not recommended."
    )
    confident: float = _setting(0.6, "The bound from which on the condition `confident` of a role is fulfilled.")
    hardware: tuple[str, ...] = _setting(
        (), "Groups of which each is one kind of hardware; empty takes the partitions that a node is in."
    )


@dataclass(frozen=True)
class SiteSettings:
    """[site]: this cluster."""

    name: str = _setting("botd", "Name of the cluster in what a person signs: letters, digits, `.`, `_` and `-`.")


@dataclass(frozen=True)
class AccessSettings:
    """[access]: who may do what."""

    read: str = _setting("anyone", "Who may look: `anyone`, or `known`, which is who has logged in.")
    roles_file: str = _setting("", "The roles file; empty gives nobody any right but to look.")
    allowed_signers: str = _setting("", "Keys by which people sign, as ssh-keygen(1) has them; empty takes none.")
    pam: str = _setting("", "Service of PAM that knows the passwords of who has none in the ledger; empty asks none.")
    header: str = _setting("", "Header in which a proxy names whom it has let in; empty takes none.")
    header_secret_file: str = _setting("", "File with what that proxy sends as `X-Botd-Secret`; needed on TCP.")
    ssh_keygen: str = _setting("ssh-keygen", "Command that looks at signatures.")
    unmunge: str = _setting("unmunge", "Command that looks at credentials of munge.")


@dataclass(frozen=True)
class ActionsSettings:
    """[actions]: whether anything changes a node, and how that is reached."""

    mode: str = _setting("off", "`off`: nothing acts; `dry-run`: all but the sending; `on`: it acts.")
    one_user: bool = _setting(False, "Whether `botd serve` may act, although web and agent are one user there.")
    clock: str = _setting("synchronised", "`synchronised`: adjtimex(2) must say so to act; `trusted`: nobody asks.")
    slurm: str = _setting("", "The way to `libexec/slurm-helper`; empty changes nothing in Slurm.")
    slurm_timeout: float = _setting(60.0, "How long the helper may take.", unit="s")
    bmc_user: str = _setting("", "BMC user with privilege OPERATOR; empty sends nothing to a BMC.")
    bmc_password_file: str = _setting("", "File with the password of that user and nothing else.")
    restart_slurmd: str = _setting("", "Command that restarts slurmd, as the user of [ssh] on the node; empty cannot.")


@dataclass(frozen=True)
class NotifySettings:
    """[notify]: whom the agent tells of hard actions and of the round, and how. Empty is by none of the ways."""

    command: str = _setting("", "Command that is given each notice as JSON on its standard input.")
    webhook_file: str = _setting("", "File with the URL of a webhook in Slack's form and nothing else.")
    smtp: str = _setting("localhost:25", "Mail server that takes mail without a password.")
    mail_from: str = _setting("", "Address that mail comes from.")
    mail_to: tuple[str, ...] = _setting((), "Addresses that get mail.")
    digest: str = _setting("", "Time of day at which the morning round is sent; empty sends none.")
    digest_zone: str = _setting("UTC", "Time zone of `digest`.")


@dataclass(frozen=True)
class NoteSettings:
    """[notes]: what people note on nodes."""

    writers: str = _setting(
        "nobody", "Who may write notes: `nobody`, or `anyone` who reaches botd, under the name that they give."
    )


@dataclass(frozen=True)
class TicketSettings:
    """[tickets]: ticket numbers in reasons and notes become links on the pages."""

    pattern: str = _setting("", "Regular expression of a ticket; its first group, where it has one, is the number.")
    url: str = _setting("", "Where a ticket is, with `{}` in place of its number.")


@dataclass(frozen=True)
class WorkersSettings:
    """[workers]: what agent and workers share, where networks have workers of their own."""

    broker_file: str = _setting("", "File with the URL of the broker and nothing else; or BOTD_BROKER.")
    broker_ca: str = _setting("", "Certificates that the broker's must be signed by, for `rediss://` and `amqps://`.")
    key_file: str = _setting(
        "worker.key", "The key that this process signs by; the first start, or `botd worker --show-key`, makes it."
    )
    agent_key: str = _setting("", "On a worker: the agent's public key. It does what is signed by this key alone.")
    slice: int = _setting(250, "Nodes of a network that one task asks at most.")
    silent: float = _setting(30.0, "After this long without a sign of life a worker counts as gone.", unit="s")


@dataclass(frozen=True)
class NetworkSettings:
    """[[network]]: nodes or BMCs that a worker asks, because this machine cannot or should not."""

    name: str = _setting("", "Name: lower-case letters, digits and `-`.")
    nodes: tuple[str, ...] = _setting((), "Nodesets; `all` is every node. Of two networks that fit the first asks.")
    probes: tuple[str, ...] = _setting(("ping", "ssh", "bmc"), "What its workers ask: some of `ping`, `ssh`, `bmc`.")
    keys: tuple[str, ...] = _setting((), "Public keys of its workers, as `botd worker --show-key` prints them.")
    node_address: str = _setting("", "Its own `[nodes] address`; empty is that.")
    bmc_address: str = _setting("", "Its own `[bmc] address`; empty is that.")


@dataclass(frozen=True)
class CustomCheck:
    """[[check]]: a remote check of the site's own."""

    name: str = _setting("", "Name in the API: lower-case letters, digits and `_`.")
    title: str = _setting("", "Column title; empty is the name.")
    help: str = _setting("", "One sentence for `GET /api/v1/checks`.")
    command: str = _setting("", "Shell fragment that runs on the node; {node}, {short} and {cluster} are filled in.")
    value: str = _setting("exit", "What to read: `exit` (status), `number` (first number printed) or `text`.")
    unit: str = _setting("", "Unit of the number.")
    warn: float | None = _setting(None, "A value beyond this is a warning.")
    fail: float | None = _setting(None, "A value beyond this is a failure (`exit`: 0 unless set).")
    worse: str = _setting("higher", "Which values are beyond a limit: `higher` or `lower` ones.")
    timeout: float = _setting(5.0, "How long the command may take on the node.", unit="s")
    sudo: bool = _setting(False, "Run the command through `sudo -n`; it is then split into words, without a shell.")


@dataclass(frozen=True)
class Config:
    """All settings. `checks` holds the raw `[checks.<name>]` tables, which `botd.checks.site_checks` reads."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    ledger: LedgerSettings = LedgerSettings()
    history: HistorySettings = HistorySettings()
    slurm: SlurmSettings = SlurmSettings()
    groups: GroupSettings = GroupSettings()
    nodes: NodeSettings = NodeSettings()
    sweep: SweepSettings = SweepSettings()
    ping: PingSettings = PingSettings()
    ssh: SshSettings = SshSettings()
    bmc: BmcSettings = BmcSettings()
    advice: AdviceSettings = AdviceSettings()
    site: SiteSettings = SiteSettings()
    access: AccessSettings = AccessSettings()
    actions: ActionsSettings = ActionsSettings()
    notify: NotifySettings = NotifySettings()
    notes: NoteSettings = NoteSettings()
    tickets: TicketSettings = TicketSettings()
    workers: WorkersSettings = WorkersSettings()
    mounts: Mapping[str, str] = field(default_factory=dict)
    tail: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    check: tuple[CustomCheck, ...] = ()
    network: tuple[NetworkSettings, ...] = ()
    path: str = ""


SECTIONS: dict[str, type] = {
    "server": ServerSettings,
    "store": StoreSettings,
    "ledger": LedgerSettings,
    "history": HistorySettings,
    "slurm": SlurmSettings,
    "groups": GroupSettings,
    "nodes": NodeSettings,
    "sweep": SweepSettings,
    "ping": PingSettings,
    "ssh": SshSettings,
    "bmc": BmcSettings,
    "advice": AdviceSettings,
    "site": SiteSettings,
    "access": AccessSettings,
    "actions": ActionsSettings,
    "notify": NotifySettings,
    "notes": NoteSettings,
    "tickets": TicketSettings,
    "workers": WorkersSettings,
}


class Setting(NamedTuple):
    """One row of the table of settings, as the documentation shows it."""

    section: str
    name: str
    type: str
    unit: str
    default: Any
    help: str


def _rows(section: str, cls: type) -> list[Setting]:
    return [
        Setting(section, f.name, str(f.type), f.metadata["unit"], default_of(f), f.metadata["help"])
        for f in fields(cls)
    ]


def default_of(f: Field[Any]) -> Any:
    """What a setting is where the file says nothing."""
    return f.default if f.default_factory is MISSING else f.default_factory()


SETTINGS: tuple[Setting, ...] = (
    *(row for name, cls in SECTIONS.items() for row in _rows(name, cls)),
    Setting("mounts", "<name>", "str", "", "", "Path of a mount; it becomes the check `df_<name>`."),
    Setting("tail", "<name>", "str", "", "", "A path on the nodes, or `journal:` and a unit, that may be followed."),
    *_rows("[check]", CustomCheck),
    *_rows("[network]", NetworkSettings),
)
