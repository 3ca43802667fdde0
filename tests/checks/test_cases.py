"""Recorded answers, one JSON file each, and what their check makes of them.

`<check>/<case>.json` holds the raw answer (`output` of a command, or under the name of its source), `facts` (Slurm's
node, jobs, settings over the defaults), for a check of a site its `spec`, and the `finding`. A case is named after
what it shows: `good` ones are ok, `bad` ones are not, in `garbage` the answer is none that the check can believe.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from botd.answers import (
    Answer,
    EventsAnswer,
    Job,
    LoginAnswer,
    Output,
    PingAnswer,
    PowerAnswer,
    PowerState,
    PresenceAnswer,
    SlurmAnswer,
    SshState,
)
from botd.checks import CHECKS, site_checks
from botd.config import parse_config
from botd.documents import encode, reading_document
from botd.model import Check, Facts, Finding, Reading, SlurmNode, State
from botd.sweep import read_answer

CASES = sorted(Path(__file__).parent.glob("*/*.json"))
FOLDERS = [*(check.name.removesuffix("_<name>") for check in CHECKS), "custom"]
NODE = "n0001.savio2"
Case = dict[str, Any]


def read_case(folder: str, case: Case) -> Finding:
    """What the check of this folder makes of the case's answer."""
    facts = case.get("facts", {})
    check = find_check(folder, case.get("spec"))
    slurm = SlurmNode(**facts["slurm"]) if "slurm" in facts else None
    jobs = None if facts.get("jobs") is None else tuple(Job(**job) for job in facts["jobs"])
    settings = {**check.settings, **facts.get("settings", {})}
    return read_answer(check, answer_of(case), Facts(NODE, slurm, jobs, settings))


def find_check(folder: str, spec: Case | None) -> Check:
    document = {"mounts": {"scratch": "/mnt/scratch"}, "check": [spec] if spec else []}
    names = {"df": "df_scratch", "custom": spec["name"] if spec else ""}
    return site_checks(parse_config(document))[names.get(folder, folder)]


def answer_of(case: Case) -> Answer:
    match case:
        case {"output": fields}:
            return Output(**fields)
        case {"ping": fields}:
            return PingAnswer(**fields)
        case {"login": fields}:
            return LoginAnswer(SshState(fields["state"]), fields.get("detail", ""))
        case {"presence": fields}:
            return PresenceAnswer(**fields)
        case {"power": fields}:
            return PowerAnswer(**{**fields, "power": PowerState(fields["power"])})
        case {"events": fields}:
            return EventsAnswer(**{**fields, "records": tuple(map(bytes.fromhex, fields.get("records", ())))})
        case {"squeue": fields} | {"sacct": fields}:
            return SlurmAnswer(**{**fields, "jobs": tuple(map(read_job, fields.get("jobs", ())))})
    raise ValueError("the case holds no answer")


def read_job(fields: Case) -> Job:
    ended_at = fields.get("ended_at")
    return Job(**{**fields, "ended_at": datetime.fromisoformat(ended_at) if ended_at else None})


def as_document(found: Finding) -> Case:
    """The finding as JSON shows it. Raises TypeError for what JSON cannot hold."""
    document = reading_document(Reading(found.state, found.value, detail=found.detail))
    return {key: json.loads(encode(document))[key] for key in ("state", "value", "detail")}


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_check_finds_what_the_case_says(path: Path) -> None:
    case = json.loads(path.read_text())
    found = as_document(read_case(path.parent.name, case))
    assert found == case["finding"]
    assert all(text.isprintable() for text in texts(found))
    kind = path.stem.partition("_")[0]
    assert kind in ("good", "bad", "garbage")
    if kind != "garbage":
        assert (found["state"] == State.OK) is (kind == "good")


@pytest.mark.parametrize("check", FOLDERS)
@pytest.mark.parametrize("kind", ["good", "bad", "garbage"])
def test_every_check_has_cases_of_each_kind(check: str, kind: str) -> None:
    found = [path.stem for path in CASES if path.parent.name == check]
    assert [stem for stem in found if stem.partition("_")[0] == kind]


def test_a_sample_is_what_a_good_case_has_recorded() -> None:
    for check in CHECKS:
        texts = [json.loads(p.read_text()).get("output", {}).get("text") for p in CASES if p.parent.name == check.name]
        assert not check.sample or check.sample in texts


def test_every_folder_of_cases_belongs_to_a_check() -> None:
    assert {path.parent.name for path in CASES} == set(FOLDERS)
