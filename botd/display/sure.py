"""How sure botd is of a way on, in the few words that a line or a cell has room for. Only what was counted is said."""

from __future__ import annotations

from botd.documents import ConfidenceDocument, RankedDocument, RecommendationDocument


def sure_words(action: str | None, confidence: ConfidenceDocument | None) -> str:
    """`at least 77 %, 41 of 47`; of waiting `9 of 10 came back alone`; empty for what was not counted."""
    if confidence is None:
        return ""
    counted = f"{confidence['good']} of {confidence['of']}"
    if action == "wait":
        return f"{counted} came back alone"
    bound = confidence["at_least"]
    return "" if bound is None else f"at least {100 * bound:.0f} %, {counted}"


def scope_words(way: RankedDocument) -> str:
    """What a way was counted on, or that it was not: `savio2`, `guess: 75 %`."""
    found = way["confidence"]
    if found is None:
        return ""
    is_guess = found["at_least"] is None and way["action"] != "wait"
    return f"guess: {100 * found['p']:.0f} %" if is_guess else found["scope"]


def ways_in_lines(advice: RecommendationDocument) -> list[str]:
    """How sure it is, then every other way with why it is not the first, and what may not be done."""
    lines = [advice["words"]] if advice["words"] else []
    for way in advice["ranked"][1:]:
        sure = sure_words(way["action"], way["confidence"])
        lines.append(f"not {way['action']}: {way['words']}{f' ({sure})' if sure else ''}")
    return lines + [f"not {each['action']}: {each['words']}" for each in advice["refused_by"]]
