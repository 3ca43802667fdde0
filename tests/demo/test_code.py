"""The codes of the demo's people, against the vectors of RFC 6238 and the command line."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from pathlib import Path

import pytest

from botd.demo.code import code

SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("at", "digits"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_a_code_is_that_of_the_rfc(at: int, digits: str) -> None:
    assert code(SECRET, at) == digits


def test_the_command_prints_the_code_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "anna"
    path.write_text(f"{SECRET}\n")
    before = time.time()
    words = [sys.executable, "-m", "botd.demo.code", str(path)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert printed.strip() in {code(SECRET, at) for at in (before, time.time())}
