"""The words that commands have in common."""

from __future__ import annotations

import argparse

from botd.words import Parser


def add_command(commands: argparse._SubParsersAction[Parser], name: str, run: object, help: str, epilog: str) -> Parser:
    """The parser of a command that works by a configuration."""
    command = commands.add_parser(name, help=help, epilog=epilog)
    command.add_argument("--config", help="the configuration; default: BOTD_CONFIG, else all defaults")
    command.set_defaults(run=run)
    return command
