"""Command line of the lab: up, down, do, record."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.lab import net, record
from tests.lab.cluster import Lab
from tests.lab.faults import VERBS
from tests.lab.proc import LabError


def up(args: argparse.Namespace) -> None:
    """Build a lab, stay until SIGINT or SIGTERM, take it down."""
    directory = Path(args.dir or tempfile.mkdtemp(prefix="botd-lab-"))
    lab = Lab(directory, args.nodes)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # a shell's background job has the first ignored
        signal.signal(number, signal.default_int_handler)
    began_at = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):
        lab.up()
        print(
            f"{args.nodes} nodes up in {time.monotonic() - began_at:.1f} s: {lab.directory}/botd.toml",
            flush=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
        take_down(lab)
    if not args.dir:
        shutil.rmtree(directory)


def take_down(lab: Lab) -> None:
    """Take a lab down without being interrupted half-way."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lab.down()
    print(f"down: {lab.directory}", flush=True)


def down(args: argparse.Namespace) -> None:
    """Clean up after a lab whose process was killed."""
    directory = args.dir or net.lab_in_hosts()
    if not directory:
        raise LabError("no lab in /etc/hosts: give its --dir")
    take_down(Lab(directory))


def command_line() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("up", help="build a lab and stay in the foreground")
    command.add_argument("--nodes", type=int, default=10)
    command.add_argument("--dir", help="where to build it (default: a new temporary directory)")
    command.set_defaults(run=up)
    command = commands.add_parser("down", help="clean up after a kill")
    command.add_argument("--dir", help="where it was built (default: what /etc/hosts says)")
    command.set_defaults(run=down)
    command = commands.add_parser("do", help="do a verb to a node", epilog=f"verbs: {', '.join(VERBS)}")
    for name in ("dir", "verb"):
        command.add_argument(name)
    command.add_argument("args", nargs="*", metavar="node and arguments")
    command.set_defaults(run=lambda args: print_result(Lab.load(args.dir).do(args.verb, *args.args)))
    command = commands.add_parser("record", help="record what the real tools print")
    command.add_argument("dir")
    command.add_argument("to")
    command.set_defaults(run=lambda args: record.record(Lab.load(args.dir), Path(args.to)))
    command = commands.add_parser("settle")  # what a BMC calls, see bmc.py
    command.add_argument("dir")
    command.add_argument("node")
    command.add_argument("how", nargs="?")
    command.set_defaults(run=lambda args: Lab.load(args.dir).node(args.node).settle(args.how == "reset"))
    return parser


def print_result(result: object) -> None:
    """Print what a verb returned, if anything."""
    if result is not None:
        print(result)


def main() -> int:
    """Run the command line; 1 after a failure, which stands on standard error."""
    args = command_line().parse_args()
    try:
        args.run(args)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
