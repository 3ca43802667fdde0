"""The command line: its words, and what it says where they are wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from botd.cli import main


def botd(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "botd", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", ["serve", "agent", "sweep", "demo"])
def test_every_command_explains_itself(command: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "--" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[serber]\n", 'did you mean "server"'),
        ("[ssh]\nparalel = 3\n", 'did you mean "parallel"'),
        ("[[check]]\nname = 'slurm'\ncommand = 'x'\n", 'name "slurm" is taken'),
        ("not toml", "cannot read the configuration"),
    ],
)
def test_a_wrong_configuration_is_one_line_that_names_the_mistake(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "botd.toml"
    path.write_text(text)
    for command in ("serve", "sweep"):
        done = botd(command, "--config", str(path))
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_an_address_that_is_none_is_one_line(command: str) -> None:
    done = botd(command, "--listen", "nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('botd: cannot listen on "nonsense"')
    assert len(done.stderr.splitlines()) == 1


def test_a_sweep_says_what_is_wrong_with_its_words(tmp_path: Path) -> None:
    path = tmp_path / "botd.toml"
    path.write_text('[slurm]\nsinfo = "/nonexistent/sinfo"\n[groups]\ndirectories = ["."]\n')
    (tmp_path / "rack1").write_text("n[1-2]\n")
    assert 'did you mean "ping"' in botd("sweep", "--config", str(path), "-c", "pin").stderr
    failed = botd("sweep", "--config", str(path), "-g", "sinfo")
    assert failed.returncode == 1
    assert "/nonexistent/sinfo" in failed.stderr
    assert botd("sweep", "--config", str(path), "-g", "rack2").returncode == 2


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "botd.toml"
    path.write_text('[slurm]\nsinfo_file = "list"\n[nodes]\naddress = "127.0.0.1"\n')
    (tmp_path / "list").write_text("NODELIST REASON\nn[1-9] x\n")
    words = f"{sys.executable} -m botd --log-level error sweep --config {path} -c ping | true"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


def test_a_sweep_is_the_round_and_the_matrix_where_its_words_are_used(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("REASON USER TIMESTAMP NODELIST\nno_IB kmf 2026-11-26T03:10:00 n[1-2]\n")
    (tmp_path / "nobody").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "nobody").chmod(0o755)
    path = tmp_path / "botd.toml"
    closed = '[ping]\ncommand = "nobody"\n[ssh]\nport = 1\n[nodes]\naddress = "127.0.0.1"\n'
    path.write_text('[slurm]\nsinfo_file = "list"\n[groups]\ndirectories = []\n' + closed)
    words = ("sweep", "--config", str(path), "-g", "sinfo")
    told = botd(*words).stdout
    assert told.startswith("2 out of service of 2 nodes, ")
    assert "A COLLEAGUE'S (2): " in told
    assert max(map(len, told.splitlines())) <= 80
    assert max(map(len, botd(*words, "--width", "40").stdout.splitlines())) <= 40
    for more in (["--matrix"], ["--fold"], ["-c", "ping"]):
        assert re.match(r"(NODE|COUNT) ", botd(*words, *more).stdout)
