"""Where a sweep meets the transports: a command that did not end is looked for before it is started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from botd.answers import Delivery, Output, PresenceAnswer, SlurmAnswer, Source
from botd.checks import site_checks
from botd.config import parse_config
from botd.model import SlurmNode
from botd.probes import NOT_TOLD, Probes
from botd.sweep import Plan, make_plan
from botd.transport.addresses import LookupUnavailable, Resolver


@pytest.mark.parametrize(
    ("output", "guarded"),
    [
        (Output(timed_out=True, detail="did not end within 8 s"), True),
        (Output(detail="the connection was lost"), True),
        (Output("mount rw\n4096 9 9 9\n", 0), False),
    ],
)
def test_only_its_end_frees_a_hung_command_from_its_guard(tmp_path: Path, monkeypatch, output, guarded) -> None:
    config = parse_config({"mounts": {"scratch": "/global/scratch"}}, path=str(tmp_path / "botd.toml"))
    probes, checks, started = Probes(config), site_checks(config), []
    answers = [Output(timed_out=True), output, Output("mount rw\n4096 9 9 9\n", 0)]

    def run(targets, fragments, deliver, **_options) -> None:
        started.extend(part.command for part in fragments("n1") if part.name == "df_scratch")
        deliver(Delivery("n1", Source.COMMAND, answers.pop(0), 0.1, "df_scratch"))

    monkeypatch.setattr(probes._ssh, "run", run)
    plan = make_plan(("n1",), checks, ["df_scratch"])
    for _ in range(3):
        probes._login(plan, probes._pool.submit(dict), lambda delivery: None)
    probes.close()
    check = checks["df_scratch"]
    assert started == [check.command, check.guarded, check.guarded if guarded else check.command]


def test_a_slurm_command_that_stays_broken_is_logged_once(tmp_path: Path, caplog) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text("#!/bin/sh\necho away >&2; exit 1\n")
    squeue.chmod(0o755)
    probes, plan = ask_squeue(tmp_path, squeue)
    for _ in range(3):
        probes._jobs(plan, lambda delivery: None)
    assert len([record for record in caplog.records if "away" in record.getMessage()]) == 1
    squeue.write_text("#!/bin/sh\n")
    with caplog.at_level("INFO"):
        probes._jobs(plan, lambda delivery: None)
    probes.close()
    assert caplog.messages[-1].startswith("over: slurm command failed source=squeue")


def ask_squeue(tmp_path: Path, squeue: Path) -> tuple[Probes, Plan]:
    config = parse_config({"slurm": {"squeue": str(squeue)}}, path=str(tmp_path / "botd.toml"))
    return Probes(config), make_plan(("n1",), site_checks(config), ["jobs"])


def test_a_cluster_without_accounting_is_nothing_to_log(tmp_path: Path, caplog) -> None:
    config = parse_config({"slurm": {"sacct": ""}}, path=str(tmp_path / "botd.toml"))
    probes, answers = Probes(config), list[SlurmAnswer]()
    plan = make_plan(("n1", "n2"), site_checks(config), ["last_job"])
    probes._last_jobs(plan, lambda delivery: answers.append(delivery.answer))
    probes.close()
    assert answers == [SlurmAnswer(nothing_kept="this cluster keeps no accounting")] * 2
    assert caplog.records == []


def test_no_name_server_is_not_taken_for_no_bmc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, nothing holds a node back; what is not known may."""

    def look_up(name: str) -> str | None:
        if name == "n2-bmc":
            raise LookupUnavailable(name)
        return None

    config = parse_config({"bmc": {"address": "{node}-bmc"}}, path=str(tmp_path / "botd.toml"))
    probes, answers = Probes(config), dict[str, PresenceAnswer]()
    monkeypatch.setattr(probes, "_resolver", Resolver(config, lookup=look_up))
    plan = make_plan(("n1", "n2"), site_checks(config), ["ipmi_reachable"])
    probes._ask_bmcs(plan, lambda delivery: answers.update({delivery.node: delivery.answer}))
    probes.close()
    assert answers == {
        "n1": PresenceAnswer(False, not_asked="the name has no address"),
        "n2": PresenceAnswer(False, error=NOT_TOLD),
    }


@pytest.mark.parametrize(
    ("nodes", "asked"),
    [
        ({}, {"n1": "10.0.0.1", "n2": "10.9.0.2", "n3": "10.9.0.3", "n4": None}),
        ({"hosts_file": "hosts"}, {"n1": "10.7.0.1", "n2": "10.7.0.2", "n3": "10.9.0.3", "n4": None}),
        ({"address": "{node}.mgmt"}, {"n1": "10.8.0.1", "n2": None, "n3": None, "n4": None}),
    ],
)
def test_ping_and_ssh_go_where_slurm_says_where_a_name_has_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: dict[str, str], asked: dict[str, str | None]
) -> None:
    names = {"n1": "10.0.0.1", "n1.mgmt": "10.8.0.1", "host3": "10.9.0.3"}
    (tmp_path / "hosts").write_text("10.7.0.1 n1\n10.7.0.2 n2\n")
    config = parse_config({"nodes": nodes}, path=str(tmp_path / "botd.toml"))
    slurm = {
        "n1": SlurmNode("n1", "idle", "IDLE", address="10.9.0.1"),
        "n2": SlurmNode("n2", "idle", "IDLE", address="10.9.0.2", hostname="host3"),
        "n3": SlurmNode("n3", "idle", "IDLE", address="n3", hostname="host3"),
        "n4": SlurmNode("n4", "idle~", "IDLE", address="n4", hostname="n4"),
    }
    probes, targets = Probes(config), []
    monkeypatch.setattr(probes, "_resolver", Resolver(config, lookup=names.get))
    monkeypatch.setattr("botd.probes.ping_nodes", lambda addresses, *_args, **_options: targets.append(addresses))
    monkeypatch.setattr(probes._ssh, "run", lambda addresses, *_args, **_options: targets.append(addresses))
    for prober in probes.probers(make_plan(tuple(slurm), site_checks(config), ["ping", "ssh"], slurm)):
        prober.run(lambda delivery: None)
    probes.close()
    assert targets == [asked, asked]
