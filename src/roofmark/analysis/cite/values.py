"""Everything that evidence gives: samples by every estimator, kernels, counters, figures, cells.

In: `Evidence`. Out: an `Index` of subjects with their values, and notes about what was left out.
Nothing here is guessed: a value whose unit is not known keeps the dimension "number" and meets
only claims without a unit. Ratios of two subjects are made in `match`, where a claim asks for them.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from statistics import fmean, median, pstdev, stdev

from roofmark.analysis.cite.answered import answer_subjects
from roofmark.analysis.cite.counters import labels_of
from roofmark.analysis.cite.measures import measure_of
from roofmark.analysis.cite.subjects import WITHOUT, Evidence, Index, Subject, Value, exact
from roofmark.analysis.verdict import Cell, Estimate, Overall, Verdict
from roofmark.answers import Answers
from roofmark.foreign import (
    Figure,
    Figures,
    Imported,
    KernelTable,
    Kind,
    Partial,
    Profile,
    Profiles,
    Samples,
    Series,
)
from roofmark.records import Missing

# Chosen: a report of 54 launches with 600 counters each; what is beyond is told, not read.
MOST_SUBJECTS = 40_000
# Chosen: more than a text lists ("the top 5 kernels are 88.5 %").
_TOP = 20
# Chosen: longer settings are notes, and their words would name everything.
_LONGEST_SETTING = 60
# Units that tools other than people write, beside those that `measures` knows.
_TOOL_UNITS = {
    "nsecond": "ns",
    "usecond": "us",
    "msecond": "ms",
    "second": "s",
    "1": "x",
    "cycle/nsecond": "GHz",
    "cycle/usecond": "MHz",
    "cycle/second": "Hz",
    "byte/second": "B/s",
}


def collect_evidence(evidence: Sequence[Evidence]) -> tuple[Index, tuple[str, ...]]:
    """Return all subjects, at most `MOST_SUBJECTS`, and notes."""
    found = [s for s in islice(_all(evidence), MOST_SUBJECTS + 1) if s.values]
    notes = [note for each in evidence for note in _notes(each)]
    if len(found) > MOST_SUBJECTS:
        notes.append(f"The evidence has more than {MOST_SUBJECTS} things; the rest is unread.")
    return Index(found[:MOST_SUBJECTS]), tuple(notes)


def _notes(evidence: Evidence) -> Iterator[str]:
    content = evidence.content
    if isinstance(content, Imported) and isinstance(content.completeness, Partial):
        yield f"{evidence.name} is partial: {'; '.join(content.completeness.reasons)}"
    elif isinstance(content, Verdict) and content.decision == "invalid":
        yield f"{evidence.name} is invalid: its times prove nothing."


def _all(evidence: Sequence[Evidence]) -> Iterator[Subject]:
    for each in evidence:
        if isinstance(each.content, Verdict):
            yield from _verdict(each.name, each.content)
            continue
        for content in each.content.contents:
            if isinstance(content, Series):
                yield from (_samples(each.name, column) for column in content.columns)
            elif isinstance(content, KernelTable):
                yield from _kernels(each.name, content)
            elif isinstance(content, Profiles):
                yield from _profiles(each.name, content)
            elif isinstance(content, Figures):
                yield from _figures(each.name, content)
            elif isinstance(content, Answers):
                yield from answer_subjects(each.name, content)


# --- samples -------------------------------------------------------------------------------------
def _samples(place: str, column: Samples) -> Subject:
    """Every estimator over all samples, and without the first (declared or not)."""
    every = column.seconds
    values = list(_estimates(every, " of all samples"))
    if 0 < column.warm_up < len(every):
        # What counts comes first, so that it is told where both agree.
        without = f"{WITHOUT}{column.warm_up} warm-up"
        values = [*_estimates(every[column.warm_up :], without), *values]
    elif len(every) > 2:
        values += _estimates(every[1:], f"{WITHOUT}the first")
    return Subject("samples", column.label, place, place, tuple(values))


def _estimates(seconds: Sequence[float], which: str) -> Iterator[Value]:
    if not seconds:
        return
    ordered = sorted(seconds)
    yield exact(f"median{which}", "time", median(ordered))
    yield exact(f"mean{which}", "time", fmean(ordered))
    yield exact(f"min{which}", "time", ordered[0])
    yield exact(f"max{which}", "time", ordered[-1])
    yield exact(f"total{which}", "time", math.fsum(ordered))
    yield exact(f"calls{which}", "number", float(len(ordered)))
    for percent in (95, 99):
        at = (len(ordered) - 1) * percent / 100
        low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
        between = low + (high - low) * (at - math.floor(at))
        rank = ordered[math.ceil(len(ordered) * percent / 100) - 1]
        # Source: R. J. Hyndman, Y. Fan, Sample quantiles, Am. Stat. 50 (1996), types 7 and 1.
        for name, value in {"interpolated": between, "nearest rank": rank}.items():
            yield exact(f"p{percent} ({name}){which}", "time", value)
    if len(ordered) > 1:
        yield exact(f"std{which}", "time", stdev(ordered))
        yield exact(f"std (population){which}", "time", pstdev(ordered))


# --- kernels -------------------------------------------------------------------------------------
_WHOLE: dict[Kind, str] = {
    "gpu": "total kernels GPU",
    "api": "total API",
    "copies": "total copies",
    "regions": "total regions",
}


def _kernels(place: str, table: KernelTable) -> Iterator[Subject]:
    total, calls = table.total, sum(row.calls for row in table.rows)
    whole = [exact("total of all rows", "time", total), exact("calls", "number", float(calls))]
    whole.append(exact("kinds", "number", float(len(table.rows))))
    what = _WHOLE[table.kind]
    yield Subject("table", what, place, place, tuple(whole))
    for row in table.rows:
        values = [exact("calls", "number", float(row.calls)), exact("total", "time", row.total)]
        given = {"mean": row.mean, "median": row.median, "p95": row.p95}
        for name, value in given.items():
            if not isinstance(value, Missing):
                values.append(exact(name, "time", value))
        if total > 0:
            values.append(exact("share of the total", "percent", 100 * row.total / total))
        yield Subject("kernel", row.name, place, place, tuple(values))
    if total > 0 and len(table.rows) > 1:
        yield from _coverage(place, table, total)


def _coverage(place: str, table: KernelTable, total: float) -> Iterator[Subject]:
    """How much of all time the first rows cover, the longest first."""
    ordered = sorted((row.total for row in table.rows), reverse=True)[:_TOP]
    for count, covered in enumerate(accumulate(ordered), 1):
        values = (
            exact("share of the total", "percent", 100 * covered / total),
            exact("total", "time", covered),
        )
        yield Subject("table", f"top-{count}", place, place, values)


# --- counters and figures ------------------------------------------------------------------------
def _profiles(place: str, profiles: Profiles) -> Iterator[Subject]:
    for profile in profiles.launches:
        context = f"{place} {profile.kernel[:200]}"
        if not isinstance(profile.duration, Missing):
            values = (exact("duration under the profiler", "time", profile.duration),)
            yield Subject("metric", "duration", place, context, values)
        yield from _shape(place, context, profile)
        for name, metric in profile.metrics.items():
            if isinstance(metric.value, int | float) and math.isfinite(metric.value):
                unit = metric.unit or _unit_in(name)
                value = _measured("as counted", unit, float(metric.value))
                yield Subject("metric", name, place, context, (value,), labels_of(name))


def _shape(place: str, context: str, profile: Profile) -> Iterator[Subject]:
    sizes: list[tuple[str, float]] = []
    for name, size in (("blocks of the grid", profile.grid), ("threads of a block", profile.block)):
        if not isinstance(size, Missing):
            sizes.append((name, float(math.prod(size))))
    if len(sizes) == 2:
        sizes.append(("threads launched", sizes[0][1] * sizes[1][1]))
    for name, size in sizes:
        values = (exact("product of its three sizes", "number", size),)
        yield Subject("table", name, place, context, values)


def _measured(estimator: str, unit: str, value: float) -> Value:
    """Return a value in its base unit; an unknown unit stays with the number."""
    measure = measure_of(_TOOL_UNITS.get(unit, unit))
    if measure is None:
        return exact(f"{estimator}, {unit}" if unit else estimator, "number", value)
    scaled = [value * scale for scale in measure.scales]
    return Value(estimator, measure.dimension, scaled[0], min(scaled), max(scaled))


def _unit_in(counter: str) -> str:
    """Return the unit that a counter's name ends in, for reports that keep none."""
    if counter.endswith(("_pct", ".pct")) or ".pct_of_peak" in counter:
        return "%"
    if "__bytes" in counter and counter.endswith(".per_second"):
        return "B/s"
    return "B" if "__bytes" in counter and counter.endswith(".sum") else ""


def _figures(place: str, figures: Figures) -> Iterator[Subject]:
    told = [f"{n}={v}" for n, v in figures.settings.items() if len(v) <= _LONGEST_SETTING]
    context = " ; ".join((place, *told))[:2000]
    for figure in figures.figures:
        if math.isfinite(figure.value):
            yield Subject("figure", figure.label, place, context, tuple(_of_figure(figure)))


def _of_figure(figure: Figure) -> Iterator[Value]:
    yield _measured(figure.estimator, figure.unit, figure.value)
    if not isinstance(figure.spread, Missing) and math.isfinite(figure.spread):
        yield _measured("std as printed", figure.unit, figure.spread)
    kept = [each for each in figure.samples if math.isfinite(each)]
    if len(kept) > 1:
        for name, value in {
            "mean": fmean(kept),
            "median": median(kept),
            "min": min(kept),
            "max": max(kept),
            "std": stdev(kept),
        }.items():
            yield _measured(f"{name} of {len(kept)} samples", figure.unit, value)


# --- verdicts ------------------------------------------------------------------------------------
def _verdict(place: str, verdict: Verdict) -> Iterator[Subject]:
    context = f"{place} {verdict.study} {verdict.device_name}"
    for overall in verdict.overall:
        yield Subject("cell", overall.solution, place, context, tuple(_of_overall(overall)))
    for each in verdict.contrasts:
        if not isinstance(each.speedup, Missing):
            name = f"{each.name} {each.of} {each.against}"
            values = tuple(_speedup("ratio of two solutions", each.speedup))
            yield Subject("cell", name, place, context, values)
    baselines: set[str] = set()
    for cell in verdict.cells:
        name = f"{cell.solution} {cell.workload}"
        yield Subject("cell", name, place, context, tuple(_of_cell(cell)))
        if not isinstance(cell.baseline_time, Missing) and cell.workload not in baselines:
            baselines.add(cell.workload)
            values = (_estimate("time of the baseline", "time", cell.baseline_time),)
            name = f"{verdict.baseline} {cell.workload}"
            yield Subject("cell", name, place, context, values, (f"baseline {cell.workload}",))


def _of_overall(overall: Overall) -> Iterator[Value]:
    if not isinstance(overall.speedup, Missing):
        yield from _speedup("speed-up over all workloads", overall.speedup)


def _of_cell(cell: Cell) -> Iterator[Value]:
    if not isinstance(cell.time, Missing):
        yield _estimate("time", "time", cell.time)
    if not isinstance(cell.speedup, Missing):
        yield from _speedup("speed-up", cell.speedup)
    for tier, estimate in cell.other_tiers.items():
        yield from _speedup(f"speed-up ({tier}, does not decide)", estimate)
    if not isinstance(cell.roof, Missing):
        yield exact("headroom to the roof", "ratio", cell.roof.headroom)
        yield exact("least time under the roof", "time", cell.roof.floor)
        yield exact("rate of the ceiling", "rate", cell.roof.rate)
        if cell.roof.headroom > 0:
            yield exact("share of the roof", "percent", 100 / cell.roof.headroom)


def _speedup(name: str, estimate: Estimate) -> Iterator[Value]:
    ends = (estimate.value, estimate.low, estimate.high)
    yield Value(name, "ratio", *ends)
    yield Value(f"{name} as a change", "percent", *(100 * (each - 1) for each in ends))


def _estimate(name: str, dimension: str, estimate: Estimate) -> Value:
    return Value(name, dimension, estimate.value, estimate.low, estimate.high)
