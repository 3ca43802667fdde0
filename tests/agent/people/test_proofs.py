"""Proofs by real keys and a real munged, made at run time."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from botd.access.requests import ActionRequest, new_request, signed_text
from botd.agent.people.proofs import Proofs
from botd.config import parse_config
from botd.errors import ProofRefused
from botd.model import utc_now
from tests.agent.people.munge import Munged, munged
from tests.conftest import leave_out
from tests.transport.sshd import make_key

NODE = {"n0012.savio2": "7f3a90c14be2"}
NOBODY = 65534


class Codes:
    """Stands in for the codes of the ledger: one code is good, once."""

    def __init__(self) -> None:
        self.good = {("anna", "123456"), (getpass.getuser(), "123456")}

    def check(self, login: str, code: str) -> None:
        if (login, code) not in self.good:
            raise ProofRefused("that is not the code of the moment")
        self.good.remove((login, code))


class Desk:
    """A folder with keys, and the agent's proofs over it."""

    def __init__(self, folder: Path, **access: Any) -> None:
        self.folder = folder
        self.key = make_key(folder / "anna")
        self.signers = folder / "allowed_signers"
        self.allow("anna", self.key)
        self.now = utc_now()
        document = {"site": {"name": "brc"}, "access": {"allowed_signers": str(self.signers), **access}}
        self.proofs = Proofs(parse_config(document), lambda: self.now, Codes().check)

    def allow(self, login: str, key: Path, options: str = "") -> None:
        self.signers.write_text(f"{login} {options} {key.with_suffix('.pub').read_text()}")
        self.signers.chmod(0o644)

    def request(self, **more: Any) -> ActionRequest:
        return new_request(**{"site": "brc", "action": "drain", "nodes": NODE, "reason": "", "now": self.now, **more})

    def sign(self, text: str, *, key: Path | None = None, namespace: str = "botd-action@brc") -> str:
        words = ["ssh-keygen", "-Y", "sign", "-q", "-f", str(key or self.key), "-n", namespace]
        return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# ---- ssh ----


def test_a_signature_vouches_for_the_request_that_was_signed(desk: Desk) -> None:
    request = desk.request()
    vouched = desk.proofs.ssh("anna", signed_text(request), desk.sign(signed_text(request)))
    assert (vouched.login, vouched.request, vouched.kinds) == ("anna", request, {"ssh"})


def test_a_request_that_was_altered_on_the_way_is_refused(desk: Desk) -> None:
    signature = desk.sign(signed_text(desk.request(nonce="n" * 16)))
    for change in ({"nodes": {"n0013.savio2": "7f3a90c14be2"}}, {"action": "power-off"}, {"reason": "other"}):
        other = signed_text(desk.request(nonce="n" * 16, **change))
        with pytest.raises(ProofRefused, match="does not know this signature as one of anna"):
            desk.proofs.ssh("anna", other, signature)


def test_a_signature_of_another_key_person_or_namespace_is_refused(desk: Desk, tmp_path: Path) -> None:
    text = signed_text(desk.request())
    stranger = make_key(tmp_path / "stranger")
    for login, signature in (
        ("anna", desk.sign(text, key=stranger)),
        ("kmf", desk.sign(text)),
        ("anna", desk.sign(text, namespace="botd-action@other")),
        ("anna", desk.sign(text, namespace="git")),
        ("anna", ""),
        ("anna", "\ud800"),
        ("anna", "x" * 20_000),
        ("-anna", desk.sign(text)),
        ("anna\n", desk.sign(text)),
    ):
        with pytest.raises(ProofRefused):
            desk.proofs.ssh(login, text, signature)


def test_a_key_that_is_no_longer_good_is_refused(desk: Desk) -> None:
    text = signed_text(desk.request())
    desk.allow("anna", desk.key, 'valid-before="20200101"')
    with pytest.raises(ProofRefused):
        desk.proofs.ssh("anna", text, desk.sign(text))


def test_allowed_signers_that_others_can_write_are_not_believed(desk: Desk) -> None:
    text = signed_text(desk.request())
    desk.signers.chmod(0o666)
    with pytest.raises(ProofRefused, match="others can write"):
        desk.proofs.ssh("anna", text, desk.sign(text))
    desk.signers.unlink()
    with pytest.raises(ProofRefused, match="taken now"):
        desk.proofs.ssh("anna", text, desk.sign(text))


@pytest.mark.parametrize(
    ("access", "words"),
    [({"allowed_signers": ""}, "allowed_signers names no file"), ({"ssh_keygen": "/nowhere/ssh-keygen"}, "/nowhere")],
)
def test_without_keys_or_the_tool_no_signature_is_taken(tmp_path: Path, access: dict[str, str], words: str) -> None:
    desk = Desk(tmp_path, **access)
    text = signed_text(desk.request())
    with pytest.raises(ProofRefused, match=words):
        desk.proofs.ssh("anna", text, desk.sign(text))


def test_a_request_for_another_site_or_time_is_refused_though_it_is_signed(desk: Desk) -> None:
    for request, words in (
        (desk.request(site="other"), 'is for "other"'),
        (desk.request(now=desk.now - timedelta(seconds=130)), "expired"),
        (desk.request(now=desk.now + timedelta(seconds=90)), "to come"),
    ):
        text = signed_text(request)
        with pytest.raises(ProofRefused, match=words):
            desk.proofs.ssh("anna", text, desk.sign(text))


def test_a_text_that_is_not_canonical_is_refused_though_it_is_signed(desk: Desk) -> None:
    text = signed_text(desk.request()) + " "
    with pytest.raises(ProofRefused, match="not canonical"):
        desk.proofs.ssh("anna", text, desk.sign(text))


# ---- codes ----


def test_a_code_vouches_once(desk: Desk) -> None:
    text = signed_text(desk.request())
    assert desk.proofs.otp("anna", text, "123456").kinds == {"otp"}
    with pytest.raises(ProofRefused, match="code of the moment"):
        desk.proofs.otp("anna", text, "123456")


def test_a_request_that_is_refused_uses_no_code_up(desk: Desk) -> None:
    with pytest.raises(ProofRefused, match="is for"):
        desk.proofs.otp("anna", signed_text(desk.request(site="other")), "123456")
    assert desk.proofs.otp("anna", signed_text(desk.request()), "123456")


def test_a_code_inside_the_signed_text_is_a_second_proof(desk: Desk) -> None:
    text = signed_text(desk.request(otp="123456"))
    assert desk.proofs.ssh("anna", text, desk.sign(text)).kinds == {"ssh", "otp"}
    with pytest.raises(ProofRefused, match="code of the moment"):
        desk.proofs.ssh("anna", text, desk.sign(text))


# ---- munge ----


@pytest.fixture(scope="module")
def daemon() -> Iterator[Munged]:
    with munged() as running:
        yield running


@pytest.fixture
def cluster(tmp_path: Path, daemon: Munged) -> Desk:
    return Desk(tmp_path, unmunge=daemon.unmunge)


FOR_AGENT = ("-u", str(os.geteuid()), "-t", "120")


def test_a_credential_vouches_for_who_made_it(cluster: Desk, daemon: Munged) -> None:
    request = cluster.request()
    vouched = cluster.proofs.munge(daemon.credential(signed_text(request), *FOR_AGENT))
    assert (vouched.login, vouched.request, vouched.kinds) == (getpass.getuser(), request, {"munge"})


def test_the_user_is_the_one_of_the_credential(cluster: Desk, daemon: Munged) -> None:
    if os.geteuid() != 0:
        leave_out("only root can be another user")
    run = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    credential = daemon.credential(signed_text(cluster.request()), *FOR_AGENT, run=run)
    assert cluster.proofs.munge(credential).login == "nobody"


def test_a_credential_serves_once(cluster: Desk, daemon: Munged) -> None:
    credential = daemon.credential(signed_text(cluster.request()), *FOR_AGENT)
    cluster.proofs.munge(credential)
    with pytest.raises(ProofRefused, match="used before"):
        cluster.proofs.munge(credential)


def test_a_credential_with_a_code_is_two_proofs(cluster: Desk, daemon: Munged) -> None:
    credential = daemon.credential(signed_text(cluster.request(otp="123456")), *FOR_AGENT)
    assert cluster.proofs.munge(credential).kinds == {"munge", "otp"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-t", "120"), "others could read the credential"),
        (("-u", str(os.geteuid()), "-t", "600"), "good for too long"),
        (("-u", str(NOBODY), "-t", "120"), "it is not for the agent"),
    ],
)
def test_a_credential_for_others_or_for_long_is_refused(
    cluster: Desk, daemon: Munged, options: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ProofRefused, match=words):
        cluster.proofs.munge(daemon.credential(signed_text(cluster.request()), *options))


def test_what_is_no_credential_is_refused(cluster: Desk, daemon: Munged) -> None:
    good = daemon.credential(signed_text(cluster.request()), *FOR_AGENT)
    middle = len(good) // 2
    altered = good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1 :]
    for credential in ("", "MUNGE:junk:", altered, "x" * 100_000):
        with pytest.raises(ProofRefused):
            cluster.proofs.munge(credential)


def test_without_munge_no_credential_is_taken(tmp_path: Path, daemon: Munged) -> None:
    for unmunge in ("/nowhere/unmunge", f"{daemon.unmunge}.gone"):
        (tmp_path / "anna").unlink(missing_ok=True)
        desk = Desk(tmp_path, unmunge=unmunge)
        with pytest.raises(ProofRefused, match="munge"):
            desk.proofs.munge(daemon.credential(signed_text(desk.request()), *FOR_AGENT))


def test_a_tool_that_prints_nonsense_vouches_for_nothing(tmp_path: Path, desk: Desk) -> None:
    text = signed_text(desk.request())
    euid = os.geteuid()
    for printed in (
        "",
        f"STATUS: 0\nUID: {euid}\nUID_RESTRICTION: {euid}\nTTL: 120\nLENGTH: 3\n\n{text}",
        f"STATUS: 17\nUID: {euid}\nUID_RESTRICTION: {euid}\nTTL: 120\nLENGTH: {len(text)}\n\n{text}",
        f"STATUS: 0\nUID: -1\nUID_RESTRICTION: {euid}\nTTL: 120\nLENGTH: {len(text)}\n\n{text}",
    ):
        tool = tmp_path / "unmunge"
        tool.write_text(f"#!/bin/sh\ncat >/dev/null\ncat <<'END'\n{printed}\nEND\n")
        tool.chmod(0o755)
        config = parse_config({"site": {"name": "brc"}, "access": {"unmunge": str(tool)}})
        proofs = Proofs(config, utc_now, Codes().check)
        with pytest.raises(ProofRefused):
            proofs.munge("MUNGE:x:")
