"""The site that people press on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.press.site import PressSite, press_site


@pytest.fixture(scope="package")
def site() -> Iterator[PressSite]:
    """The running program."""
    with press_site() as made:
        yield made
