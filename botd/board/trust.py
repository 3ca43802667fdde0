"""How good botd's word is, as the agent has told it."""

from __future__ import annotations

from botd.advice.experience import UNTRIED
from botd.advice.trust import TrustDocument, trust_document
from botd.documents import has_shape
from botd.errors import StoreDamaged
from botd.store import Store


def read_trust(store: Store) -> TrustDocument:
    """What was told; that nothing is known where no agent has, or others wrote there. Raises StoreUnavailable."""
    try:
        found = store.copies.get("trust", "now")
    except StoreDamaged:
        found = None
    if not has_shape(TrustDocument, found):
        return trust_document((), UNTRIED)
    told: TrustDocument = found
    return told
