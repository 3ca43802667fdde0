"""From a case to what every answer shows of it: the diagnosis, the next step, and what stands in its way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from botd.advice.case import Case
from botd.advice.guards import GUARDS
from botd.advice.rules import PERSON, POWER_CYCLE, POWER_ON, RESTART_SLURMD, RESUME, RULES, Rule
from botd.advice.weighing import GUESSED, Scales, Ways, until_words, weigh
from botd.advice.words import joined, mount_path, planned, title
from botd.documents import RecommendationDocument, RefusalDocument, encode, iso
from botd.inventory.states import is_out_of_service
from botd.model import SlurmNode

IN_WORDS = {
    RESUME: "resume",
    RESTART_SLURMD: "restart of slurmd",
    POWER_ON: "power on",
    POWER_CYCLE: "power cycle",
}
"""The actions as a person says them."""


def recommend(case: Case, scales: Scales = GUESSED) -> RecommendationDocument | None:
    """Why a node is not well and what to do next; None for one that is in service and well, or off to save power."""
    rule = diagnose(case)
    return _document(case, rule, scales) if rule else None


def diagnose(case: Case) -> Rule | None:
    """The rule that fits; None for a node of which there is nothing to say."""
    if not case.is_out and (not case.bad or case.saves_power):
        return None
    return next((rule for rule in RULES if rule.when(case)), None)


def evidence_of(node: str, slurm: SlurmNode | None, advice: RecommendationDocument | None) -> str:
    """What somebody who presses has looked at, as a hash: that of the diagnosis, where there is one.

    Of a node without one it is that Slurm has it as it has. Jobs come and go on a node that is well, so that they do
    not count.
    """
    if advice:
        return advice["evidence"]
    told = slurm and [is_out_of_service(slurm), slurm.reason, slurm.reason_by, iso(slurm.reason_at)]
    return _hash([node, told])


def _document(case: Case, rule: Rule, scales: Scales) -> RecommendationDocument:
    refused = _refusals(case, rule)
    cut = {refusal["action"] for refusal in refused}
    left, said = [action for action in rule.ladder if action not in cut], _filled(rule.title, case, rule)
    ways = weigh(case, rule, said, left, scales)
    best = ways.ranked[0]
    return {
        "diagnosis": rule.name,
        "title": said,
        "family": rule.family,
        "explanation": joined([rule.explain(case), planned(case)]),
        "next": _next(case, rule, left, refused, ways),
        "action": None if rule.calm and not case.is_out else best["action"],
        "words": ways.words,
        "confidence": best["confidence"],
        "evidence": _evidence(case, rule, refused),
        "refused_by": refused,
        "ranked": list(ways.ranked),
    }


def _refusals(case: Case, rule: Rule) -> list[RefusalDocument]:
    """What stands in the way of each action of the ladder, the first guard of each."""
    found: list[RefusalDocument] = []
    for action in rule.ladder:
        guard = next((guard for guard in GUARDS if action in guard.cuts and guard.stands(case, action)), None)
        if guard:
            found.append({"action": action, "guard": guard.name, "words": guard.words(case, action)})
    return found


def _next(case: Case, rule: Rule, left: list[str], refused: list[RefusalDocument], ways: Ways) -> str:
    """What a person does now: what the rule says, or why just that is not to be done."""
    said = _filled(rule.next, case, rule)
    if ways.until:
        return until_words(ways.until)
    if left and left[0] in IN_WORDS and ways.ranked[0]["action"] == PERSON:
        return f"look for yourself: {IN_WORDS[left[0]]} mends too seldom here"
    if left and refused and left[0] != rule.ladder[0]:
        return f"{IN_WORDS[left[0]]} ({refused[0]['words']})"
    if left or not refused:
        return said
    if said in IN_WORDS.values():
        return refused[0]["words"]
    return f"{said} (no {IN_WORDS[refused[-1]['action']]} now: {refused[-1]['words']})"


def _filled(text: str, case: Case, rule: Rule) -> str:
    check = rule.about(case) if rule.about else ""
    if not check:
        return text
    named = title(case, check)
    return text.replace("{mount}", named).replace("{check}", named).replace("{path}", mount_path(case, check))


def _evidence(case: Case, rule: Rule, refused: Iterable[RefusalDocument]) -> str:
    """A hash over all that the answer was judged by, and over no age, no number and no time of a reading.

    How often the node was ill and what failed on it count by the guards that stand by them, and by which action it was.
    """
    slurm = case.slurm
    read = [name for name in case.checks if _is_read(case, rule, name)]
    judged = [
        case.node,
        [slurm.base, slurm.flags, slurm.reason, slurm.reason_by, iso(slurm.reason_at)] if slurm else None,
        case.value("ipmi_state"),
        case.jobs,
        rule.name,
        [(name, case.state(name), case.checks[name].says_how and case.value(name)) for name in read],
        [(refusal["action"], refusal["guard"]) for refusal in refused],
        [found.id for action in rule.ladder if (found := case.failed(action))],
    ]
    return _hash(judged)


def _hash(looked_at: object) -> str:
    return hashlib.blake2b(encode(looked_at), digest_size=8).hexdigest()


def _is_read(case: Case, rule: Rule, check: str) -> bool:
    return "all" in rule.reads or check in rule.reads or case.checks[check].parent in rule.reads
