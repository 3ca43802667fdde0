"""Slurm's node states and flags as literal tables, and their two forms: sinfo's text and a document's words.

A state is one base (`IDLE`) and any number of flags (`DRAIN`). sinfo prints the two as one word with a mark
(`drained*`), from which not everything comes back: `drained` may be a node that is IDLE or one that is DOWN.

Source: node_state_string, node_state_string_compact and node_state_flags in Slurm's slurm_protocol_defs.c (18.08
to 25.11), the node states of data_parser v0.0.39 to v0.0.45 (23.02 to 26.05), and sinfo(1), NODE STATE CODES.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from botd.model import SlurmNode

BASES = ("UNKNOWN", "DOWN", "IDLE", "ALLOCATED", "ERROR", "MIXED", "FUTURE")
"""What a node is, one of these at a time."""

FLAGS = (
    "BLOCKED",
    "CLOUD",
    "COMPLETING",
    "DRAIN",
    "DYNAMIC_FUTURE",
    "DYNAMIC_NORM",
    "EXTERNAL",
    "FAIL",
    "INVALID_REG",
    "MAINTENANCE",
    "NOT_RESPONDING",
    "PERFCTRS",
    "PLANNED",
    "POWERED_DOWN",
    "POWERING_DOWN",
    "POWERING_UP",
    "POWER_DOWN",
    "POWER_DRAIN",
    "POWER_UP",
    "REBOOT_CANCELED",
    "REBOOT_ISSUED",
    "REBOOT_REQUESTED",
    "RESERVED",
    "RESUME",
    "UNDRAIN",
)
"""What is true of it besides."""

ALIASES = {
    "ALLOC": "ALLOCATED",
    "CANCEL_REBOOT": "REBOOT_CANCELED",
    "MAINT": "MAINTENANCE",
    "MIX": "MIXED",
    "NET": "PERFCTRS",
    "NO_RESPOND": "NOT_RESPONDING",
    "POWER_SAVE": "POWERED_DOWN",
    "REBOOT": "REBOOT_REQUESTED",
    "REBOOT_CANCEL": "REBOOT_CANCELED",
    "RES": "RESERVED",
}
"""Other spellings of bases and flags, from other versions and other commands."""

COMPOUNDS = {
    "POWER_DOWN_ASAP": ("POWER_DOWN", "POWER_DRAIN"),
    "POWER_DOWN_FORCE": ("POWER_DOWN", "POWERED_DOWN"),
}
"""One word for two flags (26.05)."""

OUT = frozenset({"DRAIN", "FAIL", "INVALID_REG"})
"""The flags of a node that `sinfo -R` lists. Of a node that slurmctld marks INVALID_REG the one word `inval` hides
that it is drained, down or failing as well (validate_node_specs in node_mgr.c, 21.08 to 25.11)."""

HIDING = frozenset({"MAINTENANCE", "REBOOT_ISSUED", "REBOOT_REQUESTED"})
"""The flags whose one word hides whether a node is out: `reboot^` is printed of a drained and of a down one too."""

MARKS = {
    "$": "MAINTENANCE",
    "^": "REBOOT_ISSUED",
    "@": "REBOOT_REQUESTED",
    "#": "POWERING_UP",
    "%": "POWERING_DOWN",
    "~": "POWERED_DOWN",
    "!": "POWER_DOWN",
    "*": "NOT_RESPONDING",
    "-": "PLANNED",
    "+": "COMPLETING",
}
"""The mark behind a word and the flag it stands for. Slurm prints the first that applies."""

WORDS = {
    "ALLOC": ("ALLOCATED", ()),
    "BLOCK": ("IDLE", ("BLOCKED",)),
    "BLOCKED": ("IDLE", ("BLOCKED",)),
    "BOOT": ("IDLE", ("REBOOT_REQUESTED",)),
    "CANC_R": ("UNKNOWN", ("REBOOT_CANCELED",)),
    "COMP": ("MIXED", ("COMPLETING",)),
    "COMPLETING": ("MIXED", ("COMPLETING",)),
    "DRAIN": ("IDLE", ("DRAIN",)),
    "DRAINED": ("IDLE", ("DRAIN",)),
    "DRAINING": ("ALLOCATED", ("DRAIN",)),
    "DRNG": ("ALLOCATED", ("DRAIN",)),
    "ERR": ("ERROR", ()),
    "EXT": ("UNKNOWN", ("EXTERNAL",)),
    "FAIL": ("IDLE", ("FAIL",)),
    "FAILG": ("ALLOCATED", ("FAIL",)),
    "FAILING": ("ALLOCATED", ("FAIL",)),
    "FUTR": ("FUTURE", ()),
    "INVAL": ("UNKNOWN", ("INVALID_REG",)),
    "MAINT": ("IDLE", ("MAINTENANCE",)),
    "MIX": ("MIXED", ()),
    "NPC": ("IDLE", ("PERFCTRS",)),
    "PERFCTRS": ("IDLE", ("PERFCTRS",)),
    "PLANNED": ("IDLE", ("PLANNED",)),
    "PLND": ("IDLE", ("PLANNED",)),
    "POWERED_DN": ("UNKNOWN", ("POWERED_DOWN",)),
    "POWRING_DN": ("UNKNOWN", ("POWERING_DOWN",)),
    "POWRNG_DN": ("UNKNOWN", ("POWERING_DOWN",)),
    "POW_DN": ("UNKNOWN", ("POWER_DOWN",)),
    "POW_UP": ("UNKNOWN", ("POWER_UP",)),
    "REBOOT": ("IDLE", ("REBOOT_REQUESTED",)),
    "RESERVED": ("IDLE", ("RESERVED",)),
    "RESM": ("UNKNOWN", ("RESUME",)),
    "RESV": ("IDLE", ("RESERVED",)),
    "UNK": ("UNKNOWN", ()),
}
"""What sinfo's long (%T) and compact (%t) words say, where it is not just the base. The base that a word
leaves open is one that has jobs where the word says so: `drained` IDLE, `draining` ALLOCATED."""

_BUSY = ("ALLOCATED", "MIXED")

_BARE = {
    "CLOUD": "cloud",
    "DYNAMIC_FUTURE": "dynamic_future",
    "DYNAMIC_NORM": "dynamic_norm",
    "EXTERNAL": "external",
    "POWERED_DOWN": "powered_down",
    "POWERING_DOWN": "powering_down",
    "POWERING_UP": "powering_up",
    "POWER_DOWN": "power_down",
    "POWER_UP": "power_up",
    "REBOOT_CANCELED": "cancel_reboot",
    "REBOOT_ISSUED": "reboot_issued",
    "RESUME": "resume",
    "UNDRAIN": "undrain",
}
"""The words of a node of unknown base with this one flag."""


_MEANINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{word: (base, ()) for word, base in ALIASES.items() if base in BASES},
    **{word: ("UNKNOWN", (flag,)) for word, flag in ALIASES.items() if flag in FLAGS},
    **{flag: ("UNKNOWN", (flag,)) for flag in FLAGS},
    **{base: (base, ()) for base in BASES},
    **WORDS,
}
"""Base and flags of every word that may stand first."""


class NodeState(NamedTuple):
    """A base, flags in alphabetical order, and the words that are neither, as Slurm wrote them."""

    base: str
    flags: tuple[str, ...] = ()
    unrecognised: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def from_text(text: str) -> NodeState:
    """What a state says as sinfo prints it: `drained*`, `drng`, `mix-`, `IDLE+DRAIN`, `allocated+`."""
    if not text:
        return NodeState("UNKNOWN")
    first, *others = text.upper().split("+")
    if others == [""]:
        others = ["COMPLETING"]
    word, flags = _without_marks(first)
    base, implied = _word(word)
    if base is None:
        return _state("UNKNOWN", [*flags, *others], (text,))
    return _state(base, [*implied, *flags, *(flag for other in others for flag in _flags_of(other))])


def from_document(base: str, flags: Iterable[str]) -> NodeState:
    """What a document says: `("idle", ["DRAIN"])` in 22.05, `("IDLE", ["DRAIN"])` from 23.02 on."""
    known = _plain(base)
    if known in BASES:
        return _state(known, flags)
    return _state("UNKNOWN", [base, *flags] if base else flags)


def text(base: str, flags: Iterable[str]) -> str:
    """The state as `sinfo` prints it with %T, lower case: `drained`, `draining@`, `down*`, `mixed`, `idle~`.

    One word holds little: of several flags Slurm shows the first in its own order, which is followed here.
    """
    held = frozenset(flags)
    if "INVALID_REG" in held:
        return "inval"
    return _hidden_word(base, held) or _out_word(base, held) or _base_word(base, held)


def is_out(base: str, flags: Iterable[str]) -> bool:
    """Whether `sinfo -R` lists it: down, error, drain or fail, and not merely silent for a moment."""
    return base in ("DOWN", "ERROR") or not OUT.isdisjoint(flags)


def sinfo_list_to_node_list(nodes: Iterable[SlurmNode]) -> list[SlurmNode]:
    """The nodes of a list that `sinfo -R` has too: down, drained or failing."""
    return [node for node in nodes if is_out_of_service(node)]


def is_out_of_service(node: SlurmNode) -> bool:
    """Whether the node is down, drained or failing, by its flags or because Slurm lists it as such."""
    return node.listed or is_out(node.base, node.flags)


def out_since(node: SlurmNode) -> datetime | None:
    """Since when the node is out of service, by the time of its reason; None for one in service or without a time."""
    return node.reason_at if is_out_of_service(node) else None


def hides_drain(text: str) -> bool:
    """Whether a word of sinfo hides if the node is drained as well: that of a reboot, which `ASAP` drains for."""
    state = from_text(text)
    reboots = not {"REBOOT_ISSUED", "REBOOT_REQUESTED"}.isdisjoint(state.flags)
    return reboots and "+" not in text and state.base not in _BUSY and not is_out(state.base, state.flags)


def may_be_listed(state: NodeState) -> bool:
    """Whether `sinfo -R` may print this: a word of a node that is out, one that hides it, or one that is not known."""
    hidden = state.base not in _BUSY and not HIDING.isdisjoint(state.flags)
    return bool(state.unrecognised) or hidden or is_out(state.base, state.flags)


def _hidden_word(base: str, held: frozenset[str]) -> str:
    """Maintenance and reboots hide the state of a node without jobs."""
    busy = base in _BUSY
    silent = "*" if "NOT_RESPONDING" in held else ""
    if "MAINTENANCE" in held and not busy and base != "DOWN" and "DRAIN" not in held:
        return "maint" + silent
    if busy or held.isdisjoint({"REBOOT_ISSUED", "REBOOT_REQUESTED"}):
        return ""
    return "reboot^" if "REBOOT_ISSUED" in held else "reboot" + silent


def _out_word(base: str, held: frozenset[str]) -> str:
    busy = base in _BUSY or "COMPLETING" in held
    if "DRAIN" in held:
        return ("draining" if busy else "drained") + _mark(held)
    if "FAIL" in held:
        return ("failing" if busy else "fail") + ("*" if "NOT_RESPONDING" in held else "")
    return ""


def _base_word(base: str, held: frozenset[str]) -> str:
    if base == "UNKNOWN" and "COMPLETING" not in held:
        return _unknown_word(held)
    completing = "COMPLETING" in held and base != "DOWN"
    word = "completing" if completing and base != "ALLOCATED" else base.lower()
    if mark := _mark(held):
        return word + mark
    if word == "idle":
        return next((flag.lower() for flag in ("PERFCTRS", "RESERVED", "BLOCKED", "PLANNED") if flag in held), word)
    if word == "mixed" and "PLANNED" in held:
        return "mixed-"
    return "allocated+" if completing and word == "allocated" else word


def _unknown_word(held: frozenset[str]) -> str:
    """A node of which only a flag is known is called after it; of marks it has one."""
    if "RESUME" in held or len(held) == 1:
        flag = "RESUME" if "RESUME" in held else next(iter(held))
        if word := _BARE.get(flag):
            return word
    return "unknown*" if "NOT_RESPONDING" in held else "unknown"


def _mark(held: frozenset[str]) -> str:
    return next((mark for mark, flag in MARKS.items() if flag in held and mark not in "-+"), "")


def _without_marks(word: str) -> tuple[str, list[str]]:
    bare = word.rstrip("".join(MARKS))
    return bare, [MARKS[mark] for mark in word[len(bare) :]]


def _word(word: str) -> tuple[str | None, tuple[str, ...]]:
    """The base and flags of a state's first word; no base when the word is not known."""
    meanings = {meaning for known in _written_out(word) if (meaning := _MEANINGS.get(known))}
    return meanings.pop() if len(meanings) == 1 else (None, ())


def _written_out(word: str) -> list[str]:
    """The word, or what it may be the beginning of: sinfo cuts `powered_dn` to the 6 bytes of its column."""
    if word in _MEANINGS or len(word) < 4:
        return [word]
    return [known for known in _MEANINGS if known.startswith(word)]


def _flags_of(word: str) -> list[str]:
    bare, flags = _without_marks(word)
    whole = [known for known in _written_out(bare) if _plain(known) in FLAGS]
    return [whole[0] if len(whole) == 1 else bare, *flags]


def _plain(word: str) -> str:
    return ALIASES.get(word.upper(), word.upper())


def _state(base: str, words: Iterable[str], unrecognised: tuple[str, ...] = ()) -> NodeState:
    words = tuple(words)
    plain = {word: COMPOUNDS.get(word.upper(), (_plain(word),)) for word in words}
    strange = tuple(word for word in words if plain[word][0] not in FLAGS)
    flags = {flag for found in plain.values() for flag in found if flag in FLAGS}
    return NodeState(base, tuple(sorted(flags)), (*unrecognised, *strange))
