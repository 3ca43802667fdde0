"""What a client is told while the database cannot be used."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

from botd.store import Store
from tests.conftest import Site, idle


def test_a_locked_database_is_a_503_that_says_so(site: Site) -> None:
    site.later(1)
    site.beat()
    other = sqlite3.connect(site.folder / "botd.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    response = site.client.get("/api/v1/status?max_age=0&wait=0")
    other.execute("ROLLBACK")
    assert response.status_code == 503
    assert response.get_json()["error"]["code"] == "store-unavailable"
    assert "locked" in response.get_json()["error"]["message"]
    assert site.get("/api/v1/status?wait=0&max_age=0")["sweep"] == 1


def test_answers_that_need_nothing_written_go_on_while_somebody_writes(site: Site) -> None:
    other = sqlite3.connect(site.folder / "botd.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert site.client.get("/api/v1/status").status_code == 200
    other.execute("ROLLBACK")


def test_a_database_that_is_gone_is_a_503(site: Site) -> None:
    site.store.close()
    site.app.extensions["botd"].store.close()
    for path in site.folder.glob("botd.db*"):
        path.unlink()
    response = site.client.get("/healthz")
    assert response.status_code == 503
    assert "botd agent" in response.get_json()["error"]["message"]


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
