"""The walls of the house: what the import linter refuses, so that nobody has to remember it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINTER = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the program in which a test may break a wall."""
    shutil.copytree(ROOT / "botd", tmp_path / "botd", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINTER, "--no-cache"],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def add_import(house: Path, room: str, line: str) -> None:
    """Puts an import at the end of a module that has every right to be there, but not to this."""
    path = house / "botd" / room
    path.write_text(path.read_text() + f"\n{line}\n")


def test_the_house_stands_as_it_is(house: Path) -> None:
    found = lint(house)
    assert found.returncode == 0, found.stdout
    assert "0 broken" in found.stdout


def test_a_module_that_no_layer_names_is_refused(house: Path) -> None:
    (house / "botd" / "stray.py").write_text('"""A room that nobody planned."""\n')
    found = lint(house)
    assert found.returncode == 1
    assert "stray" in found.stdout


@pytest.mark.parametrize(
    ("room", "line", "contract"),
    [
        ("display/findings.py", "import flask", "Who may know Flask"),
        ("view.py", "import flask_restful", "Who may know Flask"),
        ("display/formats.py", "import werkzeug.http", "Who may know Flask"),
        ("inventory/slurm.py", "import subprocess", "Who may start a program"),
        ("workers/office.py", "import celery", "Who may speak to a broker"),
        ("agent/loop.py", "import kombu", "Who may speak to a broker"),
        ("board/board.py", "import sqlalchemy", "Who may speak SQL"),
        ("agent/loop.py", "import sqlalchemy", "Who may speak SQL"),
        ("resources/health.py", "import pamela", "Who may look at passwords and codes"),
        ("access/tokens.py", "import pyotp", "Who may look at passwords and codes"),
        ("web/here.py", "import argon2", "Who may look at passwords and codes"),
        ("resources/health.py", "import botd.ledger", "Who may open the ledger"),
        ("board/board.py", "import botd.ledger.schema", "Who may open the ledger"),
        ("store/copies.py", "import botd.ledger.place", "Who may open the ledger"),
        ("agent/loop.py", "import paramiko", "Who may log in to a node"),
        ("probes.py", "import pyghmi.constants", "Who may ask a BMC"),
        ("probes.py", "import botd.transport.slurm_control", "Who may change a node"),
        ("transport/bmc/power.py", "import botd.transport.bmc.control", "Who may change a node"),
        ("resources/status.py", "import botd.probes", "The web part cannot reach a node"),
        ("client/server.py", "import botd.model", "The client knows HTTP, and nothing else of the server"),
        ("client/server.py", "import subprocess", "Who may start a program"),
        ("web/mail.py", "import urllib3", "Who may speak HTTP to others"),
        ("checks/load.py", "import socket", "The checks, and the nouns below them, touch nothing outside"),
        ("access/roles.py", "import socket", "What judges touches nothing outside"),
        ("acting/limits.py", "import botd.access.roles", "Imports point one way, and every room has its place"),
        ("store/changes.py", "import botd.board.board", "Imports point one way, and every room has its place"),
        ("store/changes.py", "import botd.history.changes", "Imports point one way, and every room has its place"),
    ],
)
def test_an_import_through_a_wall_is_refused(house: Path, room: str, line: str, contract: str) -> None:
    add_import(house, room, line)
    found = lint(house)
    assert found.returncode == 1
    assert f"{contract} BROKEN" in found.stdout
    assert f"botd.{room.removesuffix('.py').replace('/', '.')}" in found.stdout
