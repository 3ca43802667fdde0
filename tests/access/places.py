"""A cluster for the tests of roles: two partitions, a rack, an empty group, and two nodes of one short name."""

from __future__ import annotations

from datetime import UTC, datetime

from botd.access.places import Places
from botd.inventory import build
from botd.model import Group
from tests.conftest import drained, idle

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SAVIO2 = tuple(f"n{i:04d}.savio2" for i in range(4))
SAVIO3 = tuple(f"n{i:04d}.savio3" for i in range(2, 6))
NODES = (*SAVIO2, *SAVIO3, "login00.brc", "fs01.brc", "mgmt")
GROUPS = {
    "rack1": Group("rack1", "/etc/pdsh/group/rack1", (SAVIO2[1], SAVIO3[0])),
    "savio3": Group("savio3", "/etc/pdsh/group/savio3", SAVIO3[:2]),
    "empty": Group("empty", "/etc/pdsh/group/empty", ()),
}
PLACES = Places(build([drained(NODES[0]), *map(idle, NODES[1:])], GROUPS, NOW))
