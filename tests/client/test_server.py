"""What answers in place of botd: nothing of it is believed, obeyed, waited for without end, or given a token."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from botd import __version__
from botd.client.server import Server
from botd.client.sites import Site
from botd.client.trouble import Refused, Trouble, Unusable
from tests.certificate import make_certificate
from tests.client.conftest import Home, answering, http
from tests.client.scripted import Answers, refusal, scripted

ALLOWED = {"botd", "botd.access", "botd.access.requests", "botd.errors", "botd.nodeset", "botd.output", "botd.text"}
ALLOWED |= {"botd.words"}
FOREIGN = {"urllib3", "hostlist"}

IMPORT = """
import sys, sysconfig
before = set(sys.modules)
from botd.client.cli import bofhbot_parser
bofhbot_parser()
site = sysconfig.get_path("purelib")
mine = [name for name in sys.modules if name.partition(".")[0] == "botd" and not name.startswith("botd.client")]
theirs = {name.partition(".")[0] for name, module in sys.modules.items()
          if name not in before and str(getattr(module, "__file__", "")).startswith(site)}
print(*mine)
print(*theirs)
"""


def test_the_client_needs_two_libraries_and_the_words_of_botd_alone() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    mine, theirs = (set(line.split()) for line in done.stdout.splitlines())
    assert mine <= ALLOWED
    assert theirs - {"backports", "compression", "zstandard", "brotli"} <= FOREIGN


def asked(url: str, token: str = "", within_s: float = 30.0) -> object:
    return Server(Site("", url), token).get("/api/v1/round", within_s=within_s)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(b"<html><h1>Welcome</h1></html>", kind="text/html"), "text/html in place of JSON"),
        (http(b"<html>502</html>", "502 Bad Gateway", "text/html"), "status 502 and no words of botd's"),
        (http(b'{"families": ['), "not whole, or not JSON"),
        (http(b"[" * 200_000), "not whole, or not JSON"),
        (http(b'{"a": NaN}'), "not whole, or not JSON"),
        (http(b'{"a": ' + b"9" * 10_000 + b"}"), "not whole, or not JSON"),
        (http(b"\xff\xfe"), "not whole, or not JSON"),
        (http(b"[]"), "of another shape"),
        (http(b'{"error": 5}', "404 Not Found"), "no words of botd's"),
        (http(b'{"error": {"message": ["x"], "code": null}}', "404 Not Found"), "no words of botd's"),
        (http(b"", kind="application/\x1b[2Jjson"), "in place of JSON"),
        (http(b'{"a": 1}', more="Content-Encoding: gzip\r\n"), "broke off"),
        (http(b"{}")[:-1], "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\nContent-Type: application/json\r\n\r\n{", "broke off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "broke off"),
        (b"", "broke off"),
    ],
)
def test_what_is_no_answer_of_botd_is_said_so(answer: bytes, words: str) -> None:
    with answering(answer) as hostile, pytest.raises(Trouble, match=words) as told:
        asked(hostile.url)
    assert str(told.value).isprintable()
    assert told.value.exit_status == 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_token_follows_no_redirect(status: str) -> None:
    with answering(http(b"{}")) as thief:
        with answering(http(b"", status, more=f"Location: {thief.url}/api/v1/round\r\n")) as hostile:
            with pytest.raises(Trouble, match=r"sends on to http://127.0.0.1:.* set the URL to it"):
                asked(hostile.url, "secret")
            assert b"Authorization: Bearer secret" in hostile.asked[0]
        assert thief.asked == []


def test_a_redirect_to_nonsense_is_harmless() -> None:
    moved = http(b"", "302 Found", more="Location: http://[\x1b]0;title\x07\r\n")
    with answering(moved) as hostile, pytest.raises(Trouble) as told:
        asked(hostile.url)
    assert str(told.value).isprintable()


def test_a_token_goes_over_nothing_that_others_can_listen_to() -> None:
    with pytest.raises(Unusable, match="use its https URL"):
        Server(Site("", "http://botd.example"), "secret")


def test_an_answer_that_comes_byte_by_byte_without_end_is_given_up() -> None:
    def drip(client: object) -> None:
        while True:
            client.sendall(b"H")  # type: ignore[attr-defined]

    def silent(client: object) -> None:
        client.recv(65536)  # type: ignore[attr-defined]

    def body(client: object) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")  # type: ignore[attr-defined]
        while True:
            client.sendall(b" ")  # type: ignore[attr-defined]

    for answer in (drip, silent, body):
        with answering(answer) as hostile, pytest.raises(Trouble, match=r"has not answered within|broke off"):
            asked(hostile.url, within_s=0.5)


def test_a_small_answer_that_unpacks_to_gigabytes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botd.client.server.MAX_ANSWER", 1_000_000)
    packed = http(gzip.compress(b" " * 50_000_000), more="Content-Encoding: gzip\r\n")
    with answering(packed) as hostile, pytest.raises(Trouble, match="over 1 MB: ask for fewer nodes"):
        asked(hostile.url)


def test_an_authority_is_believed_where_it_is_named(tmp_path: Path) -> None:
    pem = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                    with context.wrap_socket(plain, server_side=True) as client:
                        client.recv(65536)
                        client.sendall(http(b'{"a": 1}'))
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(Trouble, match="its certificate is not believed"):
            asked(url, "secret")
        assert Server(Site("", url, ca_file=str(pem)), "secret").get("/api/v1/round") == {"a": 1}
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("scheme", "host", "words"), [("https", "", "does not speak TLS as it should"), ("http", "a..b", "no address")]
)
def test_what_cannot_be_reached_is_said_in_words(scheme: str, host: str, words: str) -> None:
    with answering(http(b"{}")) as hostile, pytest.raises(Trouble, match=words):
        asked(f"{scheme}://{host or hostile.url.partition('//')[2]}")


def test_an_error_of_botd_keeps_its_code_and_loses_what_a_terminal_obeys() -> None:
    error = {"error": {"status": 404, "code": "unknown-node", "message": "no \x1b]0;x\x07 \u202enode\nat all"}}
    with answering(http(json.dumps(error).encode(), "404 Not Found")) as hostile, pytest.raises(Refused) as told:
        asked(hostile.url)
    assert (told.value.code, told.value.exit_status) == ("unknown-node", 2)
    assert str(told.value).isprintable()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"families": 5},
        {"families": [], "problems": 5},
        {"families": [5]},
        {"families": [{"family": {}, "nodes": []}]},
        {"families": [{"family": [], "nodes": [{}]}]},
        {"families": [{"family": "x", "nodes": "many"}]},
    ],
)
def test_a_round_of_another_shape_is_one_sentence(home: Home, document: object) -> None:
    with answering(http(json.dumps(document).encode())) as hostile:
        home.environ["BOFHBOT_URL"] = hostile.url
        done = home.run()
    assert done.returncode == 1 or (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr


def test_values_of_any_kind_are_one_harmless_line_each(home: Home) -> None:
    node = {"node": ["a", 5], "state": {"x": "\x1b[2J"}, "mark": True, "reason": "a\tb\nc\u202e\x9b1m", "title": None}
    families = [{"family": "x\n\ty", "nodes": [node, {}]}]
    with answering(http(json.dumps({"families": families, "problems": ["\x1b[2Jbad"]}).encode())) as hostile:
        home.environ["BOFHBOT_URL"] = hostile.url
        lines = home.good().splitlines()
    assert [line.count("\t") for line in lines] == [8, 8]
    assert all(cell.isprintable() for line in lines for cell in line.split("\t"))


def test_pages_that_never_end_are_given_up(home: Home) -> None:
    with answering(http(json.dumps({"changes": [{"id": 1}], "next": 7}).encode())) as hostile:
        home.environ["BOFHBOT_URL"] = hostile.url
        done = home.run("changes", "--limit", "1000000")
    assert done.returncode == 1
    assert "no next page where it says so" in done.stderr


OF_LONG_AGO = {"GET /api/v1": [(200, {"version": "0.0.1", "routes": []})]}


@pytest.mark.parametrize(
    ("words", "answers", "first"),
    [
        (["report"], {}, "there is no such route"),
        (["--since", "3d"], {"GET /api/v1/round": [(400, refusal(400, "bad-request", 'unknown parameter "since"'))]},
         'unknown parameter "since"'),
        (["changes"], {"GET /api/v1/changes": [(200, {"rows": []})]}, 'the answer has no list "changes"'),
    ],
)  # fmt: skip
def test_a_botd_of_another_version_is_told_apart(words: list[str], answers: Answers, first: str, home: Home) -> None:
    with scripted({**OF_LONG_AGO, **answers}) as server:
        home.environ["BOFHBOT_URL"] = server.url
        done = home.run(*words)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(f"bofhbot: {first}")
    assert done.stderr.endswith(
        f"; botd there is 0.0.1 and this bofhbot {__version__}: take the bofhbot of that version\n"
    )


def test_a_botd_of_the_same_version_is_not_blamed_for_a_wrong_word(home: Home) -> None:
    answers = {"GET /api/v1": [(200, {"version": __version__})],
               "GET /api/v1/changes": [(400, refusal(400, "bad-request", "since: no time"))]}  # fmt: skip
    with scripted(answers) as server:
        home.environ["BOFHBOT_URL"] = server.url
        assert home.run("changes", "--since", "x").stderr == "bofhbot: since: no time\n"


def test_a_newer_botd_has_fields_and_words_that_are_let_be(home: Home) -> None:
    row = {"id": 1, "node": "n1", "at": "2027-01-01T00:00:00Z", "subject": "mood", "new": {"x": [1]}, "aura": "blue"}
    with scripted({"GET /api/v1/changes": [(200, {"changes": [row], "next": None, "moon": 1})]}) as server:
        home.environ["BOFHBOT_URL"] = server.url
        assert home.good("changes") == '2027-01-01T00:00:00Z\tn1\tmood\t\t{"x": [1]}\t\n'
