"""Is a file system mounted, writable, answering and not full: one check per configured mount."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from operator import itemgetter
from shlex import quote
from typing import Any

from botd.answers import Output, Source
from botd.checks.limits import CANNOT_RUN, human_bytes, judge
from botd.checks.processes import for_each_process
from botd.checks.ranges import show_each
from botd.model import Check, Facts, Finding, Option, State

_FORMAT = "%S %b %f %a"
"""What is asked of stat(1): block size, then blocks in all, free, and free for an ordinary user."""

TIMED_OUT = 124
"""Exit status of timeout(1) when the time is up."""

BROKEN = ("shutdown", "emergency_ro")
"""Mount options of a file system that takes no writes since an error, where `ro` is not set: ext4, Linux 6.15."""


def check_mounts(mounts: Mapping[str, str]) -> list[Check]:
    """The checks of a site's mounts by name, but those without a path; at their end VAR, unless one of them is that."""
    named = [check_mount(name, path) for name, path in mounts.items() if path]
    is_named = "var" in mounts or VAR.title in [check.title for check in named]
    return named if is_named else [*named, VAR]


def check_mount(name: str, path: str) -> Check:
    """The check `df_<name>` of the mount at `path`, which may end with a slash."""
    path = re.sub("/+", "/", path).rstrip("/") or "/"
    return dataclasses.replace(
        CHECK,
        name=f"df_{name}",
        title=path,
        short_title=name,
        help=f"The file system at {path}: mounted, writable, size, free space, hung.",
        command=_command(path),
        guarded=_command(path, _guard(path)),
    )


def parse_df(output: Output, facts: Facts) -> Finding:
    """An object of bytes (`size`, `free`) with `used_percent`, `mounted`, `read_only` and `hung`.

    The mount table comes first, because it never touches the file system; a statfs that does not come back
    after it, or a fragment of which nothing came back at all, is a hung mount. The last mount line counts.
    Free is what an ordinary user may use, as df(1) has it. Of a plain directory that may be one, `mounted` is null,
    and the mount that it lies within tells whether it can be written to.
    """
    # mount rw
    # 4096 248515606 113203562 100562026
    table, rest = _split(output.text)
    options = table.get("mount", "")
    mounted = bool(options) or (False if facts.settings["mounted"] else None)
    if output.timed_out and not table and not output.detail:
        return Finding(State.UNKNOWN, None, "the node is too slow: the time was up before statfs was asked")
    if output.timed_out:
        why = output.detail or "does not return"
        return Finding(State.FAIL, _value(mounted=mounted or None, hung=True), f"hung: statfs {why}")
    if not table or output.status is None or output.status in CANNOT_RUN:
        raise ValueError("no mount line, or no stat")
    if output.status != 0:
        return Finding(State.FAIL, _value(mounted=mounted), "not mounted" if mounted is False else rest)
    return _judge(mounted, options or table.get("within", ""), rest, facts)


def show_df(value: Mapping[str, Any]) -> str:
    """`48% of 200.0 GiB`, or what is wrong with the mount."""
    if value["hung"]:
        return "hung"
    if value["mounted"] is False:
        return "not mounted"
    if value["used_percent"] is None:
        return "no answer"
    read_only = "read-only, " if value["read_only"] else ""
    return f"{read_only}{show_each(value['used_percent'], '{:.0f}%'.format)} of {show_each(value['size'], human_bytes)}"


def _split(text: str) -> tuple[dict[str, str], str]:
    """The options that the mount table gives for the path (`mount`) and around it (`within`), and all other lines."""
    # mount
    # within rw
    words = [(line, *line.partition(" ")) for line in text.splitlines()]
    table = {word: options.strip() for _, word, _, options in words if word in ("mount", "within")}
    return table, " ".join(line for line, word, _, _ in words if word not in table)


def _judge(mounted: bool | None, options: str, line: str, facts: Facts) -> Finding:
    block, blocks, free_blocks, available = (int(word) for word in line.split())
    used = blocks - free_blocks
    percent = round(100 * used / (used + available), 1) if used + available else 0.0
    closed = next((word for word in (*BROKEN, "ro") if word in options.split(",")), "")
    value = _value(block * blocks, block * available, percent, mounted=mounted, read_only=bool(closed))
    words = f"{human_bytes(block * available)} free of {human_bytes(block * blocks)}, {percent:.0f}% used"
    if mounted is False:
        return Finding(State.FAIL, value, f"not mounted: a directory of a file system with {words}")
    if closed:
        words = f"read-only{f' ({closed})' if closed in BROKEN else ''}; {words}"
    if closed in BROKEN or (closed and facts.settings["writable"]):
        return Finding(State.FAIL, value, words)
    return Finding(judge(percent, facts.settings["warn"], facts.settings["fail"]), value, words)


def _value(
    size: int | None = None,
    free: int | None = None,
    used_percent: float | None = None,
    *,
    mounted: bool | None = None,
    read_only: bool | None = None,
    hung: bool = False,
) -> dict[str, object]:
    return {
        "size": size,
        "free": free,
        "used_percent": used_percent,
        "mounted": mounted,
        "read_only": read_only,
        "hung": hung,
    }


def _command(path: str, guard: str = ":") -> str:
    """Prints whether the path is mounted, and how, then block size, blocks, free and available (stat(1)).

    How is `rw`, or what keeps it from being written to; the other options may be kilobytes (overlayfs). The last line
    of the mount table wins, as the last mount hides the others; in it a blank of a path is written as \040
    (proc_mounts(5)). What an automounter serves is mounted by the first statfs, and its own line in the table
    (autofs(5)) is no mount. Of a directory, the mount with the longest path around it is told too.
    """
    shown = path.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")
    return f"""\
path={quote(path)} shown={quote(shown)} real=
look() {{ type= mode= around=; while read -r _ at kind opts _; do
case ,$opts, in *,shutdown,*) opts=shutdown;; *,emergency_ro,*) opts=emergency_ro;; *,ro,*) opts=ro;; *) opts=rw; esac
[ "$at" = "$shown" ] && type=$kind mode=$opts
case $real/ in "${{at%/}}"/*) [ ${{#at}} -ge ${{#around}} ] && around=$at within=$opts; esac
done </proc/self/mounts; }}
look; echo "mount $mode"; {guard}
case $type in autofs|'') stat -f -c '{_FORMAT}' "$path" >/dev/null 2>&1; real=$(readlink -f "$path"); look
[ "$type" = autofs ] && mode=; echo "mount $mode"; echo "within $within";; esac
exec stat -f -c '{_FORMAT}' "$path\""""


def _guard(path: str) -> str:
    """Ends the fragment, as timeout(1) would, where a statfs that an earlier sweep left behind still hangs.

    It is not joined by another: on a dead file server each would stay for ever. One that is still there after a
    second is no sweep of this moment.
    """
    asked = f"stat -f -c {_FORMAT} {path} "
    is_ours = '[ -O "$p" ] && [ "$(tr "\\0" " " 2>/dev/null <"$p/cmdline")" = "$asked" ]'
    stuck = f"if {is_ours} && sleep 1 && {is_ours}; then exit {TIMED_OUT}; fi"
    return f"asked={quote(asked)}; {for_each_process('stat', stuck)}"


CHECK = Check(
    name="df_<name>",
    title="the path",
    help="A file system: mounted, writable, size, free space, hung.",
    unit="B",
    source=Source.COMMAND,
    # A node that cannot even tell its uptime is slow, and its mounts are not to be blamed for that.
    needs=("ssh", "uptime"),
    parent="df",
    parse=parse_df,
    reads_cut=True,
    show=show_df,
    sort_key=lambda value: None if value["hung"] or value["mounted"] is False else value["used_percent"],
    columns={
        "size_bytes": itemgetter("size"),
        "free_bytes": itemgetter("free"),
        "used_percent": itemgetter("used_percent"),
        "mounted": itemgetter("mounted"),
        "read_only": itemgetter("read_only"),
        "hung": itemgetter("hung"),
    },
    plotted="free",
    options=(
        Option("warn", "float", 90.0, "Used space above this percentage is a warning."),
        Option("fail", "float", 98.0, "Used space above this percentage is a failure."),
        Option("writable", "bool", True, "A read-only mount is a failure; `false` where it is meant to be one."),
        Option("mounted", "bool", True, "The path must be a mount point; `false` where a plain directory will do."),
    ),
)
"""What the checks of all mounts have in common; `check_mount` makes that of one."""

VAR = dataclasses.replace(
    check_mount("var", "/var"),
    options=tuple(
        dataclasses.replace(option, default=False) if option.name == "mounted" else option for option in CHECK.options
    ),
)
"""Every node has it, a mount or not, and is of no use when it is full: slurmd spools and everything logs there."""
