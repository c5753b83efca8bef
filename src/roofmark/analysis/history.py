"""History: bundles of one folder in the order of time, in lines of comparable ones.

In: summaries of bundles. Out: `Line`s of `Step`s. A bundle joins the newest line to whose last
bundle it may be compared; one that may not starts a line of its own and says why. A change point is
a step whose decision against the step before is faster or slower: the interval of the ratio, which
includes what two runs differ by, lies outside the margin.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from roofmark.analysis.baseline import Baseline
from roofmark.analysis.between import compare_overall
from roofmark.analysis.comparable import find_differences
from roofmark.analysis.stats import mean, sig
from roofmark.analysis.summaries import RunSummary
from roofmark.analysis.verdict import Decision, Difference, Estimate
from roofmark.records import Missing, Record


class Entry(Record):
    """One solution in one bundle.

    times: workload -> seconds. codes: findings that moved it. since: the ratio of times to the
    bundle before it in its line (above 1: faster now). change: the change point, if it is one.
    best: no other bundle of its line has a larger speed-up.
    """

    solution: str
    speedup: Estimate | Missing
    decision: Decision | Missing
    times: dict[str, Estimate | Missing]
    codes: tuple[str, ...]
    since: Estimate | Missing
    change: Literal["", "faster", "slower"]
    best: bool


class Step(Record):
    """One bundle in a line.

    name: its folder. started: UTC, seconds since 1970. pinned: it is the one that the pin is of.
    """

    name: str
    bundle: str
    started: float | Missing
    commit: str | Missing
    dirty: bool
    device_name: str
    pinned: bool
    entries: tuple[Entry, ...]


class LinePin(Record, tag="pin"):
    """What a pin says of the solutions of a line.

    bundle: digest of what was pinned. date: ISO 8601, UTC. times: solution -> workload -> seconds.
    speedups: solution -> geometric mean over the pinned workloads, where these are the line's.
    """

    bundle: str
    date: str
    times: dict[str, dict[str, Estimate]]
    speedups: dict[str, float]


class Drift(Record):
    """A solution that changed from the first bundle of a line to the last without a change point.

    times: time in the first over time in the last; above 1: faster now.
    """

    solution: str
    decision: Literal["faster", "slower"]
    times: Estimate | Missing


class Line(Record):
    """Bundles of which each may be compared with the one before.

    because: what voids the comparison with the line of this study before it; empty for the first.
    pin: what was pinned of the same question, if anything. drift: what changed in small steps.
    """

    study: str
    because: tuple[Difference, ...]
    drift: tuple[Drift, ...]
    pin: LinePin | Missing
    steps: tuple[Step, ...]


class Damaged(Record):
    """What looks like a bundle and is not counted, and why: damaged, unfinished, a copy, a link."""

    name: str
    reason: str


class History(Record):
    """Everything below a folder, oldest first in every line."""

    lines: tuple[Line, ...]
    damaged: tuple[Damaged, ...]


Named = tuple[str, RunSummary]


def trace_history(
    runs: Iterable[Named],
    damaged: Sequence[Damaged] = (),
    *,
    solution: str | None = None,
    workload: str | None = None,
    pin: Baseline | None = None,
) -> History:
    """Put runs into lines, oldest first. solution, workload: show what has these, and only them."""
    lines: list[tuple[list[Named], tuple[Difference, ...]]] = []
    for run in sorted(runs, key=_when):
        if not _join(run, lines):
            lines.append(([run], _why_new(run, lines)))
    traced: list[Line] = []
    for members, because in lines:
        steps = _steps(members, solution, workload, pin.bundle if pin else "")
        traced.append(
            Line(
                study=members[0][1].title,
                because=because,
                drift=tuple(_drift(members, steps)),
                pin=_line_pin(members[-1][1], pin),
                steps=steps,
            )
        )
    return History(lines=tuple(each for each in traced if each.steps), damaged=tuple(damaged))


def _drift(members: Sequence[Named], steps: Sequence[Step]) -> Iterator[Drift]:
    """Yield the solutions whose last bundle decides against the first where no step did."""
    shown = {entry.solution for step in steps for entry in step.entries}
    told = {entry.solution for step in steps for entry in step.entries if entry.change}
    if len(members) < 3 or _void(members[0], members[-1]):
        return
    for cell in compare_overall(members[0][1], members[-1][1]):
        if cell.decision in ("faster", "slower") and cell.solution in shown - told:
            yield Drift(solution=cell.solution, decision=cell.decision, times=cell.times)


def _line_pin(run: RunSummary, pin: Baseline | None) -> LinePin | Missing:
    """Return what the pin says, if it is of the same question and the same device."""
    if pin is None:
        return Missing(reason="no pin was named")
    question = run.conditions.question
    mine = (run.conditions.definition, run.device_name, question["tier"], question["cache"])
    if mine != (pin.definition, pin.device_name, pin.tier, pin.cache):
        return Missing(reason="the pin is of another definition, device, tier or cache state")
    times: dict[str, dict[str, Estimate]] = {}
    gains: dict[str, dict[str, float]] = {}
    for cell in pin.cells:
        times.setdefault(cell.solution, {})[cell.workload] = cell.time.estimate
        if not isinstance(cell.speedup, Missing) and pin.baseline == run.baseline:
            gains.setdefault(cell.solution, {})[cell.workload] = cell.speedup.estimate.value
    # A mean over other workloads is another number.
    whole = {n: g.values() for n, g in gains.items() if g.keys() == {*run.conditions.workloads}}
    return LinePin(
        bundle=pin.bundle,
        date=pin.date,
        times=times,
        speedups={n: sig(math.exp(mean([math.log(v) for v in g]))) for n, g in whole.items()},
    )


def _when(run: Named) -> tuple[float, str]:
    """Sort what has no date first: nothing says that it is new."""
    started = run[1].started
    return (0.0 if isinstance(started, Missing) else started, run[0])


def _join(run: Named, lines: Sequence[tuple[list[Named], tuple[Difference, ...]]]) -> bool:
    for members, _ in reversed(lines):
        if not _void(members[-1], run):
            members.append(run)
            return True
    return False


def _void(before: Named, run: Named) -> tuple[Difference, ...]:
    found = find_differences(before[1].conditions, run[1].conditions, commits=True)
    return tuple(each for each in found if each.voids)


def _why_new(
    run: Named, lines: Sequence[tuple[list[Named], tuple[Difference, ...]]]
) -> tuple[Difference, ...]:
    """Return what keeps it from the newest line of the same study; nothing for a new study."""
    for members, _ in reversed(lines):
        if members[-1][1].title == run[1].title:
            return _void(members[-1], run)
    return ()


def _steps(
    members: Sequence[Named], solution: str | None, workload: str | None, pinned: str
) -> tuple[Step, ...]:
    best = _best(members)
    steps: list[Step] = []
    for index, (name, run) in enumerate(members):
        before = members[index - 1][1] if index else None
        entries = _entries(run, before, solution, workload, best)
        if not entries and (solution, workload) != (None, None):
            continue
        steps.append(
            Step(
                name=name,
                bundle=run.bundle,
                started=run.started,
                commit=run.commit,
                dirty=run.dirty,
                device_name=run.device_name,
                pinned=run.bundle == pinned,
                entries=entries,
            )
        )
    return tuple(steps)


def _best(members: Sequence[Named]) -> dict[str, str]:
    """Return solution -> the bundle with its largest speed-up; one alone is no best."""
    found: dict[str, tuple[float, str]] = {}
    for _, run in members if len(members) > 1 else ():
        for name, held in run.solutions.items():
            speedup = held.overall.speedup
            # What a finding moved is no record to beat.
            if isinstance(speedup, Estimate) and not held.overall.codes:
                found[name] = max(found.get(name, (0.0, "")), (speedup.value, run.bundle))
    return {name: bundle for name, (_, bundle) in found.items()}


def _entries(
    run: RunSummary,
    before: RunSummary | None,
    solution: str | None,
    workload: str | None,
    best: dict[str, str],
) -> tuple[Entry, ...]:
    since = {c.solution: c for c in compare_overall(before, run, solution)} if before else {}
    entries: list[Entry] = []
    for name, held in run.solutions.items():
        if name == run.baseline or solution not in (None, name):
            continue
        cell = since.get(name)
        times = {w: c.time for w, c in held.workloads.items() if workload in (None, w)}
        if not times:
            continue
        entries.append(
            Entry(
                solution=name,
                speedup=held.overall.speedup,
                decision=held.overall.decision,
                times=times,
                codes=held.overall.codes,
                since=cell.times if cell else Missing(reason="nothing comparable came before"),
                change=cell.decision if cell and cell.decision in ("faster", "slower") else "",
                best=best.get(name) == run.bundle,
            )
        )
    return tuple(entries)
