"""The parts of this application that a request is answered from."""

from __future__ import annotations

from typing import cast

from flask import current_app

from botd.board.board import Board
from botd.settings import Config
from botd.store import Store


def board() -> Board:
    """This process's view of the store."""
    return cast(Board, current_app.extensions["botd"].board)


def store() -> Store:
    """The store itself, for what the board does not hold."""
    return cast(Store, current_app.extensions["botd"].store)


def config() -> Config:
    """The configuration of this process."""
    return cast(Config, current_app.extensions["botd"].config)
