"""`botd serve` on a simulated cluster, of whose nodes and BMCs some can be taken over, and its honest readings."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil

from botd.config import load_config
from botd.demo import DemoCluster
from botd.nodeset import fill_in
from tests.hostile.parts import host_key
from tests.program import DemoProgram, wait_until

READ = frozenset({"ok", "warn", "fail"})
STABLE = ("ping", "ssh", "ipmi_reachable", "ipmi_state", "kernel")
"""Checks that say the same of a node that nobody touches; the others only have to be read."""

LAST_KNOWN_S = 86400


@dataclass
class Comparison:
    """Answers beside what they should be, for honest nodes."""

    compared: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Comparison) -> None:
        """Counts another answer."""
        self.compared += other.compared
        self.lost += other.lost
        self.wrong += other.wrong


class HostileSite:
    """`hostile` nodes can be taken over, `honest` ones are well and stay so. Sick ones are not asked."""

    def __init__(self, program: DemoProgram, hostile: int) -> None:
        self.program = program
        self.cluster: DemoCluster = program.cluster
        self.config = load_config(str(self.cluster.config_path))
        self.key, self._key_text = host_key(self.cluster.directory)
        self._files = {name: (self.cluster.directory / name).read_text() for name in ("hosts", "known_hosts")}
        self._asked = "groups=all"
        well = [node["node"] for node in self.sweep()["nodes"] if is_well(node)]
        self.hostile = well[:hostile]
        self._asked = f"nodes={','.join(well)}"
        self.normal_bytes, body = self._normal()
        self.honest = {node["node"]: node["readings"] for node in body["nodes"] if node["node"] not in self.hostile}

    def _normal(self) -> tuple[int, Any]:
        """How much memory the agent has at most while all are well, and what they answer."""
        with Watch(self) as watch:
            for _ in range(3):
                body = self.sweep()
        return watch.agent_bytes, body

    @property
    def node_addresses(self) -> list[str]:
        """Where hostile nodes stand."""
        return [f"127.201.0.{number}" for number in range(1, len(self.hostile) + 1)]

    @property
    def bmc_addresses(self) -> dict[str, str]:
        """Where hostile BMCs stand, and beside each the address of the one that it stands for."""
        lines = (line.split() for line in self._files["hosts"].splitlines())
        real = {name: address for address, name in lines}
        return {f"127.202.0.{number}": real[self._bmc(node)] for number, node in enumerate(self.hostile, 1)}

    def _bmc(self, node: str) -> str:
        return fill_in(self.config.bmc.address, node)

    @contextmanager
    def taken_over(self, *, nodes: bool = False, bmcs: bool = False) -> Iterator[None]:
        """Meanwhile the names of hostile nodes, or of their BMCs, lead to the hostile ones."""
        ours: dict[str, str] = {}
        if nodes:
            ours |= dict(zip(self.hostile, self.node_addresses, strict=True))
        if bmcs:
            ours |= dict(zip(map(self._bmc, self.hostile), self.bmc_addresses, strict=True))
        keys = [f"[{name}]:{self.config.ssh.port} {self._key_text}" for name in ours]
        try:
            self._write("hosts", [f"{address} {name}" for name, address in ours.items()], ours)
            self._write("known_hosts", keys, ours if nodes else ())
            yield
        finally:
            for name in ("hosts", "known_hosts"):
                self._write(name, [], ())

    def _write(self, name: str, first: list[str], without: Collection[str]) -> None:
        """The file as it was, but for the lines of some names."""
        path = self.cluster.directory / name
        kept = [line for line in self._files[name].splitlines() if not set(re.split(r"[][, ]", line)) & set(without)]
        new = path.with_suffix(".new")
        new.write_text("\n".join([*first, *kept]) + "\n")
        os.replace(new, path)

    def sweep(self) -> Any:
        """Every reading of the nodes that are well or hostile, all of them taken now."""

        def complete() -> Any:
            body = self._try(f"/api/v1/status?{self._asked}&max_age=0&wait=60")
            return body if body and body["complete"] else None

        return wait_until(complete, 180)

    def last_known(self) -> Any:
        """The same readings, as old as they may be."""
        return wait_until(lambda: self._try(f"/api/v1/status?{self._asked}&max_age={LAST_KNOWN_S}"))

    def _try(self, path: str) -> Any:
        """The JSON of an answer, None where it is an error that a client may try again after."""
        with suppress(OSError):
            status, text = self.program.get(path)
            assert status in (200, 202, 404, 429, 503), (path, status, text)
            return json.loads(text) if status in (200, 202) else None
        return None

    def compare(self, body: Any, without: Collection[str] = ()) -> Comparison:
        """How an answer differs for honest nodes, `without` the checks that could not be read."""
        result = Comparison()
        found = {node["node"]: node["readings"] for node in body["nodes"]}
        for node, readings in self.honest.items():
            for check in readings.keys() - set(without):
                self._compare_one(result, f"{node} {check}", readings[check], found.get(node, {}).get(check), check)
        return result

    def unread(self, body: Any) -> set[str]:
        """The hostile nodes of which something could not be read."""
        found = (node for node in body["nodes"] if node["node"] in self.hostile)
        return {node["node"] for node in found if any(each["state"] not in READ for each in node["readings"].values())}

    def _compare_one(self, result: Comparison, what: str, was: Any, now: Any, check: str) -> None:
        result.compared += 1
        line = f"{what}: {now}, it was {was}"
        if now is None or now["state"] not in READ:
            result.lost.append(line)
        elif check in STABLE and now["state"] != was["state"]:
            result.wrong.append(line)


def is_well(node: Mapping[str, Any]) -> bool:
    """Whether all of a node could be read, and it is there."""
    readings = node["readings"]
    return all(each["state"] in READ for each in readings.values()) and all(
        readings[check]["state"] == "ok" for check in STABLE
    )


class Watch:
    """Meanwhile: how long `/healthz` takes at most, and how much memory the agent has at most."""

    def __init__(self, site: HostileSite) -> None:
        self._program = site.program
        self.healthz_s = 0.0
        self.agent_bytes = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        pid = 0
        while True:
            before = time.monotonic()
            with suppress(OSError, ValueError, LookupError, TypeError):  # a damaged database has no number there
                pid = int(json.loads(self._program.get("/healthz")[1])["agent"]["pid"])
            self.healthz_s = max(self.healthz_s, time.monotonic() - before)
            with suppress(psutil.Error):
                self.agent_bytes = max(self.agent_bytes, psutil.Process(pid).memory_info().rss if pid else 0)
            if self._end.wait(0.1):
                return
