"""The command `botd`: serve, agent, web, worker, sweep, check-config, demo."""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NoReturn

from botd import __version__
from botd.checks import named, site_checks
from botd.commands.output import as_shown, look_of
from botd.commands.owner import add_owner_commands
from botd.commands.places import Told, place, status_of
from botd.commands.words import add_command
from botd.config import load_config
from botd.errors import BotdError, ConfigError
from botd.logs import LEVELS, set_up
from botd.output import CLOSED_PIPE, forget_output, write_out
from botd.words import Parser, whole

UNKNOWN = 3
"""The exit status of `botd sweep --exit-code` where nothing could be read."""

INTERRUPTED = 130
"""The exit status after Ctrl-C, as a shell has it."""

SERVE = """\
examples:
  botd serve --config botd.toml
  botd serve --listen 127.0.0.1:8080

exit status: 0 after Ctrl-C or SIGTERM, 1 when it failed, 2 when it cannot be done as asked
"""

AGENT = """\
example:
  botd agent --config /etc/botd/botd.toml

exit status: 0 after SIGTERM, 1 when it failed, 2 when it cannot be done as asked
"""

WEB = """\
example:
  botd web --config /etc/botd/botd.toml

exit status: 0 after SIGTERM, another one when it failed, 2 when it cannot be done as asked
"""

WORKER = """\
examples:
  botd worker --network mgmt --config /etc/botd/botd.toml
  botd worker --show-key                         the public key of this machine's agent or worker

exit status: 0 after SIGTERM, 1 when it failed, 2 when it cannot be done as asked
"""

SWEEP = """\
examples:
  botd sweep                                     the morning round of what [sweep] groups names
  botd sweep -g sinfo/savio2 --matrix            the drained and down nodes of a partition, by all checks
  botd sweep -g sinfo -c ping,ssh,df             by some checks
  botd sweep -g 'n[0000-0099].savio2' --fold     nodes with the same diagnosis on one line
  botd sweep -f csv >morning.csv                 also json, and ndjson as nodes finish
  botd sweep --exit-code >/dev/null || echo "something is wrong"

it weighs by what an agent has counted, where it can read the database of [store], which it never writes; else by
guesses. The explanation of each node says which: "41 of 47 nodes like this", or "we would guess"

exit status: 0 done, 1 it failed, 2 it cannot be done as asked, 130 after Ctrl-C, which shows what is there,
141 when the reader of a pipe went away. With --exit-code: 0 all is well, 1 warnings, 2 failures, 3 something
is unknown, or nothing could be read
"""

CHECK = """\
examples:
  botd check-config --config /etc/botd/botd.toml
  botd check-config --node n0017.bigmem          another node than one that is idle
  botd check-config --offline                    the files alone

exit status: 0 all is well, 1 there are warnings, 2 something fails
"""

NOTIFY = """\
example:
  botd notify-test --config /etc/botd/botd.toml

run it as the agent's user
exit status: 0 all were sent, 1 there is no way, 2 something fails
"""

DEMO = """\
examples:
  botd demo
  botd demo --nodes 1000 --listen 127.0.0.1:8080

exit status: as that of botd serve
"""


def run() -> NoReturn:
    """The program: `main`, and an end that no thread which still asks a node, and no command, holds up."""
    from botd.transport.local import end_commands

    status = _run()
    end_commands()
    os._exit(status)


def _run() -> int:
    """The exit status of `main`, also where it ends the program itself."""
    try:
        status = main()
    except SystemExit as end:  # --help, --version, and words that are wrong
        status = UNKNOWN if end.code == 2 and "--exit-code" in sys.argv else int(end.code or 0)
    with suppress(OSError):
        if sys.stdout is not None:
            sys.stdout.flush()
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status: 0 done, 1 it failed, 2 it cannot be done as asked, or what the command says.

    Raises SystemExit for words that are wrong, and after `--help`.
    """
    args = _parser().read(argv)
    set_up(args.log_level)
    try:
        return int(args.run(args))
    except BotdError as error:
        _say(_placed(args, error))
        return _failed(args, error)
    except BrokenPipeError:
        forget_output()
        return CLOSED_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED


def _placed(args: argparse.Namespace, error: BotdError) -> str:
    """The sentence, after file and line where it is about a setting that stands there."""
    if not (isinstance(error, ConfigError) and error.at):
        return str(error)
    stands = place(getattr(args, "config", None) or os.environ.get("BOTD_CONFIG", ""), error.at)
    return f"{stands}: {error}" if stands else str(error)


def _failed(args: argparse.Namespace, error: BotdError) -> int:
    """With `--exit-code` nothing is known of nodes; else 2 for what was asked wrongly, and 1."""
    if getattr(args, "exit_code", False):
        return UNKNOWN
    return 2 if isinstance(error, ConfigError) or error.status < 500 else 1


def _say(sentence: str) -> None:
    """On standard error, where there is one."""
    if sys.stderr is not None:
        print(f"botd: {sentence}", file=sys.stderr)


def _parser() -> Parser:
    parser = Parser(prog="botd", description="The morning round of an HPC cluster.")
    parser.add_argument("--version", action="version", version=f"botd {__version__}")
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="what to log on standard error")
    commands = parser.add_subparsers(metavar="COMMAND")
    serve = add_command(commands, "serve", _serve, "run web server and agent", SERVE)
    serve.add_argument("--listen", help="address:port instead of [server] listen")
    add_command(commands, "agent", _agent, "run the agent alone", AGENT)
    web = add_command(commands, "web", _web, "run the web part alone", WEB)
    web.add_argument("--listen", help="address:port instead of [server] listen")
    worker = add_command(commands, "worker", _worker, "ask the nodes of a network for an agent elsewhere", WORKER)
    worker.add_argument("--network", default="", help="the [[network]] whose nodes it asks")
    worker.add_argument("--show-key", action="store_true", help="print the public key; where there is none, make one")
    _add_sweep(commands)
    check = add_command(
        commands, "check-config", _check_config, "what is wrong with the configuration, and where", CHECK
    )
    check.add_argument("--node", default="", help="the node to try; default: one that is idle")
    check.add_argument("--offline", action="store_true", help="ask neither Slurm nor a node")
    add_command(commands, "notify-test", _notify_test, "send a test notice by each way of [notify]", NOTIFY)
    add_owner_commands(commands)
    demo = commands.add_parser("demo", help="serve a simulated cluster", epilog=DEMO)
    demo.add_argument("--nodes", type=whole(1), default=320, help="how many nodes it has")
    demo.add_argument("--listen", default="127.0.0.1:5000", help="address:port of the web server")
    demo.set_defaults(run=_demo)
    return parser


def _add_sweep(commands: argparse._SubParsersAction[Parser]) -> None:
    sweep = add_command(commands, "sweep", _sweep, "one sweep without a server, to standard output", SWEEP)
    sweep.add_argument("--groups", "-g", help="groups, nodesets and intersections; default: [sweep] groups")
    sweep.add_argument("--checks", "-c", help="checks, separated by commas; with some, the table is the matrix")
    sweep.add_argument("--format", "-f", choices=("table", "json", "ndjson", "csv"), default="table")
    sweep.add_argument("--matrix", action="store_true", help="nodes and checks in place of the morning round")
    sweep.add_argument("--width", type=whole(20), help="columns; default: the terminal's, else 80 for the round")
    sweep.add_argument("--fold", action="store_true", help="the matrix, one line for all nodes with the same diagnosis")
    sweep.add_argument("--exit-code", action="store_true", help="an exit status that says how the nodes are")


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
    from botd.commands.agent import run_agent

    _make_room()
    return run_agent(args.config)


def _web(args: argparse.Namespace) -> int:
    from botd.commands.web import run_web

    run_web(args.config, args.listen, args.log_level)
    return 0


def _worker(args: argparse.Namespace) -> int:
    from botd.commands.network_worker import public_key, work

    config = load_config(args.config)
    if args.show_key:
        write_out(f"{public_key(config)}\n".encode())
        return 0
    if not args.network:
        raise ConfigError("name the network that this worker is on, with --network")
    _make_room()
    work(config, args.network)
    return 0


def _make_room() -> None:
    """Prepares a process that asks a thousand nodes at once: open files up to the hard limit, quick thread changes.

    A thread that only passes on a packet would else wait 5 ms for each busy one before it (sys.setswitchinterval).
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(0.0005)


def _demo(args: argparse.Namespace) -> int:
    from botd.commands.demo_past import remember
    from botd.commands.demo_people import add_people
    from botd.commands.serve import check_port, serve
    from botd.demo import run_demo

    def serve_it(path: str) -> int:
        return serve(load_config(path), args.log_level)

    check_port(args.listen)
    return int(run_demo(args.nodes, args.listen, serve_it, add_people, remember))


def _check_config(args: argparse.Namespace) -> int:
    from botd.commands.check_config import check_config

    _make_room()
    path = _path(args)
    return _report(check_config(path, args.node, offline=args.offline), path)


def _notify_test(args: argparse.Namespace) -> int:
    from botd.commands.notify_test import notify_test

    path = _path(args)
    return _report(notify_test(load_config(path)), path)


def _path(args: argparse.Namespace) -> str:
    return args.config or os.environ.get("BOTD_CONFIG", "")


def _report(report: Iterable[Told], path: str) -> int:
    """Prints each line of a report as it comes; the exit status that they come to."""
    look, levels = look_of(None), []
    for told in report:
        levels.append(told.level)
        write_out(as_shown(f"{told.line(path)}\n".encode(), look))
    return status_of(levels)


def _sweep(args: argparse.Namespace) -> int:
    from botd.commands.sweep import sweep_once
    from botd.display.formats import Form

    _make_room()
    config = load_config(args.config)
    checks = site_checks(config)
    names = named(checks, args.checks or "all")
    groups = ",".join(config.sweep.groups) if args.groups is None else args.groups
    look = look_of(args.width)
    form = Form(args.format, look, args.fold)

    def write(body: bytes) -> None:
        write_out(as_shown(body, look) if form.name == "table" else body)

    matrix = bool(args.matrix or args.fold or args.checks)
    swept = sweep_once(config, checks, groups, names, form, write, matrix=matrix)
    if swept.cut:
        _say(swept.cut)
        return INTERRUPTED
    return swept.verdict if args.exit_code else 0
