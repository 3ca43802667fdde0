"""The demo as a whole: what it writes, and that nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from botd.checks import site_checks
from botd.config import command_words, load_config, read_secret, resolve_path
from botd.demo import DemoCluster, run_demo
from botd.errors import BotdError
from botd.inventory.groups import read_groups
from botd.model import utc_now
from botd.transport.addresses import read_hosts
from botd.transport.slurm_control import Done, Refused, Shown, SlurmControl
from tests.demo.conftest import DemoSite
from tests.program import wait_until

STARTED_ALONE = """
import sys, time
from botd.demo import DemoCluster
cluster = DemoCluster(8)
cluster.start()
print(cluster.pid, cluster.directory, flush=True)
time.sleep(60)
"""

INTERRUPTED = """
import sys, time
from botd.demo import run_demo
def serve(path):
    try:
        print("config", path, flush=True)
        while True:
            time.sleep(0.1)
    except KeyboardInterrupt:
        return 7
sys.exit(run_demo(8, "127.0.0.1:5999", serve))
"""


def runs(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start_python(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def test_the_configuration_is_complete(demo: DemoSite) -> None:
    config = demo.config
    assert config.server.listen == "127.0.0.1:5000"
    assert dict(config.mounts) == {"scratch": "/global/scratch", "software": "/global/software", "tmp": "/tmp"}
    assert "kernel" in site_checks(config)
    files = (config.ssh.key_file, config.ssh.known_hosts, config.nodes.hosts_file, config.bmc.password_file)
    for path in (*files, config.actions.bmc_password_file):
        assert Path(path).stat().st_size
    slurm = [getattr(config.slurm, tool) for tool in ("sinfo", "scontrol", "squeue", "sacct")]
    for command in (*slurm, config.ping.command):
        assert os.access(command_words(command)[0], os.X_OK)


def test_secrets_are_readable_by_the_owner_only_and_not_in_the_configuration(demo: DemoSite) -> None:
    config = demo.config
    files = (config.bmc.password_file, config.actions.bmc_password_file)
    passwords = {read_secret(config, path, "") for path in files}
    assert [len(password) for password in passwords] == [16, 16]
    assert not [password for password in passwords if password in demo.cluster.config_text()]
    for path in (*files, config.ssh.key_file):
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600


def test_the_helper_for_slurm_drains_a_node_of_the_demo(demo: DemoSite) -> None:
    control, name, reason = SlurmControl(demo.config.actions), demo.take_sound().name, "botd: drain 7 by anna"
    seen = control.show(name)
    assert isinstance(seen, Shown)
    done = control.drain(name, seen.stamp, reason)
    assert isinstance(done, Done), done
    assert demo.slurm_state(name) == f"drained|{reason}"
    assert isinstance(control.drain(name, seen.stamp, reason), Refused)
    again = control.show(name)
    assert isinstance(again, Shown)
    assert isinstance(control.undrain(name, again.stamp), Done)
    assert demo.slurm_state(name) == "idle|none"
    assert demo.orders(name) == [("Slurm", f"state=drain reason={reason}", ""), ("Slurm", "state=undrain", "")]


def test_the_helper_reads_the_times_of_the_demo_in_any_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with DemoCluster(8) as cluster:
        control, name = SlurmControl(load_config(str(cluster.config_path)).actions), "n0001.savio2"
        drain = ["update", f"nodename={name}", "state=drain", "reason=x"]
        subprocess.run([cluster.tools / "scontrol", *drain], check=True)
        seen = control.show(name)
        assert isinstance(seen, Shown)
        assert seen.now.at
        assert abs(utc_now() - seen.now.at) < timedelta(hours=1)
        local = subprocess.run([cluster.tools / "sinfo", "-h", "-n", name, "-o", "%H"], capture_output=True, text=True)
        assert datetime.fromisoformat(local.stdout.strip()) - seen.now.at.replace(tzinfo=None) == timedelta(hours=9)


def test_groups_and_names_are_as_botd_reads_them(demo: DemoSite) -> None:
    groups, problems = read_groups(demo.config.groups, partial(resolve_path, demo.config))
    assert problems == []
    assert {"savio2", "savio3", "vector0", "bigmem", "htc", "rack-01", "rack-02"} == set(groups)
    assert sum(len(groups[name].nodes) for name in ("savio2", "savio3", "vector0", "bigmem")) == 64
    hosts = read_hosts(Path(demo.config.nodes.hosts_file))
    assert hosts["n0003.savio2"] == "127.77.0.4"
    assert hosts["n0003-ipmi.savio2"] == "127.78.0.4"


def test_leaving_the_context_leaves_no_process_and_no_file() -> None:
    with DemoCluster(8) as cluster:
        pid, directory = cluster.pid, cluster.directory
        assert pid
        assert runs(pid)
        assert directory.is_dir()
    assert not runs(pid)
    assert not directory.exists()


def test_two_demos_run_side_by_side(demo: DemoSite) -> None:
    with DemoCluster(8) as other:
        config = load_config(str(other.config_path))
        assert (config.ssh.port, config.bmc.port) != (demo.config.ssh.port, demo.config.bmc.port)
        assert demo.run("sinfo", "-h", "-o", "%D").returncode == 0


def test_a_stand_in_without_its_demo_fails_as_without_slurmctld(tmp_path: Path) -> None:
    with DemoCluster(8) as cluster:
        program = (cluster.tools / "sinfo").read_text()
    orphan = tmp_path / "sinfo"
    orphan.write_text(program)
    done = subprocess.run(["/bin/sh", str(orphan)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Unable to contact slurm controller" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_the_cluster_ends_with_the_process_that_started_it(number: signal.Signals) -> None:
    with start_python(STARTED_ALONE) as parent:
        assert parent.stdout
        pid, directory = parent.stdout.readline().split()
        assert runs(int(pid))
        parent.send_signal(number)
        wait_until(lambda: not runs(int(pid)))
        wait_until(lambda: not Path(directory).exists())


def said_until_it_serves(process: subprocess.Popen[str]) -> list[str]:
    """The lines that INTERRUPTED prints, the last of which names the configuration."""
    assert process.stdout
    said = []
    for line in iter(process.stdout.readline, ""):
        said.append(line)
        if line.startswith("config "):
            break
    return said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_cluster_and_removes_its_files(number: signal.Signals) -> None:
    with DemoCluster(8) as cluster:
        pid, directory = cluster.pid, cluster.directory
        assert pid
        os.kill(pid, number)
        wait_until(lambda: not directory.exists())
        wait_until(lambda: not runs(pid))


def test_ctrl_c_ends_the_demo_with_the_status_of_the_server() -> None:
    with start_python(INTERRUPTED) as process:
        said = said_until_it_serves(process)
        config = Path(said[-1].split()[1])
        assert config.exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 7
    assert not config.parent.exists()
    text = "".join(said)
    assert text.count("  curl ") == 4
    assert "http://127.0.0.1:5999/" in text


def test_the_sweep_that_the_demo_suggests_runs_as_it_is_printed() -> None:
    with start_python(INTERRUPTED) as process:
        said = said_until_it_serves(process)
        (line,) = [line.strip() for line in said if "BOTD_CONFIG=" in line]
        done = subprocess.run(["sh", "-c", f"{line} --checks ping"], capture_output=True, text=True, timeout=60)
        process.send_signal(signal.SIGINT)
    assert done.returncode == 0, done.stderr
    assert " ms" in done.stdout


def test_run_demo_gives_the_configuration_to_the_server_and_cleans_up_when_it_fails() -> None:
    seen: list[Path] = []

    def serve(path: str) -> int:
        seen.append(Path(path))
        assert load_config(path).server.listen == "127.0.0.1:5999"
        raise BotdError("the server did not start")

    with pytest.raises(BotdError, match="did not start"):
        run_demo(8, "127.0.0.1:5999", serve)
    assert not seen[0].parent.exists()


def test_a_taken_ssh_port_makes_it_take_the_next_one() -> None:
    with socket.socket() as other:
        other.bind(("127.77.0.3", 0))
        other.listen()
        with DemoCluster(8) as first:
            taken = load_config(str(first.config_path)).ssh.port
        with socket.create_server(("127.77.0.3", taken)), DemoCluster(8) as second:
            assert load_config(str(second.config_path)).ssh.port > taken


def test_too_many_nodes_for_the_limits_of_the_machine_is_a_clear_error() -> None:
    with pytest.raises(BotdError, match=r"open files, and the limit is \d+"):
        DemoCluster(60_000_000).start()


def test_it_runs_thousands_of_nodes() -> None:
    with DemoCluster(3000) as cluster:
        listed = [str(cluster.tools / "sinfo"), "-h", "-N", "-o", "%N %T %o"]
        lines = subprocess.run(listed, capture_output=True, text=True, timeout=60).stdout.splitlines()
        assert len({line.split()[0] for line in lines}) == 3000
        port = load_config(str(cluster.config_path)).ssh.port
        for address in [line.split()[2] for line in lines if line.split()[1] == "idle"][::50]:
            with socket.create_connection((address, port), 10) as wire:
                assert wire.recv(4) == b"SSH-"
