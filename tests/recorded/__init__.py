"""What real tools printed: a folder per tool and version, its index.json, and how a test replays one.

A recording is the bytes of standard output; the index has the command, exit status, seconds and standard error.
In a command `@TOKEN@` stands where botd writes a word of its own choice for each call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote

FOLDER = Path(__file__).parent
INDEX = "index.json"


@dataclass(frozen=True)
class Recording:
    """One run of a tool; `file` is below its version's folder, `exit` is below 0 when a signal ended it."""

    file: str
    command: list[str]
    exit: int = 0
    seconds: float = 0.0
    stderr: str = ""
    stdin: str = ""


def read_index(folder: Path) -> list[Recording]:
    """The recordings of one version's folder; none where it has no index yet."""
    path = folder / INDEX
    return [Recording(**entry) for entry in json.loads(path.read_text())] if path.exists() else []


def write_index(folder: Path, recordings: list[Recording]) -> None:
    """Write index.json, sorted by file."""
    entries = [asdict(each) for each in sorted(recordings, key=lambda each: each.file)]
    text = ",\n".join(json.dumps({k: v for k, v in entry.items() if v}, ensure_ascii=False) for entry in entries)
    (folder / INDEX).write_text(f"[\n{text}\n]\n")


def all_recordings() -> Iterator[tuple[str, Recording]]:
    """Every recording under its name, as `slurm-22.05.8/broken-nodes/sinfo.json`."""
    for path in sorted(FOLDER.glob(f"*/{INDEX}")):
        for recording in read_index(path.parent):
            yield f"{path.parent.name}/{recording.file}", recording


def recording(name: str) -> Recording:
    """The recording of that name."""
    folder, _, file = name.partition("/")
    return next(each for each in read_index(FOLDER / folder) if each.file == file)


def printed(name: str) -> bytes:
    """What a recording has of standard output."""
    return (FOLDER / name).read_bytes()


def replay(name: str, *, limit_s: float | None = None) -> str:
    """A shell script that does what the recorded tool did, with the token of its `--format` put in.

    With a limit, a tool that took longer than that hangs: it says nothing within any patience of a test.
    """
    told = recording(name)
    if limit_s is not None and told.seconds > limit_s:
        return "exec sleep 60"
    ending = f"exit {told.exit}" if told.exit >= 0 else f"kill {told.exit} $$"
    return (
        'token=none; for word in "$@"; do case "$word" in --format=*) token=${word#--format=}; esac; done\n'
        f'LC_ALL=C sed "s/@TOKEN@/${{token%%|*}}/" {quote(str(FOLDER / name))}\n'
        f"printf '%s' {quote(told.stderr)} >&2\n"
        f"{ending}"
    )
