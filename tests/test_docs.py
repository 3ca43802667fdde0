"""The documentation against the program, both ways: what there is stands there, and what stands there is so."""

from __future__ import annotations

import configparser
import io
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docutils.core  # type: ignore[import-untyped]
import docutils.nodes  # type: ignore[import-untyped]
import pytest
from marshmallow import Schema
from werkzeug.test import TestResponse

from botd import cli, errors
from botd.access.conditions import CONDITIONS
from botd.access.roles import RIGHTS, Role, parse_roles
from botd.access.tokens import new_token, token_hash
from botd.access.windows import Window
from botd.acting.actions import ACTIONS
from botd.acting.guards import GUARDS as STOPS
from botd.acting.limits import Breaker, Caps, Storm
from botd.acting.moves import LEFT, MOVES
from botd.acting.moves import State as Stand
from botd.advice.confidence import Counts
from botd.advice.experience import experience_of
from botd.advice.guards import GUARDS
from botd.advice.rules import FAMILIES, GLOSSES, RULES
from botd.advice.trust import Saying, trust_document
from botd.answers import Output, SshState
from botd.app import create_app
from botd.checks import CHECKS, custom, df, flat, parents, site_checks
from botd.client.cli import bofhbot_parser
from botd.client.sites import parse_sites
from botd.commands.serve import ONE_ARENA
from botd.config import load_config, parse_config
from botd.display.formats import MIME
from botd.model import Change, Check, Facts, Note, NoteKind, Option, Reading, State, SweepState
from botd.settings import SETTINGS
from botd.text import one_line
from botd.web.params import (
    ActionsQuery,
    ChangesQuery,
    CheckQuery,
    ClusterQuery,
    EventsQuery,
    HostinfoQuery,
    LoginQuery,
    MatrixQuery,
    NotesQuery,
    StatusBody,
    StatusQuery,
    TableBody,
    TailQuery,
)
from tests.actor import action, make_actor, moved, tell
from tests.conftest import Site, drained
from tests.office import Office

ROOT = Path(__file__).parent.parent
LISTED = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.rst"))
PAGES = ("README.rst", "CHANGELOG.rst", *(name for name in LISTED if name != "docs/index.rst"))
"""All but the first page of the site, whose one table of contents only Sphinx knows: `tests/test_site.py` has it."""
DEPLOY = ROOT / "docs" / "deploy"
UNITS = ("botd-agent.service", "botd-web.service")
CURL = {"Accept": "*/*", "User-Agent": "curl/7.88.1"}
PARAMETERS = {
    "groups": "sinfo",
    "g": "sinfo",
    "nodes": "n0017.bigmem",
    "h": "n0017.bigmem",
    "log": "slurmd",
    "checks": "ping",
    "max_age": "9999",
    "wait": "0",
    "format": "ndjson",
    "width": "80",
    "color": "1",
    "fold": "1",
    "family": "ssh",
    "diagnosis": "colleague",
    "any": "fail",
    "only": "new",
    "state": "drained",
    "sort": "-since",
    "page": "1",
    "by": "partitions",
    "since": "7d",
    "until": "1s",
    "before": "9",
    "limit": "9",
    "to": "/nodes",
    "node": "n0017.bigmem",
    "login": "anna",
    "action": "drain",
    "batch": "nonce-of-a-batch",
}
"""Every parameter of the interface, with a value that each route that takes it accepts."""


# ---- reading the pages ----


@cache
def page(name: str) -> tuple[Any, str]:
    """The document tree of a page, and what docutils has to complain of."""
    complaints = io.StringIO()
    settings = {"warning_stream": complaints, "report_level": 1, "halt_level": 5, "_disable_config": True}
    source = (ROOT / name).read_text(encoding="utf-8")
    return docutils.core.publish_doctree(source, settings_overrides=settings), complaints.getvalue()


def found(name: str, kind: Any) -> list[Any]:
    """All nodes of a kind in the tree of a page."""
    return list(page(name)[0].findall(kind))


def literals(name: str) -> list[str]:
    """What stands between double backquotes on a page."""
    return [literal.astext() for literal in found(name, docutils.nodes.literal)]


def blocks(name: str, language: str = "") -> list[str]:
    """The code blocks of a page, of one language."""
    every = found(name, docutils.nodes.literal_block)
    return [block.astext() for block in every if not language or language in block["classes"]]


@dataclass(frozen=True)
class Table:
    """A table of a page: the title of its section, its own title, its header, its rows and their tree."""

    section: str
    title: str
    header: list[str]
    rows: list[list[str]]
    cells: list[list[Any]]


def tables(name: str) -> Iterator[Table]:
    """The tables of a page."""
    for table in found(name, docutils.nodes.table):
        section = table.parent
        while not isinstance(section, docutils.nodes.section | docutils.nodes.document):
            section = section.parent
        title = "".join(child.astext() for child in table.children if isinstance(child, docutils.nodes.title))
        cells = [list(row.children) for row in table.findall(docutils.nodes.row)]
        rows = [[cell.astext() for cell in row] for row in cells]
        yield Table(section.children[0].astext(), title, rows[0], rows[1:], cells[1:])


def table(name: str, *header: str, section: str = "") -> Table:
    """The one table of a page that has this header, and stands in this section."""
    (one,) = [t for t in tables(name) if t.header == list(header) and section in ("", t.section)]
    return one


def first_column(name: str, *header: str, section: str = "") -> list[str]:
    return [row[0] for row in table(name, *header, section=section).rows]


# ---- the program ----


@pytest.fixture
def documented(make_site: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site that has all that the examples name, with values of the kinds that they show."""
    site: Site = make_site(
        {
            "notes": {"writers": "anyone"},
            "actions": {"mode": "on", "one_user": True},
            "mounts": {"scratch": "/global/scratch", "software": "/global/software", "tmp": "/tmp"},
            "tail": {"slurmd": "/var/log/slurm/slurmd.log"},
        }
    )
    names = [f"n{number:04d}.{group}" for group in ("savio2", "savio3", "bigmem") for number in range(30)]
    site.nodes(*map(drained, names), groups={"htc": tuple(names[:3])})
    facts = Facts(names[0], settings=site.checks["df_scratch"].settings)
    mount = df.parse_df(Output("mount rw\n4096 1000 500 500", 0), facts)
    for name in names:
        power = Reading(State.OK, value="on")
        site.reading(name, df_scratch=Reading(mount.state, mount.value, unit="B"), ipmi_state=power)
    sweep = site.store.sweeps.start(names, list(site.checks), site.now)
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    happened = Change("n0017.bigmem", "ssh", "ok", "fail: timeout", site.now, "no answer within 5 s", is_bad=True)
    site.store.readings.write({"gone.bigmem": {}}, site.now, changes=[happened])
    site.store.copies.put("ledger", {"state": {"usable": True, "why": None}})
    site.store.copies.put("notices", {"mail": {"sent": 3, "failed": 1}})
    experience = experience_of(
        [Counts("silent", "power-cycle", "savio2", site.now.date(), "own", 2, 1)], [], site.now.date()
    )
    site.store.copies.put("trust", {"now": trust_document([Saying(0.75, True), Saying(0.75, False)], experience)})
    site.audit()
    site.store.notes.add(Note("n0017.bigmem", NoteKind.SAY, "parts ordered", "anna", site.now, "silent"))
    site.beat()
    tell(site.store, moved(action(1, "n0017.bigmem", site.now), "succeeded"))
    with make_actor(site, monkeypatch).office.open() as office:
        site.store.copies.put("session", {token_hash(TOKEN): held(office)})
        yield site
    site.store.close()


TOKEN = new_token()


def held(office: Office) -> Any:
    """Somebody who is logged in, known by the token of the examples."""
    login = {"login": "kmf", "password": "fmk", "code": "222222"}
    office.site.client.post("/api/v2/login", json=login)
    ((key, holder),) = office.crew.held.items()
    office.crew.held = {token_hash(TOKEN): holder}
    return office.site.store.copies.get("session", key)


FORMS = {
    ("POST", endpoint)
    for endpoint in (
        "login_sent",
        "me_sent",
        "write_note",
        "end_note",
        "press_sent",
        "several_sent",
        "action_sent",
        "actions_sent",
    )
}
"""What the forms of pages send, which nobody types with curl."""


def rules(site: Site) -> dict[tuple[str, str], str]:
    """`GET /node/<name>` as documented, by method and endpoint, for all that the application answers itself."""
    return {
        (method, rule.endpoint): method + " " + re.sub("<[a-z]+:", "<", rule.rule)
        for rule in site.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint not in ("static", "bundle")  # files that pages load
    }


def error_classes(cls: type[errors.BotdError] = errors.BotdError) -> Iterator[type[errors.BotdError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from error_classes(child)


def toml(value: object) -> str:
    """A default as it would stand in the file."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else json.dumps(value)


WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "tuple": "list of texts"}


def type_words(kind: str, unit: str = "") -> str:
    words = WORDS[kind.partition("[")[0].partition(" ")[0]]
    return f"{words}, {unit}" if unit else words


# ---- every page ----


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_valid_rst(name: str) -> None:
    assert page(name)[1] == ""


@pytest.mark.parametrize("name", PAGES)
def test_a_link_leads_to_a_file_that_exists(name: str) -> None:
    for reference in found(name, docutils.nodes.reference):
        target = reference.get("refuri", "")
        if target and not target.startswith(("http://", "https://")):
            assert (ROOT / name).parent.joinpath(target).is_file(), target


@pytest.mark.parametrize("name", PAGES)
def test_a_file_of_the_project_that_is_named_exists(name: str) -> None:
    for text in literals(name):
        if re.fullmatch(r"(?:(?:botd|docs|tests|static|templates)/[\w./-]*|[\w-]+\.(?:rst|toml\.sample))", text):
            assert (ROOT / text).exists(), text


@pytest.mark.parametrize("name", PAGES)
def test_a_setting_that_is_named_exists(name: str) -> None:
    known = (
        {(s.section, s.name) for s in SETTINGS} | roles_keys() | {(f"checks.{c.name}", o.name) for c, o in options()}
    )
    sections = {section for section, _ in known} | {"checks.df", "checks.df_tmp", "checks.<check>", "[check]"}
    for text in literals(name):
        if match := re.fullmatch(r"\[(\[?[a-z_.<>]+\]?)\](?: ([a-z_]+)(?: = .*)?)?", text):
            assert match[1] in sections, text
            assert match[2] is None or (match[1], match[2]) in known, text


@pytest.mark.parametrize("name", PAGES)
def test_a_route_that_is_named_exists(name: str, documented: Site) -> None:
    adapter = documented.app.url_map.bind("localhost")
    for text in literals(name):
        if match := re.fullmatch(r"(?:(GET|POST|DELETE) )?(/(?:api|node|healthz|metrics)[^ ?]*)", text):
            path = match[2].replace("<sweep>", "1").replace("<note>", "1").replace("<token>", "1")
            path = path.replace("<action>", "drain" if "/do/" in path else "1")
            assert path == "/api/" or path == "/api/v1" or adapter.test(path, match[1] or "GET"), text


@pytest.mark.parametrize("name", PAGES)
def test_a_command_line_of_botd_can_be_parsed(name: str) -> None:
    lines = [line.removeprefix("$ ").removeprefix("# ") for block in blocks(name) for line in block.splitlines()]
    names = "|".join(cli._parser().commands())
    alone = {f"botd {command}" for command in cli._parser().commands()}
    for text in [*(literal for literal in map(one_line, literals(name)) if literal not in alone), *lines]:
        if match := re.match(rf"(?:\S*=\S+ |runuser -u \S+ -- )*(?:\S*/)?botd ((?:{names})\b.*)", text):
            cli._parser().read(shlex.split(match[1]))


@pytest.mark.parametrize("name", PAGES)
def test_a_command_line_of_bofhbot_can_be_parsed(name: str) -> None:
    lines = [line.removeprefix("$ ") for block in blocks(name) for line in block.splitlines()]
    for text in lines:
        if match := re.match(r"(?:\S*=\S+ )*bofhbot( [^|>]*|$)", text):
            bofhbot_parser().read(shlex.split(match[1]))


@pytest.mark.parametrize(("name", "block"), [(name, block) for name in PAGES for block in blocks(name, "toml")])
def test_a_sample_of_a_file_can_be_used(name: str, block: str) -> None:
    document = tomllib.loads(block)
    if {"role", "protected"} & set(document):
        parse_roles(block)
    elif "sites" in document:
        parse_sites(document)
    else:
        site_checks(parse_config(document))


def test_the_environment_variables_are_those_of_the_program() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "botd").rglob("*.py"))
    used = set(re.findall(r"BOTD_[A-Z]+(?:_[A-Z]+)*", code)) - {"BOTD_"}
    assert set(first_column("docs/settings.rst", "Variable", "Meaning")) == used


# ---- the README ----


def test_the_readme_is_a_few_pages_and_begins_with_what_to_type() -> None:
    lines = (ROOT / "README.rst").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 200
    first = "\n".join(lines[:19])
    assert "make demo" in first
    assert "make test" in first


def test_every_page_of_the_docs_is_reached_from_the_readme() -> None:
    linked = {reference.get("refuri") for name in PAGES for reference in found(name, docutils.nodes.reference)}
    names = {Path(target).name for target in linked if target}
    assert {Path(name).name for name in PAGES} - {"README.rst"} <= names


# ---- settings ----


def test_every_setting_stands_in_the_settings_with_its_type_and_default() -> None:
    documented = {
        (t.section.strip("[]"), row[0]): (row[1], row[2])
        for t in tables("docs/settings.rst")
        if t.header == ["Name", "Type", "Default", "Meaning"]
        for row in t.rows
    }
    assert documented == {
        (s.section.strip("[]"), s.name): (
            type_words(s.type, s.unit),
            "required" if s.section in ("mounts", "tail") else toml(s.default),
        )
        for s in SETTINGS
    }


# ---- the roles file ----

ROLE_TABLES = {"[role]": Role, "[window]": Window, "caps": Caps, "breaker": Breaker, "storm": Storm}


def roles_keys() -> set[tuple[str, str]]:
    """Each table of the roles file with each of its keys, as an error names them."""
    written = {"opens": "from", "closes": "to"}
    known = {(t, written.get(f.name, f.name)) for t, cls in ROLE_TABLES.items() for f in fields(cls)}
    return known | {("protected", "nodes")}


def test_every_key_of_the_roles_file_stands_in_the_access() -> None:
    documented = {
        (t.section[1:-1], row[0])
        for t in tables("docs/access.rst")
        if t.header == ["Key", "Default", "Meaning"]
        for row in t.rows
    }
    assert documented == roles_keys()


def test_every_default_of_the_roles_file_stands_in_the_access() -> None:
    for name, cls in (("caps", Caps), ("breaker", Breaker), ("storm", Storm)):
        rows = table("docs/access.rst", "Key", "Default", "Meaning", section=f"[{name}]").rows
        assert {row[0]: row[1] for row in rows} == {f.name: toml(getattr(cls(), f.name)) for f in fields(cls)}


def test_every_condition_stands_in_the_access_with_what_it_asks() -> None:
    rows = table("docs/access.rst", "Condition", "Asks").rows
    assert [tuple(row) for row in rows] == [(c.name, c.asks) for c in CONDITIONS]


def test_every_action_and_right_stands_in_the_access() -> None:
    rows = table("docs/access.rst", "Action", "Weight", "Proof, unless a role says another").rows
    proofs = {a.name: ", ".join(Role().proofs(a.name)) for a in ACTIONS}
    assert [tuple(row) for row in rows] == [(a.name, a.weight, proofs[a.name]) for a in ACTIONS]
    assert tuple(first_column("docs/access.rst", "Right", "Meaning")) == RIGHTS


# ---- acting ----


def test_every_action_stands_in_the_acting_with_what_it_sends() -> None:
    rows = table("docs/acting.rst", "Action", "Weight", "What is sent", "Live jobs", "Read back", "Within").rows
    assert [tuple(row) for row in rows] == [
        (a.name, a.weight, a.sends, a.jobs, a.verified_by, f"{a.deadline_s:g} s") for a in ACTIONS
    ]


def test_every_guard_stands_in_the_acting_with_its_code_and_words() -> None:
    rows = table("docs/acting.rst", "Guard", "Code", "Looks at", "What would have to be different").rows
    assert [tuple(row) for row in rows] == [(g.name, g.code, g.looks_at, g.needs) for g in STOPS]


def test_every_state_stands_in_the_acting_with_its_moves_and_what_a_restart_makes_of_it() -> None:
    rows = table("docs/acting.rst", "State", "Leads to", "After a restart of the agent").rows
    after = {state: ", ".join(move.target for move in MOVES if move.source == state) for state in Stand}
    left = {state: f"{LEFT[state].restart}: {LEFT[state].words}" if state in LEFT else "" for state in Stand}
    assert [tuple(row) for row in rows] == [(state, after[state] or "the end", left[state]) for state in Stand]


# ---- checks ----


def options() -> list[tuple[Check, Option]]:
    """Every option, with its check; those of a mount under all the names that its tables may have."""
    return [(check, option) for check in CHECKS for option in check.options]


def check_sections() -> dict[str, Any]:
    """The sections of the fixed checks by name."""
    sections = found("docs/checks.rst", docutils.nodes.section)
    (fixed,) = [s for s in sections if s.children[0].astext() == "The fixed checks"]
    return {s.children[0].astext(): s for s in fixed.children if isinstance(s, docutils.nodes.section)}


def test_every_check_has_its_section_and_no_other_has_one() -> None:
    assert set(check_sections()) == {check.name for check in CHECKS}
    assert set(first_column("docs/checks.rst", "Check", "Question")) == set(check_sections())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_section_says_what_the_check_is(check: Check) -> None:
    section = check_sections()[check.name]
    fields = {field[0].astext(): field[1].astext() for field in section.findall(docutils.nodes.field)}
    assert fields["Title"] == check.title
    assert fields["Kind"] == check.kind
    assert fields["Unit"] == (check.unit or "none")
    assert " ".join(fields["CSV"].split()) == ", ".join(flat.columns(check))
    assert fields["Needs"] == (", ".join(check.needs) or "nothing")
    assert {"Runs", "Value", "warn", "fail", "unknown"} <= set(fields)


def test_every_option_of_a_check_stands_there_with_its_type_and_default() -> None:
    documented = {
        (t.section, *row[:3])
        for t in tables("docs/checks.rst")
        if t.header == ["Option", "Type", "Default", "Meaning"]
        for row in t.rows
    }
    assert documented == {
        (check.name, option.name, type_words(option.type), toml(option.default)) for check, option in options()
    }


def test_every_table_of_options_names_the_section_of_the_file() -> None:
    titles = [t.title for t in tables("docs/checks.rst") if t.header[0] == "Option"]
    expected = [f"[checks.{check.name}]" for check in CHECKS if check.options]
    assert sorted(title.partition(" ")[0] for title in titles) == sorted(n.replace("df_<name>", "df") for n in expected)


def test_every_end_of_a_login_stands_in_the_checks() -> None:
    assert first_column("docs/checks.rst", "Value", "Meaning") == [state.value for state in SshState]


def test_every_state_of_a_reading_stands_in_the_checks() -> None:
    assert first_column("docs/checks.rst", "State", "Mark", "Meaning") == [state.value for state in State]


def test_every_name_that_a_check_of_a_site_may_not_have_stands_in_the_checks() -> None:
    (taken,) = [p for p in found("docs/checks.rst", docutils.nodes.paragraph) if p.astext().startswith("Names: ")]
    named = {literal.astext() for literal in taken.findall(docutils.nodes.literal)}
    assert named - {"_", "df_..."} == set(custom.TAKEN)


# ---- the diagnoses ----


def test_every_family_stands_in_the_diagnoses_with_its_title() -> None:
    rows = table("docs/diagnosis.rst", "Family", "Title", "What its nodes have in common").rows
    assert [tuple(row) for row in rows] == [(name, title, GLOSSES[name]) for name, title in FAMILIES.items()]


def test_every_rule_stands_in_the_diagnoses_with_its_next_step_and_its_ladder() -> None:
    rows = table("docs/diagnosis.rst", "Rule", "Title", "Family", "Known by", "Next", "Ladder").rows
    told = [(name, title, family, " ".join(after.split()), ladder) for name, title, family, _, after, ladder in rows]
    assert told == [
        (rule.name, rule.title, rule.family, rule.next, ", ".join(rule.ladder) or "a person") for rule in RULES
    ]
    assert all(known_by for _, _, _, known_by, _, _ in rows)


def test_every_guard_stands_in_the_diagnoses() -> None:
    assert first_column("docs/diagnosis.rst", "Guard", "Forbids") == [guard.name for guard in GUARDS]


# ---- the interface ----


def test_every_route_is_asked_with_curl(documented: Site) -> None:
    adapter = documented.app.url_map.bind("localhost")
    asked = {
        (request.method, adapter.match(urlsplit(request.url).path, request.method)[0]) for request in curl_requests()
    }
    assert asked | FORMS == set(rules(documented))


def test_the_interface_lists_every_route_and_no_other(documented: Site) -> None:
    listed = first_column("docs/api.rst", "Route", "Parameters")
    assert sorted(listed) == sorted(rules(documented).values())


def route_parameters() -> list[tuple[str, set[str]]]:
    """The path of each documented GET, and the parameters that stand beside it."""
    rows = table("docs/api.rst", "Route", "Parameters").rows
    return [(row[0][4:], set(re.findall(r"\w+", row[1])) - {"none"}) for row in rows if row[0].startswith("GET ")]


@pytest.mark.parametrize(("path", "named"), route_parameters())
def test_a_route_takes_the_parameters_that_are_named_and_no_other(path: str, named: set[str], documented: Site) -> None:
    fills = {"<name>": "n0017.bigmem", "<check>": "ping", "<mount>": "tmp", "<sweep>": "1", "<node>": "n0017.bigmem"}
    fills["<action>"] = "drain" if "/do/" in path else "1"
    for mark, value in fills.items():
        path = path.replace(mark, value)
    answers = {name: documented.client.get(f"{path}?{name}={value}").text for name, value in PARAMETERS.items()}
    assert {name for name, text in answers.items() if "unknown parameter" not in text} == named


def test_the_parameters_are_those_of_the_schemas() -> None:
    schemas: list[type[Schema]] = [StatusQuery, CheckQuery, HostinfoQuery, EventsQuery, MatrixQuery, ClusterQuery]
    schemas += [ChangesQuery, LoginQuery, NotesQuery, ActionsQuery, TailQuery]
    used = {name for schema in schemas for name in schema().fields}
    assert set(first_column("docs/api.rst", "Name", "Meaning", "Default")) == used == set(PARAMETERS)


@pytest.mark.parametrize(("route", "body"), [("status", StatusBody), ("table", TableBody)])
def test_the_body_of_a_post_has_the_members_that_are_named(route: str, body: type[Schema]) -> None:
    rows = dict(table("docs/api.rst", "Route", "Parameters").rows)
    named = rows[f"POST /api/v1/{route}"].partition("body")[2].replace("(lists of texts)", "")
    assert set(re.findall(r"\w+", named)) == set(body().fields)


def test_every_form_of_an_answer_stands_in_the_interface_and_the_routes() -> None:
    assert set(MIME) <= set(literals("docs/routes.rst"))
    assert set(MIME) <= set(literals("docs/api.rst"))


def test_every_error_stands_in_the_interface_with_its_status() -> None:
    documented = {(int(row[0]), row[1]) for row in table("docs/api.rst", "Status", "Code", "Meaning").rows}
    assert documented == {(cls.status, cls.code) for cls in error_classes()}


def test_every_figure_stands_in_the_interface(documented: Site) -> None:
    documented.client.get("/healthz")  # a request to count
    lines = documented.client.get("/metrics").text.splitlines()
    figures = {line.partition("{")[0].partition(" ")[0] for line in lines if not line.startswith("#")}
    named = first_column("docs/api.rst", "Figure", "Meaning")
    assert {name.partition("{")[0] for name in named} == figures


def test_every_name_that_stands_for_several_checks_is_explained() -> None:
    known = site_checks(load_config(str(DEPLOY / "botd.toml")))
    assert set(parents(known)) | {"all"} <= set(literals("docs/api.rst"))


# ---- the examples ----


@dataclass(frozen=True)
class Request:
    """A curl line of the README or the routes and what stands below it."""

    url: str
    data: str
    shown: str
    given: str = ""
    headers: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        return self.given or ("POST" if self.data else "GET")


def curl_requests() -> list[Request]:
    text = "\n".join(blocks("README.rst", "console") + blocks("docs/routes.rst", "console"))
    parts = re.findall(r"^\$ curl (.*)\n((?:(?!\$ ).*\n?)*)", text, re.MULTILINE)
    return [_request(shlex.split(line), shown) for line, shown in parts]


def _request(words: list[str], shown: str) -> Request:
    data, given = ("".join(_taken(words, option)) for option in ("-d", "-X"))
    headers = tuple(header.replace("$TOKEN", TOKEN) for header in _taken(words, "-H"))
    (url,) = [word for word in words if not word.startswith("-")]
    return Request(url, data, shown, given, headers)


def _taken(words: list[str], option: str) -> list[str]:
    """The values of an option, which are taken out of the words."""
    return [words.pop(place + 1) for place in reversed(range(len(words))) if words[place] == option]


def send(site: Site, request: Request) -> TestResponse:
    parts = urlsplit(request.url)
    headers = {**CURL, **dict(header.split(": ", 1) for header in request.headers)}
    return site.client.open(f"{parts.path}?{parts.query}", method=request.method, data=request.data, headers=headers)


@pytest.mark.parametrize("request_", curl_requests(), ids=lambda request: request.url)
def test_an_example_gets_an_answer_of_the_shape_that_is_shown(request_: Request, documented: Site) -> None:
    response = send(documented, request_)
    shown = re.search(r'"error":\{"status":(\d+),"code":"([a-z-]+)"', request_.shown)
    assert response.status_code == int(shown[1]) if shown else response.status_code in (200, 201, 202, 204)
    assert not shown or response.get_json()["error"]["code"] == shown[2]
    assert keys(request_.shown) <= keys(response.text)
    if request_.shown.startswith(("NODE", "node,")):
        # In a table what is wrong stands first, and in the demo something is.
        assert sorted(re.split(r"[\s,]+", request_.shown.splitlines()[0])) == sorted(
            re.split(r"[\s,]+", response.text.splitlines()[0])
        )


def keys(text: str) -> set[str]:
    """The names of JSON members, and of figures and events, in a text."""
    return {match[0] for match in re.finditer(r'"[a-z_]+":|^(?:botd_\w+|event|data|CHECK)\b', text, re.MULTILINE)}


# ---- the command line ----


def option_names(parser: Any) -> set[str]:
    return {name for action in parser._actions for name in action.option_strings} - {"-h", "--help"}


@pytest.mark.parametrize(
    ("parser", "where"), [(cli._parser(), "docs/commands.rst"), (bofhbot_parser(), "docs/bofhbot.rst")]
)
def test_every_command_and_option_is_documented_and_no_other(parser: Any, where: str) -> None:
    commands = parser.commands()
    expected = {parser.prog: option_names(parser)}
    expected |= {f"{parser.prog} {name}": option_names(p) for name, p in commands.items()}
    if parser.prog == "bofhbot":  # what every command takes stands once, with the command itself
        every = {"--site", "--json"}
        expected = {name: options - (every if " " in name else set()) for name, options in expected.items()}
    listed = table(where, "Command", "Options")
    documented = {
        cells[0].astext(): {text for literal in cells[1].findall(docutils.nodes.literal) if (text := literal.astext())}
        for cells in listed.cells
    }
    named = {command: {text for text in texts if text.startswith("-")} for command, texts in documented.items()}
    assert {command: names - {"--help"} for command, names in named.items()} == expected


def test_every_package_is_named_that_the_tests_install() -> None:
    script = (ROOT / "tests" / "install-packages.sh").read_text(encoding="utf-8")
    (packages,) = re.findall(r'^packages="(.*)"$', script, re.MULTILINE)
    (item,) = [
        i for i in found("docs/testing.rst", docutils.nodes.definition_list_item) if "make test" in i[0].astext()
    ]
    assert set(packages.split()) <= set(re.findall(r"[\w-]+", item.astext()))


# ---- the samples ----


def unit(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((DEPLOY / name).read_text(encoding="utf-8"))
    return parser["Service"]


def test_the_sample_configuration_can_be_used() -> None:
    config = load_config(str(DEPLOY / "botd.toml"))
    assert "nhc" in site_checks(config)
    assert create_app(config).url_map


def test_the_units_start_commands_that_exist() -> None:
    program, *words = shlex.split(unit("botd-agent.service")["ExecStart"])
    assert Path(program).name == "botd"
    assert cli._parser().parse_args(words).run is cli._agent
    program, *words = shlex.split(unit("botd-web.service")["ExecStart"])
    assert Path(program).name == "botd"
    assert cli._parser().parse_args(words).run is cli._web


def test_the_units_run_as_two_users_of_one_group_on_one_configuration() -> None:
    agent, web = map(unit, UNITS)
    assert agent["User"] != web["User"]
    assert agent["Group"] == web["Group"]
    malloc = [f"{name}={value}" for name, value in ONE_ARENA.items()]
    assert web["Environment"].split() == [agent["Environment"], *malloc]


def test_the_units_may_write_the_database_of_the_sample_configuration() -> None:
    database = Path(load_config(str(DEPLOY / "botd.toml")).store.url.removeprefix("sqlite:///"))
    for name in UNITS:
        assert unit(name)["ReadWritePaths"] == str(database.parent)
        assert str(database) in unit(name)["ExecStartPre"]


def test_the_ledger_of_the_sample_configuration_lies_where_the_agents_unit_makes_a_place_for_it_alone() -> None:
    settings = load_config(str(DEPLOY / "botd.toml")).ledger
    ledger = Path(settings.url.removeprefix("sqlite:///"))
    assert ledger.parent == Path("/var/lib") / unit("botd-agent.service")["StateDirectory"]
    assert Path(settings.checkpoints).parent == Path("/var/log") / unit("botd-agent.service")["LogsDirectory"]
    assert Path(settings.public_key).parent == Path("/run") / unit("botd-agent.service")["RuntimeDirectory"]
    assert unit("botd-agent.service")["StateDirectoryMode"] == "0700"
    assert "StateDirectory" not in unit("botd-web.service")


def test_the_web_unit_is_kept_from_the_secrets_of_the_sample_configuration() -> None:
    config = load_config(str(DEPLOY / "botd.toml"))
    closed = Path(unit("botd-web.service")["InaccessiblePaths"].removeprefix("-"))
    assert Path(config.bmc.password_file).parent == Path(config.ssh.key_file).parent == closed


PROXIES = ("nginx.conf", "nginx-below.conf", "apache.conf")


@pytest.mark.parametrize("name", PROXIES)
def test_proxy_unit_and_configuration_agree_on_the_address(name: str) -> None:
    listen = load_config(str(DEPLOY / "botd.toml")).server.listen
    assert "--listen" not in unit("botd-web.service")["ExecStart"]
    assert f"http://{listen}" in (DEPLOY / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROXIES)
def test_the_proxy_says_who_asks_whatever_a_client_says(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    said = re.findall(r"^ *(?:proxy_set_header|RequestHeader set) (X-Forwarded-\S+) (\S+?);?$", text, re.MULTILINE)
    assert [header for header, _ in said] == ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Prefix"]


@pytest.mark.parametrize("name", PROXIES)
def test_the_proxy_waits_longer_than_the_longest_answer_takes(name: str) -> None:
    config = load_config(str(DEPLOY / "botd.toml"))
    text = (DEPLOY / name).read_text(encoding="utf-8")
    (wait_s,) = re.findall(r"(?:proxy_read_timeout |timeout=)(\d+)", text)
    assert int(wait_s) > config.sweep.deadline + config.slurm.timeout


def test_sudoers_allows_the_commands_of_the_sample_configuration_and_no_other() -> None:
    config = load_config(str(DEPLOY / "botd.toml"))
    text = (DEPLOY / "sudoers").read_text(encoding="utf-8")
    allowed = re.findall(rf"^{config.ssh.user} ALL=\(root\) NOPASSWD: (.*)$", text, re.MULTILINE)
    assert allowed == [check.command for check in config.check if check.sudo]


# ---- the code ----


PROMISES = ("Promise", "What is promised", "What is not", "Tests that attack it")


def is_test(name: str) -> bool:
    """Whether there is a test that a page names as `tests/test_docs.py::test_a_page_is_valid_rst`."""
    path, _, test = name.partition("::")
    return bool(re.search(rf"^def {test}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE))


def test_every_threat_and_every_promise_has_tests_that_exist() -> None:
    threats = table("docs/security.rst", "Threat", "What stands against it", "Tests").rows
    promises = table("docs/promises.rst", *PROMISES).rows
    always = table("docs/diagnosis.rst", "What holds", "Tests").rows
    assert (len(promises), len(always)) == (7, 6)
    for threat, *_, named in (*threats, *promises, *always):
        names = named.replace("\n", " ").split(", ")
        assert names, threat
        assert all(map(is_test, names)), threat


def test_what_botd_never_does_is_held_by_a_test_or_a_wall_that_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    walls = {contract["name"] for contract in project["tool"]["importlinter"]["contracts"]}
    for never, holds in table("docs/never.rst", "Never", "What holds it").cells:
        tests = [literal.astext() for literal in holds.findall(docutils.nodes.literal)]
        named = {wall.astext() for wall in holds.findall(docutils.nodes.emphasis)}
        assert tests or named, never.astext()
        assert named <= walls, never.astext()
        assert all(map(is_test, tests)), never.astext()


def test_every_room_stands_in_the_page_for_a_reader_of_the_code() -> None:
    rooms = {path.name + ("/" if path.is_dir() else "") for path in (ROOT / "botd").iterdir()}
    rooms -= {"__init__.py", "__main__.py", "__pycache__/"}
    told = {word for row in table("docs/code.rst", "Wing", "The question it answers", "What to know").rows
            for word in row[0].split(", ")}  # fmt: skip
    assert told == rooms


def test_a_function_of_the_ancestor_lives_where_the_page_says() -> None:
    rows = table("docs/code.rst", "Function", "Where it lives now").rows
    assert rows
    for function, path in rows:
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8")
