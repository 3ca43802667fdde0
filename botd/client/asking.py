"""What every command works with: the words that were typed, the sites, and how to write."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from botd.client.forms import Fields, Form, Listing, check_fields, form_of
from botd.client.server import Server
from botd.client.shapes import Row
from botd.client.sites import ALL, Site, chosen_sites
from botd.client.tokens import token_of
from botd.client.trouble import Trouble, Unusable
from botd.text import plain


@dataclass(frozen=True)
class Asking:
    """One run of a command."""

    args: argparse.Namespace
    sites: Sequence[Site]
    form: Form

    @property
    def server(self) -> Server:
        """The one site, for what is of one. Raises Unusable for several."""
        if len(self.sites) != 1:
            raise Unusable(f"this is of one site: name it in place of --site {ALL}")
        return Server(self.sites[0], token_of(self.sites[0]))

    @property
    def wants_text(self) -> bool:
        """Whether botd's own text of the answer is wanted: a person reads it, and it is of one site."""
        return self.form.wants_text and len(self.sites) == 1


def asking(args: argparse.Namespace) -> Asking:
    """What the words say. Raises Unusable."""
    form, sites = form_of(args.json), chosen_sites(args.site)
    check_fields(form.json, (*(["site"] if args.fields and len(sites) > 1 else []), *args.fields))
    return Asking(args, sites, form)


def explained(error: Trouble, sites: Sequence[Site]) -> str:
    """The sentence of an error, with what is to be done where botd there is of another version."""
    if error.is_strange and len(sites) == 1:
        with suppress(Trouble):
            return f"{error}{Server(sites[0], token_of(sites[0])).told_apart()}"
    return str(error)


def merged(run: Asking, ask: Callable[[Server], Listing]) -> tuple[Listing, bool]:
    """The rows of all sites in one listing, with the name of each site before them; and whether each site answered.

    Who does not answer is told on standard error. Raises Trouble where there is one site alone, or none answers.
    """
    if len(run.sites) == 1:
        return ask(run.server), True
    pool = ThreadPoolExecutor(len(run.sites))
    found: list[tuple[Site, Listing]] = []
    try:
        for site, future in [(site, pool.submit(_asked, ask, site)) for site in run.sites]:
            try:
                found.append((site, future.result()))
            except Trouble as error:
                told(f"{site.name}: {explained(error, [site])}")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who is interrupted waits for no site
    if not found:
        raise Trouble("no site has answered")
    rows: list[Row] = [{"site": site.name, **row} for site, listing in found for row in listing.rows]
    first = found[0][1]
    fields = Fields(("site", *first.fields.shown), first.fields.more)
    return Listing(fields, rows, first.none), len(found) == len(run.sites)


def _asked(ask: Callable[[Server], Listing], site: Site) -> Listing:
    return ask(Server(site, token_of(site)))


def said(sentence: str) -> None:
    """Says what is seen or done meanwhile, on standard error, to a person who sits there."""
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(f"{plain(sentence)}\n")


def told(sentence: str) -> None:
    """Says something on standard error, where there is one."""
    if sys.stderr is not None:
        sys.stderr.write(f"bofhbot: {plain(sentence)}\n")
