"""The checks of docs/deploy, run by a shell: on a PCI bus of folders, with a stand-in for nvidia-smi."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from botd.answers import Output
from botd.checks import site_checks
from botd.config import load_config
from botd.model import Check, Facts, Finding, State
from botd.sweep import read_answer
from tests.conftest import need_program

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
GPUS = site_checks(load_config(str(DEPLOY / "checks.toml")))
SITE = site_checks(load_config(str(DEPLOY / "botd.toml")))
LISTED = "GPU {0}: NVIDIA A40 (UUID: GPU-5b3f2c1e-0000-1111-2222-33334444555{0})"


def read(check: Check, text: str, status: int) -> Finding:
    return read_answer(check, Output(text, status), Facts("n1", settings=check.settings))


class Machine:
    """A node: its PCI bus, and what nvidia-smi does there."""

    def __init__(self, folder: Path) -> None:
        self.bus, self.bin = folder / "pci", folder / "bin"
        self.bus.mkdir()
        self.bin.mkdir()
        for program in ("grep", "awk"):
            (self.bin / program).symlink_to(need_program(program))

    def plug(self, vendor: str, kind: str) -> None:
        place = self.bus / f"0000:{len(list(self.bus.iterdir())):02x}:00.0"
        place.mkdir()
        (place / "vendor").write_text(f"{vendor}\n")
        (place / "class").write_text(f"{kind}\n")

    def install(self, script: str) -> None:
        path = self.bin / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, name: str, shell: str) -> Finding:
        command = GPUS[name].command.replace("/sys/bus/pci/devices", str(self.bus))
        argv = [need_program(shell), *(["sh"] if shell == "busybox" else []), "-c", command]
        ran = subprocess.run(argv, capture_output=True, text=True, env={"PATH": str(self.bin)}, timeout=60)
        return read(GPUS[name], ran.stdout + ran.stderr, ran.returncode)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(params=["dash", "bash", "busybox"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def four_gpus(machine: Machine) -> None:
    for vendor, kind in [("0x10de", "0x030200")] * 4 + [("0x10de", "0x040300"), ("0x15b3", "0x020700")]:
        machine.plug(vendor, kind)


def test_every_gpu_that_answers_is_there(machine: Machine, shell: str) -> None:
    four_gpus(machine)
    machine.install("\n".join(f"echo '{LISTED.format(number)}'" for number in range(4)))
    found = machine.run("gpu_missing", shell)
    assert (found.state, found.value) == (State.OK, 0.0)


def test_a_gpu_that_has_fallen_off_the_bus_is_missing(machine: Machine, shell: str) -> None:
    four_gpus(machine)
    lost = "echo 'Unable to determine the device handle for GPU 0000:C1:00.0: GPU is lost.'; exit 15"
    machine.install("\n".join([*(f"echo '{LISTED.format(number)}'" for number in range(3)), lost]))
    found = machine.run("gpu_missing", shell)
    assert (found.state, found.value) == (State.FAIL, 1.0)


def test_without_a_driver_all_are_missing_and_without_a_gpu_none_is(machine: Machine, shell: str) -> None:
    machine.plug("0x1a03", "0x030000")
    assert machine.run("gpu_missing", shell).value == 0.0
    four_gpus(machine)
    assert machine.run("gpu_missing", shell).value == 4.0


@pytest.mark.parametrize(
    ("script", "state", "value"),
    [
        ("echo 0; echo 0", State.OK, 0.0),
        ("echo 0; echo '[N/A]'", State.OK, 0.0),
        ("echo 2; echo 1", State.FAIL, 3.0),
        ("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", State.UNKNOWN, None),
    ],
)
def test_errors_of_all_gpus_are_one_number(
    machine: Machine, shell: str, script: str, state: State, value: float | None
) -> None:
    machine.install(script)
    found = machine.run("gpu_ecc", shell)
    assert (found.state, found.value) == (state, value)


def test_a_node_without_nvidia_smi_has_none(machine: Machine, shell: str) -> None:
    assert machine.run("gpu_ecc", shell).state is State.OK


def test_what_nhc_refuses_is_a_failure_in_its_own_words() -> None:
    said = "ERROR:  nhc:  Health check failed:  check_fs_mount:  /global/scratch not mounted\n"
    found = read(SITE["nhc"], said, 1)
    assert found.state is State.FAIL
    assert found.detail.endswith("/global/scratch not mounted")
    assert read(SITE["nhc"], "", 0).state is State.OK
    assert read(SITE["nhc"], "sudo: a password is required\n", 1).state is State.UNKNOWN


def test_both_samples_go_into_one_configuration(tmp_path: Path) -> None:
    whole = tmp_path / "botd.toml"
    whole.write_text((DEPLOY / "botd.toml").read_text() + (DEPLOY / "checks.toml").read_text())
    whole.chmod(0o644)
    assert {"nhc", "gpu_missing", "gpu_ecc"} <= set(site_checks(load_config(str(whole))))
