"""What is handed out: the licence, the sdist and the wheel, and the requirements that both stand on."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from botd import __version__
from tests import licences

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENTS = ("requirements", "requirements-build", "requirements-dev", "requirements-servers")

TRY = """
from botd.app import create_app
from botd.config import parse_config
client = create_app(parse_config({"store": {"url": "sqlite:///botd.db"}})).test_client()
assert client.get("/static/botd.css").status_code == 200
assert "<title>" in client.get("/cluster", headers={"Accept": "text/html"}).text
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` makes, from the files as they are."""
    made = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", made, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


def files(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def metadata(wheel: Path) -> Message:
    name = f"botd-{__version__}.dist-info/METADATA"
    return email.message_from_bytes(zipfile.ZipFile(wheel).read(name))


def tracked(folder: str, suffix: str = "") -> set[str]:
    """The files of a folder that somebody wrote, by their paths in the project."""
    every = (path for path in (ROOT / folder).rglob(f"*{suffix}") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in every if path.suffix != ".pyc"}


# ---- sdist and wheel ----


def test_twine_finds_nothing_to_complain_of(dist: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, dist.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_has_the_whole_program_and_nothing_else(wheel: Path) -> None:
    beside = tracked("libexec") | tracked("static") | tracked("templates")
    manual = {f"botd-{__version__}.data/data/{name}" for name in tracked("share")}
    expected = tracked("botd") | {f"botd/{name}" for name in beside} | {"wsgi.py"} | manual
    assert {name for name in files(wheel) if ".dist-info/" not in name} == expected
    assert any(name.startswith("botd/store/migrations/versions/") for name in files(wheel))


def test_the_sdist_has_what_its_wheel_and_its_tests_are_made_of(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.rst", "pyproject.toml", "Makefile", "wsgi.py", "bofhbot/pyproject.toml"} <= names
    for folder in ("botd", "static", "templates", "tests", "docs"):
        assert tracked(folder, ".py") <= names
    assert not [name for name in names if name.startswith((".git/", ".venv/", ".ci/")) or name.endswith(".db")]


def test_the_wheel_says_whose_it_is_and_under_which_licence(wheel: Path) -> None:
    told = metadata(wheel)
    assert told["License-Expression"] == "GPL-3.0-or-later"
    assert told["License-File"] == "LICENSE"
    assert told["Author"] == "botd contributors"
    assert told["Keywords"]
    licence = zipfile.ZipFile(wheel).read(f"botd-{__version__}.dist-info/licenses/LICENSE").decode()
    assert licence.split()[:7] == ["GNU", "GENERAL", "PUBLIC", "LICENSE", "Version", "3,", "29"]


def test_an_installed_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Its dependencies are those of this environment, so that nothing is fetched."""
    home = tmp_path / "venv"
    venv.create(home, symlinks=True)
    paths = {name: Path(path) for name, path in sysconfig.get_paths(vars={"base": str(home)}).items()}
    (paths["purelib"] / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "--no-deps", "--no-index"]
    done = subprocess.run([*install, wheel], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    version = subprocess.run([home / "bin" / "botd", "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert version.stdout == f"botd {__version__}\n"
    tried = subprocess.run([home / "bin" / "python", "-c", TRY], cwd=tmp_path, capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr


# ---- licences ----


def test_the_page_of_licences_is_what_the_libraries_say() -> None:
    assert licences.PAGE.read_text(encoding="utf-8") == licences.document(), "run `make licences`"


def test_every_library_that_botd_runs_on_has_a_licence_on_the_page() -> None:
    rows = re.findall(r"^\| (\S+) +\| (.*?) +\|", licences.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {canonicalize_name(name): licence for name, licence in rows}
    assert {*licences.runs_on(), *licences.OPTIONAL} == set(told) - {"name"}
    assert "UNKNOWN" not in told.values()


# ---- requirements ----


def pins(name: str) -> dict[str, str]:
    """The libraries of a file of requirements with their versions."""
    lines = re.findall(r"^([\w.\[\]-]+)==([\w.]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(library.partition("[")[0]): version for library, version in lines}


def test_what_the_project_asks_for_is_what_is_pinned() -> None:
    asked = {canonicalize_name(wanted.name): wanted for wanted in map(Requirement, PROJECT["project"]["dependencies"])}
    chosen = pins("requirements.in")
    assert set(asked) == set(chosen)
    assert all(wanted.specifier.contains(chosen[name]) for name, wanted in asked.items())
    (builder,) = map(Requirement, PROJECT["build-system"]["requires"])
    assert builder.specifier.contains(pins("requirements-build.in")[builder.name])


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_compiled_from_what_people_edit(name: str) -> None:
    chosen, compiled = pins(f"{name}.in"), pins(f"{name}.txt")
    assert chosen.items() <= compiled.items(), "run `make requirements`"


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_has_its_hashes_and_none_says_where_it_is_fetched(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]
    assert entries
    assert all("--hash=sha256:" in entry and "==" in entry for entry in entries)
    assert not re.search(r"https?://|file:|^-", text, re.MULTILINE)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_one_library_has_one_version_everywhere(name: str) -> None:
    compiled, every = pins(f"{name}.txt"), pins("requirements-dev.txt")
    assert {library: every.get(library, version) for library, version in compiled.items()} == compiled


def test_what_make_fetches_is_held_against_its_hashes() -> None:
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    installs = [line for line in lines if line.startswith("\t$(INSTALL)")]
    assert installs
    assert all("--require-hashes" in line or "--no-deps --no-build-isolation" in line for line in installs)
