"""What the agent has counted, as the board has it: read again when it is another, and never built upon.

Whoever can write the shared database can write here what he likes. It shows; the agent weighs by its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from botd.acting.ladder import Tried, read_tried
from botd.advice.experience import UNTRIED, Experience, read_experience
from botd.advice.weighing import Scales
from botd.errors import StoreDamaged
from botd.model import Clock
from botd.settings import AdviceSettings
from botd.store import Store


class BoardScales:
    """The scales of one web process. Belongs to whoever holds the lock of the view."""

    def __init__(self, settings: AdviceSettings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._edition: Any = None
        self._scales = Scales.of(settings)

    def now(self) -> Scales:
        """Those of this moment. Raises StoreUnavailable."""
        edition = self._get("edition")
        if edition != self._edition:
            scales = Scales.of(self._settings, self._read())
            self._scales, self._edition = replace(scales, ours=self._ours(), tried=self._tried()), edition
        return self._scales.at(self._clock())

    def _read(self) -> Experience:
        """The experience that was told; none where it cannot be read."""
        try:
            return read_experience(self._get("now"))
        except (ValueError, TypeError, LookupError, OverflowError, AttributeError):
            return UNTRIED

    def _ours(self) -> frozenset[str]:
        found = self._get("ours")
        return frozenset(map(str, found)) if isinstance(found, list) else frozenset()

    def _tried(self) -> tuple[Tried, ...]:
        """What has failed; nothing where it cannot be read."""
        try:
            return read_tried(self._get("tried") or ())
        except (ValueError, TypeError, OverflowError, OSError):
            return ()

    def _get(self, key: str) -> Any:
        try:
            return self._store.copies.get("experience", key)
        except StoreDamaged:
            return None
