"""What Slurm, the BMCs and the slurmds of the lab were told, as they themselves have noted it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.cluster import Lab
from tests.press.truth import Order

# [2026-11-27T09:20:01.123] update_node: node n0001.savio3 reason set to: botd: drain 1 by anna     (slurmctld 22.05)
_REASON = re.compile(r"update_node: node (\S+) reason set to: (botd: .*)$", re.MULTILINE)
# [2026-11-27T09:20:09.456] update_node: node n0001.savio3 state set to IDLE
_BACK = re.compile(r"update_node: node (\S+) state set to (?:IDLE|RESUME|UNDRAIN)$", re.MULTILINE)

_CYCLE = re.compile(r"0 1|\S+")
"""ipmi_sim switches off and on where it is told to cycle."""

_SWITCHED = {"0 1": "power cycle", "0": "power off", "1": "power on", "shutdown": "power soft off"}


@dataclass(frozen=True)
class Notes:
    """What the parts of a lab have noted since a moment."""

    lab: Lab
    begun: dict[Path, int]

    @classmethod
    def since_now(cls, lab: Lab) -> Notes:
        """From now on."""
        return cls(lab, {path: path.stat().st_size for path in _files(lab)})

    def orders(self) -> list[Order]:
        """The orders of botd, and who takes a node back. When they came is not told."""
        return [*self._slurm(), *self._nodes()]

    def jobs_ended(self) -> int:
        """How many jobs have ended because Slurm lost their node."""
        return self._new(self.lab.slurm.jobcomp).count("JobState=NODE_FAIL")

    def switched(self, node: str) -> list[str]:
        """How the power of a node was switched at its BMC."""
        words = " ".join(self._new(_folder(self.lab, node) / "switched").split())
        return [_SWITCHED[found] for found in _CYCLE.findall(words)]

    def identified(self, node: str) -> int:
        """How often the BMC of a node was told to let its LED blink."""
        return len(self._new(_folder(self.lab, node) / "identified").splitlines())

    def _slurm(self) -> Iterator[Order]:
        log = self._new(self.lab.directory / "log" / "slurmctld.log")
        yield from (
            Order(0, "Slurm", node, f"state=drain reason={reason}", "") for node, reason in _REASON.findall(log)
        )
        yield from (Order(0, "Slurm", node, "state=resume", "") for node in _BACK.findall(log))

    def _nodes(self) -> Iterator[Order]:
        for node in (each.name for each in self.lab.nodes):
            for words in (*self.switched(node), *["identify 15 s"] * self.identified(node)):
                yield Order(0, "BMC", node, words, "")
            for _ in self._new(_folder(self.lab, node) / "restarted").splitlines():
                yield Order(0, "ssh", node, "restart-slurmd", "")

    def _new(self, path: Path) -> str:
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(self.begun.get(path, 0))
            return file.read().decode(errors="replace")


def _files(lab: Lab) -> Iterator[Path]:
    """All that is there already."""
    notes = [_folder(lab, node.name) / name for node in lab.nodes for name in ("switched", "identified", "restarted")]
    return (path for path in (lab.directory / "log" / "slurmctld.log", lab.slurm.jobcomp, *notes) if path.exists())


def _folder(lab: Lab, node: str) -> Path:
    return lab.directory / "bmc" / node
