"""Deliveries that cannot cost another node its answer."""

from __future__ import annotations

import logging

from botd.answers import Deliver, Delivery

LOG = logging.getLogger(__name__)


def answered_for(deliver: Deliver) -> Deliver:
    """The same callback, where what it raises is logged: that answer is lost, and the transport goes on."""

    def guarded(delivery: Delivery) -> None:
        try:
            deliver(delivery)
        except Exception:
            LOG.exception("the %s answer of %s could not be delivered", delivery.source, delivery.node)

    return guarded
