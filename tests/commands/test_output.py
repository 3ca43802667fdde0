"""Standard output as a terminal, a file and a pipe: widths, colours, what the locale shows, and Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from botd.output import shows_unicode
from tests.program import PATIENCE_S

LONG = "a réason that is longer than any terminal which this test opens has columns, and than all of them together"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A configuration with two nodes: sshd of n1 is not there, that of n2 takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (tmp_path / "botd.toml").write_text(f"""
            [slurm]
            sinfo_file = "list"
            [nodes]
            hosts_file = "hosts"
            [ssh]
            port = {silent.getsockname()[1]}
            connect_timeout = 600
            [sweep]
            node_deadline = 600
            deadline = 600
        """)
        (tmp_path / "list").write_text(f"REASON USER TIMESTAMP NODELIST\n{LONG:.80} root 2026-11-23T20:54:06 n[1-2]\n")
        (tmp_path / "hosts").write_text("127.0.0.2 n1\n127.0.0.1 n2\n")
        yield tmp_path / "botd.toml"


def words(site: Path, *more: str) -> list[str]:
    return ["-m", "botd", "--log-level", "error", "sweep", "--config", str(site), "-c", "ping", *more]


def on_terminal(site: Path, *more: str, columns: int = 80, **environment: str) -> str:
    """What a sweep prints on a terminal of so many columns, without the progress bar."""
    env = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **environment}
    for name in {"NO_COLOR", "COLUMNS"} - environment.keys():
        env.pop(name, None)
    said = pexpect.run(
        f"{sys.executable} {' '.join(words(site, *more))}",
        env=env,
        dimensions=(24, columns),
        encoding="utf-8",
        timeout=PATIENCE_S,
    )
    return str(said).rpartition("\x1b[K")[2].replace("\r\n", "\n")


def in_pipe(site: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LC_ALL": "C.UTF-8", **environment}
    return subprocess.run([sys.executable, *words(site, *more)], capture_output=True, text=True, env=env, timeout=60)


def bare(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("columns", [60, 100])
def test_a_table_is_as_wide_as_the_terminal(columns: int, site: Path) -> None:
    widths = [len(line) for line in bare(on_terminal(site, columns=columns)).splitlines()]
    assert max(widths) == columns


def test_a_width_that_is_asked_for_wins_over_the_terminal(site: Path) -> None:
    assert max(len(line) for line in bare(on_terminal(site, "--width", "50", columns=120)).splitlines()) == 50


def test_in_a_pipe_a_table_is_as_wide_as_it_is(site: Path) -> None:
    assert f"{LONG:.60}" in in_pipe(site, COLUMNS="40").stdout


def test_a_terminal_gets_colours_and_a_pipe_never_does(site: Path) -> None:
    assert "\x1b[1mNODE\x1b[0m" in on_terminal(site)
    assert "\x1b" not in in_pipe(site, TERM="xterm", FORCE_COLOR="1").stdout


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colours_gets_none(environment: dict[str, str], site: Path) -> None:
    assert "\x1b" not in on_terminal(site, **environment)


def test_an_empty_no_color_says_nothing(site: Path) -> None:
    assert "\x1b[1mNODE" in on_terminal(site, NO_COLOR="")


@pytest.mark.parametrize(("locale", "mark"), [("C", "..."), ("C.UTF-8", "…"), ("en_US.ISO-8859-1", "...")])
def test_a_cut_text_ends_in_what_the_locale_can_show(locale: str, mark: str, site: Path) -> None:
    text = in_pipe(site, "--width", "50", LC_ALL=locale).stdout
    assert f"{mark}\n" in text
    assert text.isascii() == (mark == "...")


@pytest.mark.parametrize(
    ("environ", "shows"),
    [
        ({}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),  # as Python leaves a C locale behind
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "C", "LC_CTYPE": "de_DE.utf8"}, True),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "de_DE.UTF-8", "LC_CTYPE": "de_DE.ISO-8859-1"}, False),
    ],
)
def test_the_locale_is_read_as_programs_in_c_read_it(environ: dict[str, str], shows: bool) -> None:
    assert shows_unicode(environ) is shows


def interrupted(site: Path, *more: str) -> pexpect.spawn:
    """A sweep in a terminal that got Ctrl-C when n1 had answered, and n2 nothing but ping."""
    env = {**os.environ, "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
    line = [*words(site, *more)]
    line[line.index("ping")] = "ping,ssh"
    child = pexpect.spawn(sys.executable, line, env=env, dimensions=(24, 120), encoding="utf-8", timeout=PATIENCE_S)
    child.expect_exact("1 of 2 nodes")
    child.sendintr()
    return child


def test_ctrl_c_prints_what_is_there_and_says_so(site: Path) -> None:
    child = interrupted(site)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    rows = str(child.before).rpartition("\x1b[K")[2].splitlines()
    assert re.match(r"n1 .*!! refused .* ms ", rows[1])
    assert any("# interrupted; shown are the" in row for row in rows)
    assert rows[-1].startswith("botd: interrupted; shown are the")


def test_a_finished_node_of_ndjson_is_there_before_the_others(site: Path) -> None:
    line = [*words(site, "--format", "ndjson")]
    line[line.index("ping")] = "ping,ssh"
    with subprocess.Popen(
        [sys.executable, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        first = json.loads(process.stdout.readline())
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        left, said = process.communicate(timeout=PATIENCE_S)
    assert (first["node"], first["readings"]["ssh"]["value"]) == ("n1", "refused")
    assert first["recommendation"]["diagnosis"]
    assert [json.loads(text)["node"] for text in left.splitlines()] in ([], ["n2"])
    assert process.returncode == 130
    assert said.startswith("botd: interrupted; shown are the")


def test_the_exit_code_says_how_the_nodes_are(site: Path) -> None:
    assert in_pipe(site, "--exit-code").returncode == 0
    refused = in_pipe(site, "--exit-code", "-g", "n1", "-c", "ssh")
    assert (refused.returncode, in_pipe(site, "-g", "n1", "-c", "ssh").returncode) == (2, 0)
    assert in_pipe(site, "--exit-code", "-g", "n9").returncode == 3
    assert in_pipe(site, "--exit-code", "--widht", "80").returncode == 3
