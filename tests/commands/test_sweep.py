"""`botd sweep`: one sweep without a server and without a store."""

from __future__ import annotations

import sys

from botd.commands.sweep import ProgressBar


class Terminal:
    """A standard error that is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_progress_bar_that_goes_away(monkeypatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = ProgressBar(4)
    bar.show(1)
    assert terminal.text.endswith("1 of 4 nodes")
    bar.clear()
    assert terminal.text.endswith("\r\x1b[K")


def test_a_file_gets_no_progress_bar(capsys) -> None:
    bar = ProgressBar(4)
    bar.show(1)
    bar.clear()
    assert capsys.readouterr().err == ""
