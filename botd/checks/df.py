"""Is a file system mounted, writable, answering and not full: one check per configured mount."""

from __future__ import annotations

import re
from shlex import quote

from botd.answers import Output, Source
from botd.checks.limits import CANNOT_RUN, human_bytes, judge
from botd.checks.processes import for_each_process
from botd.model import Check, Facts, Finding, Option, State

_FORMAT = "%S %b %f %a"
"""What is asked of stat(1): block size, then blocks in all, free, and free for an ordinary user."""

TIMED_OUT = 124
"""Exit status of timeout(1) when the time is up."""

OPTIONS = (
    Option("warn", "float", 90.0, "Used space above this percentage is a warning."),
    Option("fail", "float", 98.0, "Used space above this percentage is a failure."),
    Option("writable", "bool", True, "A read-only mount is a failure; `false` where it is meant to be one."),
)


def check_mount(name: str, path: str) -> Check:
    """The check `df_<name>` of the mount at `path`, which may end with a slash."""
    path = re.sub("/+", "/", path).rstrip("/") or "/"
    return Check(
        name=f"df_{name}",
        title=path,
        help=f"The file system at {path}: mounted, writable, size, free space, hung.",
        unit="B",
        source=Source.COMMAND,
        # A node that cannot even tell its uptime is slow, and its mounts are not to be blamed for that.
        needs=("ssh", "uptime"),
        parent="df",
        command=_command(path),
        guarded=_command(path, _guard(path)),
        parse=parse_df,
        reads_cut=True,
        plotted="free",
        options=OPTIONS,
    )


def parse_df(output: Output, facts: Facts) -> Finding:
    """An object of bytes (`size`, `free`) with `used_percent`, `mounted`, `read_only` and `hung`.

    The mount table comes first, because it never touches the file system; a statfs that does not come back
    after it, or a fragment of which nothing came back at all, is a hung mount. The last mount line counts.
    Free is what an ordinary user may use, as df(1) has it.
    """
    # mount rw
    # 4096 248515606 113203562 100562026
    lines = output.text.splitlines()
    mounts = [line for line in lines if line.startswith("mount")]
    rest = " ".join(line for line in lines if line not in mounts)
    options = mounts[-1].removeprefix("mount").strip() if mounts else ""
    if output.timed_out and not mounts and not output.detail:
        return Finding(State.UNKNOWN, None, "the node is too slow: the time was up before statfs was asked")
    if output.timed_out:
        why = output.detail or "does not return"
        return Finding(State.FAIL, _value(mounted=bool(options) or None, hung=True), f"hung: statfs {why}")
    if not mounts or output.status is None or output.status in CANNOT_RUN:
        raise ValueError("no mount line, or no stat")
    if output.status != 0:
        return Finding(State.FAIL, _value(mounted=bool(options)), rest if options else "not mounted")
    return _judge(options, rest, facts)


def _judge(options: str, line: str, facts: Facts) -> Finding:
    block, blocks, free_blocks, available = (int(word) for word in line.split())
    used = blocks - free_blocks
    percent = round(100 * used / (used + available), 1) if used + available else 0.0
    read_only = "ro" in options.split(",")
    value = _value(block * blocks, block * available, percent, mounted=bool(options), read_only=read_only)
    words = f"{human_bytes(block * available)} free of {human_bytes(block * blocks)}, {percent:.0f}% used"
    if not options:
        return Finding(State.FAIL, value, f"not mounted: a directory of a file system with {words}")
    if read_only and facts.settings["writable"]:
        return Finding(State.FAIL, value, f"read-only; {words}")
    state = judge(percent, facts.settings["warn"], facts.settings["fail"])
    return Finding(state, value, f"read-only; {words}" if read_only else words)


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
    """Prints whether the path is mounted, `rw` or `ro`, then block size, blocks, free and available (stat(1)).

    The last line of the mount table wins, as the last mount hides the others; in it a blank of a path is written
    as \040 (proc_mounts(5)). What an automounter serves is mounted by the first statfs, and its own line in the
    table (autofs(5)) is no mount.
    """
    shown = path.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")
    return f"""\
path={quote(path)} shown={quote(shown)}
look() {{ type= mode=; while read -r _ at kind opts _; do
[ "$at" = "$shown" ] && type=$kind mode=${{opts%%,*}}; done </proc/self/mounts; }}
look; echo "mount $mode"; {guard}
case $type in autofs|'') stat -f -c '{_FORMAT}' "$path" >/dev/null 2>&1; look
[ "$type" = autofs ] && mode=; echo "mount $mode";; esac
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
