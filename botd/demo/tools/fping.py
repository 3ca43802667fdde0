"""The stand-in for fping 5.1: `-C`, `-c`, `-q`, and without them `is alive`."""

from __future__ import annotations

import random
from argparse import Namespace
from statistics import fmean

from botd.demo.state import ClusterState
from botd.demo.tools.base import Arguments, Printed, Usage, printed

Times = list[float | None]
"""Round trips in ms, None for a lost packet."""


def fping(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What `fping` with these arguments prints, the targets being arguments or lines of standard input."""
    try:
        asked = _parser().parse_args(words)
    except Usage as error:
        return Printed(err=f"fping: {error}\nsee 'fping -h' for usage information\n".encode(), status=1)
    if asked.version:
        return printed("fping: Version 5.1\n")
    targets = asked.targets or stdin.decode("utf-8", "replace").split()
    known = _addresses(state)
    found = {target: known[target] for target in targets if target in known}
    unknown = [target for target in targets if target not in known]
    times = {target: _round_trips(found[target], asked.vcount or asked.count or 1) for target in found}
    complaints = "" if asked.quiet else "".join(f"{name}: Name or service not known\n" for name in unknown)
    lost = any(None in each for each in times.values())
    shown = _counted(times, asked, complaints) if asked.vcount or asked.count else _alive(times, asked, complaints)
    status = 2 if unknown else int(any(_dead(each) for each in times.values()))
    return Printed(*shown, status=status, after_s=asked.timeout / 1000 if lost else 0.0)


def _parser() -> Arguments:
    parser = Arguments("fping")
    parser.add_argument("-v", action="store_true", dest="version")
    for flag, name in (("-q", "--quiet"), ("-a", "--alive"), ("-u", "--unreach"), ("-4", "--ipv4"), ("-R", "--random")):
        parser.add_argument(flag, name, action="store_true")
    for flag, name, usual in (("-C", "--vcount", 0), ("-c", "--count", 0), ("-r", "--retry", 3), ("-b", "--size", 56)):
        parser.add_argument(flag, name, type=int, default=usual)
    for flag, name, usual in (("-t", "--timeout", 500), ("-p", "--period", 1000), ("-i", "--interval", 10)):
        parser.add_argument(flag, name, type=float, default=usual)
    parser.add_argument("-B", "--backoff", type=float, default=1.5)
    parser.add_argument("targets", nargs="*")
    return parser


def _addresses(state: ClusterState) -> dict[str, float | None]:
    """For every name and address the part of its packets that is lost; None when nothing answers there."""
    known: dict[str, float | None] = {}
    for node in state.nodes.values():
        loss = (1 / 3 if node.health.lossy else 0.0) if node.answers else None
        known[node.name] = known[node.address] = loss
        known[node.bmc_address] = 0.0 if node.health.bmc else None
    return known


def _round_trips(loss: float | None, count: int) -> Times:
    """One packet in every 1/loss is lost, so that a lossy node is never taken for a dead one."""
    if loss is None:
        return [None] * count
    lost = set(range(1, count, round(1 / loss))) if loss else set()
    return [None if i in lost else round(random.uniform(0.08, 0.35), 3) for i in range(count)]


def _dead(times: Times) -> bool:
    return all(each is None for each in times)


def _counted(times: dict[str, Times], asked: Namespace, complaints: str) -> tuple[bytes, bytes]:
    """Standard output and standard error with `-C` or `-c`: each packet, then one line per target."""
    width = max(map(len, times), default=0)
    summary = _verbose_line if asked.vcount else _count_line
    lines = [f"{name:<{width}} : {summary(each)}\n" for name, each in times.items()]
    if asked.quiet:
        return b"", "".join([complaints, *lines]).encode()
    out = "".join(_replies(name, each, width) for name, each in times.items())
    return out.encode(), "".join([complaints, "\n", *lines]).encode()


def _verbose_line(times: Times) -> str:
    # 127.0.0.1 : 0.013 - 0.009
    return " ".join("-" if each is None else f"{each:.3f}" for each in times)


def _count_line(times: Times) -> str:
    # 127.0.0.1 : xmt/rcv/%loss = 2/2/0%, min/avg/max = 0.023/0.036/0.048
    got = [each for each in times if each is not None]
    head = f"xmt/rcv/%loss = {len(times)}/{len(got)}/{100 * (len(times) - len(got)) // len(times)}%"
    return f"{head}, min/avg/max = {min(got):.3f}/{fmean(got):.3f}/{max(got):.3f}" if got else head


def _replies(name: str, times: Times, width: int) -> str:
    # 127.0.0.1 : [0], 64 bytes, 0.013 ms (0.013 avg, 0% loss)
    lines, got = [], []
    for i, each in enumerate(times):
        got += [] if each is None else [each]
        loss = 100 * (i + 1 - len(got)) // (i + 1)
        end = f"({fmean(got):.3f} avg, {loss}% loss)" if got else f"(NaN avg, {loss}% loss)"
        what = "timed out" if each is None else f"64 bytes, {each:.3f} ms"
        lines.append(f"{name:<{width}} : [{i}], {what} {end}\n")
    return "".join(lines)


def _alive(times: dict[str, Times], asked: Namespace, complaints: str) -> tuple[bytes, bytes]:
    """Standard output and standard error without a count."""
    lines = []
    for name, each in times.items():
        dead = _dead(each)
        if asked.alive or asked.unreach:
            lines += [f"{name}\n"] if dead == asked.unreach else []
        elif not asked.quiet:
            lines.append(f"{name} is {'unreachable' if dead else 'alive'}\n")
    return "".join(lines).encode(), complaints.encode()
