"""`botd notify-test`: a test notice by each way of [notify], and what came of it."""

from __future__ import annotations

from botd.commands.check_config import Report
from botd.commands.places import Level, Told
from botd.model import utc_now
from botd.settings import Config
from botd.transport.notify import Notice, NotSent, Way, make_ways


def notify_test(config: Config) -> Report:
    """A line for each way as it is tried. Raises ConfigError for one that cannot be used."""
    ways = make_ways(config)
    if not ways:
        yield Told(Level.WARN, "notify", "nobody is told: set command, webhook_file or mail_to", "[notify]")
    subject = f"{config.site.name}: a test of botd"
    notice = Notice.make("test", subject, "This is a test: nothing has happened.", utc_now())
    yield from (_tried(way, notice) for way in ways)


def _tried(way: Way, notice: Notice) -> Told:
    try:
        way.send(notice)
    except NotSent as error:
        return Told(Level.FAIL, "notify", f"{way.name}: {error}", "[notify]")
    return Told(Level.OK, "notify", f"{way.name} to {way.goes_to}")
