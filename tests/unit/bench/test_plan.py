"""Blocks: complete, in random order, the same for the same seed."""

from collections import Counter
from itertools import combinations

import pytest

from roofmark.bench.plan import deciding_tier, plan_blocks
from roofmark.study import Protocol

NAMES = ("eager", "fused", "eager~twin", "other")


@pytest.mark.parametrize("blocks", [2, 4, 9])
def test_every_block_visits_everybody_once(blocks: int) -> None:
    plan = plan_blocks(Protocol(blocks=blocks), "cpu", NAMES, seed="s")
    assert sorted(block.index for block in plan) == list(range(blocks))
    assert {block.tier for block in plan} == {"call"}
    assert all(sorted(block.order) == sorted(NAMES) for block in plan)


@pytest.mark.parametrize("tier", ["graph", "kernel", "call"])
def test_other_tiers_have_a_quarter_of_the_blocks_and_one_at_least(tier: str) -> None:
    for blocks, others in ((2, 1), (4, 1), (9, 2)):
        protocol = Protocol(blocks=blocks, tier=tier)  # pyright: ignore[reportArgumentType]
        counts = Counter(block.tier for block in plan_blocks(protocol, "cuda", NAMES, seed="s"))
        wanted = dict.fromkeys(("graph", "kernel", "call"), others) | {tier: blocks}
        assert counts == wanted


def test_the_seed_decides_the_order() -> None:
    first, same, other = (
        plan_blocks(Protocol(blocks=16), "cpu", NAMES, seed=seed) for seed in ("a", "a", "b")
    )
    assert first == same != other


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_any_two_are_visited_in_both_orders(device: str) -> None:
    plan = plan_blocks(Protocol(blocks=6), device, NAMES, seed="s")  # pyright: ignore[reportArgumentType]
    deciding = deciding_tier(Protocol(blocks=6), device)  # pyright: ignore[reportArgumentType]
    by_index = {b.index: b.order for b in plan if b.tier == deciding}
    for a, b in combinations(NAMES, 2):
        first = [order.index(a) < order.index(b) for _, order in sorted(by_index.items())]
        assert first[::2] == [not each for each in first[1::2]]


def test_everybody_comes_first_about_as_often() -> None:
    firsts: Counter[str] = Counter()
    for seed in range(400):
        firsts.update(
            b.order[0] for b in plan_blocks(Protocol(blocks=4), "cpu", NAMES, seed=str(seed))
        )
    # 1600 draws, 400 expected each, standard deviation 17: six of them.
    assert all(300 < firsts[name] < 500 for name in NAMES)


def test_a_cpu_decides_on_calls() -> None:
    assert deciding_tier(Protocol(tier="kernel"), "cpu") == "call"
    assert deciding_tier(Protocol(tier="kernel"), "cuda") == "kernel"
