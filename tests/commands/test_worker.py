"""gunicorn's workers end when they are told to, also where a client holds one of their threads."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.program import endless_request, free_port, is_gone, wait_until

APPLICATION = """
def app(environ, start_response):
    print("taken", file=environ["wsgi.errors"], flush=True)
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_request_without_end_holds_up_no_end(tmp_path: Path, number: signal.Signals) -> None:
    """gunicorn itself would wait ten minutes here."""
    port = free_port()
    (tmp_path / "endless.py").write_text(APPLICATION)
    words = ["--bind", f"127.0.0.1:{port}", "--worker-class", "botd.commands.worker.Worker", "--threads", "4"]
    words += ["--graceful-timeout", "600", "--no-control-socket", "--pythonpath", str(tmp_path), "endless:app"]
    gunicorn = subprocess.Popen([sys.executable, "-m", "gunicorn", *words], stderr=subprocess.PIPE, text=True)
    lines = iter(gunicorn.stderr.readline, "")
    assert any("Booting worker" in line for line in lines)
    family = [psutil.Process(gunicorn.pid), *psutil.Process(gunicorn.pid).children()]
    assert len(family) == 2
    with endless_request(port):
        assert any("taken" in line for line in lines)
        gunicorn.send_signal(number)
        wait_until(lambda: all(map(is_gone, family)), 30)
    assert "memory" not in gunicorn.communicate()[1]
