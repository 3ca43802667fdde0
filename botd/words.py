"""The words of a command line: read strictly, and one good sentence for each that is wrong."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from botd.errors import BotdError, did_you_mean
from botd.output import CLOSED_PIPE, forget_output, write_out
from botd.text import shown

_PLAINER = (
    ("^argument ", ""),
    ("expected one argument$", "needs a value"),
    ("ignored explicit argument (.*)$", r"takes no value, and was given \1"),
)
"""What argparse says of its own (Python 3.11 to 3.13), and what is said here."""

_WHOLE = re.compile(r"\d{1,9}")


class Parser(argparse.ArgumentParser):
    """A parser that takes no option by its first letters, and says in one sentence what is wrong and what would do."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)
        self.set_defaults(parser=self)

    def read(self, words: Sequence[str] | None) -> argparse.Namespace:
        """The words as one namespace, in which `parser` is that of the command. Ends the program where they are wrong.

        Raises SystemExit with 2, or with 0 after `--help` and `--version`.
        """
        args, left = self.parse_known_args(words)
        command: Parser = args.parser
        if left:
            command.error(command.about(left[0], self))
        if (below := command.below()) and "run" not in args:
            command.error(f"which command? {_listed(list(below))}")
        return args

    def error(self, message: str) -> NoReturn:
        """Says what is wrong, and ends the program with 2."""
        for theirs, ours in _PLAINER:
            message = re.sub(theirs, ours, message)
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def about(self, word: str, top: Parser) -> str:
        """What is wrong with a word that no option asked for."""
        name = word.partition("=")[0]
        if not word.startswith("-"):
            hint = (
                "; name nodes with --groups, and quote a list that has blanks" if "--groups" in self.options() else ""
            )
            return f'nothing asks for the word "{shown(word)}"{hint}'
        if name in top.options():
            return f"{name} stands before the command, as in {top.prog} {name} ... {self.prog.split()[-1]}"
        return f'there is no option "{shown(name)}"{did_you_mean(name, self.options())}'

    def options(self) -> list[str]:
        """The names of all options."""
        return list(self._option_string_actions)

    def below(self) -> dict[str, Parser]:
        """The parsers of the words that may follow."""
        found = [action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return {name: parser for choices in found for name, parser in choices.items()}

    def commands(self) -> dict[str, Parser]:
        """The parsers of all commands by their names, of one word or two."""
        found: dict[str, Parser] = {}
        for word, parser in self.below().items():
            found |= {f"{word} {name}": each for name, each in parser.commands().items()} or {word: parser}
        return found

    def _print_message(self, message: str, file: Any = None) -> None:
        """As argparse's own, which takes a full disk for success."""
        if file is not sys.stdout or not message:
            return super()._print_message(message, file)
        try:
            write_out(message.encode())
        except BrokenPipeError:
            forget_output()
            self.exit(CLOSED_PIPE)
        except BotdError as error:
            self.exit(1, f"{self.prog}: {error}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse's own, in words that name what is near."""
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            hint = did_you_mean(str(value), known)
            raise argparse.ArgumentError(
                None if isinstance(action.choices, dict) else action,
                f'there is no "{shown(str(value))}"{hint or f"; there is {_listed(known)}"}',
            )


def whole(least: int) -> Callable[[str], int]:
    """What reads an option that is a whole number, and refuses one below `least`."""

    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or int(text) < least:
            raise argparse.ArgumentTypeError(f'needs a whole number from {least} on, not "{shown(text)}"')
        return int(text)

    return read


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
