"""Groups from files: the directories of pdsh and dsh, and hostlist files.

A directory holds one file per group, named after it, with nodes or nodesets on its lines, `#` comments, and
`#include NAME` for the nodes of another file: a full path, or a name that is looked for in the configured
directories, in their order (pdsh 2.35: dshgroup.c, wcoll.c). A hostlist file is one group named after the file,
which may include others of its directory, or has lines `name: nodeset`.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from botd.errors import BadNodeset, ConfigError
from botd.file_modes import check_unwritable
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

ALL = "all"
"""A group that most sites have a file of. It is the `all` of every request: the file is silently left out."""

_INCLUDE = re.compile(r"#include\s*[\"<]?([^\s\"<>]+)[\">]?")
_NAMED = re.compile(r"([^\s:,\[\]]+)\s*:(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _File:
    """What one file holds."""

    nodes: tuple[str, ...]
    includes: tuple[Path, ...]


class _Groups:
    """Groups and problems as they come together."""

    def __init__(self) -> None:
        self.found: dict[str, Group] = {}
        self.problems = Problems()

    def add(self, name: str, source: str, nodes: dict[str, None], where: str) -> None:
        """Keep a group, unless its name is bad or taken: the first definition wins."""
        if name == ALL:
            return
        if name in RESERVED:
            self.problems.add(f'{where}: "{name}" has a meaning of its own; give the group another name')
        elif name in self.found:
            self.problems.add(f'{where}: the group "{name}" is already defined by {self.found[name].source}')
        else:
            try:
                check_name(name)
            except BadNodeset as error:
                self.problems.add(f"{where}: {error}")
            else:
                self.found[name] = Group(name, source, tuple(sorted(nodes, key=natural_key)))


class _Files:
    """Files that include each other by names, which are looked for in `search`. Each is read once."""

    def __init__(self, search: Sequence[Path], problems: Problems) -> None:
        self._search = search
        self._problems = problems
        self._read: dict[str, _File] = {}
        self.opened: dict[Path, None] = {}

    def nodes_of(self, path: Path) -> dict[str, None]:
        """The nodes of this file and of all that it includes, each file once: a circle does no harm."""
        nodes: dict[str, None] = {}
        files = {os.path.realpath(path): path}
        waiting = list(files)
        for place in waiting:
            file = self._file(place, files[place])
            self.merge(nodes, file.nodes, f"{files[place]} in {path}")
            new = {os.path.realpath(each): each for each in file.includes}
            waiting += [each for each in new if each not in files]
            files = {**new, **files}
        return nodes

    def _file(self, place: str, path: Path) -> _File:
        """What the file at this real path holds."""
        if place not in self._read:
            nodes: dict[str, None] = {}
            includes: dict[Path, None] = {}
            for where, line in self.lines(path):
                if not _begins_include(line):
                    self.extend(nodes, line.partition("#")[0], where)
                elif included := self.included(line, where):
                    includes[included] = None
            self._read[place] = _File(tuple(nodes), tuple(includes))
        return self._read[place]

    def lines(self, path: Path) -> Iterator[tuple[str, str]]:
        """(`path:number`, text) of each line that says something; a file that cannot be read is a problem."""
        self.opened[path] = None
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except OSError as error:
            self._problems.add(f"{path}: {error.strerror}")
            return
        if len(data) > MAX_FILE:
            self._problems.add(f"{path}: larger than {MAX_FILE} bytes, so it is left out")
            return
        for number, line in enumerate(_decoded(data).split("\n"), 1):
            if text := line.rstrip():
                yield f"{path}:{number}", text

    def extend(self, nodes: dict[str, None], text: str, where: str) -> None:
        """Add the nodes of one line, or say what is wrong with it."""
        try:
            nodes.update(dict.fromkeys(expand(",".join(text.split()), max_nodes=MAX_NODES - len(nodes))))
        except BadNodeset as error:
            self._problems.add(f"{where}: {error}")

    def merge(self, nodes: dict[str, None], more: Iterable[str], where: str) -> None:
        """Add nodes that were read before, unless they are too many together."""
        together = {**nodes, **dict.fromkeys(more)}
        if len(together) > MAX_NODES:
            self._problems.add(f"{where}: left out, as there are more than {MAX_NODES} nodes with it")
        else:
            nodes.update(together)

    def included(self, line: str, where: str) -> Path | None:
        """The file that an `#include` names, or None after saying why there is none."""
        match = _INCLUDE.fullmatch(line)
        if not match:
            self._problems.add(f"{where}: no include: write #include NAME from the first column on, and nothing more")
            return None
        name = match[1]
        try:
            places = [Path(name)] if name.startswith("/") else [folder / check_name(name) for folder in self._search]
        except BadNodeset as error:
            self._problems.add(f"{where}: {error}")
            return None
        found = next(filter(os.path.isfile, places), None)
        if not found:
            told = f'"{name[:200]}"' if name.isprintable() else "of that name"
            looked = "" if name.startswith("/") else f" in {', '.join(map(str, self._search))}"
            self._problems.add(f"{where}: there is no file {told}{looked}")
        return found


def _begins_include(line: str) -> bool:
    return line.lstrip().startswith("#include")


def _decoded(data: bytes) -> str:
    """The text, without the byte order mark that editors of Windows put before it, in UTF-16 too."""
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_wide else "utf-8-sig", "replace")


def read_groups(settings: GroupSettings, resolve: Callable[[str], Path]) -> tuple[dict[str, Group], list[str]]:
    """The groups of all configured files by name, and `file:line: why` for everything left out.

    `resolve` makes a path of the configuration absolute. Never raises: what can be read is used.
    """
    groups = _Groups()
    directories = {directory: resolve(directory) for directory in settings.directories}
    files = _Files(tuple(directories.values()), groups.problems)
    expected = GroupSettings().directories
    for directory, path in directories.items():
        _read_directory(groups, files, path, may_be_missing=directory in expected)
    for name in settings.files:
        _read_hostlist(groups, resolve(name))
    return groups.found, groups.problems.told("groups")


def _read_directory(groups: _Groups, files: _Files, directory: Path, *, may_be_missing: bool) -> None:
    try:
        paths = sorted(directory.iterdir())
    except OSError as error:
        if not (may_be_missing and isinstance(error, FileNotFoundError)):
            groups.problems.add(f"{directory}: {error.strerror}")
        return
    for path in paths:
        if _is_group_file(path):
            groups.add(path.name, str(path), files.nodes_of(path), str(path))


def _is_group_file(path: Path) -> bool:
    # What is no regular file, a FIFO for one, could block for ever. Path.is_file raises where it may not look.
    is_named_so = not path.name.startswith((".", "#")) and not path.name.endswith(LEFTOVERS) and path.name != ALL
    return is_named_so and os.path.isfile(path)


# gpu: n[0000-0015].savio3,n0021.savio3
def _read_hostlist(groups: _Groups, path: Path) -> _Files:
    files = _Files([path.parent], groups.problems)
    unnamed: dict[str, None] = {}
    includes: dict[Path, str] = {}
    for where, line in files.lines(path):
        text = line.partition("#")[0].strip()
        if _begins_include(line):
            if included := files.included(line, where):
                includes[included] = where
        elif match := _NAMED.fullmatch(text):
            nodes: dict[str, None] = {}
            files.extend(nodes, match[2], where)
            groups.add(match[1], str(path), nodes, where)
        else:
            files.extend(unnamed, text, where)
    for included, where in includes.items():
        files.merge(unnamed, files.nodes_of(included), where)
    if unnamed:
        groups.add(path.stem, str(path), unnamed, str(path))
    return files


def why_not_believed(group: Group, settings: GroupSettings, resolve: Callable[[str], Path]) -> str:
    """Why a group of a file cannot be relied on where rights depend on it: others can write its file or one that it
    includes, or not everything in them can be read. Empty for one that can be, and for Slurm's.
    """
    path = Path(group.source)
    if not path.is_absolute():
        return ""
    groups = _Groups()
    if path.parent in map(resolve, settings.directories):
        files = _Files(tuple(map(resolve, settings.directories)), groups.problems)
        files.nodes_of(path)
    else:
        files = _read_hostlist(groups, path)
    try:
        for each in files.opened:
            check_unwritable(each, "the group file")
    except (OSError, ConfigError) as error:
        return str(error)
    return next(iter(groups.problems.told("groups")), "")
