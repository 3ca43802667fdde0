"""The command line and what it logs."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from botd.cli import main
from botd.commands.serve import Child, check_port
from botd.commands.sweep import ProgressBar
from botd.logs import OneLine


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
        ("[[check]]\nname = 'ping'\ncommand = 'x'\n", 'two checks named "ping"'),
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


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("botd.x", logging.INFO, "x.py", 1, message, args, None)


def test_an_event_is_one_line_whatever_it_holds() -> None:
    line = OneLine().format(record("login failed node=%s error=%s", "n1", "a\nINFO forged\x1b[31m\u202e"))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert "node=n1" in line


def test_a_traceback_is_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        entry = record("failed")
        entry.exc_info = sys.exc_info()
    assert len(OneLine().format(entry).splitlines()) == 1


def test_the_time_of_an_event_is_utc() -> None:
    entry = record("x")
    entry.created, entry.msecs = 0.25, 250.0
    assert OneLine().format(entry).startswith("1970-01-01T00:00:00.250Z INFO botd.x x")


class Terminal:
    """A standard error that is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_progress_bar_that_goes_away(monkeypatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = ProgressBar(4)
    bar.show(1)
    assert terminal.text.endswith("1 of 4 nodes")
    bar.clear()
    assert terminal.text.endswith("\r\x1b[K")


def test_a_file_gets_no_progress_bar(capsys) -> None:
    bar = ProgressBar(4)
    bar.show(1)
    bar.clear()
    assert capsys.readouterr().err == ""


def test_a_child_that_cannot_work_at_all_is_told_from_one_that_died() -> None:
    for status, hopeless in ((2, True), (1, False)):
        child = Child("x", [sys.executable, "-c", f"raise SystemExit({status})"], {})
        child.start()
        child._process.wait()
        assert child.failed_to_start() is hopeless


def test_a_free_port_passes() -> None:
    check_port("127.0.0.1:0")
