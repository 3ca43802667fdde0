"""The lines of an ssh_config, cut into words as OpenSSH cuts them (strdelim and argv_split in its misc.c, 9.2)."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from botd.errors import ConfigError
from botd.file_modes import check_unwritable
from botd.transport.ssh.account import in_home

OWN_PLACES = ("~/.ssh", "/etc/ssh")
"""Where ssh takes a relative Include from: the user's and the system's place, wherever the file itself lies."""

ALIASES = {"identityfile2": "identityfile"}

_LINE = re.compile(r"([^\s=\"#]+)[ \t\r]*=?[ \t\r]*(.*)", re.DOTALL)
_QUOTED = r"""\"(?:\\['"\\]|[^"])*+"|'(?:\\['"\\]|[^'])*+'"""
_WORD = re.compile(rf"(?:\\['\"\\ ]|{_QUOTED}|[^ \t\"'])++(?=[ \t]|\Z)")
_PIECE = re.compile(rf"(?P<escaped>\\['\"\\ ])|(?P<quoted>{_QUOTED})")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: where it stands, its keyword in small letters and as written, all behind it, and the words of that."""

    path: Path
    number: int
    keyword: str
    written: str
    rest: str
    words: tuple[str, ...]

    @property
    def word(self) -> str:
        """The one word behind the keyword."""
        return self.words[0]

    def refused(self, why: str) -> ConfigError:
        """The error that ends the start over this line."""
        return ConfigError(f"{self}: {why}")

    def __str__(self) -> str:
        return f"{self.path} line {self.number}"


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of one file that are neither empty nor comments. Raises ConfigError naming file and line, or a
    file that others can write."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        check_unwritable(path, "the ssh_config")
    except OSError as error:
        raise ConfigError(f"cannot read the ssh_config {path}: {error.strerror}") from error
    for number, line in enumerate(text.split("\n"), 1):
        if (stripped := line.strip(" \t\r\f")) and not stripped.startswith("#"):
            yield _read_line(path, number, stripped)


def _read_line(path: Path, number: int, text: str) -> Line:
    #     ProxyJump = hop@gw1:2200
    found = _LINE.fullmatch(text)
    if not found:
        raise ConfigError(f"{path} line {number}: it does not begin with a keyword")
    rest = found[2]
    keyword = ALIASES.get(found[1].lower(), found[1].lower())
    words = split_words(rest)
    line = Line(path, number, keyword, found[1], rest, tuple(words or ()))
    if words is None:
        raise line.refused("a quotation mark is not closed")
    if not rest:
        raise line.refused(f"nothing stands behind {found[1]}")
    return line


def split_words(text: str) -> list[str] | None:
    """The words up to a comment, without their quotation marks; None when a mark is not closed.

    A comment is a word that begins with `#`; within a word the sign is an ordinary one.
    """
    words = []
    at = 0
    while (at := at + len(text[at:]) - len(text[at:].lstrip(" \t"))) < len(text) and text[at] != "#":
        found = _WORD.match(text, at)
        if not found:
            return None
        words.append(_PIECE.sub(_plain, found[0]))
        at = found.end()
    return words


def _plain(piece: re.Match[str]) -> str:
    if piece["escaped"]:
        return piece["escaped"][1]
    return re.sub(r"""\\(['"\\])""", r"\1", piece["quoted"][1:-1])


def included_files(line: Line, top: Path) -> Iterator[Path]:
    """The files that an Include line names, in their order; patterns that match nothing name none.

    `top` is the file that all began with. Raises ConfigError for a relative name that ssh would look for in another
    place than a reader of the file would.
    """
    for word in line.words:
        if re.search(r"%|\$\{", word):
            raise line.refused("botd fills in nothing in the paths of Include, as OpenSSH before 10 did not")
        if not word.startswith(("/", "~")):
            word = str(_own_place(line, top) / word)
        yield from (Path(name) for name in sorted(glob.glob(in_home(word))) if not os.path.isdir(name))


def _own_place(line: Line, top: Path) -> Path:
    place = top.absolute().parent
    if place not in [Path(in_home(own)) for own in OWN_PLACES]:
        raise line.refused("ssh takes a relative Include from ~/.ssh, wherever this file lies: write its full path")
    return place
