"""What the web part sends and shows, with what acts behind it: the agent's ledger, proofs, guards, helper and ways."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from botd.agent.people.desk import Desk
from botd.documents import encode
from botd.inventory.document import to_document
from botd.ledger.keys import new_keys
from tests.agent.actions.conftest import at_work, impatient
from tests.agent.actions.works import DRAINED, NODES, Works
from tests.program import wait_until

__all__ = ["at_work", "impatient"]

NODE, OTHER, PROTECTED = NODES[0], NODES[1], "n0009.savio2"
NONCE = "a-nonce-of-a-script"


class Reception:
    """The web part in front of an agent that acts."""

    def __init__(self, works: Works) -> None:
        self.works, self.site = works, works.site
        keys = new_keys()
        (self.site.folder / "ledger-seal.pub").write_text(f"{keys.public}\n")
        self.desk = Desk(
            self.site.store,
            keys.open,
            works.hall.logins,
            works.kit.roles,
            works.clock,
            counter=works.acting.answer,
        )
        self.tell()

    def tell(self) -> None:
        """The agent beats, tells who is logged in and what nodes there are, and the web's clock is the agent's."""
        self.site.now = self.works.clock()
        self.site.beat()
        self.works.refresh()
        listed = encode({**to_document(self.works.inventory), "as_of": None})
        self.site.store.write_node_list(listed, as_of=self.site.now, error=None, now=self.site.now)
        self.desk.tell({})

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(0.01):
            self.desk.answer()
            self.works.driver.step()

    def send(self, method: str, path: str, login: str, **more: Any) -> TestResponse:
        shown = {"Authorization": f"Bearer {self.works.token(login)}"}
        self.tell()
        return self.site.client.open(path, method=method, headers=shown, **more)

    def evidence(self, node: str, login: str = "anna") -> str:
        told = self.send("GET", f"/api/v2/policy?nodes={node}", login).json
        return str(told["outlook"][node]["evidence"])

    def proof(self, login: str) -> dict[str, str]:
        """A code that was not used."""
        self.works.token(login)
        return {"otp": self.works.code(login)}

    def press(self, action: str, node: str, login: str = "anna", **more: Any) -> TestResponse:
        proof = more.pop("proof", None) or self.proof(login)
        body = {"action": action, "node": node, "evidence": self.evidence(node, login), "reason": "fan", "proof": proof}
        return self.send("POST", "/api/v2/actions", login, json={**body, **more})

    def end(self, response: TestResponse, login: str = "anna") -> Any:
        """The action that was taken up, when it has come to its end."""
        assert response.status_code == 202, response.text
        path = response.headers["Location"]
        ends = ("succeeded", "failed", "unknown", "refused", "vetoed", "expired", "would-have")
        wait_until(lambda: self.site.get(path)["state"] in ends)
        return self.send("GET", path, login).json

    def code_of(self, response: TestResponse) -> tuple[int, str]:
        return response.status_code, response.json["error"]["code"]


@pytest.fixture
def reception(at_work: Works) -> Iterator[Reception]:
    made, stop = Reception(at_work), threading.Event()
    thread = threading.Thread(target=made.run, args=(stop,), daemon=True)
    thread.start()
    yield made
    stop.set()
    thread.join()


def test_a_drain_is_pressed_done_and_told_with_every_move(reception: Reception) -> None:
    told = reception.end(reception.press("drain", NODE))
    assert (told["state"], told["login"], told["reason"], told["certain"]) == ("succeeded", "anna", "fan", True)
    assert [move["target"] for move in told["moves"]] == [
        "requested",
        "reserved",
        "re-read",
        "sending",
        "sent",
        "verifying",
        "succeeded",
    ]
    assert "botd: drain 1 by anna" in (reception.works.helper.directory / "nodes" / NODE).read_text()
    left = reception.send("GET", f"/api/v2/policy?nodes={OTHER},{NODE}", "anna").json["outlook"]
    assert [left[node]["caps"]["drain"][0]["left"] for node in (NODE, OTHER)] == [2, 3]
    assert [each["guard"] for each in left[NODE]["stands"]["drain"]] == ["not-drained"]
    assert left[OTHER]["stands"]["drain"] == []


def test_identify_is_one_packet_however_often_it_is_sent(reception: Reception) -> None:
    proof = reception.proof("anna")
    first = reception.press("identify", NODE, nonce=NONCE, proof=proof)
    again = reception.press("identify", NODE, nonce=NONCE, proof=proof)
    assert (again.status_code, again.json["actions"][0]["id"]) == (200, first.json["actions"][0]["id"])
    assert reception.end(first)["state"] == "succeeded"
    assert len(reception.works.bmc.packets()) == 1
    other = reception.press("identify", NODE, nonce=NONCE, reason="another")
    assert reception.code_of(other) == (409, "same-nonce")


def test_the_agents_refusals_have_their_status_and_words(reception: Reception) -> None:
    refused = reception.press("drain", DRAINED)
    assert reception.code_of(refused) == (409, "wrong-state")
    assert "a drain is not replaced" in refused.json["error"]["message"]
    assert reception.code_of(reception.press("drain", NODE, proof={"otp": "000000"})) == (401, "proof-refused")
    assert reception.code_of(reception.press("drain", NODE, evidence="0" * 16)) == (409, "evidence-changed")
    assert reception.code_of(reception.press("identify", NODE, "bert")) == (403, "not-allowed")
    assert reception.site.get("/api/v2/actions")["count"] == 0


def test_a_second_person_agrees_or_says_no(reception: Reception) -> None:
    first, second = (reception.press("drain", node, "carl") for node in (NODE, OTHER))
    assert reception.send("GET", first.headers["Location"], "carl").json["state"] == "awaiting"
    agreed = f"{first.headers['Location']}/approve"
    own = reception.send("POST", agreed, "carl", json={"proof": reception.proof("carl")})
    assert own.status_code == 403
    done = reception.send("POST", agreed, "kmf", json={"proof": reception.proof("kmf")})
    assert done.status_code == 204, done.text
    assert reception.send("POST", f"{second.headers['Location']}/veto", "kmf").status_code == 204
    assert reception.end(first)["state"] == "succeeded"
    assert reception.end(second)["state"] == "vetoed"


def test_everything_is_stopped_and_goes_on_by_who_may(reception: Reception) -> None:
    assert reception.send("POST", "/api/v2/stop", "anna", json={"reason": "smoke"}).status_code == 204
    assert reception.code_of(reception.press("drain", NODE)) == (409, "stopped")
    wait_until(lambda: bool(reception.send("GET", "/api/v2/policy", "anna").json["now"]["stop"]))
    for login, status in (("anna", 403), ("kmf", 204)):
        body = {"reason": "it was a toaster", "proof": reception.proof(login)}
        assert reception.send("DELETE", "/api/v2/stop", login, json=body).status_code == status
    assert reception.end(reception.press("drain", NODE))["state"] == "succeeded"
