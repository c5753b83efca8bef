"""Replay: put simulated times through the stopping rule, one process after the other.

In: times [study, role, process, block, sample]. Out: per study the decision of the solution's cell,
its interval, and when the rule stopped. The arithmetic is that of `roofmark.analysis`; only the
records are left out, and tests prove on some studies that the full judge says the same.
"""

from dataclasses import dataclass

import numpy as np

from roofmark.analysis.compare import Pairs, looks, twin_floor
from roofmark.analysis.decide import summary_of
from roofmark.analysis.stats import classify, hidden_by_clock, interval


@dataclass(frozen=True)
class Outcome:
    decision: str
    low: float
    high: float
    processes: int


def replay(times, protocol, *, cells=1, tick=0.0, every_look=False):
    """Stop at the first decision, as a run does; `every_look` keeps the widest claim instead.

    cells: size of the family; the cell has to stand at the strictest step of Holm's procedure.
    """
    medians = np.median(times, axis=-1)
    ratios = np.log(medians[:, :1] / medians[:, 1:])
    return [_study(r, m, protocol, cells, tick) for r, m in zip(ratios, medians, strict=True)]


def _study(ratios, medians, protocol, cells, tick):
    fewest, most = protocol.processes
    outcome = None
    for n in range(fewest, most + 1):
        blur = (
            sum(hidden_by_clock(list(medians[role, :n].ravel()), tick) for role in (0, 1))
            if tick
            else 0.0
        )
        twin = Pairs({p: list(ratios[1, p]) for p in range(n)}, {}, {}, blur)
        pairs = Pairs({p: list(ratios[0, p]) for p in range(n)}, {}, {}, blur)
        outcome = _look(pairs, twin_floor(twin), protocol, cells)
        if outcome.decision != "undecided":
            return outcome
    return outcome


def _look(pairs, floor, protocol, cells):
    summary = summary_of(pairs, floor)
    planned = looks(protocol)
    zone, p = classify(summary, margin=protocol.margin, looks=planned)
    low, high = interval(summary, level=protocol.level, looks=planned)
    decided = p * cells <= 1 - protocol.level
    return Outcome(zone if decided else "undecided", low, high, pairs.n)
