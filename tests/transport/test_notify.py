"""The ways of a notice against a real mail server, real web servers and real commands."""

from __future__ import annotations

import json
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from botd.config import parse_config
from botd.errors import ConfigError
from botd.transport.notify import MAX_CHAT, Notice, NotSent, Way, make_ways, shortened
from tests.certificate import make_certificate
from tests.program import free_port

AT = datetime(2026, 11, 27, 7, 30, tzinfo=UTC)
PATH = "/services/T0/B0/the-secret"


def notice(subject: str = "savio: power-cycle of n0042 succeeded", text: str = "why: hung") -> Notice:
    return Notice.make("ended", subject, text, AT, {"node": "n0042"})


@pytest.fixture
def way(tmp_path: Path) -> Callable[..., Way]:
    """The one way that settings of [notify] come to."""

    def make(webhook: str = "", **settings: Any) -> Way:
        if webhook:
            (tmp_path / "webhook").write_text(webhook + "\n")
            (tmp_path / "webhook").chmod(0o600)
            settings["webhook_file"] = "webhook"
        (found,) = make_ways(parse_config({"notify": settings}, path=str(tmp_path / "botd.toml")))
        return found

    return make


def error_of(way: Way, about: Notice | None = None) -> str:
    with pytest.raises(NotSent) as caught:
        way.send(about or notice())
    return str(caught.value)


def test_nobody_is_told_where_nothing_is_set() -> None:
    assert make_ways(parse_config({})) == ()


# ---- what outside texts may do ----


def test_a_notice_is_plain_text_with_one_line_as_its_subject() -> None:
    made = notice("n1\r\nBcc: all@example.org\x1b[2J\u202e", "a\x1b]0;x\x07b\u202ec\r\nd\n")
    assert made.subject == "n1 Bcc: all@example.org [2J"
    assert made.text == "a ]0;x bc\nd"


def test_a_long_text_is_cut_at_a_line_and_says_how_many_are_left_out() -> None:
    assert shortened("one\ntwo\nthree\nfour", 9) == "one\ntwo\n... and 2 lines more"
    assert shortened("one\ntwo", 7) == "one\ntwo"


# ---- a command ----


def test_a_command_gets_the_notice_as_json_on_its_standard_input(way: Callable[..., Way], tmp_path: Path) -> None:
    way(command=f"tee {tmp_path}/got").send(notice())
    assert json.loads((tmp_path / "got").read_text()) == {
        "kind": "ended",
        "subject": "savio: power-cycle of n0042 succeeded",
        "text": "why: hung",
        "at": "2026-11-27T07:30:00Z",
        "about": {"node": "n0042"},
    }


def test_no_shell_reads_a_command(way: Callable[..., Way], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    way(command="tee got ; touch shell").send(notice("$(touch shell)"))
    assert {path.name for path in tmp_path.iterdir()} == {"got", ";", "touch", "shell"}
    assert (tmp_path / "shell").read_text() == (tmp_path / "got").read_text()


def test_a_command_that_fails_is_told_with_its_last_words(way: Callable[..., Way]) -> None:
    assert error_of(way(command="sh -c 'echo no such list >&2; exit 3'")) == "sh ended with status 3: no such list"
    assert error_of(way(command="/there/is/none")) == "/there/is/none: No such file or directory"


# ---- a way that hangs ----


def test_a_way_that_hangs_is_given_up_in_time_and_not_tried_again_before_it_has_ended() -> None:
    go_on, sent = threading.Event(), []

    def hang(about: Notice) -> None:
        go_on.wait()
        sent.append(about)

    hung = Way("mail", "somebody", hang)
    with pytest.raises(NotSent, match=r"did not end within 0\.05 s"):
        hung.send(notice(), within_s=0.05)
    assert error_of(hung) == "the notice before is still under way"
    go_on.set()
    assert hung._under_way is not None
    hung._under_way.join()
    hung.send(notice())
    assert len(sent) == 2


def test_a_fault_of_botd_is_a_notice_that_was_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    assert error_of(Way("mail", "somebody", lambda _: {}["x"])) == "botd failed, as the log says"
    assert "KeyError" in caplog.text


# ---- a webhook ----


class Hook(BaseHTTPRequestHandler):
    """Takes what is posted; answers as the server says."""

    def do_POST(self) -> None:
        server = cast(Any, self.server)
        server.got.append((self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(server.status)
        for name, value in server.more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(server.said)

    def do_GET(self) -> None:
        cast(Any, self.server).got.append((self.path, self.headers, b"followed"))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Any]:
    """A web server on loopback."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.got, server.status, server.said, server.more = [], 200, b"ok", {}
    server.url = f"http://127.0.0.1:{server.server_port}{PATH}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_subject_and_text_in_the_form_of_slack(way: Callable[..., Way], hook: Any) -> None:
    way(hook.url).send(notice(text="a  <b>\n<!channel> & ```more```"))
    ((path, headers, body),) = hook.got
    assert path == PATH
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "text": "savio: power-cycle of n0042 succeeded\n```\na  &lt;b&gt;\n&lt;!channel&gt; &amp; '''more'''\n```",
    }


def test_a_message_is_never_longer_than_a_chat_takes(way: Callable[..., Way], hook: Any) -> None:
    way(hook.url).send(notice(text="n0001 drained\n" * 10_000))
    text = json.loads(hook.got[0][2])["text"]
    assert len(text) < MAX_CHAT + 300
    assert text.endswith("lines more\n```")


def test_a_redirect_is_not_followed(way: Callable[..., Way], hook: Any) -> None:
    hook.status, hook.more, hook.said = 302, {"Location": "/elsewhere"}, b""
    assert error_of(way(hook.url)) == "127.0.0.1 answers 302"
    assert len(hook.got) == 1


def test_what_a_webhook_refuses_is_told_without_the_url_that_is_a_secret(way: Callable[..., Way], hook: Any) -> None:
    hook.status, hook.said = 403, b"invalid_token\x1b[2J" + b"x" * 100_000
    told = error_of(way(hook.url))
    assert told.startswith("127.0.0.1 answers 403: invalid_token [2J")
    assert len(told) < 300
    assert "secret" not in told


def test_a_webhook_that_is_not_there_is_told_without_its_secret(way: Callable[..., Way]) -> None:
    told = error_of(way(f"http://127.0.0.1:1{PATH}"))
    assert told.startswith("127.0.0.1 cannot be reached")
    assert "secret" not in told


def test_a_certificate_is_checked(
    way: Callable[..., Way], hook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    hook.socket = context.wrap_socket(hook.socket, server_side=True)
    secure = way(hook.url.replace("http:", "https:"))
    told = error_of(secure)
    assert told.startswith("127.0.0.1 cannot be trusted: ")
    assert "self-signed certificate" in told
    assert "secret" not in told
    assert hook.got == []
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    secure.send(notice())
    assert len(hook.got) == 1


@pytest.mark.parametrize(
    "text", ["", "hooks.example.org/x", "ftp://example.org/x", "https:///x", "https://a:b@c/", "a b"]
)
def test_what_is_no_url_is_refused_without_repeating_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(text)
    (tmp_path / "hook").chmod(0o600)
    config = parse_config({"notify": {"webhook_file": "hook"}}, path=str(tmp_path / "botd.toml"))
    with pytest.raises(ConfigError) as caught:
        make_ways(config)
    assert "is no URL" in str(caught.value)
    assert not text or text not in str(caught.value)


def test_a_url_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("https://hooks.example.org/x")
    (tmp_path / "hook").chmod(0o644)
    config = parse_config({"notify": {"webhook_file": "hook"}}, path=str(tmp_path / "botd.toml"))
    with pytest.raises(ConfigError, match="others can read"):
        make_ways(config)


# ---- mail ----


class Mailbox:
    """What a mail server took, and whom it refuses."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.refuses = ""

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _: Any) -> str:
        if address == self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        self.got.append(envelope)
        return "250 OK"

    def mail(self) -> EmailMessage:
        ((envelope),) = self.got
        return cast(EmailMessage, message_from_bytes(cast(bytes, envelope.content), policy=default))


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    cast(Any, box).port = free_port()
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # what it says at its end is said when nobody listens
    server = Controller(box, hostname="127.0.0.1", port=cast(Any, box).port)
    server.start()
    yield box
    server.stop()


@pytest.fixture
def mail(way: Callable[..., Way], mailbox: Any) -> Way:
    return way(
        smtp=f"127.0.0.1:{mailbox.port}",
        mail_from="botd@cluster.example.org",
        mail_to=["anna@example.org", "ops+botd@example.org"],
    )


def test_mail_has_its_subject_its_text_and_all_who_get_it(mail: Way, mailbox: Mailbox) -> None:
    mail.send(notice(text="why: hängt\n.\nend"))
    message = mailbox.mail()
    assert message["From"] == "botd@cluster.example.org"
    assert message["To"] == "anna@example.org, ops+botd@example.org"
    assert message["Subject"] == "savio: power-cycle of n0042 succeeded"
    assert message["Date"].datetime == AT
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@cluster.example.org>")
    assert message.get_content().splitlines() == ["why: hängt", ".", "end"]
    assert mailbox.got[0].rcpt_tos == ["anna@example.org", "ops+botd@example.org"]


def test_names_and_reasons_write_no_headers(mail: Way, mailbox: Mailbox) -> None:
    mail.send(notice("n1\r\nBcc: all@example.org", "\r\nTo: boss@example.org\r\n\r\nhello"))
    message = mailbox.mail()
    assert message["Bcc"] is None
    assert message["Subject"] == "n1 Bcc: all@example.org"
    assert message.get_all("To") == ["anna@example.org, ops+botd@example.org"]
    assert "To: boss@example.org" in message.get_content()


def test_a_mail_server_that_does_not_take_it_for_all_is_told(mail: Way, mailbox: Mailbox) -> None:
    mailbox.refuses = "anna@example.org"
    assert error_of(mail) == "127.0.0.1 takes no mail for anna@example.org: 550 no such user"
    assert mailbox.got[0].rcpt_tos == ["ops+botd@example.org"]


def test_a_mail_server_that_is_not_there_is_told(way: Callable[..., Way]) -> None:
    lost = way(smtp="127.0.0.1:1", mail_from="botd@example.org", mail_to=["anna@example.org"])
    assert error_of(lost) == "127.0.0.1: [Errno 111] Connection refused"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mail_to": ["anna"], "mail_from": "a@b"}, "mail_to takes addresses"),
        ({"mail_to": ["a@b\nBcc: c@d"], "mail_from": "a@b"}, "mail_to takes addresses"),
        ({"mail_to": ["a@b"], "mail_from": "Anna <a@b>"}, "mail_from takes addresses"),
        ({"mail_to": ["a@b"]}, "mail_to needs mail_from"),
        ({"smtp": "localhost"}, "smtp takes"),
        ({"command": "echo 'half"}, "command cannot be split"),
    ],
)
def test_settings_that_could_not_be_used_stop_the_start(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"notify": settings})
    assert told in str(caught.value)
