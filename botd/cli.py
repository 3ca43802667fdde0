"""The command `botd`: serve, agent, sweep, demo."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from botd import __version__
from botd.checks import named, site_checks
from botd.config import load_config
from botd.errors import BotdError, ConfigError
from botd.logs import LEVELS, set_up

AGENT_STOP_S = 2.0
"""What the agent has to write down its last readings."""

log = logging.getLogger(__name__)


def run() -> NoReturn:
    """The program: `main`, and an end that no thread which still asks a node, and no command, holds up."""
    from botd.transport.local import end_commands

    status = main()
    with suppress(OSError):
        sys.stdout.flush()
    end_commands()
    os._exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status: 0 done, 1 it failed, 2 it cannot be done as asked."""
    args = _parser().parse_args(argv)
    set_up(args.log_level)
    try:
        return int(args.run(args))
    except ConfigError as error:
        print(f"botd: {error}", file=sys.stderr)
        return 2
    except BotdError as error:
        print(f"botd: {error}", file=sys.stderr)
        return 1 if error.status >= 500 else 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="botd", description="The morning round of an HPC cluster.")
    parser.add_argument("--version", action="version", version=f"botd {__version__}")
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="what to log on standard error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = _command(commands, "serve", _serve, "run web server and agent")
    serve.add_argument("--listen", help="address:port instead of [server] listen")
    _command(commands, "agent", _agent, "run the agent alone")
    sweep = _command(commands, "sweep", _sweep, "one sweep without a server, to standard output")
    sweep.add_argument("--groups", "-g", help="groups, nodesets and intersections; default: [sweep] groups")
    sweep.add_argument("--checks", "-c", help="checks, separated by commas; with some, the table is the matrix")
    sweep.add_argument("--format", "-f", choices=("table", "json", "ndjson", "csv"), default="table")
    sweep.add_argument("--matrix", action="store_true", help="nodes and checks in place of the morning round")
    sweep.add_argument("--width", type=int, help="columns; default: 80 for the round, the matrix as wide as it is")
    sweep.add_argument("--fold", action="store_true", help="the matrix, one line for all nodes with the same answers")
    demo = commands.add_parser("demo", help="serve a simulated cluster")
    demo.add_argument("--nodes", type=int, default=320, help="how many nodes it has")
    demo.add_argument("--listen", default="127.0.0.1:5000", help="address:port of the web server")
    demo.set_defaults(run=_demo)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: object, help: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=help)
    command.add_argument("--config", help="the configuration; default: BOTD_CONFIG, else all defaults")
    command.set_defaults(run=run)
    return command


# Each command imports what it needs when it runs: the web part must not load what reaches nodes, and
# `botd --help` must not wait for it.


def _serve(args: argparse.Namespace) -> int:
    from botd.commands.serve import serve

    config = load_config(args.config)
    site_checks(config)
    if args.listen:
        config = dataclasses.replace(config, server=dataclasses.replace(config.server, listen=args.listen))
    return serve(config, args.log_level)


def _agent(args: argparse.Namespace) -> int:
    from botd.agent.loop import Agent
    from botd.commands.ending import stop_event

    _make_room()
    Agent(load_config(args.config)).run(stop_event(within_s=AGENT_STOP_S))
    return 0


def _make_room() -> None:
    """Prepares a process that asks a thousand nodes at once: open files up to the hard limit, quick thread changes.

    A thread that only passes on a packet would else wait 5 ms for each busy one before it (sys.setswitchinterval).
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(0.0005)


def _demo(args: argparse.Namespace) -> int:
    from botd.commands.serve import check_port, serve
    from botd.demo import run_demo

    check_port(args.listen)
    return int(run_demo(args.nodes, args.listen, lambda path: serve(load_config(path), args.log_level)))


def _sweep(args: argparse.Namespace) -> int:
    from botd.commands.sweep import sweep_once
    from botd.display.formats import Form
    from botd.display.terminal import Look

    _make_room()
    config = load_config(args.config)
    checks = site_checks(config)
    names = named(checks, args.checks or "all")
    groups = ",".join(config.sweep.groups) if args.groups is None else args.groups
    form = Form(args.format, Look(args.width), args.fold)
    matrix = bool(args.matrix or args.fold or args.checks)
    body = sweep_once(config, checks, groups, names, form, matrix=matrix)
    sys.stdout.buffer.write(body)
    sys.stdout.flush()
    return 0
