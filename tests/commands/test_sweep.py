"""`botd sweep`: one sweep without a server and without a store."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from botd.cli import main
from botd.commands.sweep import ProgressBar
from botd.demo import DemoCluster


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


def test_without_a_bmc_user_a_well_node_may_go_back_and_no_power_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "botd.toml"
    with DemoCluster(40) as cluster:
        before, bmc, after = cluster.config_text().partition("[bmc]")
        config.write_text(before + bmc + after.replace('user = "botd"', "", 1))
        assert main(["sweep", "--config", str(config), "--groups", "sinfo"]) == 0
    told = capsys.readouterr().out
    assert "READY TO GO BACK" in told
    assert "SILENT" in told
    assert "no power cycle now: its power is not known" in " ".join(told.split())
    assert "POWERED OFF" not in told
    assert "also not well: Power" not in told
