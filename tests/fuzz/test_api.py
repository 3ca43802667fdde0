"""The running program against its own description: requests that it allows, and requests that it forbids."""

from __future__ import annotations

import schemathesis
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance, response_schema_conformance

from botd.resources import ROUTES
from botd.resources.description import describe
from tests.fuzz.conftest import ANSWERS_WITHIN_S, fuzz
from tests.program import DemoProgram

schema = schemathesis.openapi.from_dict(describe(ROUTES))
"""Made here and not fetched, because the routes name the tests; that it is the served one is the first of them."""


def test_the_description_is_the_one_that_the_program_serves(program: DemoProgram) -> None:
    assert program.json("/api/v1/openapi.json") == schema.raw_schema


@schema.parametrize()
@fuzz(15)
def test_the_program_does_as_it_describes_itself(case: schemathesis.Case, program: DemoProgram) -> None:
    """No server error; status, media type, headers and shape as described; bad data and methods are refused."""
    if takes_wait(case.operation) and "wait" not in (case.query or {}):
        case.query = {**(case.query or {}), "wait": 0.1}
    response = case.call(base_url=program.base, timeout=ANSWERS_WITHIN_S)
    # A text can be a fine parameter and still name no node.
    excluded = [positive_data_acceptance]
    if "text/event-stream" in response.headers.get("content-type", [""])[0]:
        # Described as the text that it is, where schemathesis wants the shape of one event (OpenAPI 3.2).
        excluded.append(response_schema_conformance)
    case.validate_response(response, excluded_checks=excluded)


@schema.include(path_regex="^/api/v2/").exclude(path="/api/v2/login").parametrize()
@fuzz(15)
def test_it_does_so_for_who_is_logged_in(case: schemathesis.Case, program: DemoProgram, session: str) -> None:
    """The same with a session, which this never ends itself."""
    response = case.call(
        base_url=program.base, timeout=ANSWERS_WITHIN_S, headers={"Authorization": f"Bearer {session}"}
    )
    case.validate_response(response, excluded_checks=[positive_data_acceptance, ignored_auth])


def takes_wait(operation: schemathesis.schemas.APIOperation) -> bool:
    """Whether its requests may wait for a sweep, which is no part of what is fuzzed."""
    return any(parameter.name == "wait" for parameter in operation.query)
