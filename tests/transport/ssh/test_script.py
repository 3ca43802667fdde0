"""The script for all remote checks of a node, run by the real /bin/sh, and the frames that it prints."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.answers import Output
from botd.transport.ssh.script import MAX_NOISE, MAX_OUTPUT, Fragment, FrameReader, build_script

NONCE = "0123456789abcdef"


def start(*fragments: Fragment) -> subprocess.Popen[bytes]:
    shell = subprocess.Popen(
        ["/bin/sh", "-s"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert shell.stdin
    shell.stdin.write(build_script(NONCE, fragments))
    shell.stdin.close()
    return shell


def frames(shell: subprocess.Popen[bytes]) -> Iterator[tuple[str, Output]]:
    """The frames as they come. The pipe closes when nothing that the script started is left."""
    reader = FrameReader(NONCE)
    assert shell.stdout
    while data := os.read(shell.stdout.fileno(), 65536):
        yield from reader.feed(data)


def run(*fragments: Fragment) -> dict[str, Output]:
    with start(*fragments) as shell:
        return dict(frames(shell))


def fragment(command: str, name: str = "x", timeout_s: float = 10) -> Fragment:
    return Fragment(name, command, timeout_s)


def test_each_fragment_has_its_own_output_and_status() -> None:
    found = run(fragment("echo one", "a"), fragment("echo two >&2; exit 3", "b"), fragment("true", "c"))
    assert found == {"a": Output("one\n", 0), "b": Output("two\n", 3), "c": Output("", 0)}


@pytest.mark.parametrize("command", ["echo 'it''s' \"$((1+1))\"", "printf '%s' 'a\nb'", "echo $0 | cat; # end"])
def test_a_fragment_means_what_it_means_alone(command: str) -> None:
    alone = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True)
    assert run(fragment(command)) == {"x": Output(alone.stdout, alone.returncode)}


def test_the_tools_of_administrators_are_found_and_speak_english() -> None:
    text = run(fragment('echo "$PATH $LC_ALL"'))["x"].text
    assert "/usr/sbin" in text
    assert text.endswith(" C\n")


def test_a_fragment_cannot_read_the_script() -> None:
    found = run(fragment("cat", "a"), fragment("echo here", "b"))
    assert found == {"a": Output("", 0), "b": Output("here\n", 0)}


def test_a_fragment_that_hangs_ends_at_its_own_limit_and_delays_no_other() -> None:
    with start(fragment("echo begun; sleep 60", "slow", 1), fragment("echo quick", "quick")) as shell:
        found = list(frames(shell))
    assert found == [("quick", Output("quick\n", 0)), ("slow", Output("begun\n", timed_out=True))]


def test_a_fragment_that_ignores_the_gentle_signal_is_killed() -> None:
    found = run(fragment("trap '' TERM; while :; do sleep 60; done", timeout_s=1))
    assert found["x"].timed_out
    assert found["x"].status is None


def test_a_fragment_whose_shell_cannot_end_costs_only_its_own_frame() -> None:
    """The nearest thing to a process in D state that can be made to order: one that is stopped with its `timeout`."""
    stopped = "kill -STOP $PPID; kill -STOP $$"
    with start(fragment(stopped, "stuck", 1), fragment("echo fine", "fine")) as shell:
        assert next(frames(shell)) == ("fine", Output("fine\n", 0))
        os.killpg(shell.pid, signal.SIGKILL)
        shell.kill()


def test_an_output_that_floods_is_cut_and_says_so() -> None:
    found = run(fragment("yes"), fragment("echo fine", "fine"))
    assert found["x"].truncated
    assert found["x"].status is None
    assert 0 < len(found["x"].text) <= MAX_OUTPUT
    assert found["fine"] == Output("fine\n", 0)


@pytest.mark.parametrize("size", [MAX_OUTPUT - 1, MAX_OUTPUT])
def test_an_output_of_nearly_the_limit_is_whole(size: int) -> None:
    assert run(fragment(f"head -c {size} /dev/zero | tr '\\0' x")) == {"x": Output("x" * size, 0)}


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert run(fragment(r"printf 'a\377b'")) == {"x": Output("a\ufffdb", 0)}


def test_what_a_command_prints_is_not_taken_for_a_frame() -> None:
    forged = r"printf '\036f00d x\n0\n0\037f00d\n'"
    assert run(fragment(forged))["x"].status == 0


def test_twenty_fragments_at_once_come_whole() -> None:
    many = [fragment(f"head -c 3000 /dev/zero | tr '\\0' {chr(97 + i)}", f"f{i}") for i in range(20)]
    assert run(*many) == {f"f{i}": Output(chr(97 + i) * 3000, 0) for i in range(20)}


def test_a_limit_below_a_second_is_rounded_up_and_not_to_none(tmp_path: Path) -> None:
    assert run(fragment("sleep 60", timeout_s=0.2))["x"].timed_out


FRAMES = f"\x1e{NONCE} a\none\n0\x1f{NONCE}\n\x1e{NONCE} b\n\n7\x1f{NONCE}\n".encode()
READ = [("a", Output("one", 0)), ("b", Output("", 7))]


@given(st.lists(st.integers(0, len(FRAMES)), max_size=8))
def test_frames_are_read_from_pieces_of_any_size(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(FRAMES)]
    reader = FrameReader(NONCE)
    pieces = [FRAMES[low:high] for low, high in itertools.pairwise(edges)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == READ


@given(st.binary(max_size=300))
def test_a_greeting_before_the_frames_changes_nothing(greeting: bytes) -> None:
    assert list(FrameReader(NONCE).feed(greeting + FRAMES)) == READ


def test_a_frame_that_broke_off_does_not_spoil_the_next() -> None:
    assert list(FrameReader(NONCE).feed(f"\x1e{NONCE} a\nbro".encode() + FRAMES)) == READ


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail(data: bytes) -> None:
    reader = FrameReader(NONCE)
    list(reader.feed(f"\x1e{NONCE} ".encode() + data + f"\x1f{NONCE}\n".encode()))
    assert not reader.babbling


def test_more_noise_than_a_greeting_is_babbling() -> None:
    reader = FrameReader(NONCE)
    assert list(reader.feed(b"x" * MAX_NOISE)) == []
    assert not reader.babbling
    assert list(reader.feed(b"x")) == []
    assert reader.babbling


def test_noise_between_frames_counts_too() -> None:
    reader = FrameReader(NONCE)
    assert list(reader.feed(b"x" * MAX_NOISE + FRAMES + b"x")) == READ
    assert reader.babbling
