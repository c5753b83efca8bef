"""Shift: how much slower a cell is than its pin, and how sure that is.

In: two `Pinned`. Out: `Shift`, a mean log change with its error, and the margin that a pin's own
noise can tell. The formulae stand in gate.py, which decides by them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

from roofmark.analysis.baseline import Baseline, Metric, Pinned, PinnedCell
from roofmark.analysis.compare import Place
from roofmark.analysis.stats import mean, rms, sig
from roofmark.records import Missing
from roofmark.study import Device
from roofmark.units import Ratio

# Chosen: what one run of an unchanged program differs from the next by, beyond its own processes.
# A GPU under its own clock control keeps a time within half a percent; a shared host's processor
# does not. Ratios measured side by side lose most of it. Raise them for a host whose A/A gates fail
# (benchmarks/gate.py counts them).
RUN_SPREAD: dict[Device, dict[Metric, float]] = {
    "cuda": {"speedup": 0.002, "time": 0.005},
    "cpu": {"speedup": 0.01, "time": 0.03},
}
ALARM = 0.02
"""Chosen: how often unchanged code may fail a gate; once in fifty runs nobody learns to ignore."""
# Chosen: Student's t is the normal law long before, and its inverse stays computable.
MOST_DF = 1e6
# Chosen: the exponential of twice this is a finite double, and far beyond any ratio.
WIDEST = 300.0


@dataclass(frozen=True, slots=True)
class Shift:
    """A mean log change with its standard error, degrees of freedom and clock's blur."""

    mean: float
    error: float
    df: float
    blur: float

    def half(self, each: float) -> float:
        """Return the half-width that unchanged code stays within on one side, but for `each`."""
        half = float(stdtrit(self.df, 1 - each)) * self.error + self.blur
        return min(WIDEST, half)

    def chance(self) -> float:
        """Return the probability of a shift this large or larger in unchanged code."""
        hidden = math.copysign(min(abs(self.mean), self.blur), self.mean)
        beyond = self.mean - hidden
        return float(stdtr(self.df, -beyond / self.error))


def shift_between(old: Pinned, new: Pinned, metric: Metric, run: float) -> Shift:
    """Return how much slower the new is; run: spread between runs, as a standard deviation."""
    means = [mean([math.log(value) for value in pinned.values]) for pinned in (old, new)]
    own = [pinned.spread**2 / len(pinned.values) for pinned in (old, new)]
    variance = math.fsum(own) + 2 * run**2
    weights = zip(own, (old, new), strict=True)
    below = math.fsum(v * v / (len(pinned.values) - 1) for v, pinned in weights)
    df = min(MOST_DF, variance**2 / below) if below else MOST_DF
    change = means[1] - means[0]
    return Shift(
        change if metric == "time" else -change, math.sqrt(variance), df, old.blur + new.blur
    )


def run_spread(pin: Baseline, metric: Metric, fresh: Baseline | None = None) -> float:
    """Return the spread between runs: the stated one, or more where the two runs show more.

    What shows it: the A/A twins, and for times the study's baseline, the host's canary.
    """
    stated = max(RUN_SPREAD[pin.device][metric], pin.control)
    if fresh is None:
        return stated
    return max(stated, fresh.control, canary_shift(pin, fresh) if metric == "time" else 0.0)


def canary_shift(pin: Baseline, fresh: Baseline) -> float:
    """Return how far the time of the study's baseline moved, as the rms of logs over workloads.

    0 unless its sources are proved to be the same: then only the machine can have moved it.
    """
    if isinstance(pin.baseline_source, Missing) or pin.baseline_source != fresh.baseline_source:
        return 0.0
    was, now = (
        {c.workload: c.time.estimate.value for c in each.cells if c.solution == pin.baseline}
        for each in (pin, fresh)
    )
    return rms([math.log(now[workload] / was[workload]) for workload in was.keys() & now.keys()])


def derived_margins(
    pin: Baseline, cells: Sequence[PinnedCell], metric: Metric, alarm: float
) -> dict[Place, Ratio]:
    """Return what the pinned noise can tell in each cell that has the metric."""
    run, found = run_spread(pin, metric), [(c, c.metric(metric)) for c in cells]
    having = [(cell, pinned) for cell, pinned in found if not isinstance(pinned, Missing)]
    return {
        (cell.workload, cell.solution): derive_margin(
            pinned, run, alarm / len(having), least=pin.margin
        )
        for cell, pinned in having
    }


def derive_margin(pinned: Pinned, run: float, each: float, *, least: float) -> Ratio:
    """Return the smallest slow-down that a run as noisy as the pinned one surely tells."""
    expected = shift_between(pinned, pinned, "time", run)
    return sig(max(least, math.expm1(2 * expected.half(each))))
