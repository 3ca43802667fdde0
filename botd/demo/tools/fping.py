"""The stand-in for fping 5.1: `-C`, `-c`, `-q`, and without them `is alive`."""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import fmean

from botd.demo.state import ClusterState
from botd.demo.tools.base import Printed, failed, printed
from botd.demo.tools.options import Asked, Option, Usage, read_options

Times = list[float | None]
"""Round trips in ms, None for a lost packet."""


OPTIONS: tuple[Option, ...] = (
    Option("v", "version"),
    Option("q", "quiet"),
    Option("a", "alive"),
    Option("u", "unreach"),
    Option("4", "ipv4"),
    Option("R", "random"),
    Option("C", "vcount", takes=True),
    Option("c", "count", takes=True),
    Option("r", "retry", takes=True),
    Option("b", "size", takes=True),
    Option("t", "timeout", takes=True),
    Option("p", "period", takes=True),
    Option("i", "interval", takes=True),
    Option("B", "backoff", takes=True),
)

WHOLE = ("vcount", "count", "retry", "size")
"""Options whose value is a whole number."""

HEADER = 8
"""Bytes of an ICMP header, which fping counts to a reply."""


@dataclass(frozen=True)
class Wanted:
    """What to print, and of what size and patience the packets are."""

    verbose: bool
    count: int
    quiet: bool
    alive: bool
    unreach: bool
    size: int
    timeout_ms: float


def fping(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """What `fping` with these arguments prints, the targets being arguments or lines of standard input."""
    try:
        asked = read_options("fping", OPTIONS, words)
        wanted = _wanted(asked)
    except Usage as error:
        text = str(error).replace("unrecognized option '--", "invalid option -- '")  # fping has a reader of its own
        return failed(f"{text}\nsee 'fping -h' for usage information")
    if asked.has("version"):
        return printed("fping: Version 5.1\n")
    return _pinged(state, wanted, list(asked.operands) or stdin.decode("utf-8", "replace").split())


def _pinged(state: ClusterState, wanted: Wanted, targets: list[str]) -> Printed:
    known = _addresses(state)
    found = {target: known[target] for target in targets if target in known}
    unknown = [target for target in targets if target not in known]
    times = {target: _round_trips(found[target], wanted.count or 1) for target in found}
    complaints = "" if wanted.quiet else "".join(f"{name}: Name or service not known\n" for name in unknown)
    lost = any(None in each for each in times.values())
    shown = _counted(times, wanted, complaints) if wanted.count else _alive(times, wanted, complaints)
    status = 2 if unknown else int(not times or any(_dead(each) for each in times.values()))
    return Printed(*shown, status=status, after_s=wanted.timeout_ms / 1000 if lost else 0.0)


def _wanted(asked: Asked) -> Wanted:
    """The options as numbers. Raises Usage for one that is none."""
    try:
        whole = {name: int(asked.text(name, "0")) for name in WHOLE}
        timeout_ms, *_ = (float(asked.text(name, "500")) for name in ("timeout", "period", "interval", "backoff"))
    except ValueError as error:
        raise Usage(f"fping: {error}") from None
    return Wanted(
        verbose=asked.has("vcount"),
        count=whole["vcount"] or whole["count"],
        quiet=asked.has("quiet"),
        alive=asked.has("alive"),
        unreach=asked.has("unreach"),
        size=(whole["size"] or 56) + HEADER,
        timeout_ms=timeout_ms,
    )


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


def _counted(times: dict[str, Times], wanted: Wanted, complaints: str) -> tuple[bytes, bytes]:
    """Standard output and standard error with `-C` or `-c`: each packet, then one line per target."""
    width = max(map(len, times), default=0)
    summary = _verbose_line if wanted.verbose else _count_line
    lines = [f"{name:<{width}} : {summary(each)}\n" for name, each in times.items()]
    if wanted.quiet:
        return b"", "".join([complaints, *lines]).encode()
    out = "".join(_replies(name, each, width, wanted.size) for name, each in times.items())
    return out.encode(), "".join([complaints, *(["\n"] if times else []), *lines]).encode()


def _verbose_line(times: Times) -> str:
    # 127.0.0.1 : 0.013 - 0.009
    return " ".join("-" if each is None else f"{each:.3f}" for each in times)


def _count_line(times: Times) -> str:
    # 127.0.0.1 : xmt/rcv/%loss = 2/2/0%, min/avg/max = 0.023/0.036/0.048
    got = [each for each in times if each is not None]
    head = f"xmt/rcv/%loss = {len(times)}/{len(got)}/{100 * (len(times) - len(got)) // len(times)}%"
    return f"{head}, min/avg/max = {min(got):.3f}/{fmean(got):.3f}/{max(got):.3f}" if got else head


def _replies(name: str, times: Times, width: int, size: int) -> str:
    # 127.0.0.1 : [0], 64 bytes, 0.013 ms (0.013 avg, 0% loss)
    lines, got = [], []
    for i, each in enumerate(times):
        got += [] if each is None else [each]
        loss = 100 * (i + 1 - len(got)) // (i + 1)
        end = f"({fmean(got):.3f} avg, {loss}% loss)" if got else f"(NaN avg, {loss}% loss)"
        what = "timed out" if each is None else f"{size} bytes, {each:.3f} ms"
        lines.append(f"{name:<{width}} : [{i}], {what} {end}\n")
    return "".join(lines)


def _alive(times: dict[str, Times], wanted: Wanted, complaints: str) -> tuple[bytes, bytes]:
    """Standard output and standard error without a count."""
    lines = []
    for name, each in times.items():
        dead = _dead(each)
        if wanted.alive or wanted.unreach:
            lines += [f"{name}\n"] if dead == wanted.unreach else []
        elif not wanted.quiet:
            lines.append(f"{name} is {'unreachable' if dead else 'alive'}\n")
    return "".join(lines).encode(), complaints.encode()
