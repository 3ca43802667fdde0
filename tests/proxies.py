"""Debian's nginx and Apache on loopback, with the files of docs/deploy: only ports and places of files are changed."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.certificate import make_certificate
from tests.conftest import need_program
from tests.program import free_port, wait_until

DEPLOY = Path(__file__).parents[1] / "docs" / "deploy"

SECRET = "0123456789abcdef0123456789abcdef"

NGINX = """daemon off; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 64; }}
http {{ access_log off; {temporary}
{sample}
}}
"""

TEMPORARY = ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")

MODULES = """alias auth_basic authn_core authn_file authz_core authz_user headers mpm_event proxy
proxy_http socache_shmcb ssl"""

APACHE = """ServerRoot {folder}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/log
Mutex file:{folder}
StartServers 1
{modules}
Listen 127.0.0.1:{port}
{sample}
"""


@contextmanager
def proxied(sample: str, upstream: str, people: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """The proxy of this file of docs/deploy before `upstream` (127.0.0.1:1234): its https URL, and its certificate.

    `people` are those who may come, by name and password. Whom it lets in botd is told, with SECRET.
    """
    # Its workers run as another user, who must come to the files. With a tmp_path they would not.
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        certificate = make_certificate(folder)
        (folder / "people").write_text("".join(f"{who}:{_hashed(word)}\n" for who, word in people.items()))
        (folder / "conf").write_text(_conf(sample, folder, port, upstream))
        process = subprocess.Popen(_command(sample, folder), stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: process.poll() is not None or (folder / "pid").exists())
            assert process.poll() is None, (folder / "log").read_text()
            yield f"https://127.0.0.1:{port}", certificate
        finally:
            process.terminate()
            process.wait(60)


def _command(sample: str, folder: Path) -> list[str]:
    if sample.startswith("nginx"):
        return [need_program("nginx"), "-p", str(folder), "-e", str(folder / "log"), "-c", str(folder / "conf")]
    return [need_program("apache2"), "-f", str(folder / "conf"), "-DFOREGROUND"]


def _conf(sample: str, folder: Path, port: int, upstream: str) -> str:
    text = adapted((DEPLOY / sample).read_text(encoding="utf-8"), folder, port, upstream)
    if sample.startswith("nginx"):
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in TEMPORARY)
        return NGINX.format(folder=folder, temporary=temporary, sample=text)
    places = {name: f"/usr/lib/apache2/modules/mod_{name}.so" for name in MODULES.split()}
    modules = "\n".join(f"LoadModule {name}_module {place}" for name, place in places.items())
    return APACHE.format(folder=folder, modules=modules, port=port, sample=text)


def adapted(text: str, folder: Path, port: int, upstream: str) -> str:
    """The sample with the addresses and files of a test, and what it says of logins in force. Each must be there."""
    for pattern, by in (
        (r"/etc/ssl/(certs|private)/[\w.]+\.(pem|key)", f"{folder}/botd.pem"),
        (r"/etc/(nginx|apache2)/botd\.htpasswd", f"{folder}/people"),
        (r"listen 443 ssl|\*:443", f"listen 127.0.0.1:{port} ssl" if "listen 443" in text else f"127.0.0.1:{port}"),
        (r"(server_name|ServerName) \S+\.org", r"\1 127.0.0.1"),
        (r"127\.0\.0\.1:5000", upstream),
        (r"# (proxy_set_header X-(Remote|Botd)|RequestHeader set X-(Remote|Botd))", r"\1"),
        ('what stands in header_secret_file(?=")', SECRET),
    ):
        text, found = re.subn(pattern, by, text)
        assert found, pattern
    return text


def _hashed(word: str) -> str:
    return "{SHA}" + base64.b64encode(hashlib.sha1(word.encode()).digest()).decode()
