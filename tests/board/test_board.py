"""One process's view of the store, and the answers from it."""

from __future__ import annotations

from datetime import timedelta

from botd.store import Store
from tests.conftest import Site, idle


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
