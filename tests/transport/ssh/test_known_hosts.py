"""What known_hosts files say of a host key, in every form that sshd(8) names. ssh-keygen makes the real lines."""

from __future__ import annotations

import base64
import logging
import os
import subprocess
from pathlib import Path

import pytest

from botd.transport.ssh.known_hosts import HostKey, KnownHosts, Verdict, fingerprint, names_for
from tests.steps import grows_at_most_as


def key(number: int, kind: str = "ssh-ed25519") -> HostKey:
    """A key as it travels; only its framing is real."""
    body = number.to_bytes(32, "big")
    return HostKey(kind, len(kind).to_bytes(4, "big") + kind.encode() + len(body).to_bytes(4, "big") + body)


def line(hosts: str, shown: HostKey, marker: str = "") -> str:
    return f"{marker} {hosts} {shown.type} {base64.b64encode(shown.blob).decode()} a comment\n".lstrip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def judge(path: Path, name: str, shown: HostKey, port: int = 22) -> Verdict:
    return KnownHosts([path]).judge(names_for([name], port), shown)


@pytest.mark.parametrize(
    ("hosts", "name", "port", "verdict"),
    [
        ("n0001.savio2", "n0001.savio2", 22, Verdict.KNOWN),
        ("n0001.savio2", "n0002.savio2", 22, Verdict.UNKNOWN),
        ("N0001.Savio2", "n0001.sAVIO2", 22, Verdict.KNOWN),
        ("n0001,10.0.0.1", "10.0.0.1", 22, Verdict.KNOWN),
        ("[n0001]:2222", "n0001", 2222, Verdict.KNOWN),
        ("[n0001]:2222", "n0001", 22, Verdict.UNKNOWN),
        ("[n0001]:2222", "n0001", 2223, Verdict.UNKNOWN),
        ("n0001", "n0001", 2222, Verdict.KNOWN),
        ("n*.savio2", "n0001.savio2", 22, Verdict.KNOWN),
        ("n*.savio2", "xn0001.savio2", 22, Verdict.UNKNOWN),
        ("n000?", "n0007", 22, Verdict.KNOWN),
        ("n000?", "n00077", 22, Verdict.UNKNOWN),
        ("n.01", "n-01", 22, Verdict.UNKNOWN),
        ("n.0?", "n-01", 22, Verdict.UNKNOWN),
        ("n*,!n0003", "n0001", 22, Verdict.KNOWN),
        ("n*,!n0003", "n0003", 22, Verdict.UNKNOWN),
        ("[n*]:2222", "n0001", 2222, Verdict.KNOWN),
        ("[n*]:2222", "n", 22, Verdict.UNKNOWN),
    ],
)
def test_a_name_is_found_as_openssh_finds_it(path: Path, hosts: str, name: str, port: int, verdict: Verdict) -> None:
    path.write_text(line(hosts, key(1)))
    assert judge(path, name, key(1), port) is verdict


def test_another_key_than_the_known_one_is_changed(path: Path) -> None:
    path.write_text(line("n1", key(1)))
    assert judge(path, "n1", key(2)) is Verdict.CHANGED


def test_a_key_of_another_type_than_the_known_one_is_changed(path: Path) -> None:
    path.write_text(line("n1", key(1)))
    assert judge(path, "n1", key(1, "ssh-rsa")) is Verdict.CHANGED


def test_each_of_several_keys_of_a_node_is_known(path: Path) -> None:
    path.write_text(line("n1", key(1)) + line("n*", key(2)) + line("n1", key(3, "ssh-rsa")))
    known = KnownHosts([path])
    assert [known.judge(["n1"], shown) for shown in (key(1), key(2), key(3, "ssh-rsa"))] == [Verdict.KNOWN] * 3
    assert known.types(["n1"]) == ["ssh-ed25519", "ssh-rsa"]


def test_the_first_name_that_has_a_key_decides(path: Path) -> None:
    path.write_text(line("n1", key(1)) + line("10.0.0.1", key(2)))
    known = KnownHosts([path])
    assert known.judge(["n1", "10.0.0.1"], key(2)) is Verdict.CHANGED
    assert known.judge(["n2", "10.0.0.1"], key(2)) is Verdict.KNOWN


def test_a_revoked_key_is_revoked_even_where_it_is_known(path: Path) -> None:
    path.write_text(line("n1", key(1)) + line("*", key(1), "@revoked"))
    assert judge(path, "n1", key(1)) is Verdict.REVOKED


def test_a_revoked_key_does_not_make_the_other_keys_of_the_node_changed(path: Path) -> None:
    path.write_text(line("n1", key(1), "@revoked"))
    assert judge(path, "n1", key(2)) is Verdict.UNKNOWN


@pytest.mark.parametrize("port", [22, 2222])
def test_names_hashed_by_ssh_keygen_are_found(path: Path, port: int) -> None:
    path.write_text(line(names_for(["n0001.savio2"], port)[0], key(1)))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "n0001" not in path.read_text()
    assert judge(path, "n0001.savio2", key(1), port) is Verdict.KNOWN
    assert judge(path, "n0001.savio2", key(2), port) is Verdict.CHANGED
    assert judge(path, "n0002.savio2", key(1), port) is Verdict.UNKNOWN


BAD_LINES = [
    "n1 ssh-ed25519",
    "n1 ssh-ed25519 not-base64!",
    f"n1 ssh-rsa {base64.b64encode(key(1).blob).decode()}",
    "|1|only-salt ssh-ed25519 " + base64.b64encode(key(1).blob).decode(),
    "|9|AAAA|AAAA ssh-ed25519 " + base64.b64encode(key(1).blob).decode(),
    line("n1", key(1), "@cert-authority").strip(),
    line("n1", key(1), "@marker").strip(),
    "@revoked",
]


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_line_that_cannot_be_used_is_named_and_the_others_are_read(
    path: Path, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(f"# a comment\n\n{bad}\n" + line("n2", key(2)))
    with caplog.at_level(logging.WARNING):
        assert judge(path, "n2", key(2)) is Verdict.KNOWN
    assert judge(path, "n1", key(1)) is Verdict.UNKNOWN
    assert f"{path} line 3 is left out" in caplog.text


def test_bytes_that_are_no_text_cost_only_their_own_line(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00 x y\n" + line("n2", key(2)).encode())
    assert judge(path, "n2", key(2)) is Verdict.KNOWN


def test_a_file_that_is_not_there_knows_nothing(tmp_path: Path) -> None:
    assert judge(tmp_path / "missing", "n1", key(1)) is Verdict.UNKNOWN


def test_a_changed_file_is_read_again(path: Path) -> None:
    path.write_text(line("n1", key(1)))
    known = KnownHosts([path])
    path.write_text(line("n1", key(2)))
    os.utime(path, ns=(1, 1))
    known.refresh()
    assert known.judge(["n1"], key(2)) is Verdict.KNOWN


def test_a_remembered_key_is_known_at_once_and_after_a_restart(path: Path) -> None:
    path.write_text(line("n1", key(1)).rstrip("\n"))  # a last line without an end must not swallow the new one
    known = KnownHosts([path])
    known.remember("[n2]:2222", key(2))
    known.remember("[n2]:2222", key(2))
    assert known.judge(["[n2]:2222"], key(2)) is Verdict.KNOWN
    assert judge(path, "n1", key(1)) is Verdict.KNOWN
    assert judge(path, "n2", key(2), 2222) is Verdict.KNOWN
    assert len(path.read_text().splitlines()) == 2


def test_a_remembered_key_makes_a_new_file_that_only_the_owner_reads(path: Path) -> None:
    KnownHosts([path]).remember("n1", key(1))
    assert path.stat().st_mode & 0o077 == 0
    assert judge(path, "n1", key(1)) is Verdict.KNOWN


def test_a_key_that_cannot_be_written_down_is_known_for_now(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    known = KnownHosts([tmp_path / "missing" / "known_hosts"])
    known.remember("n1", key(1))
    known.refresh()
    assert known.judge(["n1"], key(1)) is Verdict.KNOWN
    assert "cannot add the host key of n1" in caplog.text


def test_thousands_of_lines_are_read_in_one_go(path: Path) -> None:
    def read(count: int) -> None:
        path.write_text("".join(line(f"n{i:05}.savio2,10.0.{i // 256}.{i % 256}", key(i)) for i in range(count)))
        known = KnownHosts([path])
        assert {known.judge([f"n{i:05}.savio2"], key(i)) for i in range(count)} == {Verdict.KNOWN}

    assert grows_at_most_as(2.5, read, 100)


def test_the_fingerprint_is_the_one_that_ssh_keygen_shows(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "k")], check=True)
    shown = subprocess.run(["ssh-keygen", "-lf", str(tmp_path / "k")], check=True, capture_output=True, text=True)
    blob = base64.b64decode((tmp_path / "k.pub").read_text().split()[1])
    assert fingerprint(blob) == shown.stdout.split()[1]
