from __future__ import annotations

from collections import Counter

import pytest

from botd.demo.scenarios import KINDS, SCENARIOS
from botd.demo.site import Site, build_site, racks

NOW = 1_795_464_000.0


@pytest.fixture(scope="module")
def usual() -> Site:
    return build_site(320, 1, NOW)


def test_the_usual_site_has_over_300_nodes_in_four_groups(usual: Site) -> None:
    groups = Counter(node.partitions[0] for node in usual.nodes)
    assert sum(groups.values()) == 320
    assert list(groups) == [kind.name for kind in KINDS]
    assert min(groups.values()) >= 40


def test_about_30_nodes_are_down_drained_or_draining(usual: Site) -> None:
    listed = [node for node in usual.nodes if node.standing.down or node.standing.drain]
    assert 25 <= len(listed) <= 35
    assert all(node.standing.reason and node.standing.reason_by for node in listed)


def test_every_reason_of_the_table_stands_on_some_node(usual: Site) -> None:
    assert {item.reason for item in SCENARIOS} == {n.standing.reason for n in usual.nodes if n.standing.reason}


def test_a_fault_stands_in_the_group_that_it_belongs_to(usual: Site) -> None:
    groups = {node.standing.reason: node.partitions[0] for node in usual.nodes}
    assert groups["bad GPU 3, RMA open"] == "vector0"
    assert groups["needs new dimms"] == "bigmem"


def test_only_nodes_that_are_sound_or_draining_have_jobs(usual: Site) -> None:
    standing = {node.name: node.standing for node in usual.nodes}
    held = {name for job in usual.jobs if job.ended_at is None for name in job.nodes}
    listed = {name for name in held if standing[name].reason}
    assert len(held) > 100
    assert {standing[name].drain and not standing[name].down for name in listed} == {True}
    assert {standing[name].reason for name in listed} == {"see hung mpirun for user42", "Epilog error"}


def test_no_user_is_left_over_on_a_node_where_his_job_runs(usual: Site) -> None:
    left = {node.name: node.health.left_over for node in usual.nodes}
    assert not [job for job in usual.jobs if job.ended_at is None and job.user in left[job.nodes[0]]]


def test_no_core_is_given_to_two_jobs(usual: Site) -> None:
    cores = {node.name: node.cores for node in usual.nodes}
    used = Counter[str]()
    for job in usual.jobs:
        used.update({name: job.cores for name in job.nodes if job.ended_at is None})
    assert all(used[name] <= cores[name] for name in cores)


def test_every_node_had_a_job_within_the_last_day(usual: Site) -> None:
    ended = {job.nodes[0]: job.ended_at for job in usual.jobs if job.ended_at is not None}
    assert set(ended) == {node.name for node in usual.nodes}
    assert all(NOW - 86_400 < at < NOW for at in ended.values())


def test_the_same_seed_gives_the_same_site(usual: Site) -> None:
    assert build_site(320, 1, NOW) == usual
    assert build_site(320, 2, NOW) != usual


@pytest.mark.parametrize("count", [1, 7, 40, 320, 5000])
def test_any_size_has_as_many_nodes_as_asked_for(count: int) -> None:
    nodes = build_site(count, 1, NOW).nodes
    assert len({node.name for node in nodes}) == len({node.address for node in nodes}) == count
    assert len({node.bmc_address for node in nodes} | {node.address for node in nodes}) == 2 * count


def test_a_large_site_has_as_large_a_part_of_sick_nodes() -> None:
    nodes = build_site(3200, 1, NOW).nodes
    assert 250 <= sum(bool(node.standing.reason) for node in nodes) <= 350


def test_every_node_is_in_one_rack(usual: Site) -> None:
    names = [name for rack in racks(usual.nodes).values() for name in rack]
    assert sorted(names) == sorted(node.name for node in usual.nodes)
