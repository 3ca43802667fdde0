"""`heard`, which no real cluster has: what its BMCs and its Slurm were told to do, and which LEDs blink now."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from botd.demo.journal import Order
from botd.demo.state import ClusterState
from botd.demo.tools.base import Printed, failed, printed
from botd.demo.tools.options import Option, Usage, read_options

OPTIONS: tuple[Option, ...] = (Option("", "json"),)


def heard(state: ClusterState, words: list[str], stdin: bytes) -> Printed:
    """A line for each LED that blinks and for each order, or all of it as one document."""
    try:
        asked = read_options("heard", OPTIONS, words)
    except Usage as error:
        return failed(str(error))
    leds, orders = state.leds(), state.journal.all()
    if asked.has("json"):
        return printed(json.dumps({"leds": leds, "orders": [asdict(order) for order in orders]}) + "\n")
    lines = [f"{name}: its LED blinks for {left_s:.0f} s more" for name, left_s in leds.items()]
    return printed("".join(f"{line}\n" for line in (*lines, *map(_line, orders))) or "nothing yet\n")


def _line(order: Order) -> str:
    # 10:04:09  Slurm  n0012.savio2  state=drain reason=botd: drain 7 by anna
    answer = f"  ({order.answer})" if order.answer else ""
    return f"{datetime.fromtimestamp(order.at):%H:%M:%S}  {order.place:<5}  {order.node}  {order.words}{answer}"
