"""A corpus of ssh_configs, and drawn ones: botd goes the way that `ssh -G` goes, or refuses what ssh refuses."""

from __future__ import annotations

import getpass
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botd.errors import ConfigError
from botd.settings import SshSettings
from botd.transport.ssh.routes import NoWay, Routes
from tests.transport.ssh.config.oracle import Refused, Way, ask_ssh, way_of

CORPUS = {
    "nothing": "",
    "a comment behind each value": 'Host n1 # rack 3\n Port 2222 # ib\n HostName "10.0.0.9" #r\n User bob # x\n',
    "a sign within a word is none": "Host n1\n HostName n1#ib\n User a#b\n",
    "equals signs, tabs and DOS line ends": "Host\tn1\r\n\tPort = 7\r\n user=z\r\n HostName\t=\tx\r\n",
    "small and capital letters": "hOST n1\n pORT 7\nHost N1\n User z\nHost n1\n HostName X.Y\n",
    "quotation marks": 'Host "n1" \'n2\'\n User "a b"\n HostName \'x\'\n IdentityFile "/a b"\n',
    "escapes": 'User a\\ b\\\\c\\"\nHostKeyAlias "x\\"y"\n',
    "a mark that is not closed": 'Host n1\n User "a\n',
    "a mark that only seems closed": 'User "a\\"\n',
    "the first value wins": "Host n*\n Port 1\n User a\nHost n1\n Port 2\n User b\n HostName c\n",
    "wildcards": "Host n?\n Port 7\nHost *1\n User a\nHost n[12]\n HostName x\n",
    "what is not meant": "Host n* !n1\n Port 7\nHost !n2 *\n User a\nHost !n1\n HostName x\n",
    "before any Host": "Port 7\nHost n1\n Port 8\n User a\nHost *\n User b\n",
    "HostName with tokens": "HostName %h.nodes%%.test\n",
    "HostName with another token": "HostName %n.test\n",
    "a port by the name of its service": "Host n1\n Port ssh\n",
    "a port that is none": "Host n2\n Port 22x\n",
    "a port out of range": "Host n2\n Port 65536\n",
    "no port": "Port 0\n",
    "two words": "Host n2\n Port 22 23\n",
    "no word": "Host n2\n User\n",
    "only a comment": "Host n2\n User # nobody\n",
    "a keyword of nobody": "Host n2\n Usr x\n",
    "a keyword of nobody that may be": "IgnoreUnknown Us*,Other\nUsr x\nPort 7\n",
    "an alias": "Host n*\n HostKeyAlias Rack-A\n Port 7\n",
    "files of host keys": "UserKnownHostsFile /a ~/b-%h-%n-%p-%r\nGlobalKnownHostsFile ~/%h /c\nPort 7\n",
    "files of host keys by the environment": "UserKnownHostsFile ${PATH}/x\n",
    "no files of host keys": "UserKnownHostsFile none\nUserKnownHostsFile /a\nGlobalKnownHostsFile none\n",
    "none among others": "UserKnownHostsFile /a none\n",
    "no environment": "UserKnownHostsFile ${BOTD_NO_SUCH_NAME}/x\n",
    "ProxyJump": "Host n*\n ProxyJump gw\nHost gw\n HostName gw.test\n User hop\n Port 2200\n",
    "ProxyJump as a URI": "Host n*\n ProxyJump ssh://hop@gw.test:2200\n",
    "ProxyJump as a URI with signs": "Host n*\n ProxyJump ssh://h%6fp;x=y@[::1]:2200/\n",
    "ProxyJump over several": "Host n*\n ProxyJump a,ssh://u@b:7,v@[fd00::1]:8\nHost a\n Port 5\nHost b\n User x\n",
    "ProxyJump by a port's name": "Host n*\n ProxyJump gw:ssh\n",
    "ProxyJump with an at in the user": "Host n*\n ProxyJump a@b@gw\n",
    "ProxyJump with a comment": "Host n*\n ProxyJump a,b # racks\n",
    "ProxyJump with a port that is none": "Host n2\n ProxyJump a:0\n",
    "ProxyJump with blanks": "Host n2\n ProxyJump a, b\n",
    "ProxyJump to an address without brackets": "Host n2\n ProxyJump ::1\n",
    "ProxyJump of a jump node": "Host n*\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump c:9\n User u\n",
    "only the nearest one's own way counts": "Host n*\n ProxyJump a,b\nHost a\n ProxyJump c\nHost b\n ProxyJump d\n",
    "none for a jump node": "Host gw\n ProxyJump none\nHost *\n ProxyJump gw\n",
    "none for all": "ProxyJump NONE\nProxyJump gw\n",
    "a circle": "Host n*\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump a\n",
    "a node that jumps over itself": "ProxyJump n1\n",
    "a jump node that is behind itself": "Host *\n ProxyJump gw\n",
    "ProxyCommand": "Host n1\n ProxyCommand nc %h %p\n",
    "ProxyCommand first": "Host n*\n ProxyCommand nc %h %p\n ProxyJump gw\n",
    "ProxyJump first": "Host n*\n ProxyJump gw\n ProxyCommand nc %h %p\n",
    "no ProxyCommand first": "Host n*\n ProxyCommand none\n ProxyJump gw\n",
    "no ProxyJump first": "Host n*\n ProxyJump none\n ProxyCommand nc %h %p\n",
    "no ProxyCommand, with a comment": "Host n*\n ProxyCommand none # direct\n",
    "the jump node has a ProxyCommand": "Host n*\n ProxyJump gw\nHost gw\n ProxyCommand nc %h %p\n",
    "Match": "Match host n1,n3\n Port 7\nMatch !host n1\n Port 8\nMatch all\n User a\n",
    "Match in the other form": "Match host=n1 user=root\n Port 7\nMatch host N1\n User b\n",
    "Match with a comment": "Match host n1 # x\n Port 7\n",
    "Match goes by HostName": "Host n1\n HostName x.test\nMatch host x.test\n Port 7\nMatch host n1\n Port 8\n",
    "Match goes by the first name": "HostName x.test\nMatch originalhost n1\n Port 7\nHost x.test\n Port 8\n",
    "Match goes by the user so far": "Match user bob\n Port 7\nHost n1\n User bob\nMatch user bob\n HostName x\n",
    "Match goes by the jump's user": "Host n*\n ProxyJump bob@gw\nMatch host gw user bob\n Port 7\n",
    "Match localuser": 'Match localuser "!root,*"\n Port 7\nMatch localuser root\n User a\n',
    "Match all with others": "Match all host n1\n Port 7\n",
    "Match with nothing": "Match host\n Port 7\n",
    "Match by what nobody knows": "Match weather fine\n Port 7\n",
    "Match final": "Match final all\n User f\nMatch host x.y\n Port 33\nHost n1\n HostName X.y\n",
    "Match final sees the new name": "Host n1\n HostName x\nHost x\n Port 7\nMatch final host x\n User u\n",
    "Match final comes too late for a HostName": "Match final all\n HostName x.test\n Port 7\n",
    "RHEL": "Match final all\n GSSAPIAuthentication yes\n ForwardX11Trusted yes\nHost n1\n User u\n",
    "Match canonical": "Match canonical all\n User u\nMatch !canonical\n Port 7\n",
    "Debian": "Host *\n SendEnv LANG LC_*\n HashKnownHosts yes\n GSSAPIAuthentication yes\n",
    "CanonicalizeHostname no": "CanonicalizeHostname no # as ever\nCanonicalDomains a.test\n",
    "spaces and empty lines": "\n   \n\t# x\n  Host n1  \n\n Port 7 \f\n",
    "no line end": "Host n1\n Port 7",
}

REFUSED_BY_BOTD = {
    "Match exec": ("Port 7\nMatch exec true\n User x\n", "line 2: botd does not run the commands"),
    "Match exec among others": ("Match host n2 exec true\n User x\n", "line 1: botd does not run the commands"),
    "Match localnetwork": ("Match localnetwork 10.0.0.0/8\n", "line 1: botd does not follow `Match localnetwork`"),
    "Match !final": ("Match !final\n", "line 1: OpenSSH's versions differ"),
    "CanonicalizeHostname": ("Host n2\n CanonicalizeHostname yes\n", "line 2: CanonicalizeHostname is not followed"),
    "RevokedHostKeys": ("RevokedHostKeys /x\n", "line 1: RevokedHostKeys is not followed"),
    "a comment behind none": ("ProxyJump none # direct\n", "line 1: with a comment behind it"),
    "quotation marks around a jump node": ('ProxyJump "gw"\n', "line 1: it wants jump nodes"),
    "tokens of one version": ("UserKnownHostsFile /x/%C\n", "line 1: botd does not fill in %C"),
    "tokens in a user's name": ("User %u\n", "line 1: botd does not fill in %u"),
}


def ours(config: Path, name: str) -> Way | None:
    """botd's way, None where it refuses the file or the name."""
    try:
        return way_of(Routes(SshSettings(), config).route(name))
    except (ConfigError, NoWay):
        return None


def theirs(config: Path, name: str) -> Way | None:
    """The way of ssh, None where it ends with an error."""
    try:
        return ask_ssh(config, name)
    except Refused:
        return None


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_botd_goes_the_way_of_ssh(tmp_path: Path, text: str) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(text, newline="")
    for name in ("n1", "gw"):
        assert ours(config, name) == theirs(config, name)


@pytest.mark.parametrize(("text", "why"), REFUSED_BY_BOTD.values(), ids=REFUSED_BY_BOTD)
def test_what_botd_does_not_follow_ends_the_start_by_file_and_line(tmp_path: Path, text: str, why: str) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Routes(SshSettings(), config)
    assert str(caught.value).startswith(f"{config} {why}")


def test_the_user_of_the_settings_is_that_of_ssh_l(tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(
        "Match user bob\n Port 7\n UserKnownHostsFile /%r\nHost n*\n User eve\n ProxyJump hop\nHost hop\n User eve\n"
    )
    assert way_of(Routes(SshSettings(user="bob"), config).route("n1")) == ask_ssh(config, "n1", "bob")


def test_tokens_of_a_jump_node_are_those_of_the_name_behind_it(tmp_path: Path) -> None:
    """ssh_config(5): ProxyJump accepts %%, %h, %n, %p and %r. `ssh -G` prints them as they stand."""
    config = tmp_path / "ssh_config"
    config.write_text("Host n1\n HostName %h.test\n User u\n Port 7\n ProxyJump %r@gw-%n:8,%h%%\n")
    assert [(hop.user, hop.name, hop.port) for hop in Routes(SshSettings(), config).route("n1").jumps] == [
        ("u", "gw-n1", 8),
        (getpass.getuser(), "n1.test%", 22),
    ]


def test_the_settings_fill_in_what_ssh_config_does_not_say(tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text("Host n1\n Port 7\n ProxyJump gw\nHost gw\n User hop\nHost n2\n ProxyJump a\n")
    routes = Routes(SshSettings(user="bob", port=2200), config, tmp_path / "known")
    assert way_of(routes.route("n1")) == Way(
        "n1", "bob", 7, "", (f"{tmp_path}/known",), (Way("gw", "hop", 2200, "", (f"{tmp_path}/known",)),)
    )
    assert [(hop.user, hop.port) for hop in routes.route("n2").jumps] == [("bob", 2200)]


# ---- Include ----


@pytest.fixture
def racks(tmp_path: Path) -> Path:
    """A folder with what a distribution or a site puts beside its ssh_config."""
    folder = tmp_path / "config.d"
    folder.mkdir()
    (folder / "20-all.conf").write_text("Port 7\nHost *\n User late\n")
    (folder / "10-rack.conf").write_text("Host n*\n HostName %h.nodes.test\n ProxyJump gw\nMatch host gw\n Port 9\n")
    (folder / ".hidden.conf").write_text("Port 1\n")
    (folder / "30.conf").mkdir()
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "Include {}/*.conf\nHost *\n User probe\n",
        "User probe\nInclude {0}/20-all.conf {0}/10-rack.conf\nPort 8\n",
        "Host n2\n Include {}/*.conf\n User inner\nHost *\n User probe\n",
        "Host n1\n Include {}/*.conf\n Port 8\n User inner\nHost *\n User probe\n",
        "Match user root\n Include {}/*.conf\n Port 8\nHost *\n User probe\n",
        "Match user root\n User x\n Include {}/10-rack.conf\n Port 8\nHost *\n User probe\n",
        'Include "{}/no such file" {}/10-rack.conf\n',
        "Include {0}/1*.conf {0}/1*.conf # twice\n",
    ],
)
def test_what_is_included_counts_where_its_line_stands(tmp_path: Path, racks: Path, text: str) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(text.format(racks, racks))
    for name in ("n1", "gw"):
        assert ours(config, name) == theirs(config, name) is not None


def test_files_that_include_each_other_are_refused_as_ssh_does(tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(f"Host n2\n Include {config}\n")
    assert theirs(config, "n1") is None
    with pytest.raises(ConfigError, match="line 2: files include each other"):
        Routes(SshSettings(), config)


def test_a_fault_in_an_included_file_is_told_by_its_own_name_and_line(tmp_path: Path, racks: Path) -> None:
    (racks / "40.conf").write_text("\nHost n9\n Port many\n")
    config = tmp_path / "ssh_config"
    config.write_text(f"Include {racks}/*.conf\n")
    with pytest.raises(ConfigError, match=f'{racks}/40.conf line 3: "many" is no port'):
        Routes(SshSettings(), config)


def test_a_relative_include_is_refused_where_ssh_would_look_elsewhere(tmp_path: Path, racks: Path) -> None:
    """ssh takes it from ~/.ssh, a reader of the file from beside it."""
    config = tmp_path / "ssh_config"
    config.write_text("Include config.d/*.conf\n")
    with pytest.raises(ConfigError, match=f"{config} line 1: .* relative Include .* write its full path"):
        Routes(SshSettings(), config)


def test_a_relative_include_of_ones_own_config_starts_beside_it(
    tmp_path: Path, racks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botd.transport.ssh.config.lines.OWN_PLACES", (str(tmp_path),))
    (racks / "10-rack.conf").write_text("Include config.d/20-all.conf\n")
    config = tmp_path / "config"
    config.write_text("Include config.d/10-rack.conf\n")
    assert Routes(SshSettings(), config).route("n1").port == 7


# ---- drawn files ----

names = st.sampled_from(["n1", "n2", "gw", "hop", "x.test", "n*", "*", "n?", "!n2", "!gw", "*.test", "root"])
hops = st.sampled_from(
    ["gw", "hop:2200", "bob@gw", "ssh://eve@hop:7/", "none", "gw,hop", "n2", "hop,u@x.test", "[::1]:5"]
)
comment = st.sampled_from(["", "", " # rack 3", " #", "#x"])
plain = st.one_of(
    st.builds("HostName {}".format, st.sampled_from(["x.test", "%h.test", "gw", "10.0.0.9", '"n2"', "N1"])),
    st.builds("Port {}".format, st.sampled_from(["22", "2222", "ssh", "0"])),
    st.builds("User={}".format, st.sampled_from(["bob", "eve", "root", '"a b"'])),
    st.builds("HostKeyAlias {}".format, st.sampled_from(["rack", "Rack-B"])),
    st.builds("UserKnownHostsFile {}".format, st.sampled_from(["/a", "/a ~/b.%h", "none", "/c.%r.%p.%k"])),
    st.builds("GlobalKnownHostsFile {}".format, st.sampled_from(["/g", "none"])),
    st.builds("SendEnv {}".format, names),
)
heads = st.one_of(
    st.builds("Host {}".format, st.lists(names, min_size=1, max_size=3).map(" ".join)),
    st.builds("Match {} {}".format, st.sampled_from(["host", "originalhost", "!host", "user"]), names),
    st.builds("Match final {} {}".format, st.sampled_from(["host", "user"]), names),
    st.sampled_from(["Match all", "Match final all", "Match canonical"]),
)
lines = st.one_of(
    st.builds(str.__add__, plain, comment),
    st.builds(str.__add__, heads, st.sampled_from(["", " # x"])),
    st.builds("ProxyJump {}".format, hops),
    st.builds("ProxyCommand {}".format, st.sampled_from(["none", "nc %h %p"])),
    st.just("Include {}"),
)


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(top=st.lists(lines, max_size=9), inner=st.lists(lines.filter(lambda line: "Include" not in line), max_size=5))
def test_any_file_leads_where_it_leads_ssh(top: list[str], inner: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config, included = Path(folder, "ssh_config"), Path(folder, "included")
        included.write_text("\n".join(inner))
        config.write_text("\n".join(top).replace("{}", str(included)))
        assert ours(config, "n1") == theirs(config, "n1")
