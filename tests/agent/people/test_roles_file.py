"""The roles file while the agent runs: a better one is taken, a broken one stops all acting and changes no role."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from botd.access.judge import why_in_doubt
from botd.access.roles import Roles
from botd.agent.people.roles_file import RolesFile, places_of, read_roles
from botd.errors import ConfigError
from botd.inventory import build
from botd.inventory.groups import read_groups
from botd.settings import GroupSettings
from tests.access.places import NOW, SAVIO2
from tests.conftest import idle

ONE = '[[role]]\nname = "a"\n[protected]\nnodes = ""\n'
TWO = '[[role]]\nname = "b"\n[protected]\nnodes = ""\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "roles.toml"
    path.write_text(ONE)
    path.chmod(0o644)
    return path


def test_a_new_file_is_taken(path: Path) -> None:
    file = RolesFile(path)
    first = file.look()
    path.write_text(TWO)
    second = file.look()
    assert [first.roles.roles[0].name, second.roles.roles[0].name] == ["a", "b"]
    assert (first.fault, second.fault, second.text) == ("", "", TWO)
    assert first.digest != second.digest


def test_a_broken_file_leaves_the_last_good_roles_and_a_fault(path: Path) -> None:
    file = RolesFile(path)
    good = file.look()
    path.write_text(TWO + "[")
    broken = file.look()
    assert (broken.roles, broken.digest) == (good.roles, good.digest)
    assert "it is not TOML" in broken.fault
    path.write_text(ONE)
    assert file.look() == good


@pytest.mark.parametrize("spoil", ["gone", "writable", "binary", "folder"])
def test_a_file_that_cannot_be_believed_is_a_fault(path: Path, spoil: str) -> None:
    file = RolesFile(path)
    good = file.look()
    if spoil == "writable":
        path.chmod(0o666)
    elif spoil == "binary":
        path.write_bytes(b"\xff\xfe")
    else:
        path.unlink()
    if spoil == "folder":
        path.mkdir()
    assert str(path) in file.look().fault
    assert file.look().roles == good.roles
    with pytest.raises(ConfigError, match="roles file"):
        read_roles(path)


def test_a_file_of_somebody_else_is_a_fault(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        assert "belongs to the user" in RolesFile(path).look().fault


def test_without_a_file_nobody_has_a_role() -> None:
    state = RolesFile(None).look()
    assert state.roles == Roles()
    assert "roles_file" in state.fault


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda folder: None, ""),
        (lambda folder: (folder / "mgmt").chmod(0o666), "others can write it"),
        (lambda folder: (folder / "more").chmod(0o666), "others can write it"),
        (lambda folder: (folder / "more").unlink(), "there is no file"),
        (lambda folder: (folder / "more").write_text("n[1-\n"), "cannot read"),
        (lambda folder: (folder / "other").write_text("n[1-\n"), ""),  # another group's trouble
        (lambda folder: (folder / "mgmt").write_text(""), "is empty"),
        (lambda folder: (folder / "mgmt").unlink(), "there is no group"),
    ],
)
def test_a_protected_group_counts_only_while_its_files_can_be_believed(tmp_path: Path, spoil: object, why: str) -> None:
    for name, text in (("mgmt", f"{SAVIO2[0]}\n#include more\n"), ("more", SAVIO2[1]), ("other", SAVIO2[2])):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644)
    spoil(tmp_path)  # type: ignore[operator]
    settings = GroupSettings(directories=(str(tmp_path),))
    inventory = build(map(idle, SAVIO2), read_groups(settings, Path)[0], NOW)
    roles = Roles(protected="@mgmt")
    doubt = why_in_doubt(roles, places_of(roles, inventory, settings, Path))
    assert why in doubt
    assert bool(doubt) is bool(why)


def test_a_list_of_named_groups_is_believed_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "groups"
    path.write_text(f"mgmt: {SAVIO2[0]}\nother: n[1-\n")
    path.chmod(0o644)
    settings = GroupSettings(directories=(), files=(str(path),))
    inventory = build(map(idle, SAVIO2), read_groups(settings, Path)[0], NOW)
    assert "cannot read" in places_of(Roles(protected="@mgmt"), inventory, settings, Path).faults["mgmt"]
