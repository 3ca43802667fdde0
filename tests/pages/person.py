"""Who presses, for the tests of pages."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Site
from tests.resources.test_login import ANNA, log_in

HTML = {"Accept": "text/html"}


class Person:
    """Somebody at a browser that sends no word of where a form came from, as lynx and w3m."""

    def __init__(self, site: Site, who: dict[str, str] | None = ANNA) -> None:
        self.client: FlaskClient = site.client
        if who:
            self.client.set_cookie("botd", log_in(site, who))

    def look(self, path: str, **headers: str) -> str:
        response = self.client.get(path, headers={**HTML, **headers})
        assert response.status_code == 200, response.text
        return response.text

    def fill_in(self, path: str, of: str = "", **typed: str) -> TestResponse:
        """Sends the form of a page, with the fields that it has and those that are typed."""
        page = self.client.get(path, headers=HTML).text
        forms = re.findall(r'<form method="post".*?</form>', page, re.DOTALL)
        (form,) = [each for each in forms if of in each]
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        elsewhere = re.match('<form method="post" action="([^"]*)"', form)
        return self.client.post(elsewhere[1] if elsewhere else path, data={**hidden, **typed}, headers=HTML)
