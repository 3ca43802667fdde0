"""What the web part is made of, and what it must never be."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import Site


def test_the_web_part_does_not_even_load_what_reaches_nodes() -> None:
    code = "import sys, botd.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    for name in (
        "paramiko",
        "pyghmi",
        "botd.agent.loop",
        "botd.probes",
        "botd.transport.ssh.nodes",
        "botd.transport.bmc.power",
    ):
        assert name not in loaded


def test_every_answer_forbids_what_comes_from_elsewhere(site: Site) -> None:
    for url in ("/", "/api/v1/status", "/api/v1/nothing", "/static/botd.css"):
        headers = site.client.get(url).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_wsgi_serves_the_configuration_that_is_named(site: Site) -> None:
    path = site.folder / "botd.toml"
    path.write_text('[store]\nurl = "sqlite:///botd.db"\n[mounts]\nhome = "/home"\n')
    code = "import wsgi; print(wsgi.app.test_client().get('/api/v1/checks').text)"
    environment = {"BOTD_CONFIG": str(path), "PATH": "/usr/bin:/bin", "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert '"df_home"' in done.stdout
