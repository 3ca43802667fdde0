"""The ways to a node: one packet to a real BMC, one line to the real helper, and what is said where there is no way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

import pytest

from botd.acting.actions import ACTIONS, BY_NAME, Way
from botd.agent.actions.bmc_hand import COMMANDS, BmcHand
from botd.agent.actions.slurm_hand import VERBS, SlurmHand
from botd.agent.actions.ways import Hands, NotDone, Sent, why_cannot
from botd.ledger.actions import Stored
from botd.model import SlurmNode
from botd.settings import ActionsSettings, BmcSettings
from botd.transport.bmc.control import NO_USER, BmcControl
from botd.transport.bmc.turns import Turns
from botd.transport.slurm_control import SlurmControl
from tests.agent.actions.works import NODES, Works
from tests.conftest import need_program
from tests.transport.bmc.bmc_sim import ACTOR, GUID, BmcSim, bmc_sims

PORT = 34_001 + os.getpid() % 10_000
ADDRESS = "127.44.7.1"


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BmcSim]:
    need_program("ipmi_sim")
    with bmc_sims(tmp_path_factory.mktemp("bmc") / "sims", [ADDRESS], PORT) as sims:
        yield sims[0]


def stored(at_work: Works, action: str) -> Stored:
    at_work.press(action, NODES[0])
    return at_work.actions()[-1]


def bmc_hand(sim: BmcSim, at_work: Works) -> BmcHand:
    settings = BmcSettings(port=sim.port, timeout=10)
    control = BmcControl(settings, ACTOR, sim.password, Turns(), clock=iter(range(100, 10_000, 100)).__next__)
    return BmcHand(control, lambda _: ADDRESS, at_work.kit.looker, at_work.hall.ledger, at_work.clock)


def test_an_identify_is_one_packet_that_the_chassis_understands(sim: BmcSim, at_work: Works) -> None:
    hand, action = bmc_hand(sim, at_work), stored(at_work, "identify")
    sim.forget()
    assert hand.send(action, hand.prepare(action), lambda: True) == Sent(is_certain=True)
    assert sim.told() == ["set identify 240 0"]


def test_nothing_leaves_without_leave(sim: BmcSim, at_work: Works) -> None:
    hand, action = bmc_hand(sim, at_work), stored(at_work, "identify")
    sim.forget()
    assert isinstance(hand.send(action, hand.prepare(action), lambda: False), NotDone)
    assert sim.told() == []
    drain = stored(at_work, "drain")
    slurm = at_work.kit.hands[Way.SLURM]
    assert isinstance(slurm.send(drain, slurm.prepare(drain), lambda: False), NotDone)
    assert at_work.helper.heard() == []


def test_what_somebody_changed_since_it_was_prepared_is_left_alone(at_work: Works) -> None:
    drain, slurm = stored(at_work, "drain"), at_work.kit.hands[Way.SLURM]
    prepared = slurm.prepare(drain)
    at_work.helper.put(NODES[0], "down|2026-11-26T19:59:00|slurm|Not responding")
    answer = slurm.send(drain, prepared, lambda: True)
    assert (cast(NotDone, answer).code, at_work.helper.heard()) == ("evidence-changed", [])


def test_a_way_that_is_not_there_is_said_to_be(at_work: Works) -> None:
    control = SlurmControl(ActionsSettings())
    hands: Hands = {
        Way.BMC: BmcHand(None, lambda _: None, at_work.kit.looker, at_work.hall.ledger, at_work.clock),
        Way.SLURM: SlurmHand(control, lambda _: None, is_set=False),
    }
    assert why_cannot(hands, BY_NAME["identify"]) == NO_USER
    assert "[actions] slurm" in why_cannot(hands, BY_NAME["drain"])
    others = [action for action in ACTIONS if action.name not in COMMANDS.keys() | VERBS.keys()]
    assert {why_cannot(hands, action) for action in others} == {"it is not built yet"}


def test_a_node_that_is_down_behind_its_word_is_taken_back_by_resume(at_work: Works) -> None:
    at_work.helper.put(NODES[0], "drained|2026-11-26T19:59:00|slurm|Kill task failed")
    at_work.refresh()
    resume = Stored(*stored(at_work, "identify"))._replace(action="resume")
    control = SlurmControl(at_work.site.config.actions)
    for base, verb in (("DOWN", "resume"), ("IDLE", "undrain")):
        at_work.helper.put(NODES[0], "drained|2026-11-26T19:59:00|slurm|Kill task failed")
        node = SlurmNode(NODES[0], "drained", base, ("DRAIN",))
        hand = SlurmHand(control, lambda _, node=node: node, is_set=True)  # type: ignore[misc]
        assert hand.send(resume, hand.prepare(resume), lambda: True) == Sent(is_certain=True)
        assert at_work.helper.heard()[-1] == ["update", f"nodename={NODES[0]}", f"state={verb}"]


@pytest.mark.parametrize(
    ("action", "line"),
    [("power-cycle", "set power 0"), ("power-on", "set power 1"), ("power-off", "set shutdown 1")],
)
def test_power_is_one_packet_and_only_to_the_bmc_of_last_time(
    sim: BmcSim, at_work: Works, action: str, line: str
) -> None:
    hand = bmc_hand(sim, at_work)
    pressed = Stored(*stored(at_work, "identify"))._replace(action=action)
    sim.forget()
    assert hand.send(pressed, hand.prepare(pressed), lambda: True) == Sent(is_certain=True)
    assert next(said for said in sim.told() if said.startswith("set")) == line
    with at_work.hall.ledger.write() as db:
        learnt = at_work.hall.ledger.bmcs.guid(db, pressed.node)
        at_work.hall.ledger.bmcs.forget(db, pressed.node)
        at_work.hall.ledger.bmcs.learn(db, pressed.node, "0" * 31 + "1", at_work.clock())
    assert learnt == GUID
    sim.forget()
    answer = hand.send(pressed, hand.prepare(pressed), lambda: True)
    assert (cast(NotDone, answer).code, sim.told()) == ("other-bmc", [])
