"""`python -m tests.manual`: writes share/, the manual pages and completions of botd and bofhbot.

argparse-manpage and shtab make them of the parsers; the examples of each command are added to the page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import shtab
from argparse_manpage.manpage import Manpage

from botd.cli import _parser as botd_parser
from botd.client.cli import bofhbot_parser
from botd.words import Parser

ROOT = Path(__file__).parent.parent
SHARE = ROOT / "share"

PARSERS = {"botd": botd_parser, "bofhbot": bofhbot_parser}

PLACES = {
    "bash": "bash-completion/completions/{}",
    "zsh": "zsh/site-functions/_{}",
}
"""Where each shell looks for the completion of a command (bash-completion 2.11, zsh 5.9)."""

NO_DATE = "2026-01-01"
"""The pages are kept with the sources, and are the same whenever they are made."""

MANUAL = "man/man1/{}.1"


def documents() -> Mapping[Path, str]:
    """The files as they have to be, by their paths below share/."""
    os.environ["COLUMNS"] = "80"  # how wide argparse writes
    found: dict[Path, str] = {}
    for name, parser in PARSERS.items():
        found[Path(MANUAL.format(name))] = _page(parser())
        for shell, place in PLACES.items():
            found[Path(place.format(name))] = _completion(parser(), shell)
    return found


def _page(parser: Parser) -> str:
    said = str(parser.description).rstrip(".")
    examples = "".join(_sections(parser))
    parser.epilog = None  # argparse-manpage would fill its lines
    data = {"description": said, "date": NO_DATE, "project_name": "botd", "manual_title": "botd"}
    page = Manpage(parser, _data=data)
    page.add_section("examples", ">", examples)
    return re.sub(r" +$", "", str(page), flags=re.MULTILINE)


def _sections(parser: Parser) -> Iterator[str]:
    """What stands behind the options of each command, with its lines as they are."""
    for name, command in {"": parser, **parser.commands()}.items():
        if command.epilog:
            yield f".SS {_roff(f'{parser.prog} {name}'.strip())}\n.nf\n{_roff(command.epilog.strip())}\n.fi\n"


def _roff(text: str) -> str:
    r"""Text in which groff obeys nothing (groff(7)): `\e` is a backslash, `\&` keeps a line from being a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", escaped, flags=re.MULTILINE)


def _completion(parser: Parser, shell: str) -> str:
    """The completion without what shtab says of installing it by hand."""
    text = shtab.complete(parser, shell)
    return re.sub(r"^# (?:Usage|See also|\d\)|   ).*\n", "", text, flags=re.MULTILINE)


def write() -> None:
    """Writes them all."""
    for path, text in documents().items():
        (SHARE / path).parent.mkdir(parents=True, exist_ok=True)
        (SHARE / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
