"""What the page costs who looks at it: 10,000 rows in a headless Chromium, from gunicorn with the agent beside it.

    python -m bench.page [--nodes N] [--repeat TIMES] [--json FILE]

Every turn is a new user with an empty cache who opens the page of all nodes, sorts by a number, then by words, searches
for a node, and has only the drained ones shown. The first table is timed from the navigation on; sorting and filtering
from the click or the last key on, the 150 ms included for which the search waits for another key. All times end
when the browser has drawn. Figures are medians of five turns; what the table shows must be right. A turn before
them is the first after the server's start, which has to make the rows first; then others look at the same nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from bench import cost, web
from bench.table import Figure, Options, all_right, at_most, note, run
from tests.browser.tab import DESKTOP, FLAGS

NODES = 10_000
REPEAT = 5
PATIENCE_MS = 60_000

VISITORS = 10
"""So many others have looked before: by then every web process has made its rows."""

DRAWN = """\
const drawn = () => new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
"""
"""A promise of the moment after the next picture."""

WATCH = f"""{DRAWN}
window.firstTable = new Promise((go) => new PerformanceObserver(async () => {{
  await drawn();
  go(performance.now());
}}).observe({{ type: "mark" }}));
"""
"""Notes when the first table is on the screen, in ms since the navigation. The page sets one mark, with its table."""

SORT = f"""async (column) => {{
  {DRAWN}
  const head = document.querySelector(`#live-table thead th.h-${{column}}`);
  const before = head.getAttribute("aria-sort");
  const began = performance.now();
  head.querySelector(".dt-column-title").click();
  while (head.getAttribute("aria-sort") === before) await drawn();
  await drawn();
  return performance.now() - began;
}}"""

FILTER = f"""async ([id, value, kind]) => {{
  {DRAWN}
  const control = document.getElementById(id);
  const line = document.getElementById("live-status");
  const before = line.textContent;
  const began = performance.now();
  control.value = value;
  control.dispatchEvent(new Event(kind, {{ bubbles: true }}));
  while (line.textContent === before) await drawn();
  await drawn();
  return performance.now() - began;
}}"""


@dataclass(frozen=True)
class Turn:
    """What one user saw: times in ms, and whether the table showed what it must."""

    first: float
    by_number: float
    by_words: float
    search: float
    by_state: float
    right: bool


def measure(options: Options) -> list[Figure]:
    """The figures of the page. Raises RuntimeError where there is no Chromium."""
    count, repeat = options.nodes or NODES, options.repeat or REPEAT
    path = cost.program("chromium")
    if path is None:
        raise RuntimeError("chromium is not installed; `make bench` as root installs it")
    with (
        web.filled_site(count) as config,
        web.running_agent(config, count),
        web.running_web(config) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        base = f"http://127.0.0.1:{server.port}"
        cold = _turn(browser, base, count)
        for _ in range(VISITORS):
            web.get(server.port, "/nodes?groups=all", Accept="text/html")
            web.get(server.port, "/api/v1/table?groups=all", **{"Accept-Encoding": "gzip"})
        turns = [_turn(browser, base, count) for _ in range(repeat)]
        browser.close()
    return _figures(cold, turns, count)


def _figures(cold: Turn, turns: Sequence[Turn], count: int) -> list[Figure]:
    def middle(name: str) -> float:
        return median(getattr(turn, name) for turn in turns)

    return [
        all_right(
            "page", f"{count} rows, every answer right", sum(turn.right for turn in [cold, *turns]), 1 + len(turns)
        ),
        at_most("page", f"{count} rows, first table", middle("first"), 1500, "ms"),
        Figure("page", f"{count} rows, first table, for the first visitor since the start", cold.first, "ms"),
        at_most("page", f"{count} rows, sort by a number", middle("by_number"), 300, "ms"),
        at_most("page", f"{count} rows, sort by words", middle("by_words"), 300, "ms"),
        at_most("page", f"{count} rows, search", middle("search"), 300, "ms"),
        at_most("page", f"{count} rows, filter by state", middle("by_state"), 300, "ms"),
    ]


def _turn(browser: Browser, base: str, count: int) -> Turn:
    context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(f"{base}/nodes?groups=all")
    page.wait_for_selector("#live-table tbody tr")
    first = page.evaluate("window.firstTable")
    names = [web.node_name(at) for at in range(count)]
    sick = names[:: web.SICK_EVERY]
    oldest = max(names, key=lambda name: web.uptime_s(names.index(name)))
    seen = [_shows(page, f"{count} nodes", names[0])]
    by_number = page.evaluate(SORT, "uptime")
    seen.append(_shows(page, f"{count} nodes", oldest))
    by_words = page.evaluate(SORT, "reason")
    seen.append(_shows(page, f"{count} nodes", sick[0]))
    search = page.evaluate(FILTER, ["live-q", names[-1], "input"])
    seen.append(_shows(page, f"{count} nodes, 1 shown", names[-1]))
    page.evaluate(FILTER, ["live-q", "", "input"])
    by_state = page.evaluate(FILTER, ["live-state", "drained", "change"])
    seen.append(_shows(page, f"{count} nodes, {len(sick)} shown", sick[0]))
    context.close()
    turn = Turn(first, by_number, by_words, search, by_state, all(seen))
    note(f"page: {turn}")
    return turn


def _shows(page: Page, line: str, first: str) -> bool:
    """Whether the page counts its nodes in this line, whatever chose them, and this one stands first."""
    cells = page.locator('#live-table tbody [data-column="node"]')
    counted = page.locator("#live-status").inner_text().partition(":")[0]
    return counted == line and cells.first.inner_text() == first


if __name__ == "__main__":
    raise SystemExit(run(measure, __doc__))
