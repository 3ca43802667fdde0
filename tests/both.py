"""Runs all tests, in two processes side by side that share nothing but the machine's time: `make test`.

Those of tests/lab wait most of their time, for a real Slurm. What they print follows when both are through.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile

LAB = "tests/lab"


def main() -> int:
    """The exit status: 0 where all passed, else that of the first of the two in which something did not."""
    with tempfile.TemporaryFile() as told:
        lab = subprocess.Popen(_pytest(LAB), stdout=told, stderr=subprocess.STDOUT)
        both = (subprocess.Popen(_pytest(f"--ignore={LAB}")), lab)
        signal.signal(signal.SIGTERM, lambda *_: [each.send_signal(signal.SIGINT) for each in both])
        statuses = [_ended(each) for each in both]
        told.seek(0)
        sys.stdout.buffer.write(told.read())
    return next((status for status in statuses if status), 0)


def _pytest(*words: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *words]


def _ended(process: subprocess.Popen[bytes]) -> int:
    """How it ended. Ctrl-C goes to both from the terminal: they take down what they built, and are waited for."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main())
