"""Files that others can read or write are refused as ssh refuses them."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from botd.config import load_config, read_secret
from botd.errors import ConfigError
from botd.file_modes import check_private, check_unwritable, others_may_write
from botd.settings import Config, SshSettings
from botd.transport.ssh.nodes import SshTransport
from tests.transport.sshd import make_key

NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "file"
    found.touch()
    return found


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_secret_of_ones_own_is_for_oneself(path: Path, mode: int) -> None:
    path.chmod(mode)
    check_private(path, "the secret in")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_secret_that_others_can_read_or_write_is_refused_by_name_and_with_the_next_step(
    path: Path, mode: int
) -> None:
    path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        check_private(path, "the secret in")
    assert str(caught.value) == (
        f"the secret in {path} has mode {mode:04o}, so that others can read or write it: chmod 600 it, "
        "or set BOTD_STRICT_MODES=no"
    )


@needs_root
@pytest.mark.parametrize(("mode", "taken"), [(0o640, True), (0o440, True), (0o660, False), (0o644, False)])
def test_a_secret_of_root_may_be_read_by_the_group_of_an_agent_that_is_not(
    path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, taken: bool
) -> None:
    path.chmod(mode)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    if taken:
        check_private(path, "the secret in")
    else:
        with pytest.raises(ConfigError, match="others can read or write it"):
            check_private(path, "the secret in")


@needs_root
@pytest.mark.parametrize("check", [check_private, check_unwritable])
def test_a_file_of_another_user_is_refused(path: Path, check: type) -> None:
    path.chmod(0o600)
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(ConfigError, match="belongs to the user nobody, and neither to root nor to the user who runs"):
        check(path, "the configuration")


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o640, 0o444])
def test_a_configuration_may_be_read_by_all(path: Path, mode: int) -> None:
    path.chmod(mode)
    check_unwritable(path, "the configuration")


@pytest.mark.parametrize("mode", [0o646, 0o602, 0o666])
def test_a_configuration_that_others_can_write_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}, so that others can write it: chmod go-w"):
        check_unwritable(path, "the configuration")


@needs_root
@pytest.mark.parametrize(("gid", "taken"), [(0, True), (NOBODY, False), (54_321, False)])
def test_only_a_group_with_nobody_but_the_owner_may_write_a_configuration(path: Path, gid: int, taken: bool) -> None:
    path.chmod(0o664)
    os.chown(path, 0, gid)
    if taken:
        check_unwritable(path, "the configuration")
    else:
        with pytest.raises(ConfigError, match="others can write it"):
            check_unwritable(path, "the configuration")


# ---- what is looked at ----


def test_the_configuration_the_password_the_key_and_the_ssh_config_are_looked_at(tmp_path: Path) -> None:
    config, password, key, ssh_config = (tmp_path / name for name in ("botd.toml", "bmc", "id", "ssh_config"))
    make_key(key)
    for path in (config, password, ssh_config):
        path.touch()
    for path in (config, password, key, ssh_config):
        path.chmod(0o666)
    with pytest.raises(ConfigError, match=r"the configuration .*botd.toml has mode 0666"):
        load_config(str(config))
    with pytest.raises(ConfigError, match=r"the secret in .*bmc has mode 0666"):
        read_secret(Config(), str(password), "NONE")
    with pytest.raises(ConfigError, match=r"the ssh key .*id has mode 0666"):
        SshTransport(SshSettings(key_file=str(key)))
    with pytest.raises(ConfigError, match=r"the ssh_config .*ssh_config has mode 0666"):
        SshTransport(SshSettings(config=str(ssh_config)))


def test_an_odd_site_may_say_that_modes_mean_nothing_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o666)
    monkeypatch.setenv("BOTD_STRICT_MODES", "no")
    check_private(path, "the secret in")
    check_unwritable(path, "the configuration")
    monkeypatch.setenv("BOTD_STRICT_MODES", "yes")
    with pytest.raises(ConfigError):
        check_private(path, "the secret in")


# ---- a file that nobody else can write or replace ----


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A file in a directory in a directory, all of them ours."""
    directory = tmp_path / "state" / "ledger"
    directory.mkdir(mode=0o700, parents=True)
    directory.parent.chmod(0o755)
    (directory / "ledger.db").touch(mode=0o600)
    return directory / "ledger.db"


def test_a_file_of_ones_own_below_the_sticky_tmp_is_nobody_elses(ledger: Path) -> None:
    assert Path("/tmp").stat().st_mode & 0o1002 == 0o1002
    assert others_may_write(ledger) == ""
    assert others_may_write(ledger.parent) == ""


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("bits", [0o002, 0o022, 0o1002])
def test_file_directory_and_parent_may_be_written_by_nobody_else(ledger: Path, level: int, bits: int) -> None:
    """The sticky bit helps a parent only, and only where root owns it and what is in it is ours."""
    part = [ledger, *ledger.parents][level]
    part.chmod(part.stat().st_mode & 0o777 | bits)
    is_kept = os.geteuid() == 0 and level == 2 and bits & 0o1000
    assert others_may_write(ledger) == (
        "" if is_kept else f"{part} has mode {part.stat().st_mode & 0o7777:04o}, so that others can write it"
    )


@needs_root
@pytest.mark.parametrize("level", [0, 1, 2])
def test_file_directory_and_parent_belong_to_root_or_us(ledger: Path, level: int) -> None:
    part = [ledger, *ledger.parents][level]
    os.chown(part, NOBODY, NOBODY)
    assert f"{part} belongs to the user nobody" in others_may_write(ledger)


@needs_root
def test_a_sticky_parent_helps_only_where_root_owns_it_and_the_next_component_is_ours(ledger: Path) -> None:
    sticky = ledger.parent.parent
    sticky.chmod(0o1777)
    assert others_may_write(ledger) == others_may_write(ledger.parent) == ""
    os.chown(ledger.parent, NOBODY, NOBODY)
    assert others_may_write(ledger).startswith(f"{sticky} has mode 1777")
    os.chown(ledger.parent, 0, 0)
    os.chown(sticky, NOBODY, NOBODY)
    assert others_may_write(ledger).startswith(f"{sticky} belongs to the user nobody")


@needs_root
def test_the_directory_of_the_shared_store_is_no_place(ledger: Path) -> None:
    ledger.parent.chmod(0o2770)
    os.chown(ledger.parent, 0, NOBODY)
    assert "has mode 2770, so that others can write it" in others_may_write(ledger)


def test_the_way_of_a_link_is_looked_at_as_well(ledger: Path, tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    (open_to_all / "way").symlink_to(ledger.parent)
    (tmp_path / "short").symlink_to("open/way")
    assert others_may_write(tmp_path / "short" / "ledger.db") == ""
    open_to_all.chmod(0o777)
    assert f"{open_to_all} has mode 0777" in others_may_write(tmp_path / "short" / "ledger.db")


@pytest.mark.parametrize("way", ["ledger.db", "../sticky/ledger.db", "../short/ledger.db", "../link.db"])
def test_the_sticky_bit_never_serves_for_the_directory_of_the_file_whatever_leads_there(
    tmp_path: Path, way: str
) -> None:
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    (sticky / "ledger.db").touch(mode=0o600)
    (tmp_path / "short").symlink_to(sticky)
    (tmp_path / "link.db").symlink_to(sticky / "ledger.db")
    assert others_may_write(sticky / way) == f"{sticky} has mode 1777, so that others can write it"


def test_an_access_control_list_that_lets_somebody_write_is_seen(ledger: Path) -> None:
    """As setfacl(1) writes it: `u::rwx u:nobody:rwx g::--- m::rwx o::---` (linux/posix_acl_xattr.h)."""
    entries = [(0x01, 7, -1), (0x02, 7, NOBODY), (0x04, 0, -1), (0x10, 7, -1), (0x20, 0, -1)]
    rules = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr(ledger.parent, "system.posix_acl_access", rules)
    assert others_may_write(ledger) == f"{ledger.parent} has mode 0770, so that others can write it"


def test_a_way_without_an_end_and_a_file_that_is_not_there_are_errors(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name in ("loop", "nowhere"):
        with pytest.raises(OSError, match=name):
            others_may_write(tmp_path / name)
