"""What a database is called where something is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from botd.errors import ConfigError, StoreDamaged, StoreUnavailable


@dataclass(frozen=True)
class Words:
    """The noun for a database, the setting that names it, and what mends damage that is found while it is used."""

    noun: str
    setting: str
    mended_by: str

    def damaged(self, why: str) -> StoreDamaged:
        """The error for a database that is not as it was written."""
        return StoreDamaged(f"{self.noun} is damaged ({why}); {self.mended_by}")

    def unusable(self, why: str) -> StoreUnavailable:
        """The error for a database that is locked, full or away."""
        return StoreUnavailable(f"{self.noun} cannot be used now ({why}); try again")

    def too_new(self, why: str) -> ConfigError:
        """The error for a database of a botd to come."""
        return ConfigError(f"{self.noun} was made by a newer botd ({why}); install that, or use another file")


SHARED = Words("the database", "[store] url", "an agent that starts keeps it aside")
"""The database that the agent and the web part share."""
