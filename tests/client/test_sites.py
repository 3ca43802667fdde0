"""Which botd is asked, and where what a person is known by is kept."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from botd.client.sites import Site, chosen_sites, parse_sites, read_url
from botd.client.tokens import keep, sessions_path, token_of
from botd.client.trouble import Unusable

FILE = """
default = "two"
[sites.one]
url = "https://one.example/"
[sites.two]
url = "http://127.0.0.1:5000/botd"
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bofhbot.toml").write_text(FILE)
    return {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}


def names(named: str | None, environ: dict[str, str]) -> list[str]:
    return [site.name for site in chosen_sites(named, environ)]


def test_the_variable_wins_over_the_default_and_a_named_site_over_both(environ: dict[str, str]) -> None:
    assert names(None, environ) == ["two"]
    environ["BOFHBOT_URL"] = "http://localhost:5000/"
    assert chosen_sites(None, environ) == [Site("", "http://localhost:5000")]
    assert names("one", environ) == ["one"]
    assert names("all", environ) == ["one", "two"]


def test_who_names_no_botd_is_told_how(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"which botd.*BOFHBOT_URL=http://localhost:5000"):
        chosen_sites(None, {"HOME": str(tmp_path)})


def test_a_site_that_there_is_not_is_refused_with_what_is_near(environ: dict[str, str]) -> None:
    with pytest.raises(Unusable, match='did you mean "two"'):
        chosen_sites("tow", environ)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sites.a]", "needs url"),
        ("[sites.a]\nurl = 5", "must be a text"),
        ('[sites.a]\nurl = "https://a"\ncafile = "x"', 'did you mean "ca_file"'),
        ('[sites.all]\nurl = "https://a"', "stands for every site"),
        ('defalt = "a"', 'did you mean "default"'),
        ('default = "a"', "none of the sites"),
        ("sites = 1", "as a table"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        parse_sites(tomllib.loads(text))


@pytest.mark.parametrize(
    "url", ["botd", "ftp://a", "http://", "http://a:0", "http://a:x", "http://[", "https://a b", "https://a/\x1b[2J"]
)
def test_what_is_no_url_is_refused_harmlessly(url: str) -> None:
    with pytest.raises(Unusable) as refused:
        read_url("BOFHBOT_URL", url)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("url", ["https://anna:secret@a", "https://a/?x=1", "https://a/#x"])
def test_a_url_has_no_more_than_a_place(url: str) -> None:
    with pytest.raises(Unusable, match="scheme, host, port and path alone") as refused:
        read_url("BOFHBOT_URL", url)
    assert "secret" not in str(refused.value)


def test_https_and_this_machine_are_private() -> None:
    private = ("https://a.example", "http://localhost:5000", "http://127.1.2.3", "http://[::1]:5000")
    assert all(Site("", url).is_private for url in private)
    assert not any(Site("", url).is_private for url in ("http://a.example", "http://10.0.0.1", "http://localhost.evil"))


def test_a_session_is_kept_for_its_own_url_in_a_file_of_its_owners(environ: dict[str, str]) -> None:
    one, two = chosen_sites("all", environ)
    keep(one, "token-of-one", environ)
    assert (token_of(one, environ), token_of(two, environ)) == ("token-of-one", "")
    path = sessions_path(environ)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    keep(two, "token-of-two", environ)
    keep(one, "", environ)
    assert (token_of(one, environ), token_of(two, environ)) == ("", "token-of-two")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_sessions_that_others_can_read_are_refused(environ: dict[str, str], mode: int) -> None:
    (one, _) = chosen_sites("all", environ)
    keep(one, "token", environ)
    sessions_path(environ).chmod(mode)
    with pytest.raises(Unusable, match="others could read"):
        token_of(one, environ)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_with_a_token_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("the-token\n")
    site = Site("one", "https://one.example", token_file=str(path))
    path.chmod(0o600)
    assert token_of(site, {}) == "the-token"
    path.chmod(mode)
    with pytest.raises(Unusable, match="others could read"):
        token_of(site, {})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"https://one.example": 5}', '{"a": "\\u00e4"}', "[" * 100_000])
def test_sessions_that_are_damaged_are_said_so(environ: dict[str, str], text: str) -> None:
    (one, _) = chosen_sites("all", environ)
    keep(one, "token", environ)
    sessions_path(environ).write_text(text)
    with pytest.raises(Unusable, match="damaged"):
        token_of(one, environ)
