"""The wheel of `bofhbot` alone: what is in it, and that it works where nothing else of botd is."""

from __future__ import annotations

import email
import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from botd import __version__
from tests.client.conftest import Home
from tests.client.test_server import ALLOWED
from tests.program import DemoProgram

ROOT = Path(__file__).parent.parent.parent
NEEDS = {"urllib3": "urllib3", "python-hostlist": "hostlist"}
"""The libraries that it asks for, each with its module."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", made, ROOT / "bofhbot"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = made.iterdir()
    return path


@pytest.fixture(scope="module")
def bofhbot(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in an environment that has the wheel, the two libraries, and nothing else."""
    home = tmp_path_factory.mktemp("laptop") / "venv"
    venv.create(home, symlinks=True)
    paths = {name: Path(path) for name, path in sysconfig.get_paths(vars={"base": str(home)}).items()}
    for module in NEEDS.values():
        origin = Path(str(importlib.util.find_spec(module).origin))  # type: ignore[union-attr]
        whole = origin.parent if origin.name == "__init__.py" else origin
        (paths["purelib"] / whole.name).symlink_to(whole)
    install = [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "--no-deps", "--no-index"]
    done = subprocess.run([*install, wheel], cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return home / "bin" / "bofhbot"


def metadata(wheel: Path) -> Message:
    return email.message_from_bytes(zipfile.ZipFile(wheel).read(f"bofhbot-{__version__}.dist-info/METADATA"))


def test_twine_finds_nothing_to_complain_of(wheel: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "twine", "check", "--strict", wheel], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_the_client_and_the_modules_that_it_imports_and_nothing_else(wheel: Path) -> None:
    client = {str(path.relative_to(ROOT)) for path in (ROOT / "botd" / "client").rglob("*.py")}
    shared = (name.replace(".", "/") for name in ALLOWED)
    files = {f"{name}/__init__.py" if (ROOT / name).is_dir() else f"{name}.py" for name in shared}
    assert {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("botd/")} == client | files


def test_it_asks_for_two_libraries_in_the_versions_of_botd(wheel: Path) -> None:
    told = metadata(wheel)
    asked = {wanted.name: wanted.specifier for wanted in map(Requirement, told.get_all("Requires-Dist", []))}
    assert set(asked) == set(NEEDS)
    every = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f'"{name}{specifier}"' in every for name, specifier in asked.items())
    assert told["License-Expression"] == "GPL-3.0-or-later"


def test_it_works_where_nothing_else_of_botd_is(bofhbot: Path, home: Home, program: DemoProgram) -> None:
    environ = {"PATH": os.defpath, "HOME": home.environ["HOME"], "LANG": "C.UTF-8", "BOFHBOT_URL": program.base}

    def run(*words: str) -> str:
        done = subprocess.run([bofhbot, *words], cwd=home.path, env=environ, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    share = bofhbot.parent.parent / "share"
    found = {path.name for path in share.rglob("*") if path.is_file()}
    assert found == {"bofhbot.1", "bofhbot", "_bofhbot"}
    assert run("--version") == f"bofhbot {__version__}\n"
    home.environ["BOFHBOT_URL"] = program.base
    assert run("--json", "node,diagnosis") == home.good("--json", "node,diagnosis")
    assert run("suggest").startswith("#!/bin/sh")
