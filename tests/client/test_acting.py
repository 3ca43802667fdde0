"""Asking for actions: what is sent, what is signed, how it is followed, and what the exit status says."""

from __future__ import annotations

import getpass
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from botd.access.requests import parse_request
from botd.acting.moves import TERMINAL, State
from botd.agent.people.proofs import Proofs
from botd.client import acting
from botd.client.acting import ENDS, do
from botd.client.asking import Asking
from botd.client.cli import bofhbot_parser, main
from botd.client.forms import Form
from botd.client.sites import Site
from botd.client.trouble import Refused, Trouble
from botd.config import parse_config
from botd.errors import ProofRefused
from botd.model import utc_now
from tests.agent.people.munge import munged
from tests.client.conftest import PROGRAM, Home
from tests.client.scripted import Answers, Scripted, refusal, scripted
from tests.conftest import need_program
from tests.program import DemoProgram, wait_until
from tests.transport.sshd import make_key

ASK, SEE = "POST /api/v2/actions", "GET /api/v2/actions/7"
NODE = {
    "node": "n0012.savio2",
    "slurm": {"state": "down*"},
    "recommendation": {"title": "powered off", "explanation": "off by its BMC", "evidence": "7f3a90c14be2"},
}
TAKEN = (202, {"new": True, "batch": "", "would_have": [], "actions": [{"id": 7, "node": "n0012.savio2"}]})
LOOK: Answers = {"GET /api/v1/status": [(200, {"nodes": [NODE]})]}


def at(state: str) -> tuple[int, Any]:
    return 200, {"id": 7, "node": "n0012.savio2", "action": "power-on", "state": state, "reason": "x", "moves": []}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(acting, "POLL_S", 0.0)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")


def asks(server: Scripted, *words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status of `bofhbot do power-on n0012.savio2`."""
    monkeypatch.setenv("BOFHBOT_URL", server.url)
    return main(["do", "power-on", "n0012.savio2", "--reason", "hangs again", *words])


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ("succeeded", 0),
        ("would-have", 0),
        ("failed", 1),
        ("refused", 2),
        ("expired", 2),
        ("vetoed", 2),
        ("unknown", 3),
        ("awaiting", 4),
    ],
)
def test_the_exit_status_says_how_it_ended(ends: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {**LOOK, ASK: [TAKEN], SEE: [at("requested"), at("reserved"), at("sending"), at(ends)]}
    with scripted(answers) as server:
        assert asks(server, monkeypatch=monkeypatch) == status
    assert [asked for asked, _ in server.sent].count(SEE) == 4


def test_a_state_of_a_newer_botd_is_said_and_waited_in_for_nobody_knows_how_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted({**LOOK, ASK: [TAKEN], SEE: [at("requested"), at("quarantined")]}) as server:
        assert asks(server, "--json", "state", monkeypatch=monkeypatch) == 3
    out, err = capsys.readouterr()
    assert json.loads(out) == [{"state": "quarantined"}]
    assert 'this bofhbot does not know what "quarantined" is; see bofhbot actions n0012.savio2' in err


def test_who_interrupts_the_following_is_told_that_the_action_goes_on(home: Home) -> None:
    with scripted({**LOOK, ASK: [TAKEN], SEE: [at("sending")]}) as server:
        home.environ["BOFHBOT_URL"] = server.url
        child = subprocess.Popen([*PROGRAM, "do", "power-on", "n0012.savio2"], env=home.environ, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)  # fmt: skip
        wait_until(lambda: SEE in [asked for asked, _ in server.sent])
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "")
    assert (
        err == "bofhbot: interrupted; what was asked for goes on: bofhbot actions shows it, and bofhbot stop ends it\n"
    )
    assert [asked for asked, _ in server.sent if asked.startswith(("POST", "DELETE"))] == [ASK]


def test_every_state_that_there_is_is_known() -> None:
    assert set(acting.GOES_ON) | set(ENDS) == set(State)
    assert not acting.GOES_ON & set(ENDS)


def test_every_end_that_there_is_is_known() -> None:
    assert set(ENDS) == {str(state) for state in TERMINAL} | {"awaiting"}


def test_what_is_sent_is_the_node_with_the_evidence_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted({**LOOK, ASK: [TAKEN], SEE: [at("succeeded")]}) as server:
        asks(server, monkeypatch=monkeypatch)
    (body,) = server.bodies(ASK)
    assert len(body.pop("nonce")) >= 16
    wanted = {"action": "power-on", "nodes": {"n0012.savio2": "7f3a90c14be2"}, "reason": "hangs again", "proof": {}}
    assert body == wanted


def test_the_evidence_of_a_node_that_is_well_is_that_of_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    well = {**NODE, "recommendation": None}
    outlook = {"outlook": {"n0012.savio2": {"evidence": "00112233aabb"}}}
    answers = {"GET /api/v1/status": [(200, {"nodes": [well]})], "GET /api/v2/policy": [(200, outlook)]}
    with scripted({**answers, ASK: [TAKEN], SEE: [at("succeeded")]}) as server:
        assert asks(server, monkeypatch=monkeypatch) == 0
    assert server.bodies(ASK)[0]["nodes"] == {"n0012.savio2": "00112233aabb"}


@pytest.mark.parametrize("evidence", ["", "x; id", None, 5])
def test_a_node_without_evidence_is_not_asked_for(evidence: object, monkeypatch: pytest.MonkeyPatch) -> None:
    node = {**NODE, "recommendation": {"title": "x", "explanation": "x", "evidence": evidence}}
    with scripted({"GET /api/v1/status": [(200, {"nodes": [node]})]}) as server:
        assert asks(server, monkeypatch=monkeypatch) in (1, 2)
    assert server.bodies(ASK) == []


@pytest.mark.parametrize("code", ["cap", "not-allowed", "live-job", "clock", "ledger-unavailable", "evidence-changed"])
def test_a_refusal_is_a_refusal_whatever_its_status(
    code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status = {"cap": 429, "clock": 503, "ledger-unavailable": 503}.get(code, 409)
    with scripted({**LOOK, ASK: [(status, refusal(status, code, "not now"))]}) as server:
        assert asks(server, monkeypatch=monkeypatch) == 2
    assert capsys.readouterr().err == "bofhbot: not now\n"
    assert len(server.bodies(ASK)) == 1


def test_a_request_that_nobody_answers_is_sent_again_as_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = (503, refusal(503, "agent-silent"))
    with scripted({**LOOK, ASK: [(0, None), silent, TAKEN], SEE: [at("succeeded")]}) as server:
        assert asks(server, monkeypatch=monkeypatch) == 0
    one, two, three = server.bodies(ASK)
    assert one == two == three


def test_what_nobody_answers_for_is_not_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted({**LOOK, ASK: [(0, None)]}) as server:
        assert asks(server, monkeypatch=monkeypatch) == 3
    assert "nobody knows whether it was taken up" in capsys.readouterr().err
    with scripted({**LOOK, ASK: [TAKEN], SEE: [(0, None)]}) as server:
        assert asks(server, monkeypatch=monkeypatch) == 3
    assert "goes on" in capsys.readouterr().err


def test_an_action_that_nobody_has_told_of_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    untold = (404, refusal(404, "unknown-action"))
    with scripted({**LOOK, ASK: [TAKEN], SEE: [untold, untold, at("succeeded")]}) as server:
        assert asks(server, monkeypatch=monkeypatch) == 0


def test_who_does_not_wait_has_it_as_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted({**LOOK, ASK: [TAKEN], SEE: [at("requested")]}) as server:
        assert asks(server, "--no-wait", "--json", "id,state", monkeypatch=monkeypatch) == 0
    assert json.loads(capsys.readouterr().out) == [{"id": 7, "state": "requested"}]


def test_the_worst_of_a_batch_is_its_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    both = (202, {"actions": [{"id": 7}, {"id": 8}], "would_have": []})
    with scripted({**LOOK, ASK: [both], SEE: [at("failed")], "GET /api/v2/actions/8": [at("succeeded")]}) as server:
        assert asks(server, monkeypatch=monkeypatch) == 1


@pytest.mark.parametrize(
    "document", [{}, {"actions": []}, {"actions": [{"id": "7/../../x"}]}, {"actions": 5}, {"would_have": 5}]
)
def test_an_answer_of_another_shape_is_followed_nowhere(document: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted({**LOOK, ASK: [(202, document)]}) as server:
        assert asks(server, monkeypatch=monkeypatch) == 1
    assert [asked for asked, _ in server.sent if asked.startswith("GET /api/v2")] == []


def test_a_code_is_asked_for_at_the_terminal_where_botd_wants_one(home: Home) -> None:
    wants = (401, refusal(401, "proof-required"))
    with scripted({**LOOK, ASK: [wants, TAKEN], SEE: [at("succeeded")]}) as server:
        environ = {**home.environ, "BOFHBOT_URL": server.url}
        words = [*PROGRAM[1:], "do", "power-on", "n0012.savio2"]
        child = pexpect.spawn(PROGRAM[0], words, env=environ, encoding="utf-8", timeout=60)
        child.expect("n0012.savio2 is down\\*: powered off; off by its BMC")
        child.expect("code of the moment: ")
        child.sendline("123456")
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 0
    one, two = server.bodies(ASK)
    assert (one.pop("proof"), two.pop("proof")) == ({}, {"otp": "123456"})
    assert one == two


def test_a_code_is_never_read_from_a_pipe(home: Home) -> None:
    with scripted({**LOOK, ASK: [(401, refusal(401, "proof-required"))]}) as server:
        home.environ["BOFHBOT_URL"] = server.url
        done = home.run("do", "power-on", "n0012.savio2", stdin="123456\n")
    assert done.returncode == 2
    assert "there is no terminal" in done.stderr


# ---- what is signed ----


def run_of(server: Scripted, *words: str, **more: str) -> Asking:
    args = bofhbot_parser().read(["do", "power-on", "n0012.savio2", *words])
    return Asking(args, [Site("brc", server.url, cluster="brc", **more)], Form())


def test_a_signature_is_what_the_agent_takes(tmp_path: Path) -> None:
    key = make_key(tmp_path / "anna")
    signers = tmp_path / "allowed_signers"
    signers.write_text(f'anna namespaces="botd-action@brc" {key.with_suffix(".pub").read_text()}')
    signers.chmod(0o644)
    config = parse_config({"site": {"name": "brc"}, "access": {"allowed_signers": str(signers)}})
    proofs = Proofs(config, utc_now, lambda login, code: None)
    with scripted({**LOOK, ASK: [TAKEN], SEE: [at("succeeded")]}) as server:
        assert do(run_of(server, "--ssh", "--login", "anna", "--reason", "ü", ssh_key=str(key))) == 0
    (body,) = server.bodies(ASK)
    vouched = proofs.ssh(**{"text": body["text"], **body["proof"]["ssh"]})
    assert (vouched.login, vouched.kinds) == ("anna", {"ssh"})
    request = vouched.request
    assert (request.action, request.nodes, request.reason) == (body["action"], body["nodes"], "ü")
    assert (request.nonce, request.site) == (body["nonce"], "brc")
    with pytest.raises(ProofRefused):
        proofs.ssh("anna", body["text"].replace("power-on", "resume"), body["proof"]["ssh"]["signature"])


@pytest.fixture
def ssh_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    place = tmp_path / "agent"
    with subprocess.Popen([need_program("ssh-agent"), "-D", "-a", place], stdout=subprocess.DEVNULL) as daemon:
        wait_until(place.is_socket)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
        yield
        daemon.terminate()


@pytest.mark.usefixtures("ssh_agent")
def test_a_key_that_ssh_agent_alone_holds_signs(tmp_path: Path) -> None:
    key = make_key(tmp_path / "anna")
    subprocess.run([need_program("ssh-add"), "-q", key], check=True)
    key.unlink()
    with scripted({**LOOK, ASK: [TAKEN], SEE: [at("succeeded")]}) as server:
        assert do(run_of(server, "--ssh", "--login", "anna", ssh_key=f"{key}.pub")) == 0
    (body,) = server.bodies(ASK)
    assert body["proof"]["ssh"]["signature"].startswith("-----BEGIN SSH SIGNATURE-----")


def test_a_credential_of_munge_is_for_the_agent_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "munge"
    tool.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/words\ncat >{tmp_path}/text\necho MUNGE:abc:\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with scripted({**LOOK, ASK: [TAKEN], SEE: [at("succeeded")]}) as server:
        assert do(run_of(server, "--munge")) == 0
    assert (tmp_path / "words").read_text() == "-u botd-agent -t 120\n"
    (body,) = server.bodies(ASK)
    assert (body["proof"], body["text"]) == ({"munge": "MUNGE:abc:\n"}, "")
    assert parse_request((tmp_path / "text").read_text()).nodes == body["nodes"]


def test_a_signature_that_is_refused_is_not_followed_by_a_code(tmp_path: Path) -> None:
    key = make_key(tmp_path / "anna")
    with scripted({**LOOK, ASK: [(401, refusal(401, "proof-required"))]}) as server, pytest.raises(Refused):
        do(run_of(server, "--ssh", ssh_key=str(key)))
    assert len(server.bodies(ASK)) == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, 'write ssh_key = "~/.ssh/id_ed25519.pub"'),
        ({"ssh_key": "/nonexistent"}, "ssh-keygen has made nothing"),
    ],
)
def test_what_cannot_be_signed_is_not_sent(more: dict[str, str], words: str) -> None:
    with scripted(LOOK) as server, pytest.raises(Trouble, match=words):
        do(run_of(server, "--ssh", **more))
    assert server.bodies(ASK) == []


def test_a_botd_without_a_name_is_signed_for_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(LOOK) as server:
        assert asks(server, "--ssh", monkeypatch=monkeypatch) == 2
    assert server.bodies(ASK) == []


# ---- a second person, and stopping ----


def test_who_agrees_signs_the_same_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(tmp_path / "kmf")
    waits = {**at("awaiting")[1], "evidence": "7f3a90c14be2", "login": "anna"}
    with scripted({SEE: [(200, waits)], f"{SEE.replace('GET', 'POST')}/approve": [(204, None)]}) as server:
        (tmp_path / "bofhbot.toml").write_text(f'[sites.brc]\nurl = "{server.url}"\nssh_key = "{key}"\n')
        monkeypatch.delenv("BOFHBOT_URL", raising=False)
        assert main(["approve", "7", "--ssh"]) == 0
    (body,) = server.bodies("POST /api/v2/actions/7/approve")
    request = parse_request(body["text"])
    assert (request.action, request.nodes, request.reason) == ("power-on", {"n0012.savio2": "7f3a90c14be2"}, "x")
    assert body["proof"]["ssh"]["login"] == getpass.getuser()


@pytest.mark.parametrize(
    ("words", "asked", "body"),
    [
        (["stop", "7"], "POST /api/v2/actions/7/stop", None),
        (["stop", "7", "--batch"], "POST /api/v2/actions/7/stop", {"batch": True}),
        (["harm", "7", "--reason", "job 7"], "POST /api/v2/actions/7/harm", {"harm": True, "reason": "job 7"}),
        (["harm", "7", "--not-it"], "POST /api/v2/actions/7/harm", {"harm": False, "reason": ""}),
        (["stop", "--reason", "smoke"], "POST /api/v2/stop", {"reason": "smoke"}),
        (["veto", "7"], "POST /api/v2/actions/7/veto", None),
        (["go-on", "--reason", "a toaster"], "DELETE /api/v2/stop", {"reason": "a toaster", "proof": {}}),
    ],
)
def test_what_takes_no_more_than_a_word(
    words: list[str], asked: str, body: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted({asked: [(204, None)]}) as server:
        monkeypatch.setenv("BOFHBOT_URL", server.url)
        assert main(words) == 0
    assert server.sent == [(asked, body)]


def test_a_batch_is_stopped_by_one_of_it_and_not_everything_by_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted({}) as server:
        monkeypatch.setenv("BOFHBOT_URL", server.url)
        assert main(["stop", "--batch"]) != 0
    assert server.sent == []
    assert "takes the ID" in capsys.readouterr().err


def test_a_node_is_drained_and_slurms_own_tool_says_so(kmf: Home, program: DemoProgram) -> None:
    nodes = program.json("/api/v1/status?groups=savio3&checks=ping&max_age=100000")["nodes"]
    node = next(n["node"] for n in nodes if n["slurm"]["state"] in ("idle", "allocated", "mixed"))
    (row,) = json.loads(kmf.good("do", "drain", node, "--reason", "fan fails", "--json", "node,state,login"))
    assert row == {"node": node, "state": "succeeded", "login": "kmf"}
    assert re.fullmatch(r"botd: drain \d+ by kmf\n", program.tool("sinfo", "-h", "-n", node, "-o", "%E"))
    assert kmf.good("actions", node).split("\t")[2:5] == [node, "drain", "succeeded"]


def test_a_credential_of_a_real_munged_restarts_a_slurmd_with_nobody_logged_in(
    home: Home, kmf: Home, program: DemoProgram
) -> None:
    """From the press to the start of slurmd that Slurm tells of: munged alone knows who runs bofhbot."""
    me, wanted = getpass.getuser(), "restart-slurmd"
    found = program.json("/api/v1/status?groups=sinfo&max_age=100000")["nodes"]
    node = next(each["node"] for each in found if (each["recommendation"] or {}).get("action") == wanted)
    assert "NOT_RESPONDING" in program.tool("scontrol", "show", "node", node)
    with munged() as daemon:
        tool(home.path / "munge", f"{need_program('munge')} -S {daemon.socket}")
        tool(program.codes.parent / "unmunge", daemon.unmunge)  # type: ignore[attr-defined]
        home.environ["PATH"] = f"{home.path}:{home.environ['PATH']}"
        home.sites(f'[sites.demo]\nurl = "{program.base}"\nagent_user = "{me}"\n')
        done = home.run("do", wanted, node, "--munge", "--reason", "slurmd died", "--json", "state,proof")
    assert (done.returncode, json.loads(done.stdout)) == (0, [{"state": "succeeded", "proof": "munge"}]), done.stderr
    assert json.loads(kmf.good("actions", node, "--json", "login,action")) == [{"login": me, "action": wanted}]
    assert "NOT_RESPONDING" not in program.tool("scontrol", "show", "node", node)
    (order,) = [each for each in json.loads(program.tool("heard", "--json"))["orders"] if each["place"] == "ssh"]
    assert (order["node"], order["words"]) == (node, "sudo -n systemctl restart slurmd")


def tool(path: Path, words: str) -> None:
    """A program that runs another one with its own words after these."""
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    path.chmod(0o755)


def test_what_is_protected_is_refused_by_a_running_botd(kmf: Home) -> None:
    done = kmf.run("do", "identify", "n0000.savio2")
    assert done.returncode == 2
    assert "protected" in done.stderr


def test_everything_is_stopped_at_a_running_botd_and_goes_on(kmf: Home, anna: Home) -> None:
    done = kmf.run("stop", "--reason", "smoke in the room")
    assert (done.returncode, done.stdout) == (0, "")
    refused = kmf.run("do", "identify", "n0001.savio3")
    assert refused.returncode == 2
    assert "smoke in the room" in refused.stderr
    again = anna.run("go-on", "--reason", "a toaster", *signed("anna"))
    assert again.returncode == 2
    assert "re-arm" in again.stderr
    kmf.good("go-on", "--reason", "a toaster", *signed("kmf"))
    kmf.good("do", "identify", "n0001.savio3")


# ---- a second person at a running botd ----


def signed(login: str) -> tuple[str, ...]:
    return ("--site", "demo", "--ssh", "--login", login)


@pytest.fixture
def awaiting(anna: Home, program: DemoProgram) -> tuple[str, str]:
    """An action of the student that awaits somebody, by its number, and its node."""
    nodes = program.json("/api/v1/status?groups=bigmem&checks=ping&max_age=100000")["nodes"]
    well = (n["node"] for n in nodes if n["slurm"]["state"] in ("idle", "allocated", "mixed"))
    node = next(node for node in well if not anna.good("actions", node))  # of the others the list may be older
    done = anna.run("do", "drain", node, "--reason", "fan fails", *signed("anna"), "--json", "id,state")
    assert done.returncode == 4, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["state"] == "awaiting"
    return str(row["id"]), node


def test_a_second_person_agrees_at_a_running_botd(
    awaiting: tuple[str, str], anna: Home, kmf: Home, program: DemoProgram
) -> None:
    number, node = awaiting
    own = anna.run("approve", number, *signed("anna"))
    assert own.returncode == 2
    assert "may not agree" in own.stderr
    kmf.good("approve", number, *signed("kmf"))
    wait_until(lambda: kmf.good("actions", node).split("\t")[4] == "succeeded")
    assert program.tool("sinfo", "-h", "-n", node, "-o", "%E") == f"botd: drain {number} by anna\n"
    late = kmf.run("approve", number, *signed("kmf"))
    assert late.returncode == 2
    assert "succeeded" in late.stderr


def test_a_second_person_is_against_it_at_a_running_botd(awaiting: tuple[str, str], kmf: Home) -> None:
    number, node = awaiting
    kmf.good("veto", number)
    assert kmf.good("actions", node).split("\t")[4] == "vetoed"
