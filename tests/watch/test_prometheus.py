"""Debian's Prometheus on the figures of botd: alert rules, names, and every query of the board."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botd.model import Reading, State, SweepState
from tests.actor import action, moved, tell, tell_switches
from tests.browser.tab import served
from tests.conftest import Site, need_program
from tests.program import free_port, wait_until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"

BOARD = json.loads((DEPLOY / "grafana-board.json").read_text(encoding="utf-8"))

QUERIES = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]

CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: botd
    static_configs: [{{targets: ["{target}"]}}]
"""


def promtool(*words: str, text: str = "") -> None:
    done = subprocess.run([need_program("promtool"), *words], cwd=ROOT, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def site(site: Site) -> Site:
    """A site of which every figure has something to tell."""
    tell(site.store, moved(action(1, "n0001.savio2", site.now), "failed"))
    tell_switches(site.store)
    site.audit()
    site.reading("n0000.savio2", ping=Reading(State.FAIL, None, "ms"))
    sweep = site.store.sweeps.start(["n0000.savio2"], ["ping"], site.now)
    site.store.sweeps.end(sweep.id, SweepState.DONE, [], site.now)
    site.get("/api/v1/status")
    return site


def test_the_alert_rules_are_rules_and_call_when_they_should_and_only_then() -> None:
    promtool("check", "rules", str(DEPLOY / "prometheus-rules.yml"))
    promtool("test", "rules", "tests/watch/rules_test.yml")


def test_the_names_of_the_figures_are_as_is_the_custom(site: Site) -> None:
    promtool("check", "metrics", text=site.client.get("/metrics").text)


@pytest.fixture
def prometheus(site: Site, tmp_path: Path) -> Iterator[str]:
    """The URL of a Prometheus that has scraped the site more than once, and works the rules out."""
    program, listen = need_program("prometheus"), f"127.0.0.1:{free_port()}"
    with served(site.app, free_port()) as web:
        rules, config = DEPLOY / "prometheus-rules.yml", tmp_path / "prometheus.yml"
        config.write_text(CONFIG.format(rules=rules, target=web.base.removeprefix("http://")))
        words = [
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={listen}",
        ]
        process = subprocess.Popen([program, *words, "--log.level=error"], cwd=tmp_path)
        try:
            wait_until(lambda: ask(f"http://{listen}", "count_over_time(botd_agent_alive[5m]) > 2"))
            yield f"http://{listen}"
        finally:
            process.terminate()
            process.wait(60)


def ask(base: str, query: str) -> list[Any]:
    """What a query finds, nothing while Prometheus does not answer yet."""
    url = f"{base}/api/v1/query?{urllib.parse.urlencode({'query': query.replace('$__rate_interval', '5m')})}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
            return found
    except (urllib.error.URLError, ConnectionError):
        return []


def test_every_query_of_the_board_finds_something_and_no_alert_fires(prometheus: str) -> None:
    assert [query for query in QUERIES if not ask(prometheus, query)] == []
    assert ask(prometheus, "ALERTS") == []
    with urllib.request.urlopen(f"{prometheus}/api/v1/rules", timeout=60) as answer:
        (group,) = json.load(answer)["data"]["groups"]
    assert [rule["name"] for rule in group["rules"] if rule["health"] == "err"] == []


def test_the_board_has_no_two_panels_in_one_place_and_asks_for_its_source() -> None:
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    (source,) = BOARD["__inputs"]
    asked = {target["datasource"]["uid"] for panel in BOARD["panels"] for target in panel["targets"]}
    assert asked == {f"${{{source['name']}}}"}
