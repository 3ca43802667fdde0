"""One process's view of the store, and the answers from it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from botd import nodeset
from botd.board.answer import Question, StatusAnswer
from botd.board.board import Board
from botd.documents import iso
from botd.errors import BadNodeset, NoNodeList, SlurmTimeout, UnknownCheck, UnknownGroup, UnknownNode
from botd.model import DIAGNOSIS, Change, Reading, State, SweepState
from botd.store import Store
from tests.conftest import Site, drained, idle
from tests.program import wait_until


def test_a_new_database_in_the_place_of_a_damaged_one_is_read_from_its_beginning(site: Site) -> None:
    board = site.app.extensions["botd"].board
    assert len(board.view().readings) > 1
    site.store.close()
    for path in site.folder.glob("botd.db*"):
        path.rename(path.with_name(f"damaged-{path.name}"))
    site.store = Store(site.config)
    site.store.create(site.now + timedelta(seconds=1))
    site.nodes(idle("new"))
    site.reading("new")
    site.beat()
    view = board.view(fresh=True)
    assert (set(view.readings), set(view.inventory.names())) == ({"new"}, {"new"})


NAMES = ("n0000.savio2", "n0001.savio2", "n0002.savio3", "n0010.savio3")


@pytest.fixture
def board(site: Site) -> Board:
    return Board(site.config, site.checks, site.store, lambda: site.now)


def ask(board: Board, groups: str | None = "all", **more: Any) -> Question:
    given = {"nodes": None, "checks": "ping", "max_age_s": 600.0, "wait_s": 0.0, **more}
    return board.question(groups=groups, **given)


def look(board: Board, question: Question, **more: Any) -> StatusAnswer:
    """The answer to a question, of the store as it is now."""
    board.view(fresh=True)
    return board.answer(question, **more)


def test_a_question_is_about_the_nodes_it_names_in_their_order_each_once(board: Board) -> None:
    assert ask(board).nodes == NAMES
    assert ask(board, "rack1,savio2,rack1").groups == ("rack1", "savio2")
    assert ask(board, "rack1,savio2").nodes == NAMES[:3]
    assert ask(board, None, nodes="n0010.savio3,n0000.savio2").nodes == (NAMES[0], NAMES[3])
    assert ask(board, "savio2", nodes="n0010.savio3").nodes == (NAMES[0], NAMES[1], NAMES[3])


def test_a_question_that_names_nothing_is_the_regular_one_or_the_default_of_its_route(make_site: Any) -> None:
    site = make_site({"sweep": {"groups": ["savio2"], "interval": 120, "deadline": 7}, "slurm": {"timeout": 3}})
    site.nodes(*map(idle, NAMES))
    board = Board(site.config, site.checks, site.store, lambda: site.now)
    question = ask(board, None, checks=None, max_age_s=None, wait_s=None)
    assert (question.groups, question.nodes, question.checks) == (("savio2",), NAMES[:2], tuple(site.checks))
    assert (question.max_age_s, question.wait_s) == (120, 10)
    assert ask(board, None, default_groups=["savio3"]).nodes == NAMES[2:]


@pytest.mark.parametrize(("groups", "uses"), [("sinfo", True), ("rack1/sinfo", True), ("rack1", False)])
def test_a_question_knows_whether_it_rests_on_slurms_own_list(board: Board, groups: str, uses: bool) -> None:
    assert ask(board, groups).uses_sinfo is uses


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"groups": "cheese"}, UnknownGroup),
        ({"nodes": "n9.savio9"}, UnknownNode),
        ({"nodes": "n[1-"}, BadNodeset),
        ({"checks": "pong"}, UnknownCheck),
    ],
)
def test_a_question_that_cannot_be_understood_is_refused(board: Board, asked: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(board, **{"groups": None, **asked})


def test_a_choice_of_nodes_is_made_anew_of_a_new_list(site: Site, board: Board) -> None:
    assert ask(board).nodes == NAMES
    site.nodes(idle("new"))
    board.view(fresh=True)
    assert ask(board).nodes == ("new",)


def test_without_a_node_list_nothing_can_be_asked(make_site: Any) -> None:
    site = make_site()
    board = Board(site.config, site.checks, site.store, lambda: site.now)
    with pytest.raises(NoNodeList, match="botd agent"):
        ask(board)


def test_young_readings_are_a_whole_answer_and_nobody_is_asked(site: Site, board: Board) -> None:
    answer = board.answer(ask(board))
    assert (answer.complete, answer.problems, answer.sweep, answer.nodes) == (True, (), None, NAMES)
    assert site.store.sweeps.figures().by_state == {}


def test_old_readings_are_read_again_with_what_they_need(site: Site, board: Board) -> None:
    site.reading(NAMES[0], age_s=700)
    answer = look(board, ask(board, checks="load"))
    assert (answer.complete, answer.holding) == (False, None)
    assert answer.problems == ("1 of 4 nodes have readings older than asked for",)
    sweep = site.store.sweeps.get(answer.sweep or 0)
    assert (sorted(nodeset.expand(sweep.nodeset)), "ssh" in sweep.checks) == (sorted(NAMES), True)
    assert "load" in sweep.checks
    assert look(board, ask(board, checks="load")).sweep == answer.sweep  # who asks the same waits for the same


def test_readings_of_a_time_to_come_are_old(site: Site, board: Board) -> None:
    site.reading(NAMES[0], age_s=-60)
    assert look(board, ask(board)).sweep


def test_what_may_not_cause_a_sweep_gets_what_is_known(site: Site, board: Board) -> None:
    site.reading(NAMES[0], age_s=700)
    answer = look(board, ask(board), sweep_allowed=False)
    assert (answer.complete, answer.sweep, answer.problems) == (False, None, ())


def test_without_an_agent_the_answer_is_what_is_known_and_says_so(site: Site, board: Board) -> None:
    site.later(700)
    answer = look(board, ask(board))
    assert (answer.complete, answer.sweep) == (False, None)
    assert [problem for problem in answer.problems if problem.startswith("the agent is not running")]


def test_who_waits_gets_what_the_sweep_has_read(site: Site, board: Board) -> None:
    site.reading(NAMES[0], age_s=700)
    board.view(fresh=True)

    def agent() -> None:
        sweep = wait_until(lambda: site.store.sweeps.claim(site.now))
        site.reading(NAMES[0], ping=Reading(State.OK, 0.5, "ms"))
        site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(agent)
        answer = board.answer(ask(board, wait_s=60.0))
        done.result()
    assert (answer.complete, answer.problems, answer.sweep) == (True, (), 1)
    assert answer.view.readings[NAMES[0]]["ping"]["value"] == 0.5


def test_nobody_waits_for_an_agent_that_has_died(site: Site, board: Board) -> None:
    site.reading(NAMES[0], age_s=700)
    board.view(fresh=True)

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(board.answer, ask(board, wait_s=90.0))
        wait_until(lambda: site.store.sweeps.figures().by_state)
        site.later(60)
        answer = asked.result(45)
    assert (answer.complete, answer.sweep) == (False, 1)


def test_no_nodes_are_a_whole_answer(board: Board) -> None:
    answer = board.answer(replace(ask(board), nodes=()))
    assert (answer.complete, answer.sweep, answer.nodes) == (True, None, ())


@pytest.mark.parametrize(
    "ending",
    [
        lambda site: site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms")),
        lambda site: site.nodes(idle("n0000.savio2")),
        lambda site: site.slurm_fails(502, "sinfo: not found"),
        lambda site: site.later(601),
        lambda site: site.later(-60),
        lambda site: site.later(30),  # the agent has not beaten since
    ],
)
def test_an_answer_holds_until_something_is_another_matter(site: Site, board: Board, ending: Any) -> None:
    holding = board.answer(ask(board)).holding
    assert holding
    board.view(fresh=True)
    assert board.holds(holding)
    ending(site)
    if abs(site.now - board.view().pulse.agent_beat_at) >= timedelta(seconds=60):
        site.beat()  # so that only the age of the readings is another matter
    board.view(fresh=True)
    assert not board.holds(holding)


def test_slurms_list_is_refused_when_it_is_older_than_asked_for_and_else_given_with_its_fault(
    site: Site, board: Board
) -> None:
    site.later(60)
    site.slurm_fails(504, "sinfo did not end")
    site.beat()
    board.view(fresh=True)
    with pytest.raises(SlurmTimeout, match=r"sinfo did not end; the last good list is kept and 60 s old"):
        board.slurm_nodes(30)
    view, problems = board.slurm_nodes(120)
    assert set(view.inventory.names()) == set(NAMES)
    assert problems[0].startswith("sinfo did not end; the last good list, of ")


def test_a_younger_list_is_asked_for_only_while_there_is_an_agent(site: Site, board: Board) -> None:
    site.later(60)
    board.fresh_list(30, 0)
    assert site.store.pulse().list_wanted_at is None
    site.beat()
    board.view(fresh=True)
    board.fresh_list(120, 0)
    assert site.store.pulse().list_wanted_at is None
    board.fresh_list(30, 0)
    assert site.store.pulse().list_wanted_at == site.now


def test_a_revision_of_the_list_that_became_a_text_hides_no_list(site: Site, board: Board) -> None:
    with site.store._db.write() as db:
        db.exec_driver_sql("UPDATE pulse SET list_revision = '{['")
    board.view(fresh=True)
    board.wait_for_list(60)
    assert set(board.known().inventory.names()) == set(NAMES)
    site.nodes(idle("n9.savio2"))
    assert set(board.view(fresh=True).inventory.names()) == {"n9.savio2"}


def test_a_list_of_the_last_moment_is_not_asked_for_again(site: Site, board: Board) -> None:
    site.later(site.config.sweep.least_age - 1)
    site.slurm_fails(504, "sinfo did not end")
    site.beat()
    board.view(fresh=True)
    view, problems = board.slurm_nodes(0)
    assert (len(view.inventory.names()), len(problems), site.store.pulse().list_wanted_at) == (len(NAMES), 1, None)
    site.later(site.config.sweep.least_age + 1)
    board.fresh_list(0, 0)
    assert site.store.pulse().list_wanted_at == site.now


def test_the_sweep_to_follow_is_the_one_that_asks_most_of_the_nodes(site: Site, board: Board) -> None:
    answer = board.answer(ask(board, "savio2"))
    assert board.running(answer) is None
    site.store.sweeps.start(NAMES[2:], ["ping"], site.now)
    assert board.running(answer) is None
    site.store.sweeps.start(NAMES[:2], ["ping"], site.now)
    site.store.sweeps.start(NAMES[1:2], ["ping"], site.now)
    assert board.running(answer).id == 2


def test_only_what_changed_is_read_and_encoded_again(site: Site, board: Board) -> None:
    first = board.bodies.node_json(board.answer(ask(board)))
    site.reading(NAMES[0], ping=Reading(State.FAIL, None, "ms"))
    second = board.bodies.node_json(look(board, ask(board)))
    assert [before is after for before, after in zip(first, second, strict=True)] == [False, True, True, True]


def test_a_body_is_made_once_for_each_form_until_something_changes(site: Site, board: Board) -> None:
    made: list[str] = []

    def body(form: str) -> tuple[bytes, str]:
        def make() -> bytes:
            made.append(form)
            return f"{form} {len(made)}".encode()

        return board.bodies.encoded(look(board, ask(board)), form, make)

    assert body("json") == body("json")
    assert body("csv")[1] != body("json")[1]
    site.reading(NAMES[0], ping=Reading(State.FAIL, None, "ms"))
    assert body("json")[0] == b"json 3"
    assert made == ["json", "csv", "json"]


def test_a_node_is_so_since_its_drain_else_since_its_diagnosis_was_recorded(site: Site, board: Board) -> None:
    hours = timedelta(hours=1)
    site.nodes(drained(NAMES[0], reason_at=site.now - 26 * hours), idle(NAMES[1]), drained(NAMES[2]))
    for name in NAMES[:3]:
        site.reading(name, ssh=Reading(State.FAIL, "refused"))

    def since() -> list[str | None]:
        documents = board.bodies.node_documents(look(board, ask(board)))
        board.bodies.row_json(look(board, ask(board)))
        return [document["since"] for document in documents]

    assert since() == [iso(site.now - 26 * hours), None, None]
    titles = [board.view().morning.given[name]["title"] for name in NAMES[:3]]
    for name, title in zip(NAMES, titles, strict=False):
        site.store.changes.record([Change(name, DIAGNOSIS, "", title, site.now - hours)])
    assert since() == [iso(site.now - 26 * hours), iso(site.now - hours), iso(site.now - hours)]
    assert (
        f'"since":{int((site.now - hours).timestamp())}'.encode() in board.bodies.row_json(look(board, ask(board)))[1]
    )
    site.store.changes.record([Change(NAMES[1], DIAGNOSIS, titles[1], "another", site.now)])
    assert since()[1] is None
