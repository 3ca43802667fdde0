"""A check more is one file, one line in CHECKS, its cases, and its row in the documents: nothing else learns of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2]
SWAPS = """\
Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/sda2                               partition\t2097148\t\t{}\t\t-2
"""

CHECK = f'''"""How full is the swap space of the node."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from botd.answers import Output, Source
from botd.checks.limits import human_bytes, judge
from botd.checks.ranges import show_each
from botd.model import Check, Facts, Finding, State


def parse_swap(output: Output, facts: Facts) -> Finding:
    """An object: `kind`, `size` and `used_percent` of the first swap space (proc_swaps(5)), or null."""
    # Filename  Type  Size  Used  Priority
    # /dev/sda2  partition  2097148  0  -2
    head, *rows = output.text.splitlines()
    if not head.startswith("Filename"):
        raise ValueError("no table of swap spaces")
    if not rows:
        return Finding(State.OK, None, "no swap space")
    name, kind, size, used, _ = rows[0].split()
    value = {{"kind": kind, "size": int(size) * 1024, "used_percent": round(100 * int(used) / int(size), 1)}}
    return Finding(judge(value["used_percent"], 80, None), value, f"{{name}}, {{value['used_percent']:.0f}}% used")


def show_swap(value: Mapping[str, Any]) -> str:
    """`95% of 2.0 GiB`."""
    return f"{{show_each(value['used_percent'], '{{:.0f}}%'.format)}} of {{show_each(value['size'], human_bytes)}}"


CHECK = Check(
    name="swap",
    title="Swap",
    help="How full the swap space is.",
    source=Source.COMMAND,
    needs=("ssh",),
    command="cat /proc/swaps",
    sample={SWAPS.format(0)!r},
    quick=True,
    parse=parse_swap,
    show=show_swap,
    sort_key=lambda value: value["used_percent"],
    columns={{"size_bytes": itemgetter("size"), "used_percent": itemgetter("used_percent")}},
    tells=("kind",),
    plotted="used_percent",
)
'''


def case(what: str, text: str, state: str, value: object, detail: str) -> str:
    output = {"text": text, "status": 0}
    return json.dumps({"what": what, "output": output, "finding": {"state": state, "value": value, "detail": detail}})


def swap(used_percent: float) -> dict[str, object]:
    return {"kind": "partition", "size": 2097148 * 1024, "used_percent": used_percent}


NEW = {
    "botd/checks/swap.py": CHECK,
    "tests/checks/swap/good.json": case("unused", SWAPS.format(0), "ok", swap(0.0), "/dev/sda2, 0% used"),
    "tests/checks/swap/bad.json": case("full", SWAPS.format(2000000), "warn", swap(95.4), "/dev/sda2, 95% used"),
    "tests/checks/swap/garbage.json": case("no table", "what", "unknown", None, "cannot read: what"),
}

SECTION = """swap
~~~~

:Title: Swap
:Kind: remote
:Unit: none
:CSV: ``swap_size_bytes``, ``swap_used_percent``
:Needs: ssh
:Runs: Reads ``/proc/swaps``.
:Value: An object: ``kind``, ``size`` in bytes, ``used_percent``; null where there is no swap space.
:warn: More than 80 % are used.
:fail: never
:unknown: The output could not be read.

"""

LINES = {
    "botd/checks/__init__.py": [("    uptime,\n", "    swap,\n"), ("    slurmd.CHECK,\n", "    swap.CHECK,\n")],
    "docs/checks.rst": [
        ("slurmd\n~~~~~~\n", SECTION),
        ("   * - ``slurmd``\n     - Does", "   * - ``swap``\n     - How full is its swap space?\n"),
    ],
}
"""What is added to which file, each before the text that stands there."""

FILES = (
    "tests/checks/new_check.py",
    "tests/checks/test_cases.py",
    "tests/test_docs.py",
    "tests/demo/test_node_shell.py",
)
ABOUT = "new_check or swap or folder or sample or every_check_has_its_section or sound_node or answer_the_same_checks"
"""The tests of the copy that are run: those that the new check has to pass."""


def test_it_is_one_file_one_line_its_cases_and_its_row(tmp_path: Path) -> None:
    for name in ("botd", "static", "templates", "tests", "docs"):
        shutil.copytree(PROGRAM / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "recorded"))
    for path in filter(Path.is_file, PROGRAM.iterdir()):
        shutil.copy(path, tmp_path)
    for name, text in NEW.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for name, additions in LINES.items():
        path = tmp_path / name
        for before, added in additions:
            text = path.read_text()
            assert text.count(before) == 1, (name, before)
            path.write_text(text.replace(before, added + before))
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FILES, "-k", ABOUT]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
