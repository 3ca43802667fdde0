"""The round, readings, one node and what happened, of a running botd, as a pipe and a program have them."""

from __future__ import annotations

import json

import pytest

from botd.client.looking import months
from tests.client.conftest import HOSTILE, Home, answering, http
from tests.program import DemoProgram, free_port, wait_until


def cells(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def test_the_round_on_a_pipe_is_a_line_for_each_node_of_the_interface(at_home: Home, program: DemoProgram) -> None:
    def told() -> list[list[str]]:
        families = program.json("/api/v1/round")["families"]
        return [[node["node"], family["family"], node["state"]] for family in families for node in family["nodes"]]

    def printed() -> list[list[str]]:
        return [row[:3] for row in cells(at_home.good())]

    # The demo goes on meanwhile: a node may be drained, or back, between the two.
    assert wait_until(lambda: (found := told()) == printed() and found)


def test_the_round_is_of_the_groups_that_are_asked_for(at_home: Home) -> None:
    rows = cells(at_home.good("-g", "savio2"))
    assert rows
    assert all(row[0].endswith(".savio2") for row in rows)


def test_json_has_the_fields_that_are_named_and_no_other(at_home: Home) -> None:
    rows = json.loads(at_home.good("--json", "node,title,notes"))
    assert rows
    assert all(set(row) == {"node", "title", "notes"} and row["notes"] == [] for row in rows)


def test_json_says_which_fields_there_are(at_home: Home) -> None:
    done = at_home.run("--json", "nod")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('bofhbot: there is no field "nod"; did you mean "node"? there is node, family, state')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("do", "drain", "n1", "--json", "nod"), 'no field "nod"; did you mean "node"? there is id, asked_at'),
        (("do", "drain", "n1", "--json", ""), 'no field ""; there is id'),
        (("notes", "--end", "4", "--json", "id,,node"), 'no field ""; there is id'),
        (("tokens", "--new", "nightly", "--json", "token"), 'no field "token"'),
        (("login", "--json", "login"), "no list"),
        (("changes", "--json", "site"), 'no field "site"'),
    ],
)
def test_fields_that_there_are_not_are_refused_before_anything_is_asked(
    words: tuple[str, ...], said: str, home: Home
) -> None:
    with answering(http(b"{}")) as hostile:
        home.environ["BOFHBOT_URL"] = hostile.url
        done = home.run(*words)
    assert (done.returncode, hostile.asked) == (2, [])
    assert said in done.stderr


def test_a_check_has_what_is_wrong_and_its_exit_status(at_home: Home, program: DemoProgram) -> None:
    nodes = program.json("/api/v1/status?groups=sinfo&checks=ping,ssh")["nodes"]
    done = at_home.run("check", "-g", "sinfo", "-c", "ping,ssh", "--exit-code", "--json", "node,wrong")
    assert done.returncode == 2
    failing = [n["node"] for n in nodes if any(r["state"] == "fail" for r in n["readings"].values())]
    assert [row["node"] for row in json.loads(done.stdout) if row["wrong"]] == failing
    well = next(n["node"] for n in nodes if n["node"] not in failing)
    assert at_home.run("check", "-g", well, "-c", "ping,ssh", "--exit-code").returncode == 0


def test_a_check_now_has_the_nodes_asked(at_home: Home, program: DemoProgram) -> None:
    query = "/api/v1/status?nodes=n0000.savio2&checks=uptime&max_age=100000"
    before = program.json(query)["nodes"][0]["readings"]["uptime"]["at"]
    (row,) = json.loads(at_home.good("check", "-g", "n0000.savio2", "-c", "uptime", "--now", "--json", "readings"))
    assert row["readings"]["uptime"]["at"] > before


def test_a_list_too_long_for_a_url_is_asked_all_the_same(at_home: Home, program: DemoProgram) -> None:
    names = [node["node"] for node in program.json("/api/v1/status?groups=all&max_age=100000")["nodes"]]
    assert len(cells(at_home.good("check", "-c", "ping", "-g", ",".join(names * 20)))) == len(names)


def test_one_node_has_a_line_for_each_check(at_home: Home, program: DemoProgram) -> None:
    readings = program.json("/api/v1/status/n0000.savio2")["nodes"][0]["readings"]
    rows = cells(at_home.good("show", "n0000.savio2"))
    assert [row[:2] for row in rows] == [[name, reading["state"]] for name, reading in readings.items()]


def test_a_name_that_is_none_is_asked_of_nobody(home: Home) -> None:
    home.environ["BOFHBOT_URL"] = f"http://127.0.0.1:{free_port()}"
    done = home.run("show", "../../healthz")
    assert done.returncode == 2
    assert "is not a name" in done.stderr


def test_an_error_of_botd_is_one_sentence(at_home: Home) -> None:
    done = at_home.run("show", "n9999.savio2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('bofhbot: there is no node and no group "n9999.savio2"')
    assert done.stderr.count("\n") == 1


def test_changes_come_in_pages_and_end_at_the_limit(at_home: Home, program: DemoProgram) -> None:
    every = program.json("/api/v1/changes?limit=1000")["changes"]
    assert json.loads(at_home.good("changes", "--limit", "2000", "--json", "id")) == [{"id": c["id"]} for c in every]
    assert len(cells(at_home.good("changes", "--limit", "3"))) == 3


def test_the_history_of_a_node_is_its_own(at_home: Home, program: DemoProgram) -> None:
    node = program.json("/api/v1/changes")["changes"][0]["node"]
    rows = json.loads(at_home.good("history", node, "--json", "node,subject"))
    assert {row["node"] for row in rows} == {node}


def test_what_a_person_wrote_into_slurm_is_one_harmless_value(at_home: Home) -> None:
    rows = [row for row in cells(at_home.good()) if "<b>bad</b>" in row[-1]]
    assert [len(row) for row in rows] == [9]
    assert rows[0][-1].isprintable()
    assert "\u202e" not in rows[0][-1]
    (told,) = [r["reason"] for r in json.loads(at_home.good("--json", "reason")) if "<b>" in r["reason"]]
    assert told == HOSTILE.encode().decode() or told.startswith("<b>bad</b>")
    assert "\x1b" not in at_home.good("--json", "reason")


def test_a_round_that_cannot_be_read_is_not_known(home: Home) -> None:
    home.environ["BOFHBOT_URL"] = f"http://127.0.0.1:{free_port()}"
    done = home.run("--exit-code")
    assert (done.returncode, done.stdout) == (3, "")
    assert "Connection refused; does it run, and is the URL right?" in done.stderr
    assert home.run().returncode == 1


def test_several_sites_are_one_table(home: Home, program: DemoProgram) -> None:
    home.sites(f'[sites.one]\nurl = "{program.base}"\n[sites.two]\nurl = "{program.base}/"\n')
    rows = cells(home.good("--site", "all"))
    alone = cells(home.good("--site", "two"))
    assert rows == [["one", *row] for row in alone] + [["two", *row] for row in alone]


def test_a_site_that_is_away_is_named_and_the_others_are_shown(home: Home, program: DemoProgram) -> None:
    home.sites(f'[sites.here]\nurl = "{program.base}"\n[sites.away]\nurl = "http://127.0.0.1:{free_port()}"\n')
    done = home.run("--site", "all", "--json", "site,node")
    assert done.returncode == 1
    assert done.stderr.startswith("bofhbot: away: cannot ask")
    assert {row["site"] for row in json.loads(done.stdout)} == {"here"}


@pytest.mark.parametrize("words", [("--exit-code",), ("check", "-c", "ping", "--exit-code")])
def test_a_site_that_is_away_is_not_taken_for_well(home: Home, words: tuple[str, ...]) -> None:
    away = free_port()
    home.sites(f'[sites.a]\nurl = "http://127.0.0.1:{away}"\n[sites.b]\nurl = "http://127.0.0.1:{away}"\n')
    assert home.run("--site", "all", *words).returncode == 3


def test_a_report_has_every_partition(at_home: Home, program: DemoProgram) -> None:
    expected = [row["name"] for row in program.json("/api/v1/report")["rows"] if row["about"] == "partition"]
    assert [row[1] for row in cells(at_home.good("report")) if row[0] == "partition"] == expected
    assert expected
    lines = at_home.good("report", "--csv").splitlines()
    assert lines[0].startswith("about,name,nodes,out_h,")
    assert sum(line.startswith("partition,") for line in lines) == len(expected)


def test_a_report_of_a_month_is_asked_for_its_first_to_its_last_moment(at_home: Home) -> None:
    assert months("2026-12") == ("2026-12-01T00:00Z", "2027-01-01T00:00Z")
    assert months("2028-02") == ("2028-02-01T00:00Z", "2028-03-01T00:00Z")
    assert at_home.run("report", "--month", "2026-11").returncode == 0
    assert at_home.good("report", "--month", "2026-11", "--csv").startswith("about,name,nodes,out_h,")
    assert "take --until out" in at_home.run("report", "--month", "2026-11", "--until", "3d").stderr
    assert "not allowed with" in at_home.run("report", "--month", "2026-11", "--since", "3d").stderr
    assert "needs a month such as 2026-11" in at_home.run("report", "--month", "November").stderr
