"""ICMP echo: one fping for all nodes, or one ping per node where there is no fping.

An address that fping printed no line for is unknown, never lost: only a line of dashes is a lost packet.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from socket import AF_INET, inet_ntop, inet_pton

from botd.answers import Deliver, Delivery, PingAnswer, Source
from botd.config import command_words
from botd.settings import PingSettings
from botd.text import shown
from botd.transport.delivering import answered_for
from botd.transport.local import CommandMissing, Completed, LocalCommandError, run_command

LOG = logging.getLogger(__name__)

PERIOD_MS = 100
"""Between two packets to one node, so that one hiccup of the network does not take all of them."""

GENTLE_INTERVAL_MS = 0.05
"""Between two packets to any nodes that lost some: fping sleeps after each then, and sends 8,000 to 10,000 a second."""

SAFE_INTERVAL_MS = 1.0
"""Between two packets to any nodes where fping refuses less: one before 5.0 takes whole numbers only, and one built
with --enable-safe-limits refuses less than 1 to an ordinary user (fping(8)). Debian's fping 5.1 has no such limits.
"""

FPING_STATUSES = (0, 1, 2)
"""All answered, some did not, some names were not found (fping(8)). 3 and 4 are wrong options and failed calls."""

PING_PARALLEL = 64
PING_INTERVAL_S = 0.2  # the least that ping(8) of iputils before 20211215 grants an ordinary user

NO_ADDRESS = "the name has no address"

Times = tuple[float | None, ...]
"""Round trips in ms in the order of sending, None for a lost packet."""

LINE = 100
PACKET = 20
SPARE = 65_536
"""The most that fping may print, in bytes: for each address, for each of its packets, and once, for complaints. An
address, the longest of them, and a time each take 39, and some 6 (fping 5.1)."""

# `++` gives nothing back and so remembers no step: with `+` a line of 50 MB took a hundred times that.
_FPING_LINE = re.compile(r"^(\S{1,64}) +:((?: +(?:\d{1,9}\.?\d{0,9}|-))++) *$", re.MULTILINE | re.ASCII)
_PING_COUNTS = re.compile(r"(\d+) packets transmitted, (\d+) (?:packets )?received")
_PING_AVERAGE = re.compile(r"min/avg/max\S* = [\d.]+/([\d.]+)/")


def ping_nodes(
    targets: Mapping[str, str | None], settings: PingSettings, deliver: Deliver, *, timeout_s: float
) -> None:
    """Delivers one PingAnswer per node, and returns when all are delivered. Targets: address in digits by node.

    `timeout_s` limits all of it. Nothing is raised for a node or for the tool: the answer's `error` says why it
    is not known. fping's round trip is the median, ping's the average that it prints.
    """
    deliver = answered_for(deliver)
    nodes = _by_address(targets)
    for node in nodes.pop(None, ()):
        deliver(Delivery(node, Source.PING, PingAnswer(0, 0, None, error=NO_ADDRESS)))

    def tell(address: str, answer: PingAnswer) -> None:
        for node in nodes[address]:
            deliver(Delivery(node, Source.PING, answer))

    addresses = [address for address in nodes if address]
    if addresses:
        _ping_addresses(addresses, settings, tell, time.monotonic() + timeout_s)


def parse_fping(text: str) -> dict[str, Times]:
    """Round trips by address, from what `fping -C n -q` prints on standard error. Other lines are left out."""
    # 127.7.0.1  : 0.027 - 0.005
    return {
        address: tuple([None if word == "-" else float(word) for word in words.split()])
        for address, words in _FPING_LINE.findall(text)
    }


def parse_ping(text: str) -> PingAnswer:
    """Packets and the average round trip, from what `ping -q` prints. Raises ValueError without a summary."""
    # 3 packets transmitted, 3 received, 0% packet loss, time 405ms
    # rtt min/avg/max/mdev = 0.035/0.101/0.231/0.091 ms
    counts = _PING_COUNTS.search(text)
    if not counts:
        raise ValueError("ping printed no summary")
    average = _PING_AVERAGE.search(text)
    return PingAnswer(int(counts[1]), int(counts[2]), float(average[1]) if average else None)


def answer_of(times: Times) -> PingAnswer:
    """The packets counted, and the median of those that came back."""
    back = sorted([time_ms for time_ms in times if time_ms is not None])
    half = len(back) // 2
    median_ms = round((back[half] + back[~half]) / 2, 3) if back else None
    return PingAnswer(len(times), len(back), median_ms)


def _by_address(targets: Mapping[str, str | None]) -> dict[str | None, list[str]]:
    """Nodes by address in its usual form: what is no address in digits never reaches a command."""
    nodes: dict[str | None, list[str]] = {}
    for node, address in targets.items():
        nodes.setdefault(_usual(address) if address else None, []).append(node)
    return nodes


def _usual(address: str) -> str | None:
    """An address in its usual form, None for what is no address in digits."""
    try:
        return inet_ntop(AF_INET, inet_pton(AF_INET, address))  # a tenth of what ipaddress takes
    except (OSError, ValueError):
        pass
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None


def _ping_addresses(
    addresses: list[str], settings: PingSettings, tell: Callable[[str, PingAnswer], None], end: float
) -> None:
    try:
        times, problem = _ask_twice(addresses, settings, end)
    except CommandMissing:
        _ping_one_by_one(addresses, settings, tell, end)
        return
    for address in addresses:
        found = times.get(address)
        tell(address, answer_of(found) if found else PingAnswer(0, 0, None, error=problem))


def _ask_twice(addresses: Sequence[str], settings: PingSettings, end: float) -> tuple[dict[str, Times], str]:
    """As `_ask_fping`; where answers seem to have been lost on this side, their addresses are asked again, gently.

    fping without a pause sends faster than a socket's default receive buffer (208 kB, Linux) takes answers from a
    network: half of 30,000 were lost there at a round trip of 1 ms. That shows in addresses that lost some packets
    and not others, and there it can cost another all of its answers.
    """
    times, problem = _ask_fping(addresses, settings, settings.interval, end)
    if settings.interval or not any(None in each and any(each) for each in times.values()):
        return times, problem
    again = [address for address, each in times.items() if None in each]
    found, problem = _ask_fping(again, settings, GENTLE_INTERVAL_MS, end)
    return {address: each for address, each in times.items() if None not in each} | found, problem


def _ask_fping(
    addresses: Sequence[str], settings: PingSettings, interval_ms: float, end: float
) -> tuple[dict[str, Times], str]:
    """What fping said, and what to say of an address that it left out. Raises CommandMissing."""
    problem = ""
    most = SPARE + len(addresses) * (LINE + PACKET * settings.count)
    for pause_ms in sorted({interval_ms, max(interval_ms, SAFE_INTERVAL_MS)}):
        words = [*command_words(settings.command), *fping_options(settings, pause_ms)]
        asked = "".join(f"{address}\n" for address in addresses).encode()
        try:
            done = run_command(words, timeout_s=end - time.monotonic(), stdin=asked, max_output=most)
        except CommandMissing:
            raise
        except LocalCommandError as error:
            return {}, str(error)
        times = parse_fping(done.stderr.decode("utf-8", "replace"))
        if times and done.status in FPING_STATUSES:
            return times, "fping printed no result for this address"
        problem = f"fping ended with status {done.status}: {_first_line(done)}"
    return {}, problem


def fping_options(settings: PingSettings, interval_ms: float) -> list[str]:
    """The options of a round.

    10,000 nodes with 3 packets each take 0.8 s without a pause. With one, fping sleeps between any two packets, some
    0.1 ms at the least: 3 to 4 s and four times the CPU.
    """
    timeout_ms = max(1, round(settings.timeout * 1000))
    return ["-C", str(settings.count), "-q", "-t", str(timeout_ms), "-i", f"{interval_ms:.3g}", "-p", str(PERIOD_MS)]


def _ping_one_by_one(
    addresses: list[str], settings: PingSettings, tell: Callable[[str, PingAnswer], None], end: float
) -> None:
    """One ping process per address, 64 at once."""
    with ThreadPoolExecutor(PING_PARALLEL, thread_name_prefix="ping") as pool:
        answers = pool.map(partial(_ping, settings, end), addresses)
        for address, answer in zip(addresses, answers, strict=True):
            tell(address, answer)


def _ping(settings: PingSettings, end: float, address: str) -> PingAnswer:
    counted = ["-c", str(settings.count), "-i", str(PING_INTERVAL_S), "-W", f"{settings.timeout:.3f}"]
    try:
        done = run_command(["ping", "-n", "-q", *counted, "--", address], timeout_s=end - time.monotonic())
        return parse_ping(done.stdout.decode("utf-8", "replace"))
    except CommandMissing:
        return PingAnswer(0, 0, None, error="neither fping nor ping is installed")
    except LocalCommandError as error:
        return PingAnswer(0, 0, None, error=str(error))
    except ValueError:
        return PingAnswer(0, 0, None, error=f"ping ended with status {done.status}: {_first_line(done)}")
    except Exception as error:  # a fault of ours costs this address, and is seen
        LOG.exception("the ping of %s failed", address)
        return PingAnswer(0, 0, None, error=f"botd failed, see its log: {type(error).__name__}")


def _first_line(done: Completed) -> str:
    """The first line that a program printed, errors first: printable, at most 120 characters."""
    text = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
    line = text.splitlines()[0] if text else "it printed nothing"
    return shown(line, 120)
