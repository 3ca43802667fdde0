"""`botd notify-test`: what came of a test notice by each way."""

from __future__ import annotations

import json
from pathlib import Path

from botd.cli import main


def run(folder: Path, text: str) -> int:
    (folder / "botd.toml").write_text(text)
    (folder / "botd.toml").chmod(0o600)
    return main(["notify-test", "--config", str(folder / "botd.toml")])


def test_each_way_is_tried_and_what_fails_is_told_with_its_line(tmp_path: Path, capsys) -> None:
    settings = f'command = "tee {tmp_path}/got"\nsmtp = "127.0.0.1:1"\nmail_from = "a@b"\nmail_to = ["c@d"]\n'
    assert run(tmp_path, f"[notify]\n{settings}") == 2
    assert capsys.readouterr().out.splitlines() == [
        "ok    [notify] command to tee",
        f"FAIL  [notify] {tmp_path}/botd.toml:1: mail: 127.0.0.1: [Errno 111] Connection refused",
    ]
    assert json.loads((tmp_path / "got").read_text())["kind"] == "test"


def test_all_is_well_where_all_were_sent(tmp_path: Path, capsys) -> None:
    assert run(tmp_path, '[notify]\ncommand = "cat"\n') == 0
    assert capsys.readouterr().out == "ok    [notify] command to cat\n"


def test_who_tells_nobody_is_warned(tmp_path: Path, capsys) -> None:
    assert run(tmp_path, "") == 1
    assert capsys.readouterr().out.startswith("warn  [notify] ")


def test_a_secret_that_cannot_be_used_is_told_with_its_line(tmp_path: Path, capsys) -> None:
    assert run(tmp_path, '[notify]\nwebhook_file = "hook"\n') == 2
    assert "cannot read the secret in hook" in capsys.readouterr().err
