"""The configuration: what it takes, and how it refuses what it does not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from botd.checks import CHECKS, custom, df, parents, replaced, select, site_checks
from botd.config import load_config, parse_config, read_secret, resolve_path, typed
from botd.errors import ConfigError
from botd.settings import SECTIONS, SETTINGS, Config

SECRET = "correct horse battery staple"


def refusal(document: dict[str, Any]) -> str:
    """What the program says before it does not start."""
    with pytest.raises(ConfigError) as caught:
        site_checks(parse_config(document))
    return str(caught.value)


def write(folder: Path, text: str) -> str:
    path = folder / "botd.toml"
    path.write_text(text)
    return str(path)


def write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


# ---- reading ----


def test_every_key_is_optional() -> None:
    assert parse_config({}) == Config()


def test_without_a_file_all_is_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOTD_CONFIG", raising=False)
    assert load_config() == Config()


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTD_CONFIG", write(tmp_path, "[ssh]\nport = 2222\n"))
    assert load_config().ssh.port == 2222


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path}/none.toml")):
        load_config(f"{tmp_path}/none.toml")


@pytest.mark.parametrize("content", [b"[ssh\n", b"\xff\xfe", b"[ssh]\nport = 1\nport = 2\n"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "botd.toml").write_bytes(content)
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_config(f"{tmp_path}/botd.toml")


def test_files_that_were_saved_on_windows_are_read(tmp_path: Path) -> None:
    """With a byte order mark before the text, which is no part of a password either."""
    (tmp_path / "botd.toml").write_text("[ssh]\nport = 2222\n", encoding="utf-8-sig")
    write_secret(tmp_path / "secret", f"\ufeff{SECRET}\r\n".encode())
    config = load_config(f"{tmp_path}/botd.toml")
    assert config.ssh.port == 2222
    assert read_secret(config, "secret", "NONE") == SECRET


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, ""))
    assert resolve_path(config, "secrets/bmc") == tmp_path / "secrets/bmc"
    assert resolve_path(config, "/etc/botd/bmc") == Path("/etc/botd/bmc")


def test_a_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/botd")
    assert resolve_path(Config(), "~/key") == Path("/home/botd/key")


def test_the_home_of_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match="~no-such-user/key"):
        resolve_path(Config(), "~no-such-user/key")


def test_lists_become_tuples_and_whole_numbers_fractions() -> None:
    config = parse_config({"sweep": {"groups": ["all", "gpu"], "interval": 60}})
    assert config.sweep.groups == ("all", "gpu")
    assert type(config.sweep.interval) is float


def test_every_setting_has_a_sentence_of_help() -> None:
    assert [setting.name for setting in SETTINGS if not setting.help.endswith(".")] == []
    assert {setting.section for setting in SETTINGS} == {*SECTIONS, "mounts", "tail", "[check]", "[network]"}


# ---- refusing ----


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"swep": {}}, ['"swep"', 'did you mean "sweep"?']),
        ({"ssh": {"prot": 22}}, ['"prot"', "[ssh]", 'did you mean "port"?']),
        ({"check": [{"comand": "x"}]}, ['"comand"', "[[check]]", 'did you mean "command"?']),
        ({"checks": {"lod": {"warn": 2.0}}}, ["[checks.lod]", 'did you mean "load"?']),
        ({"checks": {"load": {"wran": 2.0}}}, ['"wran"', "[checks.load]", 'did you mean "warn"?']),
        ({"bmc": {"password": SECRET}}, ['"password"', 'did you mean "password_file"?']),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_one(document: dict[str, Any], words: list[str]) -> None:
    message = refusal(document)
    assert [word for word in words if word not in message] == []
    assert SECRET not in message


def test_a_name_that_is_near_nothing_gets_no_advice() -> None:
    assert "did you mean" not in refusal({"qqqqqqqq": {}})


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"ssh": {"port": "22"}}, "[ssh] port must be a whole number"),
        ({"ssh": {"port": 22.0}}, "[ssh] port must be a whole number"),
        ({"ssh": {"port": True}}, "[ssh] port must be a whole number"),
        ({"advice": {"least_p": 50}}, "[advice] least_p must be at most 1, not 50.0"),
        ({"advice": {"person": 0}}, "[advice] person must be above 0"),
        ({"ssh": {"agent": 1}}, "[ssh] agent must be true or false"),
        ({"ssh": {"user": 7}}, "[ssh] user must be a text"),
        ({"ping": {"timeout": "1 s"}}, "[ping] timeout must be a number"),
        ({"ping": {"timeout": True}}, "[ping] timeout must be a number"),
        ({"ping": {"timeout": 10**400}}, "[ping] timeout must be a number"),
        ({"groups": {"files": "x"}}, "[groups] files must be a list"),
        ({"groups": {"files": [1]}}, "[groups] files must be a list of texts"),
        ({"ssh": 7}, "[ssh] must be a table"),
        ({"mounts": []}, "[mounts] must be a table"),
        ({"checks": {"load": 1}}, "[checks.load] must be a table"),
        ({"checks": {"load": {"warn": "high"}}}, "[checks.load] warn must be a number"),
        ({"checks": {"df": {"writable": "no"}}}, "writable must be true or false"),
        ({"check": {"name": "nhc"}}, "write [[check]] with two brackets"),
        ({"check": ["nhc"]}, "[[check]] must be a table"),
    ],
)
def test_a_wrong_type_is_named(document: dict[str, Any], where: str) -> None:
    mounts = {} if "mounts" in document else {"mounts": {"tmp": "/tmp"}}
    assert where in refusal({**mounts, **document})


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("server", "workers", 0),
        ("ssh", "parallel", -1),
        ("ssh", "keep", -1),
        ("ping", "timeout", 0.0),
        ("ping", "timeout", float("nan")),
        ("sweep", "deadline", float("inf")),
        ("sweep", "interval", 1e8),
        ("bmc", "port", 65536),
        ("ssh", "port", 0),
    ],
)
def test_a_number_that_cannot_work_is_refused(section: str, key: str, value: float) -> None:
    assert f"[{section}] {key} must be" in refusal({section: {key: value}})


@pytest.mark.parametrize(("section", "key"), [("sweep", "interval"), ("sweep", "queue"), ("ssh", "keep")])
def test_zero_is_taken_where_it_means_never(section: str, key: str) -> None:
    assert getattr(getattr(parse_config({section: {key: 0}}), section), key) == 0


@pytest.mark.parametrize(
    "listen", ["5000", ":5000", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:65536", "a:²"]
)
def test_an_address_without_host_or_port_is_refused(listen: str) -> None:
    assert "[server] listen" in refusal({"server": {"listen": listen}})


@pytest.mark.parametrize(
    "proxy",
    [
        "",
        "proxy.example.org",
        "10.0.0.300",
        "10.1.0.5/24",
        "10.0.0.0/33",
        "0.0.0.0/0",
        "::/0",
        "::ffff:10.0.0.7",
        "::ffff:10.1.0.0/120",
        "fe80::1%eth0/64",
        " 10.0.0.7",
        "10.0.0.7:443",
    ],
)
def test_a_proxy_that_is_no_address_and_no_net_is_refused(proxy: str) -> None:
    told = refusal({"server": {"proxies": ["192.0.2.7", proxy]}})
    assert told.startswith('[server] proxies takes addresses and nets, such as "192.0.2.7"')
    assert proxy in told


def test_proxies_are_addresses_and_nets() -> None:
    proxies = ["192.0.2.7", "10.1.0.0/24", "2001:db8::/48"]
    assert parse_config({"server": {"proxies": proxies}}).server.proxies == tuple(proxies)


def test_an_unknown_host_key_policy_is_refused() -> None:
    assert "[ssh] host_key_policy" in refusal({"ssh": {"host_key_policy": "accept"}})


@pytest.mark.parametrize(("section", "key"), [("slurm", "sinfo"), ("slurm", "sacct"), ("ping", "command")])
def test_a_command_line_with_an_open_quote_is_refused(section: str, key: str) -> None:
    assert f"[{section}] {key}" in refusal({section: {key: "sinfo 'x"}})


@pytest.mark.parametrize("name", ["", "a b", "A", "ü", "a/b", "a-b", "_"])
def test_a_mount_needs_a_plain_name(name: str) -> None:
    assert f'[mounts] "{name}"' in refusal({"mounts": {name: "/tmp"}})


@pytest.mark.parametrize("path", ["tmp", "~/x", "/a\0b", "/a\nb", 7])
def test_a_mount_needs_an_absolute_path(path: object) -> None:
    assert "[mounts] x must be an absolute path" in refusal({"mounts": {"x": path}})


@pytest.mark.parametrize("name", ["", "a b", "A", "1", "/etc/shadow", "x" * 33])
def test_a_log_needs_a_plain_name(name: str) -> None:
    assert f'[tail] "{name}"' in refusal({"tail": {name: "/tmp"}})


@pytest.mark.parametrize(
    "where",
    ["", "log", "~/log", "/a\nb", "/a\x1bb", "journal:", "journal:-x", "journal:a b", "journal:a;b", "journal:/x", 7],
)
def test_a_log_is_a_path_or_a_unit(where: object) -> None:
    assert "[tail] x must be an absolute path, or a unit" in refusal({"tail": {"x": where}})


def test_a_log_may_be_a_path_with_names_or_any_unit_of_systemd() -> None:
    logs = {"a": "/var/log/{node}/x y.log", "b": "journal:getty@tty1.service", "c": r"journal:dev-a\x2db.mount"}
    assert parse_config({"tail": logs}).tail == logs


# ---- checks of the site ----


def own(**changes: object) -> dict[str, Any]:
    return {"check": [{"name": "nhc", "command": "/usr/sbin/nhc", **changes}]}


def test_a_check_of_the_site_stands_beside_the_others() -> None:
    check = site_checks(parse_config(own(title="NHC", timeout=3)))["nhc"]
    assert (check.title, check.command, check.timeout_s, check.needs) == ("NHC", "/usr/sbin/nhc", 3.0, ("ssh",))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "[[check]] name"),
        ({"name": "Nhc"}, "lower-case"),
        ({"name": "df_x"}, "taken"),
        ({"name": "ipmi"}, "taken"),
        ({"command": " "}, "needs a command"),
        ({"command": "a\0b"}, "needs a command"),
        ({"value": "number of links"}, "value must be one of exit, number, text"),
        ({"worse": "more"}, "worse must be one of higher, lower"),
        ({"timeout": 0}, "timeout must be above 0"),
        ({"timeout": float("nan")}, "timeout must be above 0"),
        ({"timeout": 86400}, "timeout must be above 0 and at most"),
        ({"sudo": True, "command": "echo 'x"}, "cannot split the command for sudo"),
    ],
)
def test_a_check_of_the_site_that_cannot_work_is_refused(changes: dict[str, object], words: str) -> None:
    assert words in refusal(own(**changes))


@pytest.mark.parametrize(
    ("document", "at"),
    [
        ({"sssh": {}}, "[sssh]"),
        ({"ssh": {"prot": 22}}, "[ssh] prot"),
        ({"ssh": {"port": "22"}}, "[ssh] port"),
        ({"ssh": {"port": 0}}, "[ssh] port"),
        ({"site": {"name": "our cluster"}}, "[site] name"),
        ({"server": {"listen": "nonsense"}}, "[server] listen"),
        ({"server": {"proxies": ["x"]}}, "[server] proxies"),
        ({"access": {"read": "all"}}, "[access] read"),
        ({"access": {"header": "Cookie"}}, "[access] header"),
        ({"tickets": {"pattern": "#1"}}, "[tickets]"),
        ({"tickets": {"pattern": "(a+)+", "url": "https://rt.example.org/{}"}}, "[tickets] pattern"),
        ({"tickets": {"pattern": "#1", "url": "javascript:{}"}}, "[tickets] url"),
        ({"actions": {"slurm": "ssh 'x"}}, "[actions] slurm"),
        ({"mounts": {"A": "/a"}}, "[mounts] A"),
        ({"check": [{"name": "ping_ms", "command": "x"}]}, "[[check]] name=ping_ms"),
    ],
)
def test_what_is_refused_says_which_setting_to_look_at(document: dict[str, Any], at: str) -> None:
    with pytest.raises(ConfigError) as caught:
        site_checks(parse_config(document))
    assert caught.value.at == at


def test_two_checks_of_one_name_are_refused() -> None:
    assert 'two checks named "nhc"' in refusal({"check": own()["check"] * 2})


@pytest.mark.parametrize("name", [*custom.TAKEN, "df_tmp"])
def test_a_name_that_says_something_else_already_is_refused(name: str) -> None:
    assert f'[[check]] name "{name}" is taken' in refusal(own(name=name))


@pytest.mark.parametrize(
    ("changes", "column", "other"),
    [
        ({"name": "ping_ms"}, "ping_ms", "ping"),
        ({"name": "ping_state"}, "ping_state", "ping"),
        ({"name": "memory_free", "unit": "B"}, "memory_free_bytes", "memory"),
        ({"unit": "state"}, "nhc_state", "nhc"),
    ],
)
def test_a_check_whose_column_another_one_has_is_refused(changes: dict[str, object], column: str, other: str) -> None:
    assert f'its column {column} is one of "{other}" already; give it another name' in refusal(own(**changes))


def test_no_built_in_check_has_a_name_that_is_taken_or_that_a_mount_may_have() -> None:
    names = [check.name for check in CHECKS if check is not df.CHECK]
    assert set(names).isdisjoint({*custom.TAKEN, *parents({})} - {"ssh", "jobs"})
    assert not [name for name in names if name.startswith("df_")]


def test_a_site_keeps_its_check_when_an_upgrade_brings_one_of_its_name() -> None:
    config = parse_config(own(name="last_job"))
    checks = site_checks(config)
    assert (checks["last_job"].command, list(checks)[-1]) == ("/usr/sbin/nhc", "last_job")
    assert replaced(config) == ['[[check]] "last_job" takes the place of the built-in check of that name']
    assert replaced(parse_config(own())) == []


def test_what_needs_a_built_in_check_goes_with_it() -> None:
    config = parse_config(own(name="ipmi_reachable"))
    assert "ipmi_state" not in site_checks(config)
    (note,) = replaced(config)
    assert note.endswith("; what needs that one is left out: ipmi_state, sel")


def test_a_name_for_several_checks_that_an_upgrade_brings_takes_no_check_of_a_site() -> None:
    own_ipmi = replace(CHECKS[0], name="ipmi")
    checks = site_checks(parse_config({})) | {"ipmi": own_ipmi}
    assert list(parents(checks)) == ["df"]
    assert select(checks, ["ipmi"]) == ["ipmi"]


def test_sudo_runs_the_words_and_no_shell() -> None:
    check = site_checks(parse_config(own(sudo=True, command="smartctl -H '/dev/disk a'; reboot")))["nhc"]
    assert check.command == "sudo -n -- smartctl -H '/dev/disk a;' reboot".replace("a;'", "a;'")


def df_checks(mounts: dict[str, str]) -> dict[str, tuple[str, object]]:
    checks = site_checks(parse_config({"mounts": mounts})).values()
    return {check.name: (check.title, check.settings["mounted"]) for check in checks if check.parent == "df"}


@pytest.mark.parametrize(
    ("mounts", "found"),
    [
        ({"tmp": "/tmp"}, {"df_tmp": ("/tmp", True), "df_var": ("/var", False)}),
        ({"var": "/var"}, {"df_var": ("/var", True)}),
        ({"log": "/var/"}, {"df_log": ("/var", True)}),
        ({"var": "/var/spool"}, {"df_var": ("/var/spool", True)}),
        ({"var": ""}, {}),
        ({"tmp": ""}, {"df_var": ("/var", False)}),
    ],
    ids=str,
)
def test_var_is_looked_at_unless_the_site_says_otherwise(
    mounts: dict[str, str], found: dict[str, tuple[str, bool]]
) -> None:
    assert df_checks(mounts) == found


def test_settings_of_df_reach_every_mount_and_its_own_win() -> None:
    document = {"mounts": {"a": "/a", "b": "/b"}, "checks": {"df": {"warn": 50}, "df_b": {"warn": 70.5}}}
    checks = site_checks(parse_config(document))
    assert [checks[name].settings["warn"] for name in ("df_a", "df_b")] == [50.0, 70.5]
    assert checks["df_a"].settings["fail"] == 98.0


# ---- secrets ----


def test_a_secret_comes_from_its_file_without_the_newline(tmp_path: Path) -> None:
    write_secret(tmp_path / "bmc", f"{SECRET} \n".encode())
    assert read_secret(load_config(write(tmp_path, "")), "bmc", "BOTD_BMC_PASSWORD") == f"{SECRET} "


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTD_BMC_PASSWORD", SECRET)
    assert read_secret(Config(), "", "BOTD_BMC_PASSWORD") == SECRET


def test_the_file_of_a_secret_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTD_BMC_PASSWORD", "other")
    write_secret(tmp_path / "bmc", SECRET.encode())
    assert read_secret(Config(), f"{tmp_path}/bmc", "BOTD_BMC_PASSWORD") == SECRET


def test_no_secret_is_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOTD_BMC_PASSWORD", raising=False)
    assert read_secret(Config(), "", "BOTD_BMC_PASSWORD") == ""


def test_a_named_file_that_cannot_be_read_is_an_error_and_not_an_empty_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOTD_BMC_PASSWORD", SECRET)
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError, match="cannot read the secret in") as caught:
            read_secret(Config(), str(path), "BOTD_BMC_PASSWORD")
        assert str(path) in str(caught.value)
        assert SECRET not in str(caught.value)


def test_a_secret_that_is_no_text_does_not_show_in_the_error(tmp_path: Path) -> None:
    write_secret(tmp_path / "bmc", SECRET.encode() + b"\xff")
    with pytest.raises(ConfigError) as caught:
        read_secret(Config(), f"{tmp_path}/bmc", "BOTD_BMC_PASSWORD")
    seen = [str(caught.value), repr(caught.value.__cause__), str(caught.value.__suppress_context__)]
    assert [text for text in seen if "correct" in text] == []
    assert caught.value.__suppress_context__


def test_a_value_is_taken_in_its_own_type_only() -> None:
    assert typed("x", 1.0, "float", 2) == 2.0
    assert typed("x", (), "tuple[str, ...]", ["a"]) == ("a",)
    with pytest.raises(ConfigError, match="the default is 5"):
        typed("x", 5, "int", "6")
