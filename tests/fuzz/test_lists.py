"""Nodesets, requests, group files, address maps, host keys and the configuration: any text is read or refused."""

from __future__ import annotations

import base64
import contextlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from botd import nodeset
from botd.checks import site_checks
from botd.config import load_config, parse_config
from botd.errors import BadNodeset, ConfigError, NotFound
from botd.inventory import Inventory, build
from botd.inventory.groups import MAX_FILE, read_groups
from botd.model import Group, SlurmNode
from botd.settings import Config, GroupSettings
from botd.transport.addresses import read_hosts, socket_address
from botd.transport.ssh.known_hosts import HostKey, KnownHosts, Verdict, names_for
from tests.fuzz.conftest import FUZZ, fuzz
from tests.fuzz.strategies import at_most_mb, encoded, is_one_of, json_values, names, spoiled, texts
from tests.steps import grows_at_most_as, steps_of

MAX = 200
pieces = st.from_regex(r"[0-9]{1,4}(-[0-9]{1,4})?", fullmatch=True)
ranges = st.lists(pieces, min_size=1, max_size=3).map(lambda found: f"[{','.join(found)}]")
sets = st.lists(st.sampled_from(["n", "r", ".savio2", "-", "_"]) | ranges | texts, min_size=1, max_size=5).map("".join)
lists = st.lists(sets, max_size=4).map(",".join)
"""Text that is mostly a nodeset."""


# ---- nodesets ----


@fuzz(200)
@given(lists)
def test_any_text_is_a_nodeset_of_safe_names_or_refused(text: str) -> None:
    found = is_one_of((BadNodeset,), lambda: nodeset.expand(text, max_nodes=MAX))
    if found is not None:
        assert [nodeset.check_name(name) for name in found] == found
        assert len(set(found)) == len(found) <= MAX


@FUZZ
@given(st.sets(names, max_size=50))
@example({"n1.2", "n1.3", "n01.2", "1", "01", "1-2", "1-3"})
def test_names_come_back_from_the_nodeset_that_they_are_folded_to(found: set[str]) -> None:
    folded = nodeset.fold(found)
    assert set(nodeset.expand(folded)) == found
    assert len(folded) <= sum(map(len, found)) + 8 * len(found)
    assert nodeset.fold(nodeset.expand(folded)) == folded


WIDE = (
    "n[0-999999999]", "n[0-99999999999999999999999999999999999999999999999999999999999]", "n[0-49999],m[0-49999]",
    "n" + "[0-9]" * 16, "n" + "[1]" * 300_000, "[" * 900_000, "]" * 900_000, "[]" * 400_000,
    "n[" + "1," * 400_000 + "]",
    "n[" + "0-9," * 200_000 + "1]", "n[" + "9" * 900_000 + "]", "," * 900_000, "n" * 900_000, "n1," * 300_000,
    "n" + "0" * 900_000 + "[1-2]", "n[1-2]" + "0" * 900_000, "n[1-50000]" + "x" * 900_000,
    "\0" * 900_000, "[0-1]," * 150_000,
)  # fmt: skip


@pytest.mark.parametrize("text", WIDE, ids=range(len(WIDE)))
def test_a_nodeset_is_measured_before_it_is_made(text: str) -> None:
    with at_most_mb(40):
        found = is_one_of((BadNodeset,), lambda: nodeset.expand(text, max_nodes=1000))
    assert found is None or len(found) <= 1000
    begin = text[:3000]
    steps = steps_of(lambda: is_one_of((BadNodeset,), lambda: nodeset.expand(begin, max_nodes=1000)))
    assert steps <= 200 * (len(begin) + 1000)


# ---- requests ----


def inventory(count: int) -> Inventory:
    """That many nodes in one partition, and two groups."""
    nodes = [SlurmNode(f"n{number:04d}.savio2", "idle", "IDLE", partitions=("savio2",)) for number in range(count)]
    groups = {
        name: Group(name, "file", tuple(n.node for n in nodes[::step])) for name, step in (("odd", 2), ("few", 9))
    }
    return build(nodes, groups, None)


KNOWN = inventory(40)
terms = st.sampled_from(["all", "sinfo", "odd", "few", "savio2", "@savio2", "@odd", "n0001", "n0001.savio2"]) | sets
requests = st.lists(st.lists(terms, min_size=1, max_size=3).map("/".join), max_size=4).map(",".join)


@fuzz(150)
@given(requests)
@example("\x1b[31m/")
def test_any_request_names_known_nodes_or_is_refused(text: str) -> None:
    for expand in (KNOWN.expand_groups, KNOWN.expand_nodes):
        found = is_one_of((BadNodeset, NotFound), lambda expand=expand: expand(text, max_nodes=MAX))
        assert set(found or ()) <= set(KNOWN.names())
        assert found is None or found == sorted(set(found), key=nodeset.natural_key)


MANY = {
    "one group": lambda i: "all",
    "one intersection": lambda i: "all/odd",
    "overlapping nodesets": lambda i: f"n[0000-{99 - i % 80:04d}].savio2",
    "short names": lambda i: f"all/n[0000-{99 - i % 80:04d}]",
    "unknown nodes among known ones": lambda i: f"n[0000-{399 - i % 180}]/all",
    "groups and single nodes": lambda i: f"all/n{i % 100:04d}",
    "one large intersection": lambda i: f"n[0000-{99 - i % 80:04d}].savio2/" + "/".join(["all", "odd"] * 10),
}  # fmt: skip


@pytest.mark.parametrize("kind", MANY)
@pytest.mark.parametrize("joint", [",", "/"])
def test_a_long_request_costs_no_more_than_its_nodes(kind: str, joint: str) -> None:
    """On a large cluster; each term alone would be fine."""
    known = inventory(100)

    def ask(terms: int) -> None:
        text = joint.join(MANY[kind](i) for i in range(terms))
        is_one_of((BadNodeset, NotFound), lambda: known.expand_groups(text, max_nodes=400))

    assert grows_at_most_as(2.5, ask, 50)


def test_a_term_that_is_written_often_counts_once() -> None:
    known = inventory(5000)
    for joint in ",/":
        assert known.expand_groups(joint.join(["all"] * 100_000), max_nodes=5000) == list(known.names())


# ---- group files ----

FILES = (
    b"g;x: n1\nall: n2\n\x1b[31m: n3\n-rf: n4\n",
    b"n[0000-0003].savio2\nn7 n8,n9 # two\n#include b\n",
    b"gpu: n[0000-0015].savio3,n0021.savio3\ncpu : n1\nn2\n",
    b'#include a\n#include <a>\n#include "c"\nn[1-3]\n',
)


@FUZZ
@given(
    st.lists(st.sampled_from(FILES).flatmap(spoiled), min_size=1, max_size=3),
    st.sampled_from("ab"),
    st.just("c") | names,
)
def test_any_group_files_give_groups_of_safe_names(
    tmp_path_factory: Any, data: list[bytes], listed: str, odd: str
) -> None:
    folder: Path = tmp_path_factory.mktemp("groups")
    for name, content in zip("ab", data, strict=False):
        (folder / name).write_bytes(content)
    (folder / odd.strip(".") or "c").write_bytes(data[-1])
    settings = GroupSettings(directories=(str(folder),), files=(str(folder / listed),))
    groups, problems = read_groups(settings, Path)
    for name, group in groups.items():
        assert nodeset.check_name(name) == group.name
        assert [nodeset.check_name(node) for node in group.nodes] == sorted(set(group.nodes), key=nodeset.natural_key)
    assert all(problem.isprintable() for problem in problems)


@pytest.mark.parametrize("line", ["-", "n[0-999999999]", "n[0-49999]", "a:", "#include nobody", "g: n[1-", "n1", ""])
def test_a_group_file_of_many_lines_takes_bounded_memory_and_tells_of_some_faults(tmp_path: Path, line: str) -> None:
    lines = min(20_000, MAX_FILE // (len(line) + 1))
    (tmp_path / "a").write_text(f"{line}\n" * (1_000 if "9" in line else lines))
    with at_most_mb(120):
        groups, problems = read_groups(GroupSettings(directories=(str(tmp_path),), files=()), Path)
    assert len(problems) < 1000
    assert sum(len(group.nodes) for group in groups.values()) <= nodeset.MAX_NODES


# ---- address maps and host keys ----

HOSTS = b"10.0.0.17   n0017.savio3 n0017   # replaced in May\nfd00::1 n1\n127.0.0.1 localhost\n"


@FUZZ
@given(spoiled(HOSTS) | texts.map(encoded))
def test_any_address_map_gives_addresses_or_is_refused(tmp_path_factory: Any, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hosts"
    path.write_bytes(data)
    for name, address in (is_one_of((ConfigError,), lambda: read_hosts(path)) or {}).items():
        assert name == name.lower()
        assert not any(char.isspace() for char in name)
        assert "%" in address or socket_address(address, 22)


def key(number: int) -> HostKey:
    kind = "ssh-ed25519"
    return HostKey(kind, len(kind).to_bytes(4, "big") + kind.encode() + bytes([number]) * 36)


def line(hosts: str, number: int) -> bytes:
    return f"{hosts} {key(number).type} {base64.b64encode(key(number).blob).decode()} comment\n".encode()


KEYS = line("n1,10.0.0.1", 1) + line("[n2]:2222", 2) + line("n*.savio?,!n3.savio2", 3) + line("@revoked n1", 4)
HASHED = line("|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=", 5)


@FUZZ
@given(spoiled(KEYS + HASHED) | st.lists(names, max_size=3).map(lambda found: line(",".join(found), 1)), names)
def test_any_host_keys_know_no_key_that_is_not_in_them(tmp_path_factory: Any, data: bytes, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / "known_hosts"
    path.write_bytes(data)
    known = KnownHosts([path])
    assume(b"//////" not in data)
    for asked in ([name], names_for(["n1", "10.0.0.1"], 22), names_for(["n7.savio2"], 22), names_for(["n2"], 2222)):
        assert known.judge(asked, key(255)) in (Verdict.UNKNOWN, Verdict.CHANGED)
        assert all(known.types(asked))


@pytest.mark.parametrize("hosts", ["*" * 40 + "x", "*a" * 60, "?" * 5000, "!" * 5000, "*,*" * 2000, "n" + "*n" * 25])
def test_no_pattern_of_host_names_takes_for_ever(tmp_path: Path, hosts: str) -> None:
    (tmp_path / "known_hosts").write_bytes(line(hosts, 1))
    known = KnownHosts([tmp_path / "known_hosts"])
    known.judge(["n" * 60 + "y", "a" * 250], key(2))  # one that tries again and again would not end in a year


@fuzz(200)
@given(st.text(st.sampled_from("ab.*?"), min_size=1, max_size=9), st.text(st.sampled_from("ab."), max_size=9))
def test_a_pattern_of_host_names_matches_as_in_a_shell(tmp_path_factory: Any, pattern: str, name: str) -> None:
    assume(pattern.strip("ab."))
    path = tmp_path_factory.getbasetemp() / "patterns"
    path.write_bytes(line(pattern, 1))
    verdict = KnownHosts([path]).judge([name], key(1))
    assert (verdict is Verdict.KNOWN) is fnmatchcase(name, pattern)


# ---- the configuration ----

SECTIONS = ("server", "store", "slurm", "groups", "nodes", "sweep", "ping", "ssh", "bmc", "mounts", "checks", "check")
KEYS_OF = ("listen", "url", "sinfo", "timeout", "port", "parallel", "groups", "directories", "scratch", "warn", "name",
           "command", "value", "sudo", "interval", "load", "df", "address", "host_key_policy")  # fmt: skip
tables = st.dictionaries(st.sampled_from(KEYS_OF) | texts, json_values, max_size=4)
configurations = st.dictionaries(
    st.sampled_from(SECTIONS) | texts, tables | st.lists(tables, max_size=2) | json_values, max_size=4
)


def read(make: Any) -> Config | None:
    """The configuration, with its checks made; None where it is refused in words."""

    def whole() -> Config:
        config: Config = make()
        site_checks(config)
        return config

    with contextlib.suppress(ConfigError):
        return whole()
    return None


@fuzz(150)
@given(configurations)
def test_any_table_is_a_configuration_or_refused(document: dict[str, Any]) -> None:
    if config := read(lambda: parse_config(document)):
        assert config.server.threads > 0
        assert all(path.startswith("/") for path in config.mounts.values())


CONFIGURATION = (Path(__file__).parent.parent.parent / "docs" / "deploy" / "botd.toml").read_bytes()


@FUZZ
@given(spoiled(CONFIGURATION))
def test_any_file_is_a_configuration_or_refused(tmp_path_factory: Any, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "botd.toml"
    path.write_bytes(data)
    read(lambda: load_config(str(path)))


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a." * 3_000 + "b = 1", "a = " + "{b = " * 50_000, "a = " + "9" * 5000]
)
def test_a_configuration_that_python_cannot_hold_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "botd.toml").write_text(text)
    assert read(lambda: load_config(str(tmp_path / "botd.toml"))) is None
