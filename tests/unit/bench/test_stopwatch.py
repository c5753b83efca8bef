"""Timing of ceilings against a clock that is made up, and the choice of sizes."""

import statistics

import pytest

from roofmark.records import Missing

torch = pytest.importorskip("torch")

from roofmark.bench.ceiling_probe import MIB, plan_sizes  # noqa: E402
from roofmark.bench.stopwatch import CpuStopwatch, measure  # noqa: E402


class MadeUp:
    """A stopwatch on which every call takes `cost` seconds, the first pass ten times that."""

    graphs = False

    def __init__(self, cost):
        self.cost, self.passes, self.cold = cost, [], True

    def prepare(self, calls):
        def run(passes):
            self.passes.append(passes)
            factor, self.cold = (10 if self.cold else 1), False
            return passes * len(calls) * self.cost * factor

        return run

    def single(self, call):
        return self.cost


@pytest.mark.parametrize(("cost", "tries"), [(1e-7, 20), (2e-3, 20), (8e-3, 10), (1.0, 5)])
def test_figures_are_per_call_and_leave_out_the_first_pass(cost, tries):
    watch = MadeUp(cost)
    times = measure(watch, [lambda: None])
    assert times == pytest.approx([cost] * tries)
    assert watch.passes[:2] == [1, 1]
    assert watch.passes[-1] * cost >= 2e-3 or watch.passes[-1] == 1


def test_several_calls_share_a_pass():
    assert statistics.median(measure(MadeUp(1e-4), [lambda: None] * 7)) == pytest.approx(1e-4)


def test_a_clock_that_does_not_move_is_no_division_by_zero():
    assert measure(MadeUp(0.0), [lambda: None])[0] == 0.0


def test_cpu_stopwatch_runs_every_call_in_order():
    seen = []
    run = CpuStopwatch().prepare([lambda k=k: seen.append(k) for k in range(3)])
    assert run(2) > 0 and seen == [0, 1, 2, 0, 1, 2]
    assert CpuStopwatch().single(lambda: seen.append("one")) > 0 and seen[-1] == "one"


def test_sizes_on_a_gpu():
    rotation, sizes = plan_sizes("cuda", 60 * MIB, 130_000 * MIB)
    assert rotation == 240 * MIB
    assert (sizes[0], sizes[-1], len(sizes)) == (MIB // 2, 2048 * MIB, 13)


def test_sizes_on_a_cpu_reach_four_times_the_cache():
    rotation, sizes = plan_sizes("cpu", 32 * MIB, 64_000 * MIB)
    assert (rotation, sizes[-1]) == (128 * MIB, 128 * MIB)


def test_sizes_stay_small_where_memory_is_short():
    rotation, sizes = plan_sizes("cpu", 384 * MIB, 160 * MIB)
    assert rotation == 10 * MIB and sizes[-1] == 8 * MIB
    assert plan_sizes("cuda", 60 * MIB, 0) == (MIB // 2, (MIB // 2,))


def test_unknown_cache_rotates_over_more_than_any():
    unknown = Missing(reason="no sysfs")
    assert plan_sizes("cpu", unknown, 64_000 * MIB)[0] == 512 * MIB
