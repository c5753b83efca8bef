"""Between: the same solution in two sides of runs: two commits, days, hosts.

In: summaries of the runs of each side. Out: `Compared`: comparability first, then per workload and
overall the ratio of times and of speed-ups (above 1 where side B is faster) and a decision.

Runs are the samples, hosts where there are several (effects.py says how).

Neither ratio alone decides: a slow host makes times longer, and a baseline that waits for its host
makes speed-ups larger on one. "faster" and "slower" need both to say so.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from roofmark.analysis.comparable import find_differences
from roofmark.analysis.effects import (
    Effect,
    assume_effect,
    interval_of,
    measure_effect,
    p_of,
    units_of,
)
from roofmark.analysis.stats import holm, sig
from roofmark.analysis.summaries import CellSummary, Level, RunSummary, SolutionSummary
from roofmark.analysis.verdict import Decision, Difference, Estimate
from roofmark.records import Missing, Record

# Chosen: four runs of one binary on one host, published by another team, differ by 0.3 to 3.7 % per
# batch size, median 1.4 %. Measure several runs per side and this is not used.
BETWEEN_RUNS = 0.015
# Chosen: idle hosts of one model with the same clocks differ by some percent; ten times as much on
# a slow one, which shows in the baseline's time.
BETWEEN_HOSTS = 0.04
# Source: with fewer than 2 degrees of freedom Student's t has no mean or no variance.
LEAST_FREEDOM = 2

ALL = ""
"""The workload of a figure over all workloads."""
Spread = Literal["measured", "assumed"]


class ComparedCell(Record):
    """One solution on one workload ("" for all) in two sides.

    times: time of A / time of B. speedups: speed-up of B / speed-up of A. why: of the decision.
    codes: findings in either side that move it.
    """

    workload: str
    solution: str
    decision: Decision
    times: Estimate | Missing
    speedups: Estimate | Missing
    why: str
    codes: tuple[str, ...]


class Compared(Record):
    """Two sides of runs; a, b: digests of their bundles.

    spread: whether the variance between runs (or hosts, `unit`) was measured, or is `assumed_at`
    (a ratio minus one) because too few were made. changed: solutions whose sources or options
    differ; same_binary: those of them that were built to the same bytes all the same.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    outcome: Decision | Literal["not comparable"]
    margin: float
    level: float
    unit: Literal["run", "host"]
    spread: Spread
    assumed_at: float | Missing
    changed: tuple[str, ...]
    same_binary: tuple[str, ...]
    overall: tuple[ComparedCell, ...]
    cells: tuple[ComparedCell, ...]
    baseline: tuple[ComparedCell, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Sides:
    """The runs of each side with what they are judged by."""

    a: Sequence[RunSummary]
    b: Sequence[RunSummary]
    margin: float

    @cached_property
    def runs(self) -> tuple[RunSummary, ...]:
        """Every run."""
        return (*self.a, *self.b)

    @cached_property
    def unit(self) -> Literal["run", "host"]:
        """What is independent: hosts where there are several, else runs."""
        return "host" if len({run.host for run in self.runs}) > 1 else "run"

    @cached_property
    def assumed(self) -> float:
        """What units differ by where too few of them were seen."""
        return BETWEEN_HOSTS if self.unit == "host" else BETWEEN_RUNS

    @cached_property
    def counts(self) -> tuple[int, int]:
        """How many units each side has."""
        if self.unit == "run":
            return len(self.a), len(self.b)
        return len({run.host for run in self.a}), len({run.host for run in self.b})

    @cached_property
    def spread(self) -> Spread:
        """Whether there are units enough to measure their variance."""
        return "measured" if sum(self.counts) - 2 >= LEAST_FREEDOM else "assumed"


def compare_sides(
    a: Sequence[RunSummary],
    b: Sequence[RunSummary],
    *,
    solution: str | None = None,
    margin: float | None = None,
) -> Compared:
    """Compare two sides of at least one run each.

    margin: the smallest difference that matters; by default the first run's.
    """
    sides = Sides(a, b, a[0].margin if margin is None else margin)
    differences = _differences(sides)
    void = any(each.voids for each in differences)
    names = () if void else tuple(n for n in _shared(sides) if solution in (None, n))
    solutions = tuple(name for name in names if name != a[0].baseline)
    overall = _family(sides, [(ALL, name) for name in solutions])
    changed = tuple(n for n in _shared(sides) if _sources_differ(sides, n))
    controls = [(ALL, n) for n in _shared(sides) if n == a[0].baseline and not void]
    return Compared(
        a=tuple(run.bundle for run in a),
        b=tuple(run.bundle for run in b),
        outcome="not comparable" if void else _agreement(overall),
        margin=sides.margin,
        level=a[0].level,
        unit=sides.unit,
        spread=sides.spread,
        assumed_at=sides.assumed
        if sides.spread == "assumed"
        else Missing(reason="it was measured"),
        changed=changed,
        same_binary=tuple(n for n in changed if _same_binary(sides, n)),
        overall=overall,
        cells=_family(sides, [(w, n) for n in solutions for w in _workloads(sides)]),
        baseline=_family(sides, controls),
        differences=differences,
    )


def compare_overall(
    a: RunSummary, b: RunSummary, solution: str | None = None
) -> tuple[ComparedCell, ...]:
    """Return `overall` of `compare_sides` for one comparable run per side, and nothing else."""
    sides = Sides([a], [b], a.margin)
    names = [n for n in _shared(sides) if n != a.baseline and solution in (None, n)]
    return _family(sides, [(ALL, name) for name in names])


def _differences(sides: Sides) -> tuple[Difference, ...]:
    """Return what differs within a side, where nothing may, and then between the sides."""
    found: list[Difference] = []
    for runs in (sides.a, sides.b):
        for run in runs[1:]:
            found += find_differences(runs[0].conditions, run.conditions)
    for run in sides.b:
        found += find_differences(sides.a[0].conditions, run.conditions, commits=True)
    return tuple(dict.fromkeys((*found, *_other_solutions(sides))))


def _other_solutions(sides: Sides) -> Iterator[Difference]:
    """Name solutions that are not in every run; without one that is, nothing has a ratio."""
    shared = set(_shared(sides))
    mine, theirs = (
        sorted({n for run in side for n in run.solutions} - shared) for side in (sides.a, sides.b)
    )
    if mine or theirs:
        void = not shared - {sides.a[0].baseline}
        yield Difference(
            field="solutions",
            original=", ".join(mine) or "none of its own",
            again=", ".join(theirs) or "none of its own",
            voids=void,
            mend="Keep a solution's name from commit to commit." if void else "",
        )


def _shared(sides: Sides) -> tuple[str, ...]:
    """Return the solutions that every run holds, in the first one's order."""
    return tuple(n for n in sides.a[0].solutions if all(n in r.solutions for r in sides.runs))


def _workloads(sides: Sides) -> tuple[str, ...]:
    tables = [r.solutions[r.baseline].workloads for r in sides.runs]
    return tuple(w for w in tables[0] if all(w in table for table in tables))


def _sources_differ(sides: Sides, name: str) -> bool:
    return len({run.solutions[name].sources for run in sides.runs}) > 1


def _same_binary(sides: Sides, name: str) -> bool:
    binaries = {run.solutions[name].binary for run in sides.runs}
    return len(binaries) == 1 and isinstance(binaries.pop(), str)


def _agreement(overall: Sequence[ComparedCell]) -> Decision:
    decisions: set[Decision] = {each.decision for each in overall}
    return decisions.pop() if len(decisions) == 1 else "undecided"


# --- cells ---------------------------------------------------------------------------------------
def _family(sides: Sides, places: Sequence[tuple[str, str]]) -> tuple[ComparedCell, ...]:
    """Decide every place; Holm over them, apart for times and for speed-ups."""
    times = [_effect(sides, place, lambda cell: cell.log_time) for place in places]
    gains = [_gain(sides, place) for place in places]
    zones = [_zones(sides, effects) for effects in (times, gains)]
    return tuple(
        _cell(sides, place, (times[i], gains[i]), (zones[0][i], zones[1][i]))
        for i, place in enumerate(places)
    )


def _gain(sides: Sides, place: tuple[str, str]) -> Effect | Missing:
    """Return the effect on the speed-up, B over A, where both are over the same baseline."""
    names = {run.baseline for run in sides.runs}
    if len(names) > 1:
        return Missing(reason="the baselines differ")
    if place[1] in names:
        return Missing(reason="it is the baseline")
    if _sources_differ(sides, sides.a[0].baseline):
        return Missing(reason="the baseline's sources differ")
    found = _effect(sides, place, lambda cell: cell.log_gain)
    if isinstance(found, Missing):
        return found
    return Effect(-found.mean, found.error, found.blur, found.freedom, found.n)


def _zones(sides: Sides, effects: Sequence[Effect | Missing]) -> list[Decision]:
    known = [each for each in effects if isinstance(each, Effect)]
    corrected = iter(holm([p_of(each, sides.margin) for each in known]))
    return [
        "undecided" if isinstance(each, Missing) else _zone(each, sides, next(corrected))
        for each in effects
    ]


def _zone(effect: Effect, sides: Sides, p: float) -> Decision:
    if p > 1 - sides.a[0].level:
        return "undecided"
    if abs(effect.mean) <= math.log1p(sides.margin):
        return "same"
    return "faster" if effect.mean > 0 else "slower"


def _cell(
    sides: Sides,
    place: tuple[str, str],
    effects: tuple[Effect | Missing, Effect | Missing],
    zones: tuple[Decision, Decision],
) -> ComparedCell:
    held = [_held(run.solutions[place[1]], place[0]) for run in sides.runs]
    codes = tuple(sorted({code for cell in held for code in cell.codes}))
    decision, why = _decide(effects, zones)
    if any(cell.decision == "invalid" for cell in held):
        decision, why = "invalid", "a run of it is invalid"
    elif codes:
        decision, why = "undecided", "findings move it in a run"
    return ComparedCell(
        workload=place[0],
        solution=place[1],
        decision=decision,
        times=_estimate(sides, effects[0]),
        speedups=_estimate(sides, effects[1]),
        why=why,
        codes=codes,
    )


def _decide(
    effects: tuple[Effect | Missing, Effect | Missing], zones: tuple[Decision, Decision]
) -> tuple[Decision, str]:
    times, gains = effects
    if isinstance(times, Missing):
        return "undecided", times.reason
    if isinstance(gains, Missing):
        return zones[0], f"by time alone: {gains.reason}"
    if zones == ("undecided", "undecided"):
        return "undecided", "neither times nor speed-ups fit one zone"
    if zones[0] == zones[1]:
        return zones[0], "times and speed-ups agree"
    return "undecided", f"times say {zones[0]}, speed-ups say {zones[1]}"


def _held(solution: SolutionSummary, workload: str) -> CellSummary:
    return solution.overall if workload == ALL else solution.workloads[workload]


# --- effects -------------------------------------------------------------------------------------
def _effect(
    sides: Sides, place: tuple[str, str], of: Callable[[CellSummary], Level | Missing]
) -> Effect | Missing:
    """Return A minus B of a mean logarithm."""
    if place[0] == ALL and len({run.conditions.workloads for run in sides.runs}) > 1:
        return Missing(reason="the sides have different workloads; a mean over others is no ratio")
    units: list[list[Level]] = []
    for runs in (sides.a, sides.b):
        levels = [(r.host, of(_held(r.solutions[place[1]], place[0]))) for r in runs]
        lacking = [level.reason for _, level in levels if isinstance(level, Missing)]
        if lacking:
            return Missing(reason=lacking[0])
        units.append(list(units_of(levels, by_host=sides.unit == "host")))
    if sides.spread == "measured":
        return measure_effect(units[0], units[1])
    return assume_effect(units[0], units[1], math.log1p(sides.assumed))


def _estimate(sides: Sides, effect: Effect | Missing) -> Estimate | Missing:
    if isinstance(effect, Missing):
        return effect
    level = sides.a[0].level
    low, high = interval_of(effect, level)
    a, b = sides.counts
    spread = f"spread between {sides.unit}s "
    spread += f"assumed {100 * sides.assumed:g} %" if sides.spread == "assumed" else "measured"
    return Estimate(
        value=sig(math.exp(effect.mean)),
        low=sig(math.exp(max(-300.0, low))),
        high=sig(math.exp(min(300.0, high))),
        level=level,
        method=f"t interval over {a} and {b} {sides.unit}s, {spread}",
        n=effect.n,
    )
