"""`botd sweep`: one sweep without a server and without a store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
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


@pytest.fixture(scope="module")
def cluster() -> Iterator[DemoCluster]:
    with DemoCluster(24) as running:
        yield running


@pytest.mark.parametrize("line", ["", 'user = "botd"\naddress = "{short}.invalid"'])
def test_without_a_bmc_or_a_user_of_it_a_well_node_may_go_back(
    line: str, cluster: DemoCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "botd.toml"
    before, bmc, after = cluster.config_text().partition("[bmc]")
    config.write_text(before + bmc + after.replace('user = "botd"', line, 1))
    assert main(["sweep", "--config", str(config), "--groups", "n[0000,0003].vector0"]) == 0
    assert "READY TO GO BACK (2)" in capsys.readouterr().out
