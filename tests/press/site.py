"""`botd serve` that acts, on a simulated cluster whose journal is the truth, and people who press by HTTP."""

from __future__ import annotations

import json
import os
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple, TypeVar

from botd.commands.demo_people import add_people
from botd.config import load_config
from botd.demo import DemoCluster
from botd.demo.code import STEP_S, code
from botd.ledger import Ledger
from tests.press.truth import ENDS, HARD, Caps, Figures, Order, Told, figures, pulses, read_ledger
from tests.program import DemoProgram, Program, free_port, wait_until

LONG = bool(os.environ.get("BOTD_PRESS"))
"""Whether it is `make press`."""

NODES = 128
PASSWORD = "as in the demo"
PER_HOUR = 10
PEOPLE = {"anna": ("student",), "bert": ("staff",), "kmf": ("admin",)}

ROLES = f"""
[[role]]
name = "student"
actions = ["identify", "drain"]
nodes = "savio2,savio3"
per_hour = {PER_HOUR}

[[role]]
name = "staff"
actions = ["identify", "drain"]
nodes = "savio2,savio3"

[[role]]
name = "admin"
actions = ["*"]
nodes = "all"
may = ["re-arm"]

[caps]
node_soft_per_24h = 100

[protected]
nodes = "n0000.savio2"
"""
CAPS = Caps({"anna": PER_HOUR}, node_per_day=100)

T = TypeVar("T")


class Answer(NamedTuple):
    """What a press was answered with."""

    status: int
    document: Any

    @property
    def ids(self) -> set[int]:
        """The actions that it became."""
        return {each["id"] for each in self.document.get("actions", ())}

    @property
    def code(self) -> str:
        """Why it was refused."""
        return str(self.document.get("error", {}).get("code", "")) if self.status >= 400 else ""


@dataclass
class People:
    """Who presses on a running program by HTTP. `nonces` are those of all presses that were answered as taken up."""

    program: Program
    secrets: Path
    tokens: dict[str, str] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)
    pressed: int = 0
    used: dict[str, int] = field(default_factory=dict)
    """By login the step of the last code that `fresh` gave."""

    def call(self, method: str, path: str, login: str = "", data: object = None) -> Answer:
        """A request of somebody who is logged in, or of nobody."""
        token = self.tokens.get(login, "")
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.program.base + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return Answer(response.status, json.loads(response.read() or b"{}"))
        except urllib.error.HTTPError as error:
            return Answer(error.code, json.loads(error.read() or b"{}"))

    def code(self, login: str) -> str:
        """The code of the moment."""
        return code((self.secrets / login).read_text(), time.time())

    def fresh(self, login: str) -> str:
        """A code that `fresh` did not give yet: of the three that count at a moment the first that is left."""

        def step() -> int:
            now = int(time.time()) // STEP_S
            wanted = max(now - 1, self.used.get(login, 0) + 1)
            return wanted if wanted <= now + 1 else 0

        self.used[login] = wait_until(step, 3 * STEP_S)
        return code((self.secrets / login).read_text(), self.used[login] * STEP_S)

    def log_in(self, login: str) -> None:
        """A new session, by a code that was not used; for five minutes its soft actions need no other."""
        self.tokens.pop(login, None)

        def is_in() -> bool:
            given = {"login": login, "password": PASSWORD, "code": self.fresh(login)}
            answer = self.call("POST", "/api/v2/login", data=given)
            if answer.status == 201:
                self.tokens[login] = answer.document["token"]
            else:
                time.sleep(1)  # the code was used: until the next one
            return answer.status == 201

        wait_until(is_in, 3 * STEP_S)

    def evidence(self, login: str, nodes: Iterable[str]) -> dict[str, str]:
        """What the page shows of these nodes, at most 64, as each press names it."""
        asked = urllib.parse.urlencode({"nodes": ",".join(nodes)})
        answer = self.call("GET", f"/api/v2/policy?{asked}", login)
        assert answer.status == 200, answer
        return {node: seen["evidence"] for node, seen in answer.document["outlook"].items()}

    def press(
        self,
        login: str,
        action: str,
        evidence: Mapping[str, str],
        *,
        nonce: str = "",
        reason: str = "hangs",
        proof: Mapping[str, Any] | None = None,
    ) -> Answer:
        """A press on one node or on several, proved by the code of the login where no other proof is given."""
        self.pressed += 1
        nonce = nonce or secrets.token_urlsafe(18)
        ((node, seen), *others) = evidence.items()
        what = {"nodes": dict(evidence)} if others else {"node": node, "evidence": seen}
        given = {"action": action, **what, "reason": reason, "nonce": nonce, "proof": proof or {}}
        answer = self.call("POST", "/api/v2/actions", login, given)
        if answer.status in (200, 202):
            self.nonces.add(nonce)
        return answer

    def end_of(self, number: int) -> Any:
        """An action that has ended, as it is told."""

        def over() -> Any:
            document = self.call("GET", f"/api/v2/actions/{number}", next(iter(self.tokens))).document
            return document if document.get("state") in ENDS else None

        return wait_until(over)


@dataclass
class PressSite(People):
    """The running program on a simulated cluster."""

    program: DemoProgram
    free: list[str] = field(default_factory=list)
    ledger: Path = Path()
    failed_before: frozenset[str] = frozenset()

    # ---- the cluster ----

    def take(self, count: int) -> list[str]:
        """Nodes in service that no other test has had."""
        taken, self.free = self.free[:count], self.free[count:]
        assert len(taken) == count
        return taken

    def undrain(self, nodes: Iterable[str]) -> None:
        """Somebody takes nodes back by Slurm's own command, and botd has seen it."""
        for node in nodes:
            self.program.tool("scontrol", "update", f"nodename={node}", "state=undrain")
        wait_until(lambda: not set(nodes) & {node["node"] for node in self._out()})

    def _out(self) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = self.call("GET", "/api/v1/sinfo?max_age=0").document["nodes"]
        return out

    # ---- the truth ----

    def orders(self) -> list[Order]:
        """All orders so far."""
        return [Order(**each) for each in json.loads(self.program.tool("heard", "--json"))["orders"]]

    def told(self) -> Told:
        """What the ledger says now."""
        return read_ledger(self.ledger)

    def settle(self) -> Told:
        """What the ledger says when every action has ended."""

        def over() -> Told | None:
            told = self.told()
            return told if all(each.state in ENDS for each in told.actions) else None

        settled: Told = wait_until(over, 180)
        return settled

    def figures(self, tried: int) -> Figures:
        """What is wrong of all that was done so far, when it has ended."""
        told, orders = self.settle(), self.orders()
        return figures(tried, orders, told, CAPS, self.nonces, self.jobs_ended(orders))

    def jobs_ended(self, orders: Sequence[Order]) -> int:
        """How many jobs Slurm has lost on nodes that botd has switched."""
        nodes = sorted({each.order.node for each in pulses(orders) if each.action in HARD})
        if not nodes:
            return 0
        told = self.program.tool("sacct", "-n", "-X", "-a", "-s", "NODE_FAIL", "-N", ",".join(nodes), "-o", "JobID")
        return len(set(told.split()) - self.failed_before)

    def ends(self, ids: Iterable[int]) -> list[str]:
        """How these actions ended."""
        wanted = set(ids)
        return [each.state for each in self.settle().actions if each.id in wanted]


def together(work: Callable[[int], T], count: int) -> list[T]:
    """What so many threads got that began at the same moment."""
    barrier = Barrier(count)

    def one(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def sound_nodes(program: DemoProgram) -> list[str]:
    """The nodes that may be drained: of the roles' partitions, in service, and not protected."""
    rows = program.tool("sinfo", "-h", "-N", "-p", "savio2,savio3", "-o", "%N %T").splitlines()
    found = dict(row.split() for row in rows)
    return [node for node, state in found.items() if state in ("idle", "mixed", "allocated") and node != "n0000.savio2"]


@contextmanager
def press_site(people: Mapping[str, tuple[str, ...]] = PEOPLE) -> Iterator[PressSite]:
    """The program, with people who are logged in."""
    port = free_port()
    with DemoCluster(NODES, f"127.0.0.1:{port}") as cluster:
        (cluster.directory / "roles.toml").write_text(ROLES)
        add_people(str(cluster.config_path), PASSWORD, cluster.secrets, people)
        ledger = Ledger(load_config(str(cluster.config_path))).path
        program = DemoProgram(cluster, port)
        try:
            wait_until(program.is_well)
            failed = frozenset(program.tool("sacct", "-n", "-X", "-a", "-s", "NODE_FAIL", "-o", "JobID").split())
            free = sound_nodes(program)
            site = PressSite(program, cluster.secrets, free=free, ledger=ledger, failed_before=failed)
            for login in people:
                site.log_in(login)
            yield site
        finally:
            program.stop()
