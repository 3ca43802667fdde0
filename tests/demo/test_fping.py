"""The stand-in for fping against the real one."""

from __future__ import annotations

import re
import subprocess

import pytest

from botd.transport.ping import parse_fping
from tests.conftest import need_program
from tests.demo.conftest import DemoSite

ALIVE, DEAD = "127.0.0.1", "127.255.255.255"


def targets(demo: DemoSite) -> tuple[str, str]:
    """An address that answers and one that does not, as long as the real ones."""
    sound = [node for node in demo.nodes if node.answers and not node.health.lossy]
    dead = [node for node in demo.nodes if not node.answers]
    return sound[0].address, dead[0].address


def shape(text: str, names: tuple[str, str]) -> list[str]:
    """The lines with names and round trips taken out, and blanks before a colon as one.

    The one dead address of a real loopback is its broadcast address: fping may not send there and says so, in
    place of the timeouts that it has to tell of elsewhere.
    """
    for name, word in zip(names, ("ALIVE", "DEAD"), strict=True):
        text = re.sub(rf"{re.escape(name)}\b", word, text)
    lines = re.sub(r" +:", " :", re.sub(r"\d+\.\d+", "N", text)).splitlines()
    return [line for line in lines if "error while sending" not in line and "timed out" not in line]


@pytest.mark.parametrize(
    "words",
    [
        ["-C", "3", "-q", "-t", "100", "-p", "20", "-i", "1"],
        ["-C", "2", "-q", "-t", "100", "-p", "20"],
        ["-c", "2", "-q", "-t", "100", "-p", "20"],
        ["-C", "1", "-t", "100", "-p", "20"],
        ["-i", "0", "-r", "1", "-t", "50"],
        ["-a", "-r", "0", "-t", "50"],
        ["-u", "-r", "0", "-t", "50"],
    ],
    ids=" ".join,
)
def test_it_prints_and_ends_as_the_real_one(demo: DemoSite, words: list[str]) -> None:
    alive, dead = targets(demo)
    real = subprocess.run(
        [need_program("fping"), *words], input=f"{ALIVE}\n{DEAD}\n", capture_output=True, text=True, timeout=20
    )
    ours = demo.run("fping", *words, stdin=f"{alive}\n{dead}\n")
    assert ours.returncode == real.returncode
    assert sorted(shape(ours.stdout, (alive, dead))) == sorted(shape(real.stdout, (ALIVE, DEAD)))
    assert sorted(shape(ours.stderr, (alive, dead))) == sorted(shape(real.stderr, (ALIVE, DEAD)))


def test_a_wrong_option_ends_it_as_the_real_one(demo: DemoSite) -> None:
    real = subprocess.run([need_program("fping"), "-Z"], capture_output=True, timeout=20)
    assert demo.run("fping", "-Z").returncode == real.returncode == 1


def test_a_lost_packet_is_told_where_replies_are(demo: DemoSite) -> None:
    dead = targets(demo)[1]
    lines = demo.run("fping", "-C", "2", "-t", "50", dead).stdout.splitlines()
    assert lines == [f"{dead} : [{i}], timed out (NaN avg, 100% loss)" for i in range(2)]


def test_colons_stand_in_one_column(demo: DemoSite) -> None:
    names = [demo.nodes[0].name, demo.nodes[0].address]
    done = demo.run("fping", "-C", "1", "-q", stdin="\n".join(names))
    assert len({line.index(" : ") for line in done.stderr.splitlines()}) == 1


def test_botd_reads_every_node_of_one_run(demo: DemoSite) -> None:
    done = demo.run("fping", "-C", "3", "-q", stdin="\n".join(node.address for node in demo.nodes))
    times = parse_fping(done.stderr)
    for node in demo.nodes:
        lost = list(times[node.address]).count(None)
        assert lost == (3 if not node.answers else 1 if node.health.lossy else 0)


def test_a_strange_name_is_left_out_and_the_status_is_2(demo: DemoSite) -> None:
    done = demo.run("fping", "-C", "1", "-q", demo.nodes[0].address, "192.0.2.1.invalid")
    assert (done.returncode, "invalid" in done.stderr) == (2, False)


def test_targets_may_be_arguments(demo: DemoSite) -> None:
    alive, dead = targets(demo)
    assert demo.run("fping", "-r", "0", "-t", "50", alive).stdout == f"{alive} is alive\n"
    assert demo.run("fping", "-r", "0", "-t", "50", dead).stdout == f"{dead} is unreachable\n"
