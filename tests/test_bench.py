"""The benchmarks, very small: their answers are right, and their figures are a table. No time is looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import __main__ as everything
from bench import cost, nodes, report
from bench.table import Figure, all_right, at_most, at_most_times, machine, read_json, run, table_text, write_json
from botd.answers import Output
from botd.transport.ssh.script import COMMAND, Fragment, FrameReader, build_script
from tests.conftest import leave_out, need_program

ROOT = Path(__file__).parent.parent

FIGURES = [
    Figure("ssh", "CPU per node", 1.25, "ms", 85.0, "at most 1/50 of clush", True),
    Figure("sweep", "100 nodes, first sweep, wall", 1.0, "s"),
    Figure("sweep", "1000 nodes, first sweep, wall", 10.0, "s", target="at most 15 s", met=False),
]
ABOUT = {"at": "2026-11-24T01:00:00+00:00", "cpus": 2, "python": "3.11.7", "system": "Linux", "load": 0.4}


# ---- the table ----


def test_the_table_has_a_line_for_each_figure_and_says_what_was_missed() -> None:
    head, *lines = table_text(FIGURES).splitlines()
    assert head.split() == ["BENCH", "FIGURE", "BOTD", "BESIDE", "RATIO", "UNIT", "TARGET", "MET"]
    assert lines[0].split() == [
        "ssh", "CPU", "per", "node", "1.25", "85", "0.0147", "ms", "at", "most", "1/50", "of", "clush", "yes",
    ]  # fmt: skip
    assert [line.split()[-1] for line in lines] == ["yes", "s", "NO"]


def test_columns_stand_below_each_other() -> None:
    head, *lines = table_text(FIGURES).splitlines()
    assert [line[head.index("UNIT") :].split()[0] for line in lines] == ["ms", "s", "s"]
    assert all(line[head.index("UNIT") - 1] == " " for line in lines)


def test_a_target_beside_another_tool_is_neither_met_nor_missed_without_the_tool() -> None:
    assert at_most_times("ssh", "CPU", 1.0, 1 / 50, 49.0, "ms", who="clush").met is False
    assert at_most_times("ssh", "CPU", 1.0, 1 / 50, 51.0, "ms", who="clush").met is True
    assert at_most_times("ssh", "CPU", 1.0, 1 / 50, None, "ms", who="clush").met is None
    assert at_most_times("ssh", "CPU", 1.0, 1 / 50, None, "ms", who="clush").target == "at most 1/50 of clush"
    assert at_most_times("bmc", "CPU", 1.0, 2, None, "ms", who="ipmipower").target == "at most 2 times ipmipower"


def test_a_limit_is_met_up_to_its_value() -> None:
    assert (at_most("ssh", "idle", 1.0, 1, "%").met, at_most("ssh", "idle", 1.01, 1, "%").met) == (True, False)
    assert (all_right("bmc", "right", 5, 5).met, all_right("bmc", "right", 4, 5).met) == (True, False)


def test_figures_come_back_from_their_file(tmp_path: Path) -> None:
    write_json(tmp_path / "figures.json", FIGURES, ABOUT)
    assert read_json(tmp_path / "figures.json") == (FIGURES, ABOUT)


def test_a_benchmark_gets_its_options_and_prints_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    run(
        lambda options: [Figure("x", "asked", options.nodes, "nodes"), Figure("x", "turns", options.repeat, "")],
        "A benchmark.",
        ["--nodes", "7", "--repeat", "3", "--json", str(path)],
    )
    assert [figure.value for figure in read_json(path)[0]] == [7, 3]
    assert read_json(path)[1].keys() == machine().keys()
    assert "asked" in capsys.readouterr().out


# ---- what something cost ----


def test_the_cost_of_a_program_counts_its_children() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    made, said = cost.of_program(["sh", "-c", '"$0" -c "$1"; echo done', sys.executable, burn])
    assert said == "done\n"
    assert made.cpu_s >= 0.2
    assert made.cpu_ms_per(2) == made.cpu_s * 500


def test_the_memory_of_a_program_counts_its_children() -> None:
    hold = "import time; held = b'x' * 100_000_000; time.sleep(1)"
    made, _ = cost.of_program(["sh", "-c", '"$0" -c "$1"; true', sys.executable, hold])
    assert made.peak >= 100_000_000


def test_the_cost_of_a_call_is_of_that_call_alone() -> None:
    hold = (
        "from bench import cost; kept = []; small, _ = cost.of_call(lambda: None); "
        "large, count = cost.of_call(lambda: kept.append(b'x' * 50_000_000) or len(kept)); "
        "print(count, large.peak - small.peak)"
    )  # in a process of its own: where the peak cannot be forgotten, a test before this one may have held more
    said = subprocess.run([sys.executable, "-c", hold], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    count, grown = said.split()
    assert count == "1"
    assert int(grown) >= 40_000_000


# ---- the benchmarks ----


def bench_in_room(name: str, folder: Path, *words: str) -> dict[str, Figure]:
    """The figures of a benchmark that has namespaces of its own."""
    for program in ("unshare", "ip", "iptables", "mount"):
        need_program(program)
    if os.geteuid() != 0:
        leave_out("a benchmark in namespaces of its own needs root: run `make test` as root")
    return bench(name, folder, *words)


def bench(name: str, folder: Path, *words: str) -> dict[str, Figure]:
    """The figures of a benchmark run as anybody runs it, by name."""
    path = folder / "figures.json"
    command = [sys.executable, "-m", f"bench.{name}", "--json", str(path), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    figures, _ = read_json(path)
    assert {figure.bench for figure in figures} == {name}
    assert all(figure.value >= 0 or "added" in figure.name or "growth" in figure.name for figure in figures)
    return {figure.name: figure for figure in figures}


def answers_are_right(figures: dict[str, Figure]) -> bool:
    found = [figure for name, figure in figures.items() if "every answer right" in name and figure.target]
    return bool(found) and all(figure.met for figure in found)


def test_the_ssh_round_is_right_and_its_figures_stand_beside_those_of_the_other_tools(tmp_path: Path) -> None:
    need_program("sshd")
    figures = bench_in_room("ssh", tmp_path, "--nodes", "5")
    assert answers_are_right(figures)
    assert {"first sweep, CPU per node", "later sweep, CPU per node", "wall added by dead nodes"} <= figures.keys()
    assert figures["memory per kept connection"].unit == "kB"


def test_ping_is_right_of_living_and_dead_nodes(tmp_path: Path) -> None:
    need_program("fping")
    figures = bench_in_room("ping", tmp_path, "--nodes", "25", "--repeat", "2")
    assert answers_are_right(figures)
    assert figures["wall"].beside


def test_the_bmcs_are_right_on_off_and_dead(tmp_path: Path) -> None:
    need_program("ipmi_sim")
    figures = bench_in_room("bmc", tmp_path, "--nodes", "12", "--repeat", "2")
    assert answers_are_right(figures)
    assert {"wall", "CPU per BMC, first sweep", "CPU per BMC, later sweeps"} <= figures.keys()


def test_a_whole_sweep_is_right_with_sick_and_dead_nodes(tmp_path: Path) -> None:
    need_program("fping")
    figures = bench_in_room("sweep", tmp_path, "--nodes", "25")
    assert answers_are_right(figures)
    assert "25 nodes, first sweep, wall" in figures


def test_answers_are_right_beside_stored_bytes_in_a_sweep_and_after_a_change(tmp_path: Path) -> None:
    figures = bench("answers", tmp_path, "--nodes", "5")
    assert answers_are_right(figures)
    assert {"5 nodes, gzip", "5 nodes, 304", "50 nodes, gzip, median", "memory of all workers"} <= figures.keys()
    assert figures["5 nodes, 304"].beside


def test_no_client_keeps_another_from_its_answer_under_the_worker(tmp_path: Path) -> None:
    figures = bench("servers", tmp_path, "--nodes", "5")
    assert answers_are_right(figures)
    assert {"ours, CPU per answer", "ours, 10 slow bodies", "ours, 7 waiters"} <= figures.keys()


def test_a_follower_hears_of_every_node_that_is_finished(tmp_path: Path) -> None:
    figures = bench("followers", tmp_path, "--nodes", "100")
    assert answers_are_right(figures)
    assert "an event of a sweep of 100 nodes, CPU" in figures


def test_the_page_shows_the_right_rows_after_each_step(tmp_path: Path) -> None:
    need_program("chromium")
    figures = bench("page", tmp_path, "--nodes", "50", "--repeat", "1")
    assert answers_are_right(figures)
    assert {"50 rows, first table", "50 rows, search", "50 rows, filter by state"} <= figures.keys()


def test_the_history_is_written_read_and_forgotten(tmp_path: Path) -> None:
    figures = bench("history", tmp_path, "--nodes", "300", "--repeat", "2")
    assert {"readings and changes of a sweep of 300 nodes", "30 days of one node, read"} <= figures.keys()
    grown = figures["database after 2 days"].value, figures["database with latest readings only"].value
    assert grown[0] > grown[1] > 0


def test_a_month_is_reported_with_its_changes(tmp_path: Path) -> None:
    assert set(bench("month", tmp_path, "--nodes", "50")) == {"report of 30 days of 50 nodes, with 1,700 changes"}


def test_a_benchmark_leaves_nothing_behind(tmp_path: Path) -> None:
    need_program("fping")
    before = set(os.listdir("/proc/sys/net/ipv4/conf")), subprocess.check_output(["iptables-save"])
    bench_in_room("ping", tmp_path, "--nodes", "5", "--repeat", "1")
    assert (set(os.listdir("/proc/sys/net/ipv4/conf")), subprocess.check_output(["iptables-save"])) == before


def test_a_node_answers_with_what_the_checks_printed(tmp_path: Path) -> None:
    quotes = """echo it is '"fine"' isn\\'t it; (exit 3)"""
    printed = nodes.run_fragments([Fragment("hello", quotes, 0), Fragment("two", r"printf 'a%%\nb'", 5)])
    assert dict(printed)["hello"] == Output('it is "fine" isn\'t it\n', 3)
    (tmp_path / "answer").write_text(nodes.answer_script(printed))
    nonce = "fedcba9876543210"
    done = subprocess.run(
        ["sh", str(tmp_path / "answer")],
        input=build_script(nonce, [Fragment("other", "true", 5)]),
        env={**os.environ, "SSH_ORIGINAL_COMMAND": COMMAND},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert list(FrameReader(nonce).feed(done.stdout)) == printed


def test_a_node_runs_any_other_command(tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(nodes.answer_script([]))
    env = {**os.environ, "SSH_ORIGINAL_COMMAND": "echo $((40 + 2))"}
    assert subprocess.check_output(["sh", str(tmp_path / "answer")], env=env) == b"42\n"


# ---- all of them ----


@pytest.mark.parametrize("name", everything.BENCHES)
def test_every_benchmark_is_a_documented_module_with_a_command_line(name: str) -> None:
    assert find_spec(f"bench.{name}")
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "--json" in done.stdout
    assert f"python -m bench.{name}" in done.stdout


def test_an_unknown_benchmark_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        everything.main(["pong"])
    assert "pong; there are ssh, ping" in capsys.readouterr().err


def test_new_figures_take_the_place_of_the_old_ones_of_their_benchmark(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_json(path, FIGURES, ABOUT)
    faster = replace(FIGURES[0], value=0.5)
    assert everything.merged(path, {"ssh": [faster]}) == [faster, *FIGURES[1:]]
    assert everything.merged(tmp_path / "none.json", {"sweep": [FIGURES[1]]}) == [FIGURES[1]]


# ---- the page ----


def test_the_page_shows_the_newest_figures_between_its_marks(tmp_path: Path) -> None:
    write_json(tmp_path / "figures.json", FIGURES, ABOUT)
    (tmp_path / report.PAGE).write_text(f"Before.\n\n{report.BEGIN}\nold\n\n{report.END}\nAfter.\n")
    assert report.main(["--json", str(tmp_path / "figures.json"), "--docs", str(tmp_path)]) == 0
    text = (tmp_path / report.PAGE).read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert "old" not in text
    assert "   * - ssh\n     - CPU per node\n     - 1.25\n     - 85\n" in text
    assert "2026-11-24, 2 CPUs" in text


def test_figures_from_a_busy_machine_are_marked() -> None:
    assert "other work" in report.machine_line({**ABOUT, "load": 4.0})
    assert "other work" not in report.machine_line(ABOUT)


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="must have the lines"):
        report.with_figures("no marks", FIGURES, ABOUT)


def test_the_plot_shows_growth_beside_the_smallest_size() -> None:
    assert report.grown(FIGURES) == {"wall time": [(100, 1.0), (1000, 10.0)]}
    drawn = report.plot(FIGURES)
    assert "1,000 nodes" in drawn
    assert "wall time" in drawn


def test_the_documents_show_the_committed_figures() -> None:
    figures, about = read_json(everything.FIGURES)
    page = (ROOT / "docs" / report.PAGE).read_text()
    assert report.with_figures(page, figures, about) == page
    assert (ROOT / "docs" / report.PLOT).read_text() == report.plot(figures)
