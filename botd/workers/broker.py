"""The broker, as Celery speaks to it. Nothing else in botd knows of Celery, and without `[workers]` nothing imports it.

A worker is a Celery worker: its queue, its acknowledgement, its heartbeat and its end are Celery's. What is not
Celery's is the way back, a queue that the agent reads with kombu: a result backend would hold one result of a task, and
nodes should be told of as they answer.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from urllib.parse import urlsplit

from celery import Celery
from celery.events.event import get_exchange
from kombu import Queue
from kombu.exceptions import OperationalError
from kombu.mixins import ConsumerMixin

from botd.config import read_secret, resolve_path
from botd.errors import ConfigError, WorkerAbsent
from botd.settings import Config

LOG = logging.getLogger(__name__)

PROBE, ANSWERS = "botd.probe", "botd.answers"
"""The two tasks: a worker's, and what goes back to the agent's queue."""

RETRY = {"max_retries": 60, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 2.0}
"""How long a worker tries to give its answers to a broker that is away: about two minutes."""


ONCE_MORE = {"max_retries": 1, "interval_start": 0.0}
"""A connection that was kept may have been closed meanwhile."""


class Hears(Protocol):
    """Who is told what comes from the broker: `Office`. Called from one thread."""

    def take(self, letter: object) -> None:
        """Takes what a worker has sent."""

    def beat(self, worker: str) -> None:
        """Takes a sign of life of a worker, by Celery's name of it: `network.number@host`."""

    def connected(self, error: str) -> None:
        """Takes that the broker is there, or why it is not."""


def make_app(config: Config) -> Celery:
    """Celery, set up for agent and worker alike. Raises ConfigError without a broker."""
    url = read_secret(config, config.workers.broker_file, "BOTD_BROKER").strip()
    if not url:
        raise ConfigError("[workers] needs a broker: broker_file, or BOTD_BROKER", "[workers] broker_file")
    app = Celery("botd", broker=url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        event_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,  # its commands are signed by nobody
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_use_ssl=_tls(config, url),
        broker_transport_options={"visibility_timeout": max(1, int(config.sweep.deadline)), "socket_timeout": 10},
    )
    return app


def queue_of(network: str) -> str:
    """The queue that the workers of a network take orders from."""
    return f"botd.network.{network}"


class Post:
    """The agent's side: orders go out, and what comes back is told to who hears."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError without a broker."""
        self._app = make_app(config)
        self._reader: _Reader | None = None

    def send(self, network: str, letter: str, expires_s: float) -> None:
        """Puts an order into the queue of a network, for so long. Raises WorkerAbsent without a broker."""
        try:
            queue = queue_of(network)
            self._app.send_task(PROBE, args=[letter], queue=queue, expires=expires_s, retry_policy=ONCE_MORE)
        except (OperationalError, OSError) as error:
            raise WorkerAbsent(f"the broker cannot be reached: {_reason(error)}") from None

    def listen(self, hears: Hears) -> None:
        """Hears what comes from now on, in a thread of its own."""
        self._reader = _Reader(self._app, hears)
        threading.Thread(target=self._reader.keep_running, name="broker", daemon=True).start()

    def close(self) -> None:
        """Hears no more."""
        if self._reader:
            self._reader.should_stop = True


class _Reader(ConsumerMixin):  # type: ignore[misc]  # kombu has no types
    """Reads answers and heartbeats. kombu's mixin makes the connection anew whenever it is lost."""

    def __init__(self, app: Celery, hears: Hears) -> None:
        self.connection = app.connection_for_read()
        self._hears = hears
        self._beats = Queue(
            f"celeryev.botd.{socket.gethostname()}.{os.getpid()}",
            exchange=get_exchange(self.connection, name=app.conf.event_exchange),
            routing_key="worker.#",
            auto_delete=True,
            durable=False,
        )

    def keep_running(self) -> None:
        """Reads until it is told to stop, also after what no client of the broker's should have put there."""
        while not self.should_stop:
            try:
                self.run()
            except Exception:
                LOG.exception("broker holds what cannot be read")

    def get_consumers(self, consumer: Any, channel: Any) -> list[Any]:
        """What is read: the agent's queue, and Celery's events."""
        return [
            consumer([Queue(ANSWERS)], callbacks=[self._take], no_ack=True, accept=["json"]),
            consumer([self._beats], callbacks=[self._beat], no_ack=True, accept=["json"]),
        ]

    def on_connection_error(self, exc: Exception, interval: float) -> None:
        """The broker is away."""
        self._hears.connected(_reason(exc))

    def on_consume_ready(self, connection: Any, channel: Any, consumers: Any, **_: Any) -> None:
        """The broker is there, for the first time or again."""
        self._hears.connected("")

    def _take(self, body: Any, message: Any) -> None:
        try:  # Celery's message protocol 2: args, kwargs, and what else there is
            letter = body[0][0]
        except (LookupError, TypeError):
            letter = None
        try:
            self._hears.take(letter)
        except Exception:  # the thread must outlive a fault of ours, and the fault must be seen
            LOG.exception("letter not taken")

    def _beat(self, body: Any, message: Any) -> None:
        for event in body if isinstance(body, list) else [body]:
            if isinstance(event, dict) and event.get("type") in ("worker-online", "worker-heartbeat"):
                self._hears.beat(str(event.get("hostname")))


def run_worker(config: Config, network: str, name: str, do: Callable[[object], Iterable[str]]) -> None:
    """Works until SIGTERM. `do` takes the letter with an order, and gives the letters that go back as they come."""
    app = make_app(config)

    @app.task(name=PROBE)  # type: ignore[untyped-decorator]
    def probe(letter: object) -> None:
        for answers in do(letter):
            app.send_task(ANSWERS, args=[answers], queue=ANSWERS, retry=True, retry_policy=RETRY)

    worker = app.Worker(
        hostname=name,
        queues=[queue_of(network)],
        pool="threads",
        concurrency=config.sweep.parallel,
        without_mingle=True,
        without_gossip=True,
        quiet=True,
        loglevel=logging.getLogger().level,
    )
    worker.start()


def _tls(config: Config, url: str) -> dict[str, Any] | None:
    """How the broker's certificate is looked at; None without TLS."""
    scheme = urlsplit(url).scheme
    if scheme not in ("rediss", "amqps"):
        return None
    settings: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED}
    if config.workers.broker_ca:
        settings["ca_certs"] = str(resolve_path(config, config.workers.broker_ca))
    return {f"ssl_{name}": value for name, value in settings.items()} if scheme == "rediss" else settings


def _reason(error: BaseException) -> str:
    """Why, without the URL, which has a password in it."""
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
