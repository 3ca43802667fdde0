"""The Debian packages in a bare Debian: installed, configured, run, upgraded with a history, removed and purged."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from botd import __version__
from botd.ledger.schema import SCHEMA as LEDGER
from botd.store.schema import SCHEMA as STORE
from tests.debian.chroot import ON_DEBIAN, Debian
from tests.older import make_older, rows, version_of

ROOT = Path(__file__).parents[2]
pytestmark = ON_DEBIAN

CONFIG = """
[slurm]
sinfo_file = "/etc/botd/sinfo.txt"
[store]
url = "sqlite:////var/lib/botd/botd.db"
[ledger]
url = "sqlite:////var/lib/botd-agent/ledger.db"
checkpoints = "/var/log/botd-agent/checkpoints.jsonl"
public_key = "/run/botd-agent/seal.pub"
[groups]
directories = []
[sweep]
interval = 300
checks = ["ssh"]
[access]
roles_file = "/etc/botd/roles.toml"
"""

ASK = """
import json, sys, time, urllib.error, urllib.request
def got(path):
    try:
        with urllib.request.urlopen("http://127.0.0.1:5000" + path, timeout=60) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return {}
until = time.monotonic() + 120
while not (got("/healthz").get("agent") and got("/api/v1/status?g=sinfo&wait=60").get("nodes")):
    if time.monotonic() > until:
        sys.exit("botd does not answer: " + json.dumps(got("/healthz")))
    time.sleep(0.2)
print(json.dumps(got("/api/v1/status?g=sinfo")))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What `make deb` makes: botd, and its helper for the controller."""
    made = tmp_path_factory.mktemp("deb")
    quickly = {**os.environ, "DEB_COMPRESSION": "none"}
    done = subprocess.run(["sh", ROOT / "packaging" / "build.sh", made], env=quickly, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    botd, helper = map(Path, done.stdout.split())
    return botd, helper


def newer(package: Path, folder: Path) -> Path:
    """The same package with a higher version, in which the sample configuration has another line."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder / "tree"], check=True)
    control = folder / "tree" / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*$", "Version: 99.0", control.read_text()))
    with (folder / "tree" / "etc" / "botd" / "botd.toml").open("a") as file:
        file.write("# what is new\n")
    made = folder / "botd_99.0.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", folder / "tree", made], check=True)
    return made


def run_botd(debian: Debian) -> str:
    """Starts both units until botd has answered with readings of the nodes; its answer."""
    (debian.root / "tmp" / "ask.py").write_text(ASK)
    units = [debian.started(unit) for unit in ("botd-agent.service", "botd-web.service")]
    end = "python3 /tmp/ask.py || { tail -n 20 /tmp/*.log; exit 1; }\nkill $botd_web $botd_agent\nwait"
    return debian.run("\n".join([*units, end])).splitlines()[-1]


def test_it_is_installed_configured_run_upgraded_removed_and_purged(
    packages: tuple[Path, Path], debian: Debian, tmp_path: Path
) -> None:
    root = debian.root
    debian.install(*packages)

    # What there is, and whose it is.
    assert debian.run("botd --version; bofhbot --version").split()[:2] == ["botd", __version__]
    stat = "stat -c '%a %U:%G %n' /etc/botd /etc/botd/* /var/lib/botd /var/lib/botd-agent /var/log/botd-agent"
    assert debian.run(stat).splitlines() == [
        "750 root:botd /etc/botd",
        "700 botd-agent:botd /etc/botd/agent",
        "640 root:botd /etc/botd/botd.toml",
        "644 root:root /etc/botd/roles.toml",
        "2770 root:botd /var/lib/botd",
        "700 botd-agent:botd /var/lib/botd-agent",
        "755 botd-agent:botd /var/log/botd-agent",
    ]
    for name in ("man/man1/botd.1.gz", "bash-completion/completions/botd", "zsh/vendor-completions/_botd"):
        assert (root / "usr" / "share" / name).is_file()
    assert '"slurm-unreadable"' in debian.run("echo 'show n1' | /usr/libexec/botd-slurm-helper || true")
    assert debian.run("find /opt/botd /usr/libexec ! -user root").strip() == ""

    # A site's own configuration, and a first morning.
    (root / "etc" / "botd" / "botd.toml").write_text(CONFIG)
    (root / "etc" / "botd" / "sinfo.txt").write_text("NODELIST REASON\nn1 bad GPU\n")
    assert '"n1"' in run_botd(debian)
    store, ledger = root / "var" / "lib" / "botd" / "botd.db", root / "var" / "lib" / "botd-agent" / "ledger.db"
    as_agent = "setpriv --reuid=botd-agent --regid=botd --clear-groups env BOTD_CONFIG=/etc/botd/botd.toml"
    debian.run(f"{as_agent} botd user add anna student")
    history, people, audit = rows(store, "changes"), rows(ledger, "people"), rows(ledger, "audit")
    assert history
    assert people

    # A newer version leaves the configuration as it is, and goes on with the history and ledger of an older schema.
    newest = version_of(store), version_of(ledger)
    make_older(store, STORE, "0004")
    make_older(ledger, LEDGER, "0001")
    debian.install(newer(packages[0], tmp_path), options="-o Dpkg::Options::=--force-confold")
    assert (root / "etc" / "botd" / "botd.toml").read_text() == CONFIG
    assert (root / "etc" / "botd" / "botd.toml.dpkg-dist").read_text().endswith("# what is new\n")
    assert '"n1"' in run_botd(debian)
    assert (version_of(store), version_of(ledger)) == newest
    assert rows(store, "changes")[: len(history)] == history
    assert rows(ledger, "people") == people
    assert rows(ledger, "audit")[: len(audit)] == audit
    debian.run(f"{as_agent} botd audit verify")

    # Removed, it leaves what is a site's own; purged, nothing but its users.
    debian.run("dpkg --remove botd")
    assert not (root / "opt" / "botd").exists()
    assert (root / "etc" / "botd" / "botd.toml").read_text() == CONFIG
    assert rows(store, "changes")[: len(history)] == history
    (root / "etc" / "botd" / "sinfo.txt").unlink()
    debian.run("dpkg --purge botd botd-slurm-helper")
    for place in ("etc/botd", "var/lib/botd", "var/lib/botd-agent", "var/log/botd-agent", "usr/bin/botd"):
        assert not (root / place).exists(), place
    assert "botd-agent" in (root / "etc" / "passwd").read_text()
