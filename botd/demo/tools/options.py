"""How the stand-ins read their arguments: tables of options, and getopt's own words for what is wrong."""

from __future__ import annotations

import getopt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class Usage(Exception):
    """Raised when a tool refuses its arguments; the text is what it writes to standard error, without the newline."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its letter, if it has one, its long name, and whether a value belongs to it."""

    letter: str
    name: str
    takes: bool = False

    @property
    def spellings(self) -> tuple[str, ...]:
        """As they are typed: `-h`, `--noheader`."""
        return (f"-{self.letter}", f"--{self.name}") if self.letter else (f"--{self.name}",)


@dataclass(frozen=True)
class Asked:
    """What a command line asks for: options by long name, with an empty text for those without value, and the rest."""

    options: Mapping[str, str]
    operands: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Whether the option is given."""
        return name in self.options

    def text(self, name: str, usual: str = "") -> str:
        """The value of an option, or the usual one."""
        return self.options.get(name, usual)

    def words(self, name: str) -> list[str]:
        """The value of an option as a list of words with commas between."""
        return [word for word in self.text(name).split(",") if word]


def read_options(tool: str, options: Sequence[Option], words: Sequence[str], *, hint: str = "") -> Asked:
    """What the words ask for. Raises Usage in the words of getopt_long(3), with the hint as a second line."""
    letters = "".join(option.letter + ":" * option.takes for option in options if option.letter)
    names = [option.name + "=" * option.takes for option in options]
    try:
        found, operands = getopt.gnu_getopt(list(words), letters, names)
    except getopt.GetoptError as error:
        raise Usage("\n".join(filter(None, (f"{tool}: {_complaint(error)}", hint)))) from None
    full = {spelling: option.name for option in options for spelling in option.spellings}
    return Asked({full[spelling]: value for spelling, value in found}, tuple(operands))


def _complaint(error: getopt.GetoptError) -> str:
    """Python's words for an unreadable option in those of the C library."""
    letter = len(error.opt) == 1
    if "requires argument" in error.msg:
        return (
            f"option requires an argument -- '{error.opt}'"
            if letter
            else f"option '--{error.opt}' requires an argument"
        )
    if "must not have" in error.msg:
        return f"option '--{error.opt}' doesn't allow an argument"
    return f"invalid option -- '{error.opt}'" if letter else f"unrecognized option '--{error.opt}'"
