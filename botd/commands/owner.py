"""What the owner of the ledger types: `botd audit`, `rearm`, `keys`, `ledger`."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from botd.commands.words import Parser, add_command
from botd.config import load_config


class Words(NamedTuple):
    """What one command says of itself: its help, an example, and its arguments with their own help."""

    help: str
    example: str
    arguments: tuple[tuple[str, str], ...] = ()


GROUPS = {
    "audit": "the record of what was done",
    "keys": "the agent's keys",
    "ledger": "the agent's own database",
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
        for argument, told in words.arguments:
            command.add_argument(argument, help=told)


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


COMMANDS = {
    "audit verify": (
        _audit_verify,
        Words(
            "whether the record is whole",
            "audit verify --checkpoints /var/log/botd-agent/checkpoints.jsonl",
            (("--checkpoints", "a file of signed heads that the record must agree with"),),
        ),
    ),
    "rearm": (
        _rearm,
        Words(
            "allow acting again after the ledger was restored",
            "rearm 'the disk died, restored the backup of Monday'",
            (("reason", "why, for the record"),),
        ),
    ),
    "keys rotate": (_keys_rotate, Words("put new keys in the place of the old ones", "keys rotate")),
    "ledger backup": (
        _ledger_backup,
        Words(
            "copy the ledger whole while the agent runs",
            "ledger backup /var/backups/botd/ledger.db",
            (("file", "a file that is not there yet"),),
        ),
    ),
}
"""Every command with what it does and what it says of itself."""
