"""What kind of hardware a node is of, for what is counted: a group that the site names, else its partitions.

Partitions are how most sites tell their generations of hardware apart, and every botd has them. Nodes that are in the
same ones, whatever their number, are of one kind: a partition for everybody or for debugging then joins no kinds, and
parts some at worst. Where that is not so, `[advice] hardware` names groups. Slurm's features would tell more at some
sites, and say `rack7` or `centos` at others; the list that botd reads has none.
"""

from __future__ import annotations

from collections.abc import Sequence

from botd.inventory import Inventory
from botd.nodeset import natural_key

LONGEST = 64
"""Characters of a name: what stands in a sentence and in a column of the ledger."""


def hardware_of(inventory: Inventory, node: str, groups: Sequence[str] = ()) -> str:
    """The first of these groups that has the node, else its partitions as `savio2,savio2_bigmem`; empty for none."""
    named = inventory.groups_of(node)
    if found := next((name for name in groups if name in named), ""):
        return found
    slurm = inventory.nodes.get(node)
    return ",".join(sorted(set(slurm.partitions), key=natural_key))[:LONGEST] if slurm else ""
