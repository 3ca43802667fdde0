"""Groups from files: the directories of pdsh and dsh, and hostlist files.

A directory holds one file per group, named after it, with nodes or nodesets on its lines, `#` comments, and
`#include NAME` for the nodes of another group (pdsh(1), dshgroup module). A hostlist file is one group named
after the file, or has lines `name: nodeset`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from botd.errors import BadNodeset
from botd.inventory.problems import Problems
from botd.inventory.request import RESERVED
from botd.model import Group
from botd.nodeset import MAX_NODES, check_name, expand, natural_key
from botd.settings import GroupSettings

MAX_FILE = 4 * 1024 * 1024
"""Bytes of one group file. 10,000 full names take 0.2 MB."""

LEFTOVERS = (
    "~",
    ".bak",
    ".orig",
    ".swp",
    ".rpmsave",
    ".rpmnew",
    ".rpmorig",
    ".dpkg-bak",
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-old",
)
"""Endings of files that editors and package managers leave behind."""

_INCLUDE = re.compile(r"#include\s+[\"<]?([^\s\">]+)[\">]?\s*")
_NAMED = re.compile(r"([^\s:,\[\]]+)\s*:(.*)", re.DOTALL)


class _Reading:
    """Groups and problems as they come together."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.problems = Problems()

    def add(self, name: str, source: str, nodes: dict[str, None], where: str) -> None:
        """Keep a group, unless its name is bad or taken: the first definition wins."""
        if name in RESERVED:
            self.problems.add(f'{where}: "{name}" has a meaning of its own; give the group another name')
        elif name in self.groups:
            first = self.groups[name].source
            self.problems.add(f'{where}: the group "{name}" is already defined by {first}')
        else:
            try:
                check_name(name)
            except BadNodeset as error:
                self.problems.add(f"{where}: {error}")
            else:
                self.groups[name] = Group(name, source, tuple(sorted(nodes, key=natural_key)))

    def extend(self, nodes: dict[str, None], text: str, where: str) -> None:
        """Add the nodes of one line, or say what is wrong with it."""
        try:
            nodes.update(dict.fromkeys(expand(",".join(text.split()), max_nodes=MAX_NODES - len(nodes))))
        except BadNodeset as error:
            self.problems.add(f"{where}: {error}")

    def lines(self, path: Path) -> Iterator[tuple[str, str]]:
        """(`path:number`, text) of each line that says something; a file that cannot be read is a problem."""
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except OSError as error:
            self.problems.add(f"{path}: {error.strerror}")
            return
        if len(data) > MAX_FILE:
            self.problems.add(f"{path}: larger than {MAX_FILE} bytes, so it is left out")
            return
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            if text := line.strip():
                yield f"{path}:{number}", text


def read_groups(settings: GroupSettings, resolve: Callable[[str], Path]) -> tuple[dict[str, Group], list[str]]:
    """The groups of all configured files by name, and `file:line: why` for everything left out.

    `resolve` makes a path of the configuration absolute. Never raises: what can be read is used.
    """
    reading = _Reading()
    expected = GroupSettings().directories
    for directory in settings.directories:
        _read_directory(reading, resolve(directory), may_be_missing=directory in expected)
    for name in settings.files:
        _read_hostlist(reading, resolve(name))
    return reading.groups, reading.problems.told("groups")


def _read_directory(reading: _Reading, directory: Path, *, may_be_missing: bool) -> None:
    try:
        paths = sorted(directory.iterdir())
    except OSError as error:
        if not (may_be_missing and isinstance(error, FileNotFoundError)):
            reading.problems.add(f"{directory}: {error.strerror}")
        return
    for path in paths:
        if _is_group_file(path):
            reading.add(path.name, str(path), _read_group(reading, path), str(path))


def _is_group_file(path: Path) -> bool:
    # Opening what is not a regular file, a FIFO for one, could block for ever.
    return not path.name.startswith((".", "#")) and not path.name.endswith(LEFTOVERS) and path.is_file()


def _read_group(reading: _Reading, path: Path) -> dict[str, None]:
    """The nodes of one group file and of those that it includes, each file once: a circle does no harm."""
    nodes: dict[str, None] = {}
    files = [path]
    for file in files:
        for where, line in reading.lines(file):
            if not (include := _INCLUDE.fullmatch(line)):
                reading.extend(nodes, line.partition("#")[0], where)
            elif (included := _included(reading, where, path.parent, include[1])) and included not in files:
                files.append(included)
    return nodes


def _included(reading: _Reading, where: str, directory: Path, name: str) -> Path | None:
    """The file of an included group, which lies in the same directory."""
    try:
        path = directory / check_name(name)
    except BadNodeset as error:
        reading.problems.add(f"{where}: {error}")
        return None
    if not path.is_file():
        reading.problems.add(f'{where}: there is no group "{name}" in {directory}')
        return None
    return path


# gpu: n[0000-0015].savio3,n0021.savio3
def _read_hostlist(reading: _Reading, path: Path) -> None:
    unnamed: dict[str, None] = {}
    for where, line in reading.lines(path):
        text = line.partition("#")[0]
        if match := _NAMED.fullmatch(text):
            nodes: dict[str, None] = {}
            reading.extend(nodes, match[2], where)
            reading.add(match[1], str(path), nodes, where)
        else:
            reading.extend(unnamed, text, where)
    if unnamed:
        reading.add(path.stem, str(path), unnamed, str(path))
