"""The two processes of `make test`: what fails in either fails, and what both print is seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import both
from tests.program import wait_until

AS_TOLD = """
import sys
from tests import both
both._pytest = lambda words: [sys.executable, "-c", sys.argv[1 if words == both.LAB else 2]]
sys.exit(both.main())
"""


def run(lab: str, others: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", AS_TOLD, lab, others]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize(("lab", "others"), [("0", "0"), ("1", "0"), ("0", "1"), ("5", "2"), ("killed", "0")])
def test_what_fails_in_either_fails(lab: str, others: str) -> None:
    ended = run(ending(lab), ending(others)).wait(60)
    assert (ended == 0) == (lab == others == "0")


def ending(how: str) -> str:
    return "import os; os.kill(os.getpid(), 9)" if how == "killed" else f"raise SystemExit({how})"


def test_what_the_lab_says_follows_the_others() -> None:
    told, _ = run("print('of the lab')", "print('of the others')").communicate(timeout=60)
    assert told.splitlines() == ["of the others", "of the lab"]


def test_both_are_interrupted_and_take_down_what_they_built(tmp_path: Path) -> None:
    marks = [tmp_path / name for name in ("lab", "others")]
    running = run(*map(waiting, marks))
    wait_until(lambda: all(mark.exists() for mark in marks), 60)
    running.terminate()
    assert running.wait(60) != 0
    assert [mark.read_text() for mark in marks] == ["taken down", "taken down"]


def waiting(mark: Path) -> str:
    return f"""
import time
from pathlib import Path
mark = Path({str(mark)!r})
try:
    mark.touch()
    time.sleep(600)
finally:
    mark.write_text("taken down")
"""


def test_each_test_is_in_one_of_the_two() -> None:
    assert both._pytest(both.LAB)[-1] == "tests/lab"
    assert both._pytest(f"--ignore={both.LAB}")[-1] == "--ignore=tests/lab"
    assert Path(both.LAB).is_dir()
