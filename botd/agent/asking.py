"""Who asks the nodes of a sweep: this process, or the workers of their networks.

Without a `[[network]]` it is this process, and nothing of the broker's is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botd.errors import ConfigError
from botd.inventory.networks import networks_of
from botd.model import Clock
from botd.probes import Probes
from botd.settings import Config
from botd.sweep import Plan, Prober

if TYPE_CHECKING:
    from botd.workers.broker import Post
    from botd.workers.office import Office


class Asking:
    """The probers of sweeps. Used from any thread."""

    def __init__(self, config: Config, probes: Probes, clock: Clock) -> None:
        """Raises ConfigError for networks that cannot work."""
        self._probes = probes
        self._office: Office | None = None
        self._post: Post | None = None
        if networks_of(config):
            self._open(config, clock)

    def probers(self, plan: Plan, deadline_s: float) -> list[Prober]:
        """Those that the plan needs."""
        if self._office is None:
            return self._probes.probers(plan)
        return self._office.probers(plan, self._probes.probers, deadline_s)

    def close(self) -> None:
        """Hears no more of workers."""
        if self._post:
            self._post.close()

    def _open(self, config: Config, clock: Clock) -> None:
        try:
            from botd.workers.broker import Post
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"[[network]] needs Celery, which is not installed: pip install 'botd[workers]' ({error.name})",
                "[[network]]",
            ) from None
        from botd.workers.keys import signing_key
        from botd.workers.office import Office

        self._post = Post(config)
        self._office = Office(config, networks_of(config), signing_key(config), self._post, clock=clock)
        self._post.listen(self._office)
