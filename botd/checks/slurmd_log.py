"""What went wrong last, in slurmd's own words."""

from __future__ import annotations

from botd.answers import Output, Source
from botd.model import Check, Facts, Finding, Option, State
from botd.text import WIDTH, clean

_LINES = 5


_AGELESS = "? "
"""What the fragment writes before a line whose age it cannot tell."""


def parse_slurmd_log(output: Output, facts: Facts) -> Finding:
    """The last five lines of the slurmd log that tell of an error, oldest first; control characters are out.

    The detail says of how many of them the age is not known.
    """
    # [2026-11-23T20:16:54.211] error: Unable to register: Unable to contact slurm controller (connect failure)
    # ? [1234567] error: Unable to register: Unable to contact slurm controller (connect failure)
    if output.status != 0:
        return Finding(State.UNKNOWN, None, output.text or f"reading the log ended with {output.status}")
    found = [line for line in output.text.split("\n") if clean(line.removeprefix(_AGELESS))][-_LINES:]
    lines = [clean(line.removeprefix(_AGELESS)) for line in found]
    ageless = sum(line.startswith(_AGELESS) for line in found)
    if ageless:
        return Finding(State.WARN, lines, f"age unknown of {ageless} of {len(lines)}, the last: {lines[-1]}")
    if lines:
        return Finding(State.WARN, lines, lines[-1])
    return Finding(State.OK, lines, "no errors in the end of the log")


_RECENT = r"""
function at(year, month, day, time) {
  if (month + 0 < 3) { month += 12; year-- }
  day += 365 * year + int(year / 4) - int(year / 100) + int(year / 400) + int((153 * month - 457) / 5)
  return day * 86400 + substr(time, 1, 2) * 3600 + substr(time, 4, 2) * 60 + substr(time, 7, 2)
}
function ahead(zone) {
  sub(/^[.,][0-9]+/, "", zone); sub(/:/, "", zone)
  if (zone ~ /^Z/) return 0
  if (zone !~ /^[-+][0-9][0-9][0-9][0-9]/) return own
  return (substr(zone, 2, 2) * 3600 + substr(zone, 4, 2) * 60) * (zone ~ /^-/ ? -1 : 1)
}
function iso(text) {
  return at(substr(text, 1, 4), substr(text, 6, 2), substr(text, 9, 2), substr(text, 12, 8)) - ahead(substr(text, 20))
}
function short(text, year,   month, when) {
  month = index("JanFebMarAprMayJunJulAugSepOctNovDec", substr(text, 1, 3))
  if (!month) return ""
  when = at(year, (month + 2) / 3, substr(text, 5, 2), substr(text, 8, 8)) - own
  return when > now + 86400 ? short(text, year - 1) : when
}
BEGIN { own = 0; own = ahead(substr(now, 20)); year = substr(now, 1, 4); now = iso(now) }
{
  text = $0; sub(/^\[/, "", text); when = ""
  if (text ~ /^\{/ && match(text, /"time":"/)) text = substr(text, RSTART + 8)
  if (text ~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]/) when = iso(text)
  else if (text ~ /^[A-Z][a-z][a-z] [ 0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]/) when = short(text, year)
  if (when == "") print "? " $0
  else if (when >= now - 3600 * hours) print
}"""
"""Drops the lines that are too old and marks those that bear no time.

Plain awk, as mawk and busybox have no mktime everywhere: `at` counts seconds in the Gregorian calendar (+ 0, because
the text "11" is less than 3), `ahead` those that a zone is ahead of UTC, and without a zone the node is. A month
without a year is the last one of that name.

slurm.conf(5), LogTimeFormat, Slurm 22.05 to 25.11, each within brackets: iso8601 and iso8601_ms
`2026-11-23T20:16:54.211`, rfc5424, rfc5424_ms and rfc3339 with `+01:00` behind it, short `Nov 23 20:16:54`, and
thread_id `Nov  3 20:16:54.211345  1234 slurmd       0x7f3a`. clock is CPU time, and omit nothing: of no age. In JSON
(`"time":"2026-11-23T20:16:54"`) and from syslog they stand without the brackets.
"""

# The first tail makes an unreadable file end with its error and not with an empty answer. In a UTF-8 locale
# grep would stop at the first odd byte. "CANCELLED AT" is what a user or a time limit did to a job, which slurmstepd
# logs as an error on every node.
_COMMAND = f"""\
log={{path}}; tail -c 1 -- "$log" >/dev/null || exit 1
tail -c 65536 -- "$log" | grep -aiE 'error|fatal' | grep -avF 'CANCELLED AT' |
awk -v now="$(date +%Y-%m-%dT%H:%M:%S%z)" -v hours={{hours}} '{_RECENT}' |
cut -b 1-{WIDTH + len(_AGELESS)} | tail -n {_LINES}"""

CHECK = Check(
    name="slurmd_log",
    title="slurmd log",
    help="The last errors in slurmd's log.",
    source=Source.COMMAND,
    needs=("ssh",),
    command=_COMMAND,
    parse=parse_slurmd_log,
    lines=True,
    options=(
        Option("path", "str", "/var/log/slurm/slurmd.log", "The log; {node}, {short} and {cluster} are filled in."),
        Option("hours", "int", 24, "Errors older than this many hours are left out."),
    ),
)
