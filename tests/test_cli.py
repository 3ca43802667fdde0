"""The command line: its words, and what it says where they are wrong."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from botd.cli import _parser, main


def botd(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "botd", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", list(_parser().commands()))
def test_every_command_explains_itself(command: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert "--" in capsys.readouterr().out


MISTAKES = [
    (
        "",
        (
            "botd: which command? serve, agent, web, worker, sweep, check-config, notify-test, audit, rearm, keys, "
            "ledger, history, replay, user or demo"
        ),
    ),
    ("audit", "botd audit: which command? verify"),
    ("audit verfy", 'botd audit: there is no "verfy"; did you mean "verify"?'),
    ("swep", 'botd: there is no "swep"; did you mean "sweep"?'),
    ("--versoin", 'botd: there is no option "--versoin"; did you mean "--version"?'),
    ("--log-level loud sweep", 'there is no "loud"; there is debug, info, warning or error'),
    ("sweep --log-level debug", "--log-level stands before the command, as in botd --log-level ... sweep"),
    ("sweep --group rack1", 'there is no option "--group"; did you mean "--groups"?'),
    ("sweep --widht=80", 'there is no option "--widht"; did you mean "--width"?'),
    ("sweep --form json", 'there is no option "--form"; did you mean "--format"?'),
    ("sweep --width 19", '--width: needs a whole number from 20 on, not "19"'),
    ("sweep --width -80", '--width: needs a whole number from 20 on, not "-80"'),
    ("sweep --width wide", '--width: needs a whole number from 20 on, not "wide"'),
    ("sweep -f yaml", 'there is no "yaml"; there is table, json, ndjson or csv'),
    ("sweep -f jsno", 'there is no "jsno"; did you mean "json"?'),
    ("sweep --fold=3", "--fold: takes no value, and was given '3'"),
    ("sweep --config", "--config: needs a value"),
    ("sweep -c", "--checks/-c: needs a value"),
    (
        "sweep -c ping, ssh",
        'nothing asks for the word "ssh"; name nodes with --groups, and quote a list that has blanks',
    ),
    ("sweep rack1", 'nothing asks for the word "rack1"; name nodes with --groups'),
    ("agent now", 'botd agent: nothing asks for the word "now" (see'),
    ("serve --groups x", 'botd serve: there is no option "--groups"'),
    ("demo --nodes -3", '--nodes: needs a whole number from 1 on, not "-3"'),
    ("demo --nodes 0", '--nodes: needs a whole number from 1 on, not "0"'),
    ("demo --nodes many", '--nodes: needs a whole number from 1 on, not "many"'),
]


@pytest.mark.parametrize(("typed", "words"), MISTAKES)
def test_a_mistyped_line_is_one_sentence_that_says_what_would_do(typed: str, words: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(typed.split())
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert words in err
    assert re.fullmatch(r"botd[^\n]* \(see botd[a-z ]* --help\)\n", err)


RUN_MISTAKES = [
    ("sweep --config /nonexistent.toml", "cannot read the configuration /nonexistent.toml: "),
    ("sweep --config /", "cannot read the configuration /: "),
    ("sweep -c pin", 'there is no check "pin"; did you mean "ping"?'),
    ("sweep -g n[1-", 'cannot read the node list at "n[1-"'),
    ("demo --listen 5000", 'cannot listen on "5000"'),
    ("demo --listen localhost:99999", 'cannot listen on "localhost:99999"'),
]


@pytest.mark.parametrize(("typed", "words"), RUN_MISTAKES)
def test_what_cannot_be_done_as_asked_is_one_sentence_too(typed: str, words: str, tmp_path: Path, capsys) -> None:
    line = typed.split()
    if line[0] == "sweep" and "--config" not in line:
        line += ["--config", str(saved_list(tmp_path))]
    assert main(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"botd: {words}")
    assert len(err.splitlines()) == 1


def test_no_option_is_taken_by_its_first_letters() -> None:
    parser = _parser()
    assert not any(each.allow_abbrev for each in (parser, *parser.commands().values()))


@pytest.mark.parametrize("command", list(_parser().commands()))
def test_the_help_of_a_command_has_examples_that_can_be_typed_and_its_exit_statuses(command: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    _, _, more = capsys.readouterr().out.partition("\nexample")
    examples = [line.strip() for line in more.splitlines() if line.startswith("  botd ")]
    assert examples
    for line in examples:
        words = shlex.split(re.split(r"   | >| \|\|", line)[0])
        assert _parser().read(words[1:]).parser.prog == f"botd {command}"
    assert "exit status: " in more


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["sweep", "-c", "ping"]])
def test_a_full_disk_is_a_sentence(words: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "BOTD_CONFIG": str(saved_list(tmp_path))}
    command = [sys.executable, "-m", "botd", "--log-level", "error", *words]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, timeout=60)
    assert (done.returncode, done.stderr) == (1, "botd: cannot write the answer: No space left on device\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_end_in_no_traceback(closed: str, tmp_path: Path) -> None:
    words = f"{sys.executable} -m botd --log-level error sweep --config {saved_list(tmp_path)} -c ping {closed}"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, timeout=60)
    assert done.returncode == (0 if closed == "2>&-" else 1)
    told = "botd: cannot write the answer: standard output is closed\n"
    assert done.stderr == (told if closed == ">&-" else "")


def saved_list(folder: Path) -> Path:
    """A configuration with a saved list of nine nodes, all of them this machine."""
    path = folder / "botd.toml"
    path.write_text('[slurm]\nsinfo_file = "list"\n[nodes]\naddress = "127.0.0.1"\n')
    (folder / "list").write_text("NODELIST REASON\nn[1-9] x\n")
    return path


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
        assert str(path) in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_mistake_in_the_configuration_is_told_with_its_line(tmp_path: Path, capsys) -> None:
    path = tmp_path / "botd.toml"
    path.write_text("[ssh]\nuser = 'x'\nport = 0\n")
    for command in ("serve", "agent", "sweep"):
        assert main([command, "--config", str(path)]) == 2
        assert capsys.readouterr().err.startswith(f"botd: {path}:3: [ssh] port must be above 0")


def test_an_address_of_the_command_line_is_not_blamed_on_the_configuration(tmp_path: Path, capsys) -> None:
    path = tmp_path / "botd.toml"
    path.write_text("[server]\nlisten = '127.0.0.1:5000'\n")
    assert main(["serve", "--config", str(path), "--listen", "nonsense"]) == 2
    assert str(path) not in capsys.readouterr().err


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
    sweep = f"{sys.executable} -m botd --log-level error sweep --config {saved_list(tmp_path)} -c ping"
    words = f"{{ {sweep}; echo $? >{tmp_path}/status; }} | true"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert (tmp_path / "status").read_text() == "141\n"


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
