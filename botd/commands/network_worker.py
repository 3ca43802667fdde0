"""`botd worker`: asks the nodes of one network for the agent, which is somewhere else."""

from __future__ import annotations

from botd.errors import ConfigError
from botd.settings import Config

MISSING = "Celery is not installed, which workers need: pip install 'botd[workers]'"


def work(config: Config, network: str) -> None:
    """Works until SIGTERM. Raises ConfigError for what is missing."""
    try:
        from botd.workers.broker import run_worker
    except ModuleNotFoundError as error:
        raise ConfigError(f"{MISSING} ({error.name})") from None
    from botd.workers.station import Station

    station = Station(config, network)
    try:
        run_worker(config, station.network.name, station.name, station.do)
    finally:
        station.close()


def public_key(config: Config) -> str:
    """The public key of this machine's agent or worker."""
    from botd.workers.keys import signing_key
    from botd.workers.letters import public_of

    return public_of(signing_key(config))
