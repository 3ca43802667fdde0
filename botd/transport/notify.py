"""How a notice reaches people: a command, a webhook in Slack's form, or mail. Each way tries once, bounded in time.

What a notice tells was written by others in part, names and reasons: it is made harmless for each way here.
"""

from __future__ import annotations

import json
import logging
import re
import smtplib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

from botd.config import command_words, mail_server, read_secret
from botd.errors import ConfigError
from botd.settings import Config, NotifySettings
from botd.text import one_line, plain
from botd.transport.local import LocalCommandError, run_command

log = logging.getLogger(__name__)

SEND_S = 30.0
"""How long one way may take for one notice, whatever hangs: a resolver, a connection, an answer that drips."""

STEP_S = 10.0
"""How long one step of it may take."""

MAX_SUBJECT = 160
MAX_ANSWER = 1000
"""Bytes that are read of what a webhook answers, and of what is told of it."""

_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?(?:/[!-~]*)?")

MAX_PRINTED = 2**20

MAX_CHAT = 30_000
"""Characters of one message: Slack cuts at 40,000, and a sign may become five (`&amp;`)."""


class NotSent(Exception):
    """Raised where a notice did not go out. The text is fit for a person, and holds no secret."""


@dataclass(frozen=True)
class Notice:
    """What people are told: a subject of one line, and a text of lines. `about` is the same for programs.

    Made by `make`, which takes out what a reader could be fooled by.
    """

    kind: str
    subject: str
    text: str
    at: datetime
    about: Mapping[str, Any]

    @classmethod
    def make(cls, kind: str, subject: str, text: str, at: datetime, about: Mapping[str, Any] | None = None) -> Notice:
        """A notice of texts that may hold anything: no control characters, no marks that turn a line around."""
        lines = "\n".join(plain(line).rstrip() for line in text.splitlines())
        return cls(kind, one_line(plain(subject), MAX_SUBJECT), lines, at, about or {})


class Way:
    """One way, which does one notice at a time. What is not over in time goes on in a thread that nobody waits for."""

    def __init__(self, name: str, goes_to: str, send: Callable[[Notice], None]) -> None:
        self.name = name
        self.goes_to = goes_to
        self._send = send
        self._under_way: threading.Thread | None = None

    def send(self, notice: Notice, *, within_s: float = SEND_S) -> None:
        """Sends it once. Raises NotSent, also where the one before is still under way."""
        if self._under_way and self._under_way.is_alive():
            raise NotSent("the notice before is still under way")
        wrong: list[str] = []
        self._under_way = threading.Thread(target=self._try, args=(notice, wrong), name="notice", daemon=True)
        self._under_way.start()
        self._under_way.join(within_s)
        if self._under_way.is_alive():
            raise NotSent(f"it did not end within {within_s:g} s")
        if wrong:
            raise NotSent(wrong[0])

    def _try(self, notice: Notice, wrong: list[str]) -> None:
        try:
            self._send(notice)
        except NotSent as error:
            wrong.append(str(error))
        except Exception:  # a fault of ours must be seen, and is no reason for another one to fail
            log.exception("notice failed")
            wrong.append("botd failed, as the log says")


def make_ways(config: Config) -> tuple[Way, ...]:
    """The ways of [notify]. Raises ConfigError for a secret that cannot be read or is none."""
    return tuple(_ways(config, config.notify))


def _ways(config: Config, settings: NotifySettings) -> Iterator[Way]:
    if words := command_words(settings.command):
        yield Way("command", words[0], lambda notice: _run(words, notice))
    if settings.webhook_file:
        url = _webhook(config, settings.webhook_file)
        yield Way("webhook", f"{url.scheme}://{url.netloc}", lambda notice: _post(url, notice))
    if settings.mail_to:
        yield Way("mail", ", ".join(settings.mail_to), lambda notice: _mail(settings, notice))


# ---- a command ----


def _run(words: list[str], notice: Notice) -> None:
    """Hands the notice to a program as one line of JSON. Raises NotSent."""
    known = {"kind": notice.kind, "subject": notice.subject, "text": notice.text, "at": f"{notice.at:%FT%TZ}"}
    line = json.dumps({**known, "about": notice.about}) + "\n"
    try:
        done = run_command(words, timeout_s=SEND_S - 5, stdin=line.encode(), max_output=MAX_PRINTED)
    except LocalCommandError as error:
        raise NotSent(str(error)) from error
    if done.status:
        said = one_line(done.stderr.decode(errors="replace"))
        raise NotSent(f"{words[0]} ended with status {done.status}{': ' if said else ''}{said}")


# ---- a webhook ----


def _webhook(config: Config, file: str) -> SplitResult:
    """The URL in a file, which is a secret: no error repeats it. Raises ConfigError."""
    text = read_secret(config, file, "").strip()
    try:
        url = urlsplit(text if _URL.fullmatch(text) else "")
        is_one = bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is none
        is_one = False
    if not is_one:
        raise ConfigError(
            f"what stands in {file} is no URL such as https://hooks.example.org/services/T0/B0/secret",
            "[notify] webhook_file",
        )
    return url


def _post(url: SplitResult, notice: Notice) -> None:
    """Posts the notice in Slack's form, follows nothing, and reads the beginning of the answer. Raises NotSent."""
    body = json.dumps({"text": _as_chat(notice)}).encode()
    try:
        with closing(_connection(url)) as connection:
            path = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = one_line(answer.read(MAX_ANSWER).decode(errors="replace"))
    except (OSError, HTTPException) as error:
        raise NotSent(f"{url.hostname} {_why(error)}") from None  # the words of HTTPException may repeat the URL
    if not 200 <= answer.status < 300:
        raise NotSent(f"{url.hostname} answers {answer.status}{': ' if said else ''}{said}")


def _connection(url: SplitResult) -> HTTPConnection:
    """With certificates that the machine's own authorities vouch for, and no redirects: http.client follows none."""
    host = url.hostname or ""
    if url.scheme == "http":
        return HTTPConnection(host, url.port, timeout=STEP_S)
    return HTTPSConnection(host, url.port, timeout=STEP_S, context=ssl.create_default_context())


def _why(error: OSError | HTTPException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"cannot be trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return f"does not answer within {STEP_S:g} s"
    if isinstance(error, OSError):
        return f"cannot be reached: {one_line(error.strerror or type(error).__name__)}"
    return f"does not speak HTTP ({type(error).__name__})"


def _as_chat(notice: Notice) -> str:
    """Subject and text, the text in columns. Slack's own signs are escaped as its documents say: `<!channel>` calls
    nobody.
    """
    text = shortened(notice.text.replace("```", "'''"), MAX_CHAT)
    told = f"{notice.subject}\n```\n{text}\n```" if text else notice.subject
    return told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shortened(text: str, limit: int) -> str:
    """The first whole lines of a text, as many as have room, and how many more there are."""
    if len(text) <= limit:
        return text
    kept = text[:limit].rpartition("\n")[0] or text[:limit]
    return f"{kept}\n... and {text.count(chr(10)) - kept.count(chr(10))} lines more"


# ---- mail ----


def _mail(settings: NotifySettings, notice: Notice) -> None:
    """Hands the notice to a mail server, without a password. Raises NotSent, also where it does not take it for all."""
    host, port = mail_server(settings.smtp)
    try:
        with smtplib.SMTP(host, port, timeout=STEP_S) as server:
            refused = server.send_message(_message(settings, notice))
    except smtplib.SMTPRecipientsRefused as error:
        refused = error.recipients
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"{host} answers {_answered(error.smtp_code, error.smtp_error)}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"{host}: {one_line(str(error))}") from error
    if refused:
        whom, (code, said) = next(iter(refused.items()))
        raise NotSent(f"{host} takes no mail for {whom}: {_answered(code, said)}")


def _answered(code: int, said: bytes | str) -> str:
    return one_line(f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}")


def _message(settings: NotifySettings, notice: Notice) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.mail_from
    message["To"] = ", ".join(settings.mail_to)
    message["Subject"] = notice.subject
    message["Date"] = format_datetime(notice.at)
    message["Message-ID"] = make_msgid(domain=settings.mail_from.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    text = f"{notice.text or notice.subject}\n"
    message.set_content(text, cte=None if text.isascii() else "quoted-printable")
    return message
