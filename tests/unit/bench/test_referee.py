"""The referee, in this process: what references may do, and what becomes of weights."""

import os
from pathlib import Path

import pytest
import torch

import roofmark as rm
from roofmark.bench.layout import plan_layout
from roofmark.bench.messages import (
    Draw,
    Hide,
    Keep,
    Open,
    Poison,
    Restore,
    Stage,
    Verified,
    Verify,
)
from roofmark.bench.referee import Referee
from roofmark.study import Definition

SLOTS = 4
PRODUCT = "def product(x, w):\n    return x * w\n"
CHANGES = "def product(x, w):\n    return x.mul_(w)\n"
OWN = """
from pathlib import Path

with Path(__file__).with_suffix(".log").open("a") as log:
    log.write("imported ")

def changes_x(x, w):
    return x.mul_(w)

def changes_w(x, w):
    return w.mul_(x)

def counts(x, w, **params):
    assert params == {"SPLIT": 2}
    return x * w

def once(x, w, SPLIT):
    with Path(__file__).with_suffix(".log").open("a") as log:
        log.write("called ")
    return x * w
"""


class _Bench:
    """A referee with an arena of its own, and a solution that is always right."""

    def __init__(self, folder: Path, reference: str, dtype: str) -> None:
        (folder / "reference.py").write_text(reference)
        (folder / "own.py").write_text(OWN)
        self.definition = Definition(
            name="product",
            axes={"K": 8},
            inputs={"x": rm.Tensor("K", "float32"), "w": rm.Tensor("K", "float32")},
            weights=("w",),
            outputs={"y": rm.Tensor("K", "float32")},
            reference="reference.py::product",
            reference_dtype=dtype,  # pyright: ignore[reportArgumentType]
            tolerance=rm.Tolerance(rms=1e-4),
            flops="K",
            traffic="12*K",
        )
        self.layout = plan_layout(self.definition, {"K": 8})
        size = SLOTS * self.layout.stride
        descriptor = os.memfd_create("roofmark-test")
        os.ftruncate(descriptor, size)
        self.referee = Referee()
        self.referee.open(
            Open(
                definition=self.definition,
                folder=str(folder),
                device="cpu",
                entropy="e",
                size=size,
                descriptor=descriptor,
            )
        )
        os.close(descriptor)

    def draw(self, seed: str, *, weights: bool = False, hidden: bool = False) -> None:
        self.referee.draw(
            Draw(
                workload=rm.Workload(), first=0, slots=SLOTS, expect=SLOTS, seed=seed,
                weights=weights, hidden=hidden,
            )
        )  # fmt: skip

    def views(self, slot: int) -> list[torch.Tensor]:
        """Return x, w and y of one slot."""
        place = {each.name: each for each in (*self.layout.inputs, *self.layout.outputs)}
        return [self.referee.arena.view(place[n], self.layout, slot) for n in "xwy"]

    def write(self, slot: int) -> None:
        """Compute one slot as a solution would."""
        x, w, y = self.views(slot)
        y.copy_(x * w)

    def answer(self, slot: int, exact: str = "", **params: int) -> Verified:
        """Compute one slot, and have it verified."""
        self.write(slot)
        exact = exact and f"own.py::{exact}"
        return self.referee.verify(Verify(slots=(slot,), exact=exact, params=params))


def _right(verified: Verified) -> bool:
    return not verified.changed and all(each.passed for each in verified.errors)


@pytest.mark.parametrize("dtype", ["native", "float32", "float64"])
def test_a_reference_that_writes_its_inputs_blames_no_solution(tmp_path: Path, dtype: str) -> None:
    bench = _Bench(tmp_path, CHANGES, dtype)
    bench.draw("first", weights=True)
    assert _right(bench.answer(0))
    bench.draw("next")
    assert _right(bench.answer(1))


def test_what_is_written_after_outputs_were_copied_away_is_not_looked_at(tmp_path: Path) -> None:
    bench = _Bench(tmp_path, PRODUCT, "float64")
    bench.draw("first", weights=True)
    bench.write(0)
    bench.referee.answer(Keep(calls=2))
    bench.write(1)
    late = bench.referee.verify(Verify(slots=(1,)))
    assert not _right(late) and late.errors[0].nonfinite == 8
    bench.draw("next")
    bench.write(0)
    bench.referee.answer(Keep(calls=2))
    bench.referee.arena.data.fill_(0xFF)
    assert bench.referee.verify(Verify(slots=(0,))).errors[0].passed


@pytest.mark.parametrize("staged", [True, False])
def test_what_an_empty_batch_left_is_not_the_next_one_s(tmp_path: Path, staged: bool) -> None:
    bench = _Bench(tmp_path, PRODUCT, "float64")
    bench.draw("first", weights=True)
    bench.answer(0)
    bench.write(1)
    if staged:
        size = bench.referee.home.data.numel()
        descriptor = os.memfd_create("roofmark-test")
        os.ftruncate(descriptor, size)
        bench.referee.answer(Stage(cache="warm", descriptor=descriptor))
    bench.write(0)
    signs = bench.referee.verify(Verify(slots=(0,), own=0)).signs
    assert [sign.kind for sign in signs] == ([] if staged else ["spoiled"])


def test_before_a_batch_calls_are_made_over_other_values_of_the_same_workload(
    tmp_path: Path,
) -> None:
    bench = _Bench(tmp_path, PRODUCT, "float64")
    bench.draw("first", weights=True)
    decoy = bench.views(0)[0].clone()
    bench.draw("next", hidden=True)
    assert all(bench.views(slot)[0].equal(decoy) for slot in range(SLOTS))
    bench.write(1)
    bench.referee.answer(Poison())
    bench.referee.answer(Stage(cache="warm"))
    x, _, y = bench.views(1)
    assert not x.equal(decoy) and y.isnan().all()
    assert _right(bench.answer(1))
    bench.referee.answer(Hide())
    assert bench.views(1)[0].equal(decoy)


@pytest.mark.parametrize("slot", range(SLOTS))
def test_inputs_that_were_spoiled_are_found_in_every_slot(tmp_path: Path, slot: int) -> None:
    bench = _Bench(tmp_path, PRODUCT, "float64")
    bench.draw("first", weights=True)
    x, _, y = bench.views(slot)
    before = x.clone()
    bench.write(slot)
    x.fill_(7.0)
    found = bench.referee.answer(Restore())
    assert isinstance(found, Verified) and found.changed == ("x",) and x.equal(before)
    assert y.isnan().all()
    assert bench.referee.answer(Restore()) == Verified(errors=(), changed=())


@pytest.mark.parametrize("exact", ["changes_x", "changes_w"])
def test_an_exact_reference_that_writes_its_inputs_blames_nobody(
    tmp_path: Path, exact: str
) -> None:
    bench = _Bench(tmp_path, PRODUCT, "float64")
    bench.draw("first", weights=True)
    assert _right(bench.answer(0, exact))
    bench.draw("next")
    assert _right(bench.answer(0)) and _right(bench.answer(1, exact))


def test_an_exact_reference_may_take_params_by_any_name(tmp_path: Path) -> None:
    bench = _Bench(tmp_path, PRODUCT, "float64")
    bench.draw("first", weights=True)
    assert _right(bench.answer(0, "counts", SPLIT=2))


def test_solutions_that_add_alike_share_one_exact_result(tmp_path: Path) -> None:
    bench = _Bench(tmp_path, PRODUCT, "float64")
    for seed in ("first", "next"):
        bench.draw(seed, weights=seed == "first")
        for unroll in (1, 2):
            assert _right(bench.answer(0, "once", SPLIT=2, UNROLL=unroll))
    # The file is executed once, whatever its functions are called for.
    assert (tmp_path / "own.log").read_text() == "imported called called "
