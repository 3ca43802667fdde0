"""`[access] header` as a proxy meets it: real gunicorns on TCP and on a unix socket."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from botd.commands.serve import check_header
from botd.config import load_config, parse_config
from botd.errors import ConfigError
from tests.conftest import Site
from tests.office import ROLES
from tests.program import free_port, wait_until

ROOT = Path(__file__).parents[2]
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def place(make_site: Callable[..., Site], tmp_path: Path) -> Path:
    """A folder with a store in which an agent has told that it knows anna, and a secret."""
    site = make_site()
    site.store.copies.put("person", {"anna": {"groups": [], "roles": []}})
    site.store.copies.put("roles", {"file": {"text": ROLES, "digest": "", "fault": "", "faults": {}}})
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "secret").chmod(0o600)
    return tmp_path


def written(place: Path, *more: str) -> Path:
    """A configuration with a header, and this."""
    lines = ["[store]", 'url = "sqlite:///botd.db"', "[mounts]", 'tmp = "/tmp"', "[access]", 'header = "X-Remote-User"']
    (place / "botd.toml").write_text("\n".join([*lines, *more]))
    (place / "botd.toml").chmod(0o600)
    return place / "botd.toml"


SHARED = 'header_secret_file = "secret"'


@contextmanager
def gunicorn(config: Path, bind: str, umask: str = "077") -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """gunicorn with a worker of botd's, and its log."""
    words = ["--bind", bind, "--umask", umask, "--worker-class", "botd.commands.worker.Worker", "--threads", "2"]
    log = config.parent / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *words, "--no-control-socket", "wsgi:app"],
            cwd=ROOT,
            env={**os.environ, "BOTD_CONFIG": str(config)},
            stderr=file,
        )
    try:
        yield process, log
    finally:
        process.terminate()
        process.wait(60)


def asked(address: str | tuple[str, int], *headers: str) -> str:
    """What GET /api/v2/me answers over a connection: its status, and the login where there is one."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        wait_until(lambda: client.connect_ex(address) == 0)
        lines = ["GET /api/v2/me HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
        client.sendall("\r\n".join(lines).encode())
        with client.makefile("rb") as file:
            head, _, body = file.read().decode().partition("\r\n\r\n")
    assert SECRET not in head + body
    return head.split()[1] + (" anna" if '"login":"anna"' in body else "")


def test_on_tcp_the_header_counts_beside_the_secret_and_never_without(place: Path) -> None:
    port = free_port()
    with gunicorn(written(place, SHARED), f"127.0.0.1:{port}"):
        here, anna = ("127.0.0.1", port), "X-Remote-User: anna"
        assert asked(here, anna, f"X-Botd-Secret: {SECRET}") == "200 anna"
        for headers in (
            [anna],
            [anna, "X-Botd-Secret: "],
            [anna, f"X-Botd-Secret: {SECRET[:-1]}"],
            [anna, f"X-Botd-Secret: {SECRET}", f"X-Botd-Secret: {SECRET}"],
            [anna, f"X_Botd_Secret: {SECRET}"],
            ["X-Remote-User: nobody", f"X-Botd-Secret: {SECRET}"],
            ["X-Remote-User: kmf", anna, f"X-Botd-Secret: {SECRET}"],
            [f"X-Botd-Secret: {SECRET}"],
        ):
            assert asked(here, *headers) == "401", headers


def test_on_a_unix_socket_that_others_cannot_reach_the_header_is_enough(place: Path) -> None:
    path = place / "web.sock"
    with gunicorn(written(place), f"unix:{path}"):
        assert asked(str(path), "X-Remote-User: anna") == "200 anna"
        assert asked(str(path), "X-Remote-User: kmf") == "401"
        assert asked(str(path)) == "401"


def test_with_neither_gunicorn_does_not_start_and_says_why(place: Path) -> None:
    with gunicorn(written(place), f"127.0.0.1:{free_port()}") as (process, log):
        assert process.wait(60) != 0
        assert "every user of this host can connect to loopback" in log.read_text()


def test_a_socket_that_everybody_may_connect_to_is_no_better(place: Path) -> None:
    open_to_all = all(parent.stat().st_mode & stat.S_IXOTH for parent in place.parents)
    for folder in [place, *place.parents]:  # as in a directory that everybody may enter
        if not folder.stat().st_mode & stat.S_IXOTH and folder.owner() == place.owner() and str(folder) != "/":
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    assert open_to_all or all(parent.stat().st_mode & stat.S_IXOTH for parent in place.parents)
    with gunicorn(written(place), f"unix:{place / 'web.sock'}", umask="0") as (process, log):
        assert process.wait(60) != 0
        assert "every user of this host can connect to" in log.read_text()


def test_botd_serve_asks_for_a_secret_that_nobody_guesses(place: Path) -> None:
    with pytest.raises(ConfigError, match="every user of this host can connect"):
        check_header(load_config(str(written(place))))
    shared = load_config(str(written(place, SHARED)))
    check_header(shared)
    for secret in ("", "short"):
        (place / "secret").write_text(secret)
        with pytest.raises(ConfigError, match="fewer than 20 characters"):
            check_header(shared)
    (place / "secret").write_text(SECRET)
    (place / "secret").chmod(0o644)
    with pytest.raises(ConfigError, match="others can read"):
        check_header(shared)
    (place / "secret").unlink()
    with pytest.raises(ConfigError, match="cannot read the secret"):
        check_header(shared)


@pytest.mark.parametrize("header", ["Host", "cookie", "Authorization", "X-Botd-Secret", "X_User", "a b", "X:", "X\n"])
def test_what_is_no_header_of_its_own_is_refused(header: str) -> None:
    with pytest.raises(ConfigError, match="header must be"):
        parse_config({"access": {"header": header}})


def test_a_secret_without_a_header_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="needs"):
        parse_config({"access": {"header_secret_file": "x"}})
