"""A press: what is asked for becomes an action for each node, or is refused with its code and changes nothing."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from botd.acting.ladder import Tried
from botd.advice.weighing import Scales
from botd.errors import ProofRefused
from botd.model import Change
from tests.advice.cases import SILENT, readings
from tests.agent.actions.works import DRAINED, NODES, ROLES, Works, works
from tests.agent.people.munge import Munged, munged
from tests.conftest import Site
from tests.transport.sshd import make_key

NODE = NODES[0]


def test_a_press_with_a_code_becomes_one_action(at_work: Works) -> None:
    answer = at_work.press("drain", NODE)
    assert answer == {
        "ok": True,
        "new": True,
        "batch": "",
        "actions": [{"id": 1, "node": NODE, "state": "requested"}],
    }
    stored = at_work.actions()[0]
    assert (stored.login, stored.action, stored.reason, stored.proof) == ("anna", "drain", "hangs", "otp")


def test_the_same_press_again_is_the_same_action_and_uses_no_second_code(at_work: Works) -> None:
    at_work.token("anna")
    nonce, proof = "n" * 20, {"otp": at_work.code("anna")}
    first = at_work.press("drain", NODE, nonce=nonce, proof=proof)
    again = at_work.press("drain", NODE, nonce=nonce, proof=proof)
    assert (first["new"], again["new"], again["actions"]) == (True, False, first["actions"])
    other = at_work.press("drain", NODES[1], nonce=nonce)
    assert other["code"] == "same-nonce"


def test_twenty_presses_of_one_nonce_at_once_are_one_action(at_work: Works) -> None:
    at_work.token("anna")
    says = {"text": at_work.text("drain", [NODE]), "proof": {"otp": at_work.code("anna")}}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: at_work.letter("act", "anna", says), range(20)))
    assert all(answer["ok"] for answer in answers), answers
    assert [answer["new"] for answer in answers].count(True) == 1
    assert len(at_work.actions()) == 1


def test_a_code_serves_five_minutes_of_its_session_for_what_is_soft(at_work: Works) -> None:
    at_work.token("anna")
    at_work.hall.later(minutes=6)  # the code of the login is too old
    without = {"text": at_work.text("drain", [NODE]), "proof": {}}
    assert at_work.letter("act", "anna", without)["code"] == "proof-required"
    assert at_work.press("drain", NODE)["ok"]
    at_work.hall.later(minutes=4)
    soft = {"text": at_work.text("drain", [NODES[1]]), "proof": {}}
    assert at_work.letter("act", "anna", soft)["ok"]
    hard = {"text": at_work.text("power-cycle", [NODES[1]]), "proof": {}}
    assert at_work.letter("act", "anna", hard)["code"] == "proof-required"
    at_work.hall.later(minutes=1)
    late = {"text": at_work.text("drain", [NODES[2]]), "proof": {}}
    assert at_work.letter("act", "anna", late)["code"] == "proof-required"


@pytest.mark.parametrize("code", ["", "12345", "abcdef"])
def test_what_is_no_code_proves_nothing(at_work: Works, code: str) -> None:
    assert at_work.press("drain", NODE, proof={"otp": code})["code"] == "proof-refused"


def test_a_refused_press_leaves_a_line_of_the_audit_and_nothing_else(at_work: Works) -> None:
    answer = at_work.press("drain", DRAINED)
    assert (answer["code"], "see hung mpirun" in answer["words"]) == ("wrong-state", True)
    assert at_work.actions() == []
    refused = json.loads(at_work.hall.rows()[-1])
    assert (refused["kind"], refused["by"], refused["detail"]["code"]) == ("press-refused", "anna", "wrong-state")


def test_a_role_decides(at_work: Works) -> None:
    assert at_work.press("drain", NODE, login="eve")["code"] == "not-allowed"
    at_work.roles = ROLES.replace('nodes = "n0009.savio2"', f'nodes = "{NODE}"')
    assert at_work.press("drain", NODE)["code"] == "protected"
    assert at_work.press("restart-slurmd", DRAINED, login="anna")["code"] == "not-allowed"


def test_evidence_that_is_no_longer_so_is_refused(at_work: Works) -> None:
    text = at_work.text("identify", [NODE])
    at_work.helper.put(NODE, "down|2026-11-26T19:59:00|slurm|Not responding")
    assert at_work.press("identify", NODE, text=text)["code"] == "evidence-changed"
    assert at_work.lists_wanted == 1  # so that who looks again does not see the same
    at_work.refresh()
    assert at_work.press("identify", NODE)["ok"]


def test_who_looked_before_an_action_failed_looks_again(at_work: Works) -> None:
    ill(at_work)
    text = at_work.text("identify", [NODE])
    at_work.scales = Scales(tried=(Tried(NODE, "power-cycle", 7, at_work.clock()),))
    assert at_work.press("identify", NODE, text=text)["code"] == "evidence-changed"
    assert at_work.press("identify", NODE)["ok"]


def test_who_looked_before_a_third_incident_became_known_looks_again(at_work: Works) -> None:
    ill(at_work)
    text = at_work.text("identify", [NODE])
    incidents = [at_work.clock() - timedelta(days=days) for days in (3, 2, 1)]
    at_work.site.store.changes.record(Change(NODE, "ssh", "ok", "fail: timeout", at, "", True) for at in incidents)
    at_work.read = {NODE: readings(SILENT)}  # the next sweep, which finds the same
    assert at_work.press("identify", NODE, text=text)["code"] == "evidence-changed"
    assert at_work.press("identify", NODE)["ok"]


def ill(at_work: Works) -> None:
    """NODE is down and silent, and nothing but its diagnosis tells what more is known of it."""
    at_work.helper.put(NODE, "down|2026-11-26T19:59:00|slurm|Not responding")
    at_work.refresh()
    at_work.read = {NODE: readings(SILENT)}


def test_what_cannot_be_read_is_in_the_way(at_work: Works) -> None:
    at_work.token("anna")
    at_work.silent = {"slurm"}
    assert at_work.press("drain", NODE)["code"] == "slurm-unreadable"
    at_work.silent, at_work.ledger_why = set(), "the ledger was restored"
    assert at_work.press("drain", NODE)["code"] == "ledger-unavailable"
    at_work.ledger_why, at_work.synchronised = "", None
    assert at_work.press("drain", NODE)["code"] == "clock"


def test_members_of_a_batch_wait_for_their_turn_and_one_that_is_in_the_way_is_told(at_work: Works) -> None:
    answer = at_work.press("drain", NODE, DRAINED)
    states = {each["node"]: each["state"] for each in answer["actions"]}
    assert states == {NODE: "queued", DRAINED: "refused"}
    assert answer["batch"] == at_work.actions()[0].batch != ""


def test_a_batch_is_stopped_at_once_as_far_as_it_was_not_sent(at_work: Works) -> None:
    first, second, _ = (each["id"] for each in at_work.press("drain", *NODES[:2], DRAINED)["actions"])
    other = at_work.press("drain", NODES[4])["actions"][0]["id"]
    with at_work.hall.ledger.write() as db:
        db.exec_driver_sql("UPDATE actions SET state = 'verifying' WHERE id = ?", (first,))
    assert at_work.letter("halt", "eve", {"id": first, "batch": True})["ok"]
    told = {each.id: (each.state, each.words) for each in at_work.actions()}
    assert told[first][0] == "verifying"
    assert told[second] == ("refused", "eve stopped it")
    assert told[other][0] == "requested"
    refused = at_work.letter("halt", "eve", {"id": first, "batch": True})
    assert refused["code"] == "wrong-state"
    assert f"{second} is refused" in refused["words"]


def test_with_one_that_was_asked_for_alone_nothing_else_is_stopped(at_work: Works) -> None:
    numbers = [at_work.press("drain", node)["actions"][0]["id"] for node in NODES[:2]]
    assert at_work.letter("halt", "eve", {"id": numbers[0], "batch": True})["ok"]
    assert at_work.states() == ["refused", "requested"]


def test_a_second_person_agrees_over_the_same_request(at_work: Works) -> None:
    number = at_work.press("drain", NODE, login="carl")["actions"][0]["id"]
    assert at_work.states() == ["awaiting"]
    text = at_work.text("drain", [NODE])
    own = {"id": number, "text": text, "proof": {"otp": at_work.code("carl")}}
    assert at_work.letter("approve", "carl", own)["code"] == "not-allowed"
    at_work.token("kmf")
    other = {"id": number, "text": at_work.text("drain", [NODES[1]]), "proof": {"otp": at_work.code("kmf")}}
    assert at_work.letter("approve", "kmf", other)["code"] == "proof-refused"
    agreed = {"id": number, "text": at_work.text("drain", [NODE]), "proof": {"otp": at_work.code("kmf")}}
    assert at_work.letter("approve", "kmf", agreed)["ok"]
    assert at_work.states() == ["approved"]


def test_a_second_person_may_be_against_it(at_work: Works) -> None:
    number = at_work.press("drain", NODE, login="carl")["actions"][0]["id"]
    assert at_work.letter("veto", "anna", {"id": number})["code"] == "not-allowed"
    assert at_work.letter("veto", "kmf", {"id": number})["ok"]
    assert at_work.states() == ["vetoed"]


def test_anybody_stops_and_who_may_re_arm_lets_go_on(at_work: Works) -> None:
    at_work.press("drain", NODE, login="carl")
    assert at_work.letter("stop", "eve", {"reason": "smoke"})["ok"]
    assert at_work.states() == ["refused"]
    assert at_work.press("drain", NODE)["code"] == "stopped"
    says = {"reason": "no smoke", "text": at_work.text("re-arm", reason="no smoke"), "proof": {}}
    assert at_work.letter("go-on", "kmf", says)["code"] == "proof-required"
    anna = {**says, "proof": {"otp": at_work.code("anna")}, "text": at_work.text("re-arm", reason="no smoke")}
    assert at_work.letter("go-on", "anna", anna)["code"] == "not-allowed"
    kmf = {**says, "proof": {"otp": at_work.code("kmf")}, "text": at_work.text("re-arm", reason="no smoke")}
    assert at_work.letter("go-on", "kmf", kmf)["ok"]
    assert at_work.press("drain", NODE)["ok"]


@contextmanager
def signed_works(folder: Path, make_site: Callable[..., Site], login: str, **access: str) -> Iterator[Works]:
    """An agent that takes the key of a login, which lies in its folder."""
    key, signers = make_key(folder / "key"), folder / "allowed_signers"
    signers.write_text(f"{login} {key.with_suffix('.pub').read_text()}")
    signers.chmod(0o644)
    with works(folder, make_site, access={"allowed_signers": str(signers), **access}) as at_work:
        yield at_work


def signature(at_work: Works, folder: Path, text: str) -> str:
    """By the key of the folder."""
    namespace = f"botd-action@{at_work.site.config.site.name}"
    words = ["ssh-keygen", "-Y", "sign", "-q", "-f", str(folder / "key"), "-n", namespace]
    return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout


def test_a_signature_of_ssh_needs_no_session_and_is_for_what_was_signed(
    tmp_path: Path, make_site: Callable[..., Site]
) -> None:
    with signed_works(tmp_path, make_site, "anna") as at_work:
        text, other = at_work.text("drain", [NODE]), at_work.text("drain", [NODES[1]])
        proof = {"ssh": {"login": "anna", "signature": signature(at_work, tmp_path, text)}}
        answers = [at_work.by_nobody("act", {"text": each, "proof": proof}) for each in (other, text, text)]
        assert [answer.get("code") for answer in answers] == ["proof-refused", None, None]
        assert [answer.get("new") for answer in answers] == [None, True, False]
        assert (at_work.actions()[0].login, at_work.actions()[0].proof) == ("anna", "ssh")
        code = at_work.by_nobody("act", {"text": text, "proof": {"otp": "123456"}})
        assert code["code"] == "login-required"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Munged]:
    with munged() as running:
        yield running


@pytest.mark.parametrize("kind", ["ssh", "munge"])
def test_proofs_by_ssh_and_munge_still_work_while_a_login_is_locked_out(
    tmp_path: Path, make_site: Callable[..., Site], daemon: Munged, kind: str
) -> None:
    """Whoever types wrong codes in somebody's name keeps them from nothing that they can sign."""
    login = getpass.getuser()
    with signed_works(tmp_path, make_site, login, unmunge=daemon.unmunge) as at_work:
        at_work.roles = ROLES.replace('users = ["kmf"]', f'users = ["{login}"]')
        at_work.token(login)
        for _ in range(5):
            with pytest.raises(ProofRefused):
                at_work.hall.logins.check_code(login, at_work.hall.wrong_code(login))
        assert at_work.press("drain", NODE, login=login)["code"] == "locked-out"
        text = at_work.text("drain", [NODE])
        proofs: dict[str, Any] = {
            "ssh": {"login": login, "signature": signature(at_work, tmp_path, text)},
            "munge": daemon.credential(text, "-u", str(os.geteuid()), "-t", "120"),
        }
        answer = at_work.by_nobody("act", {"text": text, "proof": {kind: proofs[kind]}})
        assert answer["ok"], answer
        at_work.drive()
        assert [(each.login, each.proof, each.state) for each in at_work.actions()] == [(login, kind, "succeeded")]
        assert at_work.press("drain", NODES[1], login=login)["code"] == "locked-out"


def test_how_sure_it_is_of_one_action_says_nothing_of_another(at_work: Works) -> None:
    def way(action: str, at_least: float | None) -> dict[str, Any]:
        return {"action": action, "confidence": {"at_least": at_least}}

    ranked = [
        way("resume", 0.95),
        way("power-cycle", 0.4),
        way("drain", None),
        {"action": "person", "confidence": None},
    ]
    advice: Any = {"ranked": ranked}
    assert at_work.kit.known._confident(advice) == {"resume": True, "power-cycle": False}
    assert at_work.kit.known._confident(None) == {}
