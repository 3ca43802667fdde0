"""The command `bofhbot`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from botd import __version__
from botd.client import acting, looking, noting, people
from botd.client.asking import Asking, asking, explained, told
from botd.client.forms import NO_FIELDS, Fields
from botd.client.sites import Site
from botd.client.suggest import suggest
from botd.client.trouble import Trouble
from botd.errors import BotdError
from botd.output import CLOSED_PIPE, forget_output
from botd.words import Parser, whole

UNKNOWN = 3
"""The exit status of `--exit-code` where nothing could be read."""

INTERRUPTED = 130
"""The exit status after Ctrl-C, as a shell has it."""

Command = Callable[[Asking], int]

ROUND = """\
examples:
  bofhbot                                the morning round
  bofhbot -g savio2                      of a partition
  bofhbot --site all                     of all sites, in one table
  bofhbot --json node,diagnosis,action   for a program
  bofhbot --exit-code >/dev/null         0 nobody is needed, 1 all are somebody's already, 2 somebody is needed,
                                         3 not known

On a terminal there is a table, on a pipe values between tabs without a header. BOFHBOT_URL, or a file of sites, says
which botd is asked.

exit status: 0 done, 1 it failed, 2 it cannot be done as asked, 130 after Ctrl-C, 141 when the reader went away
"""

CHECK = """\
examples:
  bofhbot check -g sinfo/savio2          the drained and down nodes of a partition
  bofhbot check -g n0004.savio2 --now    one node, with a new login
  bofhbot check -c ping,ssh,df           by some checks
  bofhbot check --exit-code >/dev/null   0 all is well, 1 warnings, 2 failures, 3 something is unknown
"""

SHOW = """\
example:
  bofhbot show n0004.savio2
"""

HISTORY = """\
example:
  bofhbot history n0004.savio2 --since 30d
"""

REPORT = """\
examples:
  bofhbot report --month 2026-11
  bofhbot report --since 7d -g savio2
  bofhbot report --month 2026-11 --csv >november.csv
"""

LOGIN = """\
examples:
  bofhbot login                          as your name on this machine
  bofhbot --site brc login anna
"""

TOKENS = """\
examples:
  bofhbot tokens
  bofhbot tokens --new nightly --hours 12 >~/.config/bofhbot.token
  bofhbot tokens --end 7
"""

LOG = """\
examples:
  bofhbot log --limit 20
  bofhbot log --json at,by,kind,about
"""

NOTE = """\
examples:
  bofhbot note n0017.bigmem 'parts ordered'
  bofhbot note --ticket n[0003-0007].savio2 'RT 4711'
"""

ACK = """\
example:
  bofhbot ack n0017.bigmem 'I am on it'
"""

SNOOZE = """\
examples:
  bofhbot snooze n0017.bigmem 12h
  bofhbot snooze n[0003-0007].savio2 2026-11-27T08:00Z 'back on Friday'
"""

NOTES = """\
examples:
  bofhbot notes
  bofhbot notes n0017.bigmem
  bofhbot notes --end 4
"""

DO = """\
examples:
  bofhbot do drain n0004.savio2 --reason 'fan fails'
  bofhbot do power-cycle n0012.savio2 --reason 'hangs again' --ssh
  bofhbot do resume n[0004-0007].savio2 --munge --otp

Where nothing is said, a code is asked for when botd wants one. exit status: 0 succeeded, 1 failed, 2 refused, 3 nobody
knows, 4 it awaits a second person
"""

ACTIONS = """\
examples:
  bofhbot actions --state under-way
  bofhbot actions n0012.savio2 --since 7d
"""

STOP = """\
examples:
  bofhbot stop 17
  bofhbot stop 17 --batch
  bofhbot stop --reason 'smoke in the room'
"""

HARM = """\
examples:
  bofhbot harm 17 --reason 'job 44162 was lost'
  bofhbot harm 17 --not-it --reason 'the switch was rebooted'
"""

SUGGEST = """\
example:
  bofhbot suggest -g savio2 >todo.sh; $EDITOR todo.sh; sh todo.sh
"""

TAIL = """\
example:
  bofhbot tail n0004.savio2 slurmd
"""

CHANGES = """\
examples:
  bofhbot changes --since 12h
  bofhbot changes --since 2026-11-23T08:00Z -g savio2 --json at,node,subject,new
"""


def run() -> NoReturn:
    """The program: `main`, and an end that no request which is still under way holds up."""
    try:
        status = main()
    except SystemExit as end:  # --help, --version, and words that are wrong
        status = UNKNOWN if end.code == 2 and "--exit-code" in sys.argv else int(end.code or 0)
    with suppress(OSError):
        if sys.stdout is not None:
            sys.stdout.flush()
    os._exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; its exit status. Raises SystemExit for words that are wrong, and after `--help`."""
    args = bofhbot_parser().read(argv)
    sites: Sequence[Site] = ()
    try:
        run = asking(args)
        sites = run.sites
        return int(args.run(run))
    except Trouble as error:
        told(explained(error, sites))
        return UNKNOWN if args.exit_code else error.exit_status
    except BotdError as error:  # a name that is none, output that cannot be written
        told(str(error))
        return UNKNOWN if args.exit_code else 2 if error.status < 500 else 1
    except BrokenPipeError:
        forget_output()
        return CLOSED_PIPE
    except KeyboardInterrupt:
        told(f"interrupted{args.goes_on}")
        return INTERRUPTED


def bofhbot_parser() -> Parser:
    """The words of the command line."""
    parser = Parser(prog="bofhbot", description="The morning round of an HPC cluster, asked of botd.", epilog=ROUND)
    parser.add_argument("--version", action="version", version=f"bofhbot {__version__}")
    parser.add_argument("--groups", "-g", help="groups, nodesets and intersections; default: those of botd")
    parser.add_argument("--since", help="what is new since a time, or within an age; default: 24h")
    parser.add_argument("--exit-code", action="store_true", help="an exit status that says how the nodes are")
    parser.add_argument("--site", help="one of the file of sites, or all")
    parser.add_argument("--json", metavar="FIELDS", help="these fields, separated by commas, as JSON")
    parser.set_defaults(run=looking.morning, goes_on="", fields=looking.ROUND.known)
    commands = parser.add_subparsers(metavar="COMMAND")
    _add_looking(commands)
    _add_report(commands)
    _add_people(commands)
    _add_noting(commands)
    _add_acting(commands)
    return parser


def _add_looking(commands: argparse._SubParsersAction[Parser]) -> None:
    check = _add(commands, "check", looking.check, "what nodes say, with every reading", CHECK, looking.CHECK)
    check.add_argument("--groups", "-g", help="groups, nodesets and intersections; default: those of botd")
    check.add_argument("--checks", "-c", help="checks, separated by commas; default: all")
    check.add_argument("--now", action="store_true", help="have the nodes asked now, and wait for it")
    check.add_argument("--exit-code", action="store_true", help="an exit status that says how the nodes are")
    check.set_defaults(goes_on="; botd goes on asking the nodes, and bofhbot check shows what they said")
    show = _add(commands, "show", looking.show, "one node, every reading in words", SHOW, looking.READING)
    show.add_argument("node", metavar="NODE")
    history = _add(
        commands, "history", looking.history, "what happened to one node, newest first", HISTORY, looking.CHANGE
    )
    history.add_argument("node", metavar="NODE")
    _add_span(history, "everything")
    tail = _add(commands, "tail", looking.tail, "a log of one node as it grows, until Ctrl-C", TAIL)
    tail.add_argument("node", metavar="NODE")
    tail.add_argument("log", metavar="LOG", help="one that botd's configuration names, such as slurmd")
    changes = _add(
        commands, "changes", looking.changes, "what happened in the cluster, newest first", CHANGES, looking.CHANGE
    )
    changes.add_argument("--groups", "-g", help="groups, nodesets and intersections; default: all")
    _add_span(changes, "24h")


def _add_report(commands: argparse._SubParsersAction[Parser]) -> None:
    words = "how available partitions were, and what kept nodes out"
    report = _add(commands, "report", looking.report, words, REPORT, looking.REPORT)
    report.add_argument("--groups", "-g", help="groups, nodesets and intersections; default: all")
    begins = report.add_mutually_exclusive_group()
    begins.add_argument("--month", help="a month such as 2026-11, in UTC")
    begins.add_argument("--since", help="a time or an age; default: 30d")
    report.add_argument("--until", help="a time or an age; default: now")
    report.add_argument("--csv", action="store_true", help="for a spreadsheet")


def _add_people(commands: argparse._SubParsersAction[Parser]) -> None:
    login = _add(commands, "login", people.login, "a session begins; asks for password and code", LOGIN)
    login.add_argument("login", metavar="LOGIN", nargs="?", help="default: your name on this machine")
    _add(commands, "logout", people.logout, "the session ends")
    _add(commands, "whoami", people.whoami, "who you are for botd, and what you may", fields=people.ME)
    tokens = _add(commands, "tokens", people.tokens, "your tokens for scripts", TOKENS, people.TOKEN)
    what = tokens.add_mutually_exclusive_group()
    what.add_argument("--new", metavar="NAME", help="a new one, which is shown this once")
    what.add_argument("--end", metavar="ID", type=whole(1), help="ends one")
    tokens.add_argument("--hours", type=whole(1), default=8, help="how long the new one is good; default: 8")
    tokens.add_argument("--scope", choices=("read", "ask"), default="read", help="what the new one may; default: read")
    log = _add(commands, "log", looking.log, "what people did and were refused, newest first", LOG, looking.AUDIT)
    log.add_argument("--limit", type=whole(1), default=100, help="at most so many; default: 100")


def _add_noting(commands: argparse._SubParsersAction[Parser]) -> None:
    said = _add(commands, "note", noting.note, "say something of nodes", NOTE)
    said.add_argument("nodes", metavar="NODES")
    said.add_argument("text", metavar="TEXT")
    said.add_argument("--ticket", action="store_true", help="the text is the number of a ticket")
    ack = _add(commands, "ack", noting.acknowledge, "say that somebody knows of it", ACK)
    ack.add_argument("nodes", metavar="NODES")
    ack.add_argument("text", metavar="TEXT", nargs="?", default="")
    snooze = _add(commands, "snooze", noting.snooze, "keep nodes out of the round until a time", SNOOZE)
    snooze.add_argument("nodes", metavar="NODES")
    snooze.add_argument("until", metavar="UNTIL", help="a time such as 2026-11-27T08:00Z, or how far ahead: 12h, 3d")
    snooze.add_argument("text", metavar="TEXT", nargs="?", default="")
    notes = _add(commands, "notes", noting.notes, "the notes on nodes", NOTES, noting.NOTE)
    notes.add_argument("nodes", metavar="NODES", nargs="?", help="default: all")
    notes.add_argument("--end", metavar="ID", type=whole(1), help="ends one")
    script = _add(commands, "suggest", suggest, "what botd suggests, as a script to edit and to run", SUGGEST)
    script.add_argument("--groups", "-g", help="groups, nodesets and intersections; default: those of botd")


def _add_acting(commands: argparse._SubParsersAction[Parser]) -> None:
    do = _add(commands, "do", acting.do, "ask for an action, and follow it to its end", DO, acting.ACTION)
    do.add_argument("action", metavar="ACTION", help="such as drain, resume or power-cycle")
    do.add_argument("nodes", metavar="NODES")
    do.add_argument("--reason", default="", help="why")
    do.add_argument("--no-wait", action="store_true", help="do not wait for its end")
    do.set_defaults(goes_on="; what was asked for goes on: bofhbot actions shows it, and bofhbot stop ends it")
    listed = _add(commands, "actions", acting.actions, "what was asked for, newest first", ACTIONS, acting.ACTION)
    listed.add_argument("nodes", metavar="NODES", nargs="?", help="default: all")
    listed.add_argument("--state", help="states, separated by commas; under-way for all that go on")
    _add_span(listed, "everything")
    approve = _add(commands, "approve", acting.approve, "agree to what another person asked for")
    approve.add_argument("id", metavar="ID", type=whole(1))
    veto = _add(commands, "veto", acting.veto, "say no to what waits for a second person")
    veto.add_argument("id", metavar="ID", type=whole(1))
    stop = _add(commands, "stop", acting.stop, "stop one action that was not sent, or everything", STOP)
    stop.add_argument("id", metavar="ID", type=whole(1), nargs="?", help="default: everything, and all to come")
    stop.add_argument("--reason", default="", help="why everything is stopped")
    stop.add_argument("--batch", action="store_true", help="also what was asked for together with it")
    harm = _add(commands, "harm", acting.harm, "say that an action did harm, or that it was not it", HARM)
    harm.add_argument("id", metavar="ID", type=whole(1))
    harm.add_argument("--not-it", action="store_true", help="what came after it was not its doing: it is not counted")
    harm.add_argument("--reason", default="", help="what came of it")
    on = _add(commands, "go-on", acting.go_on, "end a stop of everything")
    on.add_argument("--reason", default="", help="why")
    for command in (do, approve, on):
        _add_proof(command)


def _add_proof(command: Parser) -> None:
    command.add_argument(
        "--otp", action="store_true", help="with a code, which is asked for; beside --ssh and --munge too"
    )
    signed = command.add_mutually_exclusive_group()
    signed.add_argument("--ssh", action="store_true", help="with a signature by ssh_key of the site")
    signed.add_argument("--munge", action="store_true", help="with a credential of munge")
    command.add_argument("--login", help="whose ssh key it is; default: your name on this machine")


def _add_span(command: Parser, default: str) -> None:
    command.add_argument("--since", help=f"a time such as 2026-11-23T08:00Z, or an age such as 12h; default: {default}")
    command.add_argument("--limit", type=whole(1), default=100, help="at most so many; default: 100")


def _add(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    run: Command,
    help: str,
    epilog: str = "",
    fields: Fields = NO_FIELDS,
) -> Parser:
    """The parser of a command; what it shares with `bofhbot` itself may stand before its name, too."""
    command = commands.add_parser(name, help=help, epilog=epilog)
    command.add_argument("--site", default=argparse.SUPPRESS, help="one of the file of sites, or all")
    command.add_argument("--json", metavar="FIELDS", default=argparse.SUPPRESS, help="these fields as JSON")
    command.set_defaults(run=run, exit_code=False, fields=fields.known)
    return command
