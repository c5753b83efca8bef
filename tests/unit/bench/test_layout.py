"""Slots: nothing overlaps, everything is aligned, sizes are exact."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import roofmark as rm
from roofmark.bench.arena import Arena
from roofmark.bench.layout import ALIGNMENT, Layout, plan_layout, plan_slots
from roofmark.study import Definition


def _definition(*dtypes: str) -> Definition:
    return Definition(
        name="any",
        axes={"n": rm.VAR, "d": 3},
        inputs={f"i{k}": rm.Tensor("n d", dtype) for k, dtype in enumerate(dtypes)},
        outputs={"o": rm.Tensor("n n+1", "bfloat16"), "s": rm.Tensor("", "float32")},
        reference="r.py::f",
        tolerance=rm.Exact(),
        flops="n",
        traffic="n",
    )


@given(
    st.integers(1, 700),
    st.lists(st.sampled_from(["int8", "bool", "float16", "float32", "int64"]), min_size=1),
)
def test_places_are_aligned_and_do_not_overlap(n: int, dtypes: list[str]) -> None:
    layout = plan_layout(_definition(*dtypes), {"n": n, "d": 3})
    end = 0
    for place in (*layout.inputs, *layout.outputs):
        assert place.offset % ALIGNMENT == 0 and place.offset >= end
        width = getattr(torch, place.dtype).itemsize
        assert place.size == torch.Size(place.shape).numel() * width
        end = place.offset + place.size
    assert layout.stride >= end and layout.stride % ALIGNMENT == 0
    assert layout.stride - layout.touched < ALIGNMENT * (len(dtypes) + 2)


def test_views_and_stacks_show_the_same_memory() -> None:
    layout = plan_layout(_definition("float32"), {"n": 5, "d": 3})
    arena = Arena(torch.zeros(7 * layout.stride, dtype=torch.uint8))
    place = layout.inputs[0]
    stacked = arena.stacked(place, layout, range(2, 6))
    stacked.copy_(torch.arange(60, dtype=torch.float32).view(4, 5, 3))
    for row, slot in enumerate(range(2, 6)):
        view = arena.view(place, layout, slot)
        assert view.is_contiguous() and torch.equal(view, stacked[row])
    for slot in (0, 1, 6):
        assert not arena.view(place, layout, slot).any()
    assert not any(arena.view(p, layout, s).any() for p in layout.outputs for s in range(7))


@pytest.mark.parametrize(
    ("cache", "calls", "budget", "slots"),
    [
        (0, 8, 1 << 30, 8),  # nothing to rotate through: as many as there are calls
        (1 << 20, 8, 1 << 30, 128),  # 2 MiB / 1 KiB = 2048, but no more than 128
        (16 << 10, 8, 1 << 30, 32),  # twice the cache
        (16 << 10, 8, 20 << 10, 20),  # no more than there is room for
        (16 << 10, 8, 0, 2),  # and never fewer than two
        (0, 256, 1 << 30, 256),  # the calls that were asked for, also beyond 128
    ],
)
def test_slots_rotate_through_twice_the_cache(
    cache: int, calls: int, budget: int, slots: int
) -> None:
    definition = _definition("int8")
    place = plan_layout(definition, {"n": 1, "d": 3}).inputs[0]
    layout = Layout((type(place)("x", 0, (1024,), "int8"),), (), 1024)
    assert plan_slots(layout, calls=calls, cache=cache, budget=budget) == slots
