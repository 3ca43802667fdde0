"""How Sphinx makes the site of these pages, for `make docs`: a theme of its own, and links as a forge has them.

The pages link as `access.rst <access.rst>`__, which a forge follows to the file. Sphinx takes that for an address
outside; `PageLinks` makes it the page, so that one that is not there fails the build.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from botd import __version__

project = "botd"
author = "botd contributors"
version = release = __version__
exclude_patterns = ["deploy"]
html_theme = "bizstyle"  # of Sphinx itself, and fits a phone
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_title = f"botd {release}"
html_sidebars = {"**": ["globaltoc.html", "searchbox.html"]}
html_copy_source = False
html_use_index = False
html_show_copyright = False
html_show_sphinx = False
smartquotes = False  # `--since` in a sentence stays what one types
suppress_warnings = ["misc.highlighting_failure"]  # an answer in a console block may have a lone quote


class PageLinks(SphinxTransform):
    """Links to a page by the name of its file lead to the page of the site."""

    default_priority = 500

    def apply(self, **kwargs: object) -> None:
        """Each becomes a reference that Sphinx resolves, or complains of; where it said the file it says the title."""
        for link in list(self.document.findall(nodes.reference)):
            address = urlsplit(link.get("refuri", ""))
            if not address.scheme and address.path.endswith(".rst"):
                link.replace_self(self._page(address.path, link))

    def _page(self, path: str, link: nodes.reference) -> pending_xref:
        target = {"reftype": "doc", "refdomain": "std", "reftarget": path.removesuffix(".rst")}
        words = nodes.inline("", link.astext())
        own = words.astext() != path
        return pending_xref("", words, refdoc=self.env.docname, refexplicit=own, refwarn=True, **target)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_transform(PageLinks)
    return {"parallel_read_safe": True}
