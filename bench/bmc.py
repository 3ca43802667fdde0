"""What asking every BMC for its power costs: botd beside FreeIPMI's `ipmipower --stat` on the same BMCs.

    python -m bench.bmc [--nodes N] [--repeat TIMES] [--json FILE]

1,000 BMCs, 900 of them one `ipmi_sim` (OpenIPMI) each on an address of its own, and 100 addresses that swallow every
packet. One living BMC in three says that its node is off. Both tools wait as long (3 s for a BMC that says nothing, a
packet again after 1 s) and log in with cipher suite 3, the only one of ipmi_sim's; botd, which does not know that, is
refused suite 17 first. Both run in turn, five times; each time every answer must be right: on, off, or not there.
The CPU is the client's alone. botd's first sweep is shown beside the later ones of the same process.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from bench import cost, room
from bench.cost import Cost
from bench.table import Figure, Options, all_right, at_most_times, note
from botd.answers import Delivery, PowerAnswer, PowerState
from botd.settings import BmcSettings
from botd.transport.bmc.power import BmcTransport
from tests.transport.bmc.bmc_sim import USER, BmcSim, bmc_sims

NODES = 1000
REPEAT = 5
DEAD_EVERY = 10
OFF_EVERY = 3
PORT = 623
SILENT_S = 3.0
AGAIN_S = 1.0

Powers = dict[str, str]
"""`on` or `off` by address; a BMC that is not there is not in it."""


def measure(options: Options) -> list[Figure]:
    """The figures of the BMCs."""
    count, repeat = options.nodes or NODES, options.repeat or REPEAT
    addresses = [room.dead(n) if n % DEAD_EVERY == 0 else room.live(n) for n in range(count)]
    living = [address for n, address in enumerate(addresses) if n % DEAD_EVERY]
    with tempfile.TemporaryDirectory(prefix="botd-bench-") as folder:
        note(f"starting {len(living)} BMCs")
        with bmc_sims(Path(folder) / "sims", living, PORT) as sims:
            truth = _switch(sims)
            return _figures(addresses, truth, sims[0].password, repeat)


def _switch(sims: Sequence[BmcSim]) -> Powers:
    """Switches some off; what each must say now."""
    for sim in sims[::OFF_EVERY]:
        sim.set_power(False)
    return {sim.address: "on" if at % OFF_EVERY else "off" for at, sim in enumerate(sims)}


def _figures(addresses: Sequence[str], truth: Powers, password: str, repeat: int) -> list[Figure]:
    count = len(addresses)
    ours, others, right, others_right = [], [], 0, 0
    with closing(BmcTransport(BmcSettings(user=USER, port=PORT, timeout=SILENT_S), password)) as transport:
        for turn in range(repeat):
            note(f"BMCs: turn {turn + 1} of {repeat}")
            made, found = _botd(transport, addresses)
            ours.append(made)
            right += found == truth
            if other := _ipmipower(addresses, password):
                others.append(other[0])
                others_right += other[1] == truth
    later = ours[1:] or ours
    theirs = [median(getattr(each, what) for each in others) if others else None for what in ("wall_s", "cpu_s")]
    other_wall_s, other_ms = theirs[0], None if theirs[1] is None else theirs[1] * 1000 / count
    first_ms, later_ms = ours[0].cpu_ms_per(count), median(each.cpu_ms_per(count) for each in later)
    wall_s = median(each.wall_s for each in ours)
    return [
        all_right("bmc", f"{count} BMCs, every answer right", right, repeat),
        Figure("bmc", "ipmipower, every answer right", others_right, f"of {repeat} runs"),
        at_most_times("bmc", "wall", wall_s, 2, other_wall_s, "s", who="ipmipower"),
        at_most_times("bmc", "CPU per BMC, first sweep", first_ms, 2, other_ms, "ms", who="ipmipower"),
        at_most_times("bmc", "CPU per BMC, later sweeps", later_ms, 2, other_ms, "ms", who="ipmipower"),
        at_most_times("bmc", "CPU per BMC, later beside first", later_ms, 1, first_ms, "ms", who="the first"),
    ]


def _botd(transport: BmcTransport, addresses: Sequence[str]) -> tuple[Cost, Powers]:
    found: Powers = {}

    def deliver(delivery: Delivery) -> None:
        if isinstance(delivery.answer, PowerAnswer) and delivery.answer.power is not PowerState.UNKNOWN:
            found[delivery.node] = str(delivery.answer.power)

    made, _ = cost.of_call(lambda: transport.run({each: each for each in addresses}, deliver, power=True))
    return made, found


def _ipmipower(addresses: Sequence[str], password: str) -> tuple[Cost, Powers] | None:
    """What ipmipower costs, and what it found. None where it is not installed."""
    path = cost.program("ipmipower")
    if path is None:
        return None
    words = [
        path, "--stat", "-D", "LAN_2_0", "-W", "opensesspriv", "-I", "3", "-l", "USER", "-u", USER, "-p", password,
        f"--session-timeout={SILENT_S * 1000:.0f}", f"--retransmission-timeout={AGAIN_S * 1000:.0f}",
        "-h", ",".join(addresses),
    ]  # fmt: skip
    made, said = cost.of_program(words)
    # 127.10.0.2: on
    lines = (line.partition(": ") for line in said.splitlines())
    return made, {address: state for address, _, state in lines if state in ("on", "off")}


if __name__ == "__main__":
    sys.exit(room.main(measure, __doc__, "bench.bmc"))
