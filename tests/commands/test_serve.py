"""`botd serve`: two processes that are started again when they end."""

from __future__ import annotations

import sys

from botd.commands.serve import Child, check_port


def test_a_child_that_cannot_work_at_all_is_told_from_one_that_died() -> None:
    for status, hopeless in ((2, True), (1, False)):
        child = Child("x", [sys.executable, "-c", f"raise SystemExit({status})"], {})
        child.start()
        child._process.wait()
        assert child.failed_to_start() is hopeless


def test_a_free_port_passes() -> None:
    check_port("127.0.0.1:0")
