"""A PostgreSQL of one's own: an ordinary user's processes, a private port of loopback, gone with the test run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.conftest import leave_out
from tests.program import free_port, wait_until

USER = "nobody"
"""PostgreSQL refuses to run as root."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of a running server, without a database's name."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (str(programs[-1]) if programs else None)
    if found is None:
        leave_out("PostgreSQL is not installed; `make test` as root installs it")
    folder = Path(tempfile.mkdtemp(prefix="botd-postgres-"))
    is_root = os.geteuid() == 0
    who = {"user": USER, "group": "nogroup", "extra_groups": []} if is_root else {}
    if is_root:
        shutil.chown(folder, USER, "nogroup")
    try:
        data, port = folder / "data", free_port()
        common = {"cwd": folder, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **who}
        make = [found, "-D", data, "-U", "botd", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(make, check=True, timeout=120, **common)
        server = [Path(found).with_name("postgres"), "-D", data, "-h", "127.0.0.1", "-p", str(port)]
        options = ["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=16MB"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([*server, *options], stderr=log, **common)
        try:
            wait_until(lambda: _answers(port), 60)
            yield f"postgresql+psycopg://botd@127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)
    finally:
        shutil.rmtree(folder)


def run_sql(url: str, statement: str) -> None:
    """Runs one statement in the server's own database, outside of a transaction."""
    with psycopg.connect(url.replace("+psycopg", "") + "/postgres", autocommit=True) as server:
        server.execute(statement)


def _answers(port: int) -> bool:
    try:
        psycopg.connect(f"postgresql://botd@127.0.0.1:{port}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
