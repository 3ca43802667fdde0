"""The manual pages and the completions: what the parsers say now, read by groff and obeyed by real shells."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests import manual
from tests.conftest import need_program

BASH = """
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
"$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
printf '%s\\n' "${COMPREPLY[@]}"
"""

OFFERED = [
    ("bofhbot", "go", {"go-on"}),
    ("bofhbot", "tokens --scope ", {"read", "ask"}),
    ("bofhbot", "report --mon", {"--month"}),
    ("botd", "check", {"check-config"}),
    ("botd", "user unl", {"unlock"}),
    ("botd", "sweep --mat", {"--matrix"}),
]


def test_the_files_are_what_the_parsers_say() -> None:
    """But for where argparse ends a line, which is another place in other versions of Python."""
    kept = {path.relative_to(manual.SHARE): path for path in manual.SHARE.rglob("*") if path.is_file()}
    made = manual.documents()
    assert set(kept) == set(made)
    stale = [str(path) for path, text in made.items() if kept[path].read_text(encoding="utf-8").split() != text.split()]
    assert stale == [], "run `make manual`"


@pytest.mark.parametrize("name", manual.PARSERS)
def test_a_page_is_read_without_a_warning_and_has_every_command_and_option(name: str) -> None:
    need_program("groff")
    page = manual.SHARE / manual.MANUAL.format(name)
    words = ["groff", "-man", "-Tascii", "-ww", "-P-cbou", "-rLL=200n", page]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    parser = manual.PARSERS[name]()
    for command, each in parser.commands().items():
        assert f"{name} {command}" in done.stdout
        assert all(option in done.stdout for option in set(each.options()) - {"-h", "--help"})
        if each.epilog:
            assert each.epilog.strip().splitlines()[-1].strip() in done.stdout


def test_what_groff_would_obey_is_text() -> None:
    assert manual._roff(".so /etc/passwd\n'x\na\\b --c") == "\\&.so /etc/passwd\n\\&'x\na\\eb \\-\\-c"


@pytest.mark.parametrize(("name", "typed", "offered"), OFFERED)
def test_bash_offers_what_may_follow(name: str, typed: str, offered: set[str]) -> None:
    path = manual.SHARE / manual.PLACES["bash"].format(name)
    words = [name, *typed.split(" ")]
    done = subprocess.run(["bash", "-c", BASH, "bash", path, *words], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == offered


@pytest.fixture
def zsh(tmp_path: Path) -> Iterator[pexpect.spawn[str]]:
    need_program("zsh")
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "dumb"}
    child = pexpect.spawn("zsh", ["-f", "-i"], env=environ, encoding="utf-8", timeout=60)
    place = manual.SHARE / Path(manual.PLACES["zsh"]).parent
    child.sendline(f"fpath=({place} $fpath); autoload -U compinit; compinit -u -D; PS1='ready''> '")
    child.expect("ready> ")
    yield child
    child.close(force=True)


@pytest.mark.parametrize(("name", "typed", "offered"), [each for each in OFFERED if len(each[2]) == 1])
def test_zsh_completes_a_word(name: str, typed: str, offered: set[str], zsh: pexpect.spawn[str]) -> None:
    before, _, begun = f"{name} {typed}".rpartition(" ")
    (whole,) = offered
    zsh.send(f"{before} {begun}\t")
    zsh.expect_exact(f"{before} {begun}")
    zsh.expect_exact(whole.removeprefix(begun))


@pytest.mark.parametrize("name", manual.PARSERS)
def test_zsh_knows_whose_completion_a_file_is(name: str) -> None:
    path = manual.SHARE / manual.PLACES["zsh"].format(name)
    assert path.read_text(encoding="utf-8").splitlines()[0] == f"#compdef {name}"
