"""The checks that a site adds in its configuration, with no Python."""

from __future__ import annotations

import re
import shlex
from functools import partial

from botd.answers import Output, Source
from botd.checks.limits import CANNOT_RUN, judge
from botd.errors import ConfigError
from botd.model import BOOT, DIAGNOSIS, NOTE, REASON, SLURM, STARTED, Check, Facts, Finding, State
from botd.settings import CustomCheck
from botd.text import clean

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")

TAKEN = (
    *("all", "cmd", "df", "ipmi"),  # several checks, or part of a path
    *(SLURM, REASON, DIAGNOSIS, NOTE, BOOT, STARTED),  # in the history they are what Slurm, botd and people say
    *("ssh", "jobs"),  # what every check of a site needs, and what /hostinfo tells as Slurm's word
    *(
        "node",
        "nodeset",
        "count",
        "groups",
        "state",
        "slurm_state",
        *("action_at_least", "action_good", "action_of"),
        "reason_by",
        "reason_at",
        "family",
        "action",
    ),  # columns of a table
    *("read", "by", "since", "name"),  # and of the page and of `sort=`
)
"""Names that no check of a site may have, nor those that begin with `df_`: they mean something else already."""

MAX_TIMEOUT_S = 3600
"""As long as a command of the site may take; timeout(1) takes 0 as no limit at all."""


def check_command(spec: CustomCheck) -> Check:
    """The check of one `[[check]]` table. Raises ConfigError, naming the check, for what cannot work."""
    _validate(spec)
    return Check(
        name=spec.name,
        title=spec.title or spec.name,
        help=spec.help or f"A check of this site: {spec.command[:80]}",
        unit=spec.unit or None,
        source=Source.COMMAND,
        needs=("ssh",),
        # Through sudo the words go one by one and no shell runs as root: sudoers can then list exactly this command.
        command=f"sudo -n -- {shlex.join(shlex.split(spec.command))}" if spec.sudo else spec.command,
        timeout_s=spec.timeout,
        plotted="value" if spec.value == "number" else "",
        parse=partial(parse_command, spec),
        is_own=True,
    )


def parse_command(spec: CustomCheck, output: Output, facts: Facts) -> Finding:
    """The exit status, the first number or the first line, judged by the limits. The detail is what was printed.

    Digits inside a word are no number: `GPU0: 45` is 45. A command that could not even start says nothing of the node.
    """
    text = clean(output.text)
    if output.status is None:
        raise ValueError("no exit status")
    if output.status in CANNOT_RUN or (spec.sudo and output.status == 1 and text.startswith("sudo: ")):
        return Finding(State.UNKNOWN, None, f"cannot run: {text or output.status}")
    if spec.value == "exit":
        fail = 0.0 if spec.fail is None else spec.fail
        return Finding(judge(output.status, spec.warn, fail), output.status, text or f"exit status {output.status}")
    if output.status != 0:
        return Finding(State.UNKNOWN, None, f"exit status {output.status}: {text}")
    if spec.value == "text":
        return Finding(State.OK, clean(output.text.partition("\n")[0]), text)
    match = _NUMBER.search(text)
    if not match:
        raise ValueError("no number")
    number = float(match[0])
    return Finding(judge(number, spec.warn, spec.fail, worse=spec.worse), number, text)


def at(name: str) -> str:
    """Where a check of the site stands in the configuration, for a ConfigError."""
    return f"[[check]] name={name}"


def _validate(spec: CustomCheck) -> None:
    if not _NAME.fullmatch(spec.name):
        raise ConfigError(f'[[check]] name "{spec.name}": use lower-case letters, digits and "_"', at(spec.name))
    if spec.name in TAKEN or spec.name.startswith("df_"):
        raise ConfigError(
            f'[[check]] name "{spec.name}" is taken: answers say something else by it; give it another name',
            at(spec.name),
        )
    if not spec.command.strip() or "\0" in spec.command:
        raise ConfigError(f'[[check]] "{spec.name}" needs a command', at(spec.name))
    if not 0 < spec.timeout <= MAX_TIMEOUT_S:
        raise ConfigError(
            f'[[check]] "{spec.name}": timeout must be above 0 and at most {MAX_TIMEOUT_S} s', at(spec.name)
        )
    for key, value, choices in (
        ("value", spec.value, ("exit", "number", "text")),
        ("worse", spec.worse, ("higher", "lower")),
    ):
        if value not in choices:
            told = f'[[check]] "{spec.name}": {key} must be one of {", ".join(choices)}, not "{value}"'
            raise ConfigError(told, at(spec.name))
    if spec.sudo:
        try:
            shlex.split(spec.command)
        except ValueError as error:
            told = f'[[check]] "{spec.name}": cannot split the command for sudo: {error}'
            raise ConfigError(told, at(spec.name)) from error
