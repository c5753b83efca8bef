"""Values: the seed gives them, and nothing else does; poison is wrong everywhere."""

import pytest
import torch

import roofmark as rm
from roofmark.bench.arena import Arena
from roofmark.bench.inputs import distributions, draw_inputs, poison
from roofmark.bench.layout import plan_layout
from roofmark.study import Definition, Values, Workload

DEFINITION = Definition(
    name="any",
    axes={"n": 257},
    inputs={
        "x": rm.Tensor("n", "float32"),
        "k": rm.Tensor("n 8", "bfloat16", rm.Normal(unit=True)),
        "i": rm.Tensor("n", "int32", rm.Integers(-2, 3)),
    },
    outputs={"y": rm.Tensor("n", "bfloat16"), "z": rm.Tensor("n", "int8")},
    reference="r.py::f",
    tolerance=rm.Exact(),
    flops="n",
    traffic="n",
)
LAYOUT = plan_layout(DEFINITION, {"n": 257})
PLACES = {place.name: place for place in (*LAYOUT.inputs, *LAYOUT.outputs)}


def _drawn(seed: str, *, slots: range = range(4), values: dict[str, Values] | None = None) -> Arena:
    arena = Arena(torch.zeros(4 * LAYOUT.stride, dtype=torch.uint8))
    chosen = distributions(DEFINITION, Workload(values=values or {}))
    draw_inputs(arena, LAYOUT, chosen, slots=slots, seed=seed)
    return arena


def _stack(arena: Arena, name: str) -> torch.Tensor:
    return arena.stacked(PLACES[name], LAYOUT, range(4))


def test_the_seed_gives_the_values() -> None:
    first, same, other = _drawn("a/call0"), _drawn("a/call0"), _drawn("a/call1")
    assert torch.equal(first.data, same.data)
    for name in DEFINITION.inputs:
        # The next block's values are fresh: normal ones differ nearly everywhere.
        share = (_stack(first, name) != _stack(other, name)).float().mean()
        assert share > (0.7 if name == "i" else 0.95)


def test_no_two_slots_and_no_two_inputs_are_alike() -> None:
    x = _stack(_drawn("s"), "x")
    assert len(torch.unique(x, dim=0)) == 4
    same = dict.fromkeys(DEFINITION.inputs, rm.Integers(0, 100))
    arena = _drawn("s", values=dict(same))
    assert not torch.equal(_stack(arena, "x"), _stack(arena, "i").float())


def test_distributions_are_those_that_were_asked_for() -> None:
    arena = _drawn("s", values={"x": rm.Uniform(5.0, 6.0)})
    assert set(_stack(arena, "i").unique().tolist()) == {-2, -1, 0, 1, 2}
    lengths = _stack(arena, "k").float().norm(dim=-1)
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-2)
    x = _stack(arena, "x")
    assert 5.0 <= x.min() < 5.1 and 5.9 < x.max() <= 6.0
    normal = _stack(_drawn("s"), "x")
    assert abs(normal.mean()) < 0.15 and abs(normal.std() - 1) < 0.15


def test_other_slots_are_left_alone() -> None:
    arena = _drawn("s", slots=range(1, 3))
    rows = _stack(arena, "x")
    assert rows[1:3].any() and not rows[0].any() and not rows[3].any()


@pytest.mark.parametrize("slots", [(0, 1, 2, 3), (2,)])
def test_poison_is_wrong_everywhere(slots: tuple[int, ...]) -> None:
    arena = _drawn("s")
    inputs = {name: _stack(arena, name).clone() for name in DEFINITION.inputs}
    poison(arena, LAYOUT, slots, "p")
    poisoned = _stack(arena, "y").isnan().all(dim=1)
    assert [k for k in range(4) if poisoned[k]] == list(slots)
    assert all(len(_stack(arena, "z")[slot].unique()) > 50 for slot in slots)
    assert all(torch.equal(_stack(arena, name), before) for name, before in inputs.items())
    before = _stack(arena, "z").clone()
    poison(arena, LAYOUT, slots, "q")
    assert not torch.equal(_stack(arena, "z"), before)
