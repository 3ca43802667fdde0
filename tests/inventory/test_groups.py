"""Groups from the directories of pdsh and dsh and from hostlist files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botd.inventory.groups import MAX_FILE, read_groups, why_not_believed
from botd.model import Group
from botd.settings import GroupSettings
from tests.conftest import leave_out


def of_directory(directory: Path) -> tuple[dict[str, Group], list[str]]:
    return read_groups(GroupSettings(directories=(str(directory),)), Path)


def of_file(path: Path) -> tuple[dict[str, Group], list[str]]:
    return read_groups(GroupSettings(directories=(), files=(str(path),)), Path)


def write(directory: Path, **files: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def test_each_file_of_a_directory_is_a_group(tmp_path: Path) -> None:
    directory = write(tmp_path / "group", htc="n10\nn2\n\n# a comment\nn[0-1]  # more\n", gpu="g1,g[2-3] g4\n")
    groups, problems = of_directory(directory)
    assert problems == []
    assert groups == {
        "gpu": Group("gpu", str(directory / "gpu"), ("g1", "g2", "g3", "g4")),
        "htc": Group("htc", str(directory / "htc"), ("n0", "n1", "n2", "n10")),
    }


@pytest.mark.parametrize("name", [".hidden", "x~", "x.rpmsave", "x.rpmnew", "x.bak", "x.swp", "x.dpkg-old", "#x#"])
def test_hidden_files_and_leftovers_are_no_groups(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("n1\n")
    assert of_directory(tmp_path) == ({}, [])


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    assert of_directory(tmp_path) == ({}, [])


@pytest.mark.parametrize("include", ["#include htc", '#include "htc"', "#include <htc>"])
def test_a_group_includes_another(tmp_path: Path, include: str) -> None:
    groups, problems = of_directory(write(tmp_path, htc="n1\n", both=f"{include}\nn2\n"))
    assert problems == []
    assert groups["both"].nodes == ("n1", "n2")


def test_groups_that_include_each_other_have_the_same_nodes(tmp_path: Path) -> None:
    groups, problems = of_directory(write(tmp_path, a="#include b\nn1\n", b="#include a\n#include b\nn2\n"))
    assert problems == []
    assert groups["a"].nodes == groups["b"].nodes == ("n1", "n2")


def test_an_included_name_is_looked_for_in_all_directories_in_their_order(tmp_path: Path) -> None:
    first = write(tmp_path / "1", a="#include b\n#include c\nn1\n", c="n3\n")
    second = write(tmp_path / "2", b="#include c\nn2\n", c="n4\n")
    groups, _ = read_groups(GroupSettings(directories=(str(first), str(second))), Path)
    assert groups["a"].nodes == ("n1", "n2", "n3")
    assert groups["b"].nodes == ("n2", "n3")


def test_an_include_may_be_a_full_path(tmp_path: Path) -> None:
    directory = write(tmp_path / "group", a=f"#include {tmp_path}/group/../elsewhere/rack\nn1\n")
    write(tmp_path / "elsewhere", rack="n[2-3]\n")
    groups, problems = of_directory(directory)
    assert problems == []
    assert groups["a"].nodes == ("n1", "n2", "n3")


def test_an_include_of_no_file_is_told_and_opens_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "secret").write_text("n9\n")
    names = (
        "../secret",
        "./a",
        "none",
        f"{tmp_path}/none",
        f"{tmp_path}/fifo",
        "/dev/zero",
        "/",
        "/x\0",
        "/" + "x" * 999,
    )
    directory = write(tmp_path / "group", a="".join(f"#include {name}\n" for name in names) + "n1\n")
    groups, problems = of_directory(directory)
    assert groups["a"].nodes == ("n1",)
    assert [problem.partition(": ")[0] for problem in problems] == [f"{directory}/a:{i + 1}" for i in range(len(names))]
    assert all(problem.isprintable() and len(problem) < 500 for problem in problems)


def test_an_include_that_may_not_be_looked_at_costs_its_own_line(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        leave_out("only root can be another user: run `make test` as root")
    closed = write(tmp_path / "closed", rack="n9\n")
    directory = write(tmp_path / "group", a=f"#include {closed}/rack\nn1\n", b="n2\n")
    (directory / "c").symlink_to(closed / "rack")
    for folder in (tmp_path, *tmp_path.parents[:2]):  # those of pytest, and nobody else's
        folder.chmod(0o755)
    closed.chmod(0)
    try:
        os.seteuid(65533)
        groups, problems = of_directory(directory)
    finally:
        os.seteuid(0)
    assert {name: group.nodes for name, group in groups.items()} == {"a": ("n1",), "b": ("n2",)}
    assert len(problems) == 1


# As pdsh's own t0003-wcoll.sh has them.
@pytest.mark.parametrize("line", ["#include", "#include ", "#include b garbage", "#included b", " #include b"])
def test_a_line_that_begins_as_an_include_and_is_none_is_told(tmp_path: Path, line: str) -> None:
    groups, problems = of_directory(write(tmp_path, a=f"{line}\nn1\n", b="n2\n"))
    assert groups["a"].nodes == ("n1",)
    assert len(problems) == 1
    assert problems[0].startswith(f"{tmp_path / 'a'}:1: no include")


def test_a_hash_before_other_words_is_a_comment(tmp_path: Path) -> None:
    assert of_directory(write(tmp_path, a="# include b\n#rack b\nn1 #include b\n"))[1] == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_that_was_saved_on_windows_is_read(tmp_path: Path, encoding: str) -> None:
    write(tmp_path / "group", b="n3\n")
    (tmp_path / "group" / "a").write_bytes("n1\r\nn2\r\n#include b\r\n".encode(encoding))
    for groups, problems in (of_directory(tmp_path / "group"), of_file(tmp_path / "group" / "a")):
        assert problems == []
        assert groups["a"].nodes == ("n1", "n2", "n3")


def test_the_faults_of_a_file_are_told_once_however_often_it_is_included(tmp_path: Path) -> None:
    _, problems = of_directory(write(tmp_path, a="#include c\n", b="#include c\n", c="n[1-\n"))
    assert len(problems) == 1


def test_a_bad_line_is_named_and_the_rest_is_used(tmp_path: Path) -> None:
    groups, problems = of_directory(write(tmp_path, a="n1\nn[1-\nn;rm -rf\nuser@n3\nn[0-999999]\nn2\n"))
    assert groups["a"].nodes == ("n1", "n2")
    assert [problem.partition(": ")[0] for problem in problems] == [f"{tmp_path / 'a'}:{i}" for i in (2, 3, 4, 5)]


def test_a_name_with_a_meaning_of_its_own_is_a_problem(tmp_path: Path) -> None:
    groups, problems = of_directory(write(tmp_path, sinfo="n1\n"))
    assert groups == {}
    assert "has a meaning of its own" in problems[0]


def test_a_file_of_all_nodes_is_no_group_and_no_problem(tmp_path: Path) -> None:
    """Debian's dsh and most sites have one; `all` is every node anyway."""
    groups, problems = of_directory(write(tmp_path, all="n1\nuser@n2\n", a="#include all\n"))
    assert set(groups) == {"a"}
    assert [problem.partition(": ")[0] for problem in problems] == [f"{tmp_path / 'all'}:2"]
    (tmp_path / "a").unlink()
    for found in (of_directory(tmp_path), of_file(write(tmp_path / "lists", hosts="all: n1\n") / "hosts")):
        assert found == ({}, [])


def test_a_bad_group_name_is_a_problem(tmp_path: Path) -> None:
    groups, problems = of_directory(write(tmp_path, **{"a b;c": "n1\n"}))
    assert groups == {}
    assert "is not a name" in problems[0]


def test_the_first_definition_wins(tmp_path: Path) -> None:
    first, second = write(tmp_path / "1", a="n1\n"), write(tmp_path / "2", a="n2\n")
    groups, problems = read_groups(GroupSettings(directories=(str(first), str(second))), Path)
    assert groups["a"].nodes == ("n1",)
    assert problems == [f'{second / "a"}: the group "a" is already defined by {first / "a"}']


def test_only_the_default_directories_may_be_missing(tmp_path: Path) -> None:
    assert read_groups(GroupSettings(), lambda path: tmp_path / path.lstrip("/")) == ({}, [])
    _, problems = of_directory(tmp_path / "none")
    assert problems == [f"{tmp_path / 'none'}: No such file or directory"]


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    assert of_file(tmp_path / "none") == ({}, [f"{tmp_path / 'none'}: No such file or directory"])


def test_a_hostlist_file_is_one_group_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "rack7.txt"
    path.write_text("n[0-1],\nn3 # spare\n")
    groups, problems = of_file(path)
    assert problems == []
    assert groups == {"rack7": Group("rack7", str(path), ("n0", "n1", "n3"))}


def test_a_hostlist_file_may_include_others_of_its_directory(tmp_path: Path) -> None:
    directory = write(tmp_path / "lists", hosts="n1\n#include b\n", b="n2\n#include hosts\n")
    groups, problems = of_file(directory / "hosts")
    assert problems == []
    assert groups == {"hosts": Group("hosts", str(directory / "hosts"), ("n1", "n2"))}


def test_a_hostlist_file_may_name_its_groups(tmp_path: Path) -> None:
    path = tmp_path / "racks"
    path.write_text("# racks\nrack1: n[0-1].savio2\nrack2 :n5,n6\nempty:\nrack1: n9\n")
    groups, problems = of_file(path)
    assert {name: group.nodes for name, group in groups.items()} == {
        "rack1": ("n0.savio2", "n1.savio2"),
        "rack2": ("n5", "n6"),
        "empty": (),
    }
    assert [problem.partition(": ")[0] for problem in problems] == [f"{path}:5"]


def test_a_file_that_is_too_large_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"#" * (MAX_FILE + 1))
    (tmp_path / "large").write_bytes(b"#" * (MAX_FILE - 3) + b"\nn1")
    groups, problems = of_directory(tmp_path)
    assert groups["large"].nodes == ("n1",)
    assert "larger than" in problems[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary(max_size=200) | st.text(st.sampled_from("n1[]-,:# \ninclude"), max_size=200).map(str.encode))
def test_any_file_gives_groups_and_problems_and_no_exception(tmp_path: Path, data: bytes) -> None:
    directory = tmp_path / "group"
    directory.mkdir(exist_ok=True)
    (directory / "a").write_bytes(data)
    for groups, problems in (of_directory(directory), of_file(directory / "a")):
        assert all(problem.startswith(str(directory)) for problem in problems)
        assert all(group.nodes == tuple(dict.fromkeys(group.nodes)) for group in groups.values())


# ---- groups that rights depend on ----


def test_a_group_of_rights_is_believed_where_nobody_else_can_write_any_of_its_files(tmp_path: Path) -> None:
    directory = write(tmp_path / "group", login="#include more\nn1\n", more="n2\n")
    racks = write(tmp_path / "racks", racks='login: n1\n#include "rest"\n', rest="n3\n") / "racks"
    sites = [
        (GroupSettings(directories=(str(directory),)), directory / "more"),
        (GroupSettings(directories=(), files=(str(racks),)), racks.with_name("rest")),
    ]
    for settings_, included in sites:
        (group, *_) = [found for name, found in read_groups(settings_, Path)[0].items() if name == "login"]
        assert why_not_believed(group, settings_, Path) == ""
        included.chmod(0o666)
        assert f"{included} " in why_not_believed(group, settings_, Path)
        included.chmod(0o644)
        included.write_text("n[1-\n")
        assert f"{included}:1" in why_not_believed(group, settings_, Path)
        included.unlink()
        assert why_not_believed(group, settings_, Path)
    assert why_not_believed(Group("savio2", "slurm", ("n1",)), GroupSettings(), Path) == ""
