"""The pages as a site: `make docs` makes one of each, and whatever they link to within it is there."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.tab import FLAGS, PHONE
from tests.conftest import need_program

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
STAMP = f"{sys.prefix}/dev.stamp"


@dataclass
class Page(HTMLParser):
    """What a page of the site leads to, what it loads, and the places in it that others may lead to."""

    path: Path
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=lambda: {""})

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.places |= {said.get("id", "")}
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        elif tag in ("link", "script", "img"):
            self.loads += [said[name] for name in ("href", "src") if name in said]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """The pages that `make docs` makes with the libraries of this environment, by their paths."""
    made = tmp_path_factory.mktemp("site")
    command = [need_program("make"), f"--old-file={STAMP}", f"VENV={sys.prefix}", f"SITE={made}", "docs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return {path: Page(path) for path in (made / "html").glob("*.html")}


def test_there_is_a_page_for_each(site: dict[Path, Page]) -> None:
    assert {path.stem for path in DOCS.glob("*.rst")} <= {path.stem for path in site}


def test_every_link_within_the_site_leads_to_a_place_that_is_there(site: dict[Path, Page]) -> None:
    for page in site.values():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme not in ("http", "https"):
                target = page.path.parent / unquote(address.path) if address.path else page.path
                assert target in site, (page.path.name, link)
                assert unquote(address.fragment) in site[target].places, (page.path.name, link)


def test_a_page_loads_what_is_there_and_nothing_from_elsewhere(site: dict[Path, Page]) -> None:
    for page in site.values():
        for load in page.loads:
            address = urlsplit(load)
            assert not address.netloc, (page.path.name, load)
            assert not address.path or (page.path.parent / unquote(address.path)).is_file(), (page.path.name, load)


def test_no_page_scrolls_sideways_on_a_phone(site: dict[Path, Page]) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=need_program("chromium"), args=list(FLAGS))
        tab = browser.new_page(viewport=PHONE)
        widths = {}
        for path in site:
            tab.goto(path.as_uri())
            widths[path.name] = tab.evaluate("document.documentElement.scrollWidth")
        browser.close()
    assert {name: width for name, width in widths.items() if width > PHONE["width"]} == {}


@pytest.mark.parametrize(("link", "status"), [("other.rst", 0), ("gone.rst", 1)])
def test_a_link_by_the_name_of_a_file_is_one_to_the_page_or_ends_the_build(
    link: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "index.rst").write_text(f"One\n===\n\nSee `the other <{link}>`__.\n\n.. toctree::\n\n   other\n")
    (tmp_path / "other.rst").write_text("Other\n=====\n")
    command = [sys.executable, "-m", "sphinx", "-qnW", "-c", DOCS, tmp_path, tmp_path / "made"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stderr
    assert ("unknown document: 'gone'" in done.stderr) == (link == "gone.rst")
