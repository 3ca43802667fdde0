"""All benchmarks, one after the other, each in a process of its own, and one table of everything.

    python -m bench [NAME ...] [--json FILE]

`make bench` installs the tools that botd is compared with first. Names choose benchmarks; the figures of the others
stay in the file as they are. Without root those that need namespaces say so and are left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.table import Figure, machine, note, read_json, table_text, write_json

BENCHES = (
    "ssh",
    "ping",
    "bmc",
    "sweep",
    "answers",
    "servers",
    "followers",
    "page",
    "history",
    "month",
    "workers",
    "scale",
)
"""The modules, in the order of the table."""

FIGURES = Path(__file__).with_name("figures.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmarks and writes their figures. The exit status is 1 when one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHES)} (default: all)")
    parser.add_argument("--json", type=Path, default=FIGURES, help="the file of figures (default: %(default)s)")
    asked = parser.parse_args(argv)
    if unknown := [name for name in asked.names if name not in BENCHES]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    about = machine()
    found = {name: run_bench(name) for name in asked.names or BENCHES}
    figures = merged(asked.json, {name: made for name, made in found.items() if made is not None})
    write_json(asked.json, figures, about)
    sys.stdout.write(table_text(figures))
    return 1 if None in found.values() else 0


def run_bench(name: str) -> list[Figure] | None:
    """The figures of one benchmark, None when it failed; why stands on standard error."""
    note(f"== {name}")
    with tempfile.TemporaryDirectory(prefix="botd-bench-") as folder:
        path = Path(folder) / "figures.json"
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{name}", "--json", str(path)], check=False, stdout=subprocess.DEVNULL
        )
        if done.returncode != 0:
            return None
        return read_json(path)[0]


def merged(path: Path, found: dict[str, list[Figure]]) -> list[Figure]:
    """The new figures, and those of the file that no new ones stand for, in the order of `BENCHES`."""
    old: dict[str, list[Figure]] = {}
    if path.exists():
        for figure in read_json(path)[0]:
            old.setdefault(figure.bench, []).append(figure)
    return [figure for name in BENCHES for figure in {**old, **found}.get(name, [])]


if __name__ == "__main__":
    sys.exit(main())
