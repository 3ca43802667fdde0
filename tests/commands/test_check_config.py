"""`botd check-config`: each thing that can be wrong with a configuration, and the line that tells it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from botd.cli import main
from botd.commands import config_files
from botd.commands.places import line_of
from botd.demo import DemoCluster

Report = Callable[..., tuple[int, list[str]]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[DemoCluster]:
    with DemoCluster(24) as running:
        yield running


@pytest.fixture
def site(cluster: DemoCluster, tmp_path: Path) -> Path:
    """The configuration of the demo with copies of its files, which a test may spoil."""
    for path in cluster.directory.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
        elif path.is_dir() and path != cluster.tools:
            shutil.copytree(path, tmp_path / path.name)
    text = cluster.config_text().replace(str(cluster.directory), str(tmp_path))
    config = tmp_path / "botd.toml"
    config.write_text(text.replace(f"{tmp_path}/bin", str(cluster.tools)))
    config.chmod(0o600)
    return config


@pytest.fixture
def report(site: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """What is printed and the exit status, with nothing on standard error."""

    def run(*words: str) -> tuple[int, list[str]]:
        status = main(["check-config", "--config", str(site), *words])
        out, err = capsys.readouterr()
        assert err == ""
        return status, out.splitlines()

    return run


def replace(path: Path, old: str, new: str) -> int:
    """Puts one text in the place of another, and returns the number of its line."""
    text = path.read_text()
    assert text.count(old) == 1, text
    path.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


def setting(site: Path, start: str) -> str:
    """The line of the configuration that begins so."""
    (line,) = [line for line in site.read_text().splitlines() if line.startswith(start)]
    return line


def failures(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(("FAIL", "warn"))]


def test_a_sound_site_is_well_in_every_step(report: Report) -> None:
    status, lines = report()
    assert failures(lines) == []
    assert status == 0
    told = "\n".join(lines)
    for part in (
        "[ssh] key ",
        "host keys of ",
        "[groups] ",
        "[slurm] 24 nodes, ",
        "squeue has",
        "sacct has",
        "[sweep] ",
    ):
        assert part in told
    assert lines[-1].startswith("ok    [node] ")
    assert "ping, ssh, uptime" in lines[-1]


def test_a_wrong_key_is_told_with_its_line_and_nothing_else_is_tried(site: Path, report: Report) -> None:
    number = replace(site, "[ssh]\n", "[ssh]\nparalel = 3\n") + 1
    status, lines = report()
    assert status == 2
    assert lines == [f'FAIL  [config] {site}:{number}: unknown key "paralel" in [ssh]; did you mean "parallel"?']


def test_a_missing_key_file_and_the_line_that_names_it(site: Path, report: Report) -> None:
    line = setting(site, "key_file")
    number = replace(site, line, 'key_file = "gone"')
    status, lines = report("--offline")
    assert status == 2
    told = f"cannot read the ssh key {site.parent}/gone: No such file or directory"
    assert failures(lines) == [f"FAIL  [ssh] {site}:{number}: {told}"]


def test_a_key_that_others_can_read_says_what_to_do(site: Path, report: Report) -> None:
    (site.parent / "id_ed25519").chmod(0o644)
    _, lines = report("--offline")
    (told,) = failures(lines)
    assert "chmod 600 it" in told


def test_a_damaged_line_of_known_hosts_is_named_and_the_others_count(site: Path, report: Report) -> None:
    path = site.parent / "known_hosts"
    path.write_text("n1 ssh-ed25519 nonsense\n" + path.read_text())
    status, lines = report("--offline")
    assert status == 1
    assert failures(lines) == [f"warn  [ssh] {path} line 1 is left out: its key is not of the type that it names"]


def test_no_host_keys_at_all_are_a_failure_with_the_next_step(site: Path, report: Report) -> None:
    (site.parent / "known_hosts").write_text("")
    status, lines = report("--offline")
    (told,) = failures(lines)
    assert status == 2
    assert "ssh-keyscan" in told
    assert f"{site}:{site.read_text().splitlines().index(setting(site, 'known_hosts')) + 1}" in told


def test_an_ssh_config_that_is_not_followed_is_named_by_file_and_line(site: Path, report: Report) -> None:
    (site.parent / "ssh_config").write_text("Host *\n  HostKeyAlgorithms what\n  !\n")
    replace(site, "[ssh]\n", '[ssh]\nconfig = "ssh_config"\n')
    _, lines = report("--offline")
    assert any(f"{site.parent}/ssh_config line 3" in line for line in failures(lines))


def test_a_group_file_is_named_by_line(site: Path, report: Report) -> None:
    (site.parent / "racks").write_text("rack1: n[0001\n")
    replace(site, "[groups]\n", '[groups]\nfiles = ["racks"]\n')
    status, lines = report("--offline")
    assert status == 1
    (told,) = failures(lines)
    assert told.startswith(f"warn  [groups] {site.parent}/racks:1: ")


def test_a_missing_password_is_told(site: Path, report: Report) -> None:
    number = replace(site, setting(site, "password_file"), "")
    status, lines = report("--offline")
    assert status == 1
    (told,) = failures(lines)
    assert told.startswith("warn  [bmc] ")
    assert f"{site}:{number - 1}" in told or f"{site}:{number + 1}" in told


def test_the_password_of_the_user_who_acts_on_bmcs_is_read(site: Path, report: Report) -> None:
    number = replace(site, setting(site, "bmc_user"), 'bmc_user = "botd-op"')
    replace(site, setting(site, "bmc_password_file"), 'bmc_password_file = "op"')
    path = site.with_name("op")
    for text, level, words in (
        (None, "FAIL", f"{site}:{number + 1}: cannot read the secret in op: No such file"),
        ("", "warn", f"{site}:{number}: bmc_user and bmc_password_file need each other"),
        ("secret", "ok  ", "BMC user botd-op, with a password"),
    ):
        if text is not None:
            path.write_text(text)
            path.chmod(0o600)
        (told,) = [line for line in report("--offline")[1] if "[actions]" in line]
        assert told.startswith(f"{level}  [actions] {words}")


def test_the_secret_of_a_proxy_is_read_where_it_can_be(
    site: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = replace(site, "[access]\n", '[access]\nheader = "X-Remote-User"\nheader_secret_file = "proxy"\n') + 2
    path = site.with_name("proxy")

    def told() -> str:
        (line,) = [each for each in report("--offline")[1] if "[access]" in each and "roles" not in each]
        return line

    assert told().startswith(f"FAIL  [access] {site}:{number}: cannot read the secret in proxy: No such file")
    path.write_text("short")
    path.chmod(0o600)
    assert told().startswith(f"FAIL  [access] {site}:{number}: the secret in proxy has fewer than 20 characters")
    path.write_text("0123456789abcdef0123456789abcdef")
    assert told() == f"ok    [access] {path}: what a proxy sends beside X-Remote-User"
    monkeypatch.setattr(config_files, "_is_closed", lambda path: True)  # root may read anything
    assert told().startswith(f"skip  [access] {path}: it is the web part's")


def test_a_slurm_that_does_not_answer_is_a_failure_and_the_rest_is_still_tried(site: Path, report: Report) -> None:
    replace(site, setting(site, "sinfo ="), 'sinfo = "/nonexistent/sinfo"')
    status, lines = report()
    assert status == 2
    told = "\n".join(failures(lines))
    assert "[slurm] " in told
    assert "/nonexistent/sinfo" in told
    assert "no node was tried" in told


def test_a_node_is_named_by_its_reading_and_the_next_step(site: Path, report: Report) -> None:
    known = site.parent / "known_hosts"
    known.write_text("elsewhere " + known.read_text().splitlines()[0].split(" ", 1)[1] + "\n")
    status, lines = report()
    assert status == 2
    assert any(" ssh: host-key: " in line and "ssh-keyscan" in line for line in failures(lines))
    assert any(line.startswith("skip  [node] ") and "uptime" in line for line in lines)


def test_a_site_without_a_bmc_user_is_well_and_asks_no_power(site: Path, report: Report) -> None:
    before, bmc, after = site.read_text().partition("[bmc]")
    site.write_text(before + bmc + after.replace('user = "botd"', "", 1))
    status, lines = report()
    assert (status, failures(lines)) == (0, [])
    assert lines[-1].startswith("skip  [node] ")
    assert lines[-1].endswith("not asked were ipmi_state, sel")


def test_a_bmc_without_an_address_is_a_warning_and_asked_for_nothing(site: Path, report: Report) -> None:
    replace(site, "[bmc]", '[bmc]\naddress = "{short}.invalid"')
    status, lines = report()
    assert status == 1
    (told,) = failures(lines)
    assert told.endswith("ipmi_reachable: the name has no address; see [bmc] address")
    assert lines[-1].endswith("not asked were ipmi_reachable, ipmi_state, sel")


def test_a_node_that_is_not_there_is_told(report: Report) -> None:
    status, lines = report("--node", "n9999")
    assert status == 2
    assert failures(lines)[-1].startswith('FAIL  [node] there is no node and no group "n9999"')


def test_offline_asks_nobody(report: Report) -> None:
    status, lines = report("--offline")
    assert status == 0
    assert lines[-1].startswith("skip  [slurm] ")


def test_no_configuration_is_a_warning(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("BOTD_CONFIG", raising=False)
    main(["check-config", "--offline"])
    assert capsys.readouterr().out.startswith("warn  [config] no file, all defaults: name one with --config")


FILE = """\
[ssh]  # how nodes are reached
user = "x"
port = 22

[[check]]
name = "a"

[[ check ]]
name = 'b'  # the second
[checks.load]
warn = 1
"""


@pytest.mark.parametrize(
    ("at", "number"),
    [
        ("[ssh] port", 3),
        ("[ssh] key_file", 1),
        ("[ssh]", 1),
        ("[[check]] name=b", 9),
        ("[[check]] name=a", 6),
        ("[checks.load] warn", 11),
        ("[bmc] user", None),
        ("[bmc]", None),
    ],
)
def test_the_line_of_a_setting_is_found(at: str, number: int | None) -> None:
    assert line_of(FILE, at) == number


def test_a_roles_file_that_is_wrong_is_told_with_its_table(report: Report, site: Path) -> None:
    status, lines = report("--offline")
    assert any(line.startswith("ok ") and "[access]" in line and "3 roles" in line for line in lines), lines
    roles = site.with_name("roles.toml")
    roles.write_text(roles.read_text().replace('"drain"', '"drian"'))
    status, lines = report("--offline")
    assert status == 2
    assert any("botd.toml:" in line and 'unknown "drian"; did you mean "drain"?' in line for line in lines), lines


def test_a_protected_group_that_others_can_write_is_told(report: Report, site: Path) -> None:
    group = next((site.parent / "group").iterdir())
    roles = site.with_name("roles.toml")
    roles.write_text(roles.read_text().replace("n0000.savio2", f"@{group.name}"))
    group.chmod(0o666)
    status, lines = report("--offline")
    assert status == 2
    assert any("nothing may act while" in line and "others can write it" in line for line in lines), lines


def test_the_ways_of_notices_are_told_and_a_secret_that_others_can_read_is_not_used(site: Path, report: Report) -> None:
    (site.parent / "webhook").write_text("https://hooks.example.org/services/the-secret\n")
    (site.parent / "webhook").chmod(0o600)
    site.write_text(site.read_text() + '\n[notify]\nwebhook_file = "webhook"\ncommand = "cat"\n')
    status, lines = report("--offline")
    assert status == 0
    assert [line for line in lines if "[notify]" in line] == [
        "ok    [notify] command to cat",
        "ok    [notify] webhook to https://hooks.example.org",
    ]
    (site.parent / "webhook").chmod(0o644)
    _, lines = report("--offline")
    (told,) = failures(lines)
    assert "[notify]" in told
    assert "chmod 600 it" in told
