"""Replay: put block log ratios through the stopping rule, one set of processes after the other.

In: log ratios of the solution and of the twin, [study][cell][process][block]. Out: per study the
decision, interval and length of every cell. The arithmetic is that of `roofmark.analysis`; only the
records are left out, and test_replay.py proves that the full judge says the same.
"""

from dataclasses import dataclass

import numpy as np

from roofmark.analysis.compare import Pairs, looks, twin_floor
from roofmark.analysis.decide import summary_of
from roofmark.analysis.stats import classify, hidden_by_clock, holm, interval

SOLUTION, TWIN = 0, 1


@dataclass
class Outcome:
    """One cell when its run ended."""

    decision: str
    low: float
    high: float
    processes: int
    p: float


def ratios_of(times):
    """Seconds [study, role, process, block, sample] -> log ratios [study, 2, process, block]."""
    medians = np.median(times, axis=-1)
    return np.log(medians[:, :1] / medians[:, 1:])


def blurs_of(times, tick):
    """What a clock of this tick hides, per study and kind, from all the spans of the run."""
    medians = np.median(times, axis=-1)
    hidden = [[hidden_by_clock(list(role.ravel()), tick) for role in study] for study in medians]
    return [(base + solution, base + twin) for base, solution, twin in hidden]


def replay(ratios, protocol, *, cells=1, blurs=None):
    """Run one study for every `cells` consecutive rows of `ratios`; return a list per study."""
    rows = [[[list(map(float, b)) for b in kind] for kind in row] for row in ratios]
    blurs = blurs or [(0.0, 0.0)] * len(rows)
    return [
        _study(rows[i : i + cells], blurs[i : i + cells], protocol)
        for i in range(0, len(rows) - cells + 1, cells)
    ]


def _study(rows, blurs, protocol):
    fewest, most = protocol.processes
    lengths = [fewest] * len(rows)
    while True:
        seen = [_look(r, b, n, protocol) for r, b, n in zip(rows, blurs, lengths, strict=True)]
        outcomes = _decide(seen, protocol)
        going = [
            i
            for i, (cell, twin) in enumerate(seen)
            if lengths[i] < most
            and "undecided" in (outcomes[i].decision, "undecided" if twin.p > 0.05 else "")
        ]
        if not going:
            return outcomes
        for i in going:
            lengths[i] += 1


def _look(row, blur, n, protocol):
    """The solution's cell and the twin's after n processes."""
    twin, cell = (_pairs(row[kind][:n], blur[kind]) for kind in (TWIN, SOLUTION))
    return _outcome(cell, twin_floor(twin), protocol), _outcome(twin, 0.0, protocol)


def _pairs(blocks, blur):
    return Pairs(dict(enumerate(blocks)), {}, {}, blur, {}, 0.0)


def _outcome(pairs, floor, protocol):
    summary = summary_of(pairs, floor)
    zone, p = classify(summary, margin=protocol.margin, looks=looks(protocol))
    low, high = interval(summary, level=protocol.level, looks=looks(protocol))
    return Outcome(zone, low, high, pairs.n, p)


def _decide(seen, protocol):
    corrected = holm([cell.p for cell, _ in seen])
    outcomes = []
    for (cell, _), p in zip(seen, corrected, strict=True):
        zone = cell.decision if p <= 1 - protocol.level else "undecided"
        outcomes.append(Outcome(zone, cell.low, cell.high, cell.processes, p))
    return outcomes


def covers_at_every_look(ratios, protocol, truth):
    """Per row: whether the intervals of all planned looks hold the truth."""
    fewest, most = protocol.processes
    results = []
    for row in ratios:
        kinds = [[list(map(float, b)) for b in kind] for kind in row]
        looked = [_look(kinds, (0, 0), n, protocol)[0] for n in range(fewest, most + 1)]
        results.append(all(o.low <= truth <= o.high for o in looked))
    return results
