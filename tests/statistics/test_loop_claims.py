"""A loop's claims on recorded noise, on fewer tries than `benchmarks/loop.py` makes by itself."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KIND = "device-timed"


@pytest.fixture(scope="module")
def benchmark():
    """Load benchmarks/loop.py, which mends the path of a script for itself."""
    spec = importlib.util.spec_from_file_location("loop_benchmark", ROOT / "benchmarks/loop.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", ["", *sys.path])
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


def run(benchmark, loops, candidates, margin, truth, **how):
    asked = [(KIND, seed, candidates, margin, truth, how) for seed in range(loops)]
    return sum(map(benchmark.run_loop, asked), benchmark.Told())


def test_equal_programs_are_not_kept_and_leave_early(benchmark):
    told = run(benchmark, 5, 10, 0.02, "equal")
    assert told.keeping == 0 and told.tries == 50
    assert told.naive_keeping == 5, (
        "noise in which the habit of the field keeps nothing tests nothing"
    )
    assert told.sets / told.tries < 3
    assert told.endings["slower"] == 0
    # What earlier tries showed of the noise spares sets, and keeps nothing more.
    blind = run(benchmark, 5, 10, 0.02, "equal", forgets=True)
    assert told.sets < blind.sets and blind.keeping == 0


def test_gains_of_3_percent_are_kept_among_many_without(benchmark):
    told = run(benchmark, 5, 20, 0.01, "mixed")
    assert told.gains == 10 and told.found >= 9 and told.false == 0
    assert told.sets / told.tries < 5


def test_at_the_margin_is_no_gain(benchmark):
    assert run(benchmark, 5, 2, 0.02, "at the margin").keeping == 0


def test_giving_up_loses_no_gain_that_patience_keeps(benchmark):
    kept = [benchmark.try_one((KIND, seed, 1.04, how))[0] for seed in range(5)
            for how in ({}, {"patient": True})]  # fmt: skip
    assert all(kept)
