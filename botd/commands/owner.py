"""What the owner of the ledger types: `botd audit`, `rearm`, `keys`, `ledger`, `user`."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from botd.commands.words import add_command
from botd.config import load_config
from botd.words import Parser


class Argument(NamedTuple):
    """An argument of a command: `nargs` as argparse has it."""

    name: str
    help: str
    nargs: str | None = None


class Words(NamedTuple):
    """What one command says of itself: its help, an example, and its arguments with their own help."""

    help: str
    example: str
    arguments: tuple[Argument, ...] = ()


GROUPS = {
    "audit": "the record of what was done",
    "keys": "the agent's keys",
    "history": "what was, before botd was there",
    "ledger": "the agent's own database",
    "user": "the people who may log in",
}
"""Words that stand before others, with their help."""

STATUS = "exit status: 0 done, 1 it failed, 2 it cannot be done as asked"


def add_owner_commands(commands: argparse._SubParsersAction[Parser]) -> None:
    """Adds the parsers of all of them."""
    groups = {"": commands}
    for name, (run, words) in COMMANDS.items():
        group, _, word = name.rpartition(" ")
        if group not in groups:
            groups[group] = commands.add_parser(group, help=GROUPS[group]).add_subparsers(metavar="COMMAND")
        status = "exit status: 0 whole, 1 broken, 2 it cannot be read" if run is _audit_verify else STATUS
        epilog = f"example:\n  botd {words.example}\n\nrun it as the user that the ledger belongs to\n{status}\n"
        command = add_command(groups[group], word, run, words.help, epilog)
        for argument in words.arguments:
            command.add_argument(argument.name, help=argument.help, nargs=argument.nargs)


# Each imports what it needs when it runs, as in `botd.cli`.


def _audit_verify(args: argparse.Namespace) -> int:
    from botd.commands.ledger import audit_verify

    return audit_verify(load_config(args.config), args.checkpoints)


def _rearm(args: argparse.Namespace) -> int:
    from botd.commands.ledger import rearm

    return rearm(load_config(args.config), args.reason)


def _keys_rotate(args: argparse.Namespace) -> int:
    from botd.commands.ledger import keys_rotate

    return keys_rotate(load_config(args.config))


def _ledger_backup(args: argparse.Namespace) -> int:
    from botd.commands.ledger import ledger_backup

    return ledger_backup(load_config(args.config), args.file)


def _history_import(args: argparse.Namespace) -> int:
    from botd.commands.history import history_import

    return history_import(load_config(args.config), args.since, args.file)


def _replay(args: argparse.Namespace) -> int:
    from botd.commands.history import replay_history

    return replay_history(load_config(args.config), args.since, args.policy)


def _user_add(args: argparse.Namespace) -> int:
    from botd.commands.user import add

    return add(load_config(args.config), args.login, args.role)


def _user_list(args: argparse.Namespace) -> int:
    from botd.commands.user import list_all

    return list_all(load_config(args.config))


def _user_role(args: argparse.Namespace) -> int:
    from botd.commands.user import role

    return role(load_config(args.config), args.login, args.role)


def _user_otp(args: argparse.Namespace) -> int:
    from botd.commands.user import otp

    return otp(load_config(args.config), args.login)


def _user_password(args: argparse.Namespace) -> int:
    from botd.commands.user import password

    return password(load_config(args.config), args.login)


def _user_lock(args: argparse.Namespace) -> int:
    from botd.commands.user import lock

    return lock(load_config(args.config), args.login, args.reason)


def _user_unlock(args: argparse.Namespace) -> int:
    from botd.commands.user import unlock

    return unlock(load_config(args.config), args.login)


def _user_remove(args: argparse.Namespace) -> int:
    from botd.commands.user import remove

    return remove(load_config(args.config), args.login)


SAVED = "sacctmgr -n -P show event event=node start=... format=NodeName,State,Start,End,User,Reason"

LOGIN = Argument("login", "who")
ROLES = Argument("role", "roles, as the roles file names them; none takes all away", "*")

COMMANDS = {
    "audit verify": (
        _audit_verify,
        Words(
            "whether the record is whole",
            "audit verify --checkpoints /var/log/botd-agent/checkpoints.jsonl",
            (Argument("--checkpoints", "a file of signed heads that the record must agree with"),),
        ),
    ),
    "rearm": (
        _rearm,
        Words(
            "allow acting again after the ledger was restored",
            "rearm 'the disk died, restored the backup of Monday'",
            (Argument("reason", "why, for the record"),),
        ),
    ),
    "keys rotate": (_keys_rotate, Words("put new keys in the place of the old ones", "keys rotate")),
    "ledger backup": (
        _ledger_backup,
        Words(
            "copy the ledger whole while the agent runs",
            "ledger backup /var/backups/botd/ledger.db",
            (Argument("file", "a file that is not there yet"),),
        ),
    ),
    "history import": (
        _history_import,
        Words(
            "take over what slurmdbd remembers of nodes; twice is as good as once",
            "history import --since 365d",
            (
                Argument("--since", "how far back: days, such as 90d; default: 365d"),
                Argument("--file", f"a saved output instead of sacctmgr, - for standard input: {SAVED}"),
            ),
        ),
    ),
    "replay": (
        _replay,
        Words(
            "what would have been recommended over a time on record",
            "replay --since 90d --policy try.toml",
            (
                Argument("--since", "how far back: days, such as 30d; default: 90d"),
                Argument("--policy", "a file with the table [advice] to try, instead of that of the configuration"),
            ),
        ),
    ),
    "user add": (_user_add, Words("add a person", "user add anna student", (LOGIN, ROLES))),
    "user list": (_user_list, Words("who there is, a line each", "user list")),
    "user role": (
        _user_role,
        Words("give a person these roles and no other", "user role anna student", (LOGIN, ROLES)),
    ),
    "user otp": (_user_otp, Words("show a new secret for codes, once", "user otp anna", (LOGIN,))),
    "user password": (_user_password, Words("ask for a new password", "user password anna", (LOGIN,))),
    "user lock": (
        _user_lock,
        Words(
            "lock a person out of everything",
            "user lock anna 'phone lost'",
            (LOGIN, Argument("reason", "why, for the record")),
        ),
    ),
    "user unlock": (_user_unlock, Words("unlock a person, whatever locked them", "user unlock anna", (LOGIN,))),
    "user remove": (_user_remove, Words("remove a person", "user remove anna", (LOGIN,))),
}
"""Every command with what it does and what it says of itself."""
