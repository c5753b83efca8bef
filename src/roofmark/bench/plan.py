"""What is visited in which order: pure, and random only through a seed that the bundle keeps.

In: protocol, device, names, a seed. Out: blocks. A block belongs to one tier; in it every solution
has one visit, in an order drawn afresh for every second block and turned round in the block after
it: AB then BA for any two of them, so that drift and the warmth left by a neighbour fall on all of
them alike.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from roofmark.study import Device, Protocol, Tier

_TIERS: dict[Device, tuple[Tier, ...]] = {"cpu": ("call",), "cuda": ("graph", "kernel", "call")}


@dataclass(frozen=True)
class Block:
    """One tier's block: its index among the blocks of that tier, and the order of visits."""

    tier: Tier
    index: int
    order: tuple[str, ...]


def tiers_on(device: Device) -> tuple[Tier, ...]:
    """Return the tiers that a device offers."""
    return _TIERS[device]


def deciding_tier(protocol: Protocol, device: Device) -> Tier:
    """Return the tier whose numbers decide: the protocol's, or on a CPU the only one there is."""
    return protocol.tier if device == "cuda" else "call"


def plan_blocks(
    protocol: Protocol, device: Device, names: Sequence[str], *, seed: str
) -> tuple[Block, ...]:
    """Return one process set's blocks for one workload.

    Chosen: a quarter of the deciding tier's blocks, and at least one, for each other tier: they
    explain a verdict and never decide it.
    """
    chance = random.Random(seed)
    deciding = deciding_tier(protocol, device)
    blocks: list[tuple[Tier, int]] = []
    for tier in tiers_on(device):
        count = protocol.blocks if tier == deciding else max(1, protocol.blocks // 4)
        blocks.extend((tier, index) for index in range(count))
    orders = {block: _order(chance, names) for block in blocks if block[1] % 2 == 0}
    orders |= {(t, i): orders[t, i - 1][::-1] for t, i in blocks if i % 2 == 1}
    chance.shuffle(blocks)
    return tuple(Block(tier, index, orders[tier, index]) for tier, index in blocks)


def _order(chance: random.Random, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(chance.sample(names, len(names)))
