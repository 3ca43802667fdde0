"""A page as its reader takes it: its elements, links and text, and what each kind of client accepts."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.conftest import Site

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
LYNX = {"Accept": "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01"}
ELINKS = {"Accept": "*/*", "User-Agent": "ELinks/0.13.2 (textmode; Linux)"}
CURL = {"Accept": "*/*", "User-Agent": "curl/7.88.1"}


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    @property
    def links(self) -> list[str]:
        return [link["href"] or "" for link in self.all("a") if "href" in link]


def page(site: Site, url: str, headers: dict[str, str] = BROWSER) -> Elements:
    return Elements(site.client.get(url, headers=headers).text)
