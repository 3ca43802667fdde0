"""On a terminal: a table of its width, colours unless somebody says no, and nothing else that it would obey."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from fcntl import ioctl

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from botd.client.forms import Fields, Form, Listing, harmless, write_listing
from botd.text import width
from tests.client.conftest import PROGRAM, Home, answering, http
from tests.program import DemoProgram, wait_until

COLOR = re.compile(r"\x1b\[(?:0|1|2|33|35|36|1;31)m")


def on_terminal(home: Home, *words: str, columns: int = 90, **more: str) -> tuple[int, str]:
    """Exit status of `bofhbot`, and what it writes, on a terminal of so many columns."""
    child, master = start(home, *words, columns=columns, **more)
    return finish(child, master)


def start(home: Home, *words: str, columns: int = 90, **more: str) -> tuple[subprocess.Popen[bytes], int]:
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [*PROGRAM, *words]
    child = subprocess.Popen(
        command, env={**home.environ, **more}, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(slave)
    return child, master


def finish(child: subprocess.Popen[bytes], master: int) -> tuple[int, str]:
    text = b""
    while True:
        try:
            text += (piece := os.read(master, 65536))
        except OSError:  # EIO of Linux: nobody has the other end any more
            break
        if not piece:
            break
    os.close(master)
    return child.wait(60), text.decode().replace("\r\n", "\n")


def test_the_round_on_a_terminal_is_botds_own_in_its_width_and_colours(at_home: Home) -> None:
    status, text = on_terminal(at_home, columns=70)
    assert status == 0
    assert "READY TO GO BACK" in text
    assert "\x1b[1m" in text
    bare = COLOR.sub("", text)
    assert all(line.isprintable() and width(line) <= 70 for line in bare.splitlines())


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_are_left_out_where_somebody_says_so(at_home: Home, more: dict[str, str]) -> None:
    for words in ((), ("changes",), ("show", "n0000.savio2")):
        assert "\x1b" not in on_terminal(at_home, *words, **more)[1]


@pytest.mark.parametrize("columns", [40, 90, 200])
def test_a_list_on_a_terminal_is_a_table_of_its_width(at_home: Home, columns: int) -> None:
    lines = COLOR.sub("", on_terminal(at_home, "changes", columns=columns)[1]).splitlines()
    assert lines[0].split()[:2] == ["AT", "NODE"]
    assert all(width(line) <= columns for line in lines)
    assert ("WHY" in lines[0]) == (columns > 40)


def seen(text: str, columns: int) -> list[str]:
    """The lines on the screen of a terminal that has been sent the text."""
    screen = pyte.Screen(columns, 200)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    return [line.rstrip() for line in screen.display]


@pytest.mark.parametrize("columns", [80, 200])
def test_a_report_on_a_terminal_is_a_table_for_each_thing_that_it_is_about(at_home: Home, columns: int) -> None:
    status, text = on_terminal(at_home, "report", columns=columns)
    lines = seen(text, columns)
    assert status == 0
    heads = [line.split() for line in lines if line.isupper()]
    assert ["PARTITION", "NODES", "OUT_H", "IN_SERVICE_H", "UNKNOWN_H", "AVAILABLE_PERCENT"] in heads
    assert ["CAUSE", "NODES", "OUT_H"] in heads
    assert "…" not in text


def test_a_narrow_terminal_cuts_prose_before_names(at_home: Home, program: DemoProgram) -> None:
    status, text = on_terminal(at_home, "changes", "--json", "node")
    assert status == 0
    nodes = {row["node"] for row in json.loads(text)}
    lines = [line for line in seen(on_terminal(at_home, "changes", columns=80)[1], 80) if line][1:]
    assert nodes
    assert {line[18:].split()[0] for line in lines} == nodes


@pytest.mark.parametrize(
    ("words", "none"), [(("notes", "n9999"), "there is no note"), (("history", "n9999"), "nothing has happened")]
)
def test_a_list_without_a_row_is_said_to_a_person_and_nothing_to_a_pipe(
    words: tuple[str, ...], none: str, home: Home
) -> None:
    empty = {"notes": [], "changes": [], "next": None}
    with answering(http(json.dumps(empty).encode())) as server:
        home.environ["BOFHBOT_URL"] = server.url
        assert on_terminal(home, *words)[1].startswith(none)
        assert home.good(*words) == ""


def test_one_node_on_a_terminal_is_told_in_words(at_home: Home) -> None:
    assert "next:" in on_terminal(at_home, "show", node(at_home))[1]


def node(home: Home) -> str:
    """One that is not well."""
    return home.good().splitlines()[0].split("\t")[0]


def test_a_locale_without_unicode_gets_ascii(at_home: Home) -> None:
    for words in ((), ("changes",)):
        assert on_terminal(at_home, *words, LANG="C", columns=50)[1].isascii()


def test_a_hostile_text_of_a_server_cannot_move_the_cursor(home: Home) -> None:
    text = "\x1b[2J\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[1mbold\n\x9b2J \u202ex \x1b[8mhidden\rover \x08\n\x1b[1;31m"
    with answering(http(text.encode(), kind="text/plain; charset=utf-8")) as hostile:
        home.environ["BOFHBOT_URL"] = hostile.url
        _, shown = on_terminal(home)
    lines = shown.splitlines()
    assert all(COLOR.sub("", line).isprintable() for line in lines)
    assert all(line.endswith("\x1b[0m") for line in lines if "\x1b" in line)


PIECES = st.text(max_size=4) | st.sampled_from(
    ["\x1b[1m", "\x1b[0m", "\x1b[36m", "\x1b[2J", "\x9b1m", "\u202e", "\r", "\x1b"]
)


@given(st.lists(PIECES).map("".join), st.booleans())
def test_no_line_whatever_has_anything_but_colours(line: str, color: bool) -> None:
    shown = harmless(line, color=color)
    assert COLOR.sub("", shown).isprintable() if color else shown.isprintable()


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=90), st.text(max_size=90)), min_size=1), st.data())
def test_no_table_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], data: st.DataObject) -> None:
    wide = data.draw(st.integers(20, 200))
    written: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botd.client.forms.write_out", written.append)
        listing = Listing(Fields("abc"), [dict(zip("abc", row, strict=True)) for row in rows])
        write_listing(listing, Form(width=wide))
    assert all(width(line) <= wide for line in b"".join(written).decode().splitlines())


def test_nobody_reads_a_pipe_any_more(at_home: Home) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PROGRAM, "changes"], env=at_home.environ, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_is_said_so(at_home: Home) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*PROGRAM], env=at_home.environ, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr


def test_who_interrupts_waits_for_no_site(home: Home) -> None:
    def silent(client: object) -> None:
        client.recv(65536)  # type: ignore[attr-defined]

    with answering(silent) as one, answering(silent) as two:
        home.sites(f'[sites.one]\nurl = "{one.url}"\n[sites.two]\nurl = "{two.url}"\n')
        child, master = start(home, "--site", "all", "check", "--now")
        wait_until(lambda: one.asked and two.asked)
        os.killpg(child.pid, signal.SIGINT)
        try:
            child.wait(60)  # the sites would be given up after eleven minutes
        finally:
            child.kill()
        status, text = finish(child, master)
    assert (status, "interrupted" in text) == (130, True)


def test_who_interrupts_the_waiting_is_told_that_botd_goes_on(home: Home, program: DemoProgram) -> None:
    def silent(client: object) -> None:
        client.recv(65536)  # type: ignore[attr-defined]

    with answering(silent) as hostile:
        home.environ["BOFHBOT_URL"] = hostile.url
        child, master = start(home, "check", "--now")
        wait_until(lambda: hostile.asked)
        os.killpg(child.pid, signal.SIGINT)
        status, text = finish(child, master)
    assert status == 130
    assert "interrupted; botd goes on asking the nodes" in text
