"""What a foreign file holds, as text: provenance, completeness, tables, bounds.

In: `Imported`. Out: text for a terminal. A partial sum never stands without what it is a part of,
and a time that was taken under a profiler says so.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from statistics import mean, median
from typing import Any

from roofmark.analysis.bounds import classify, loads_of_profile
from roofmark.analysis.kernel_sums import per_step
from roofmark.analysis.rules.step import find_regimes
from roofmark.analysis.trends import Course, follow
from roofmark.answers import OUTCOMES, Answers
from roofmark.foreign import (
    Figures,
    ForeignDefinition,
    ForeignSolution,
    ForeignWorkloads,
    Imported,
    KernelTable,
    Kind,
    Partial,
    Profile,
    Profiles,
    Samples,
    Series,
    Timelines,
)
from roofmark.records import Missing
from roofmark.reports.wording import NOTHING, aligned, counted, lines_text, shorten
from roofmark.units import Seconds, show

_NOUNS: dict[Kind, str] = {
    "gpu": "kernels",
    "copies": "kinds of copies",
    "api": "CUDA API functions",
    "regions": "regions",
}
# Chosen: a screen; `--json` gives every row.
_MOST_ROWS = 15
_NAME = 60


def foreign_text(found: Imported, *, step: str | None = None) -> str:
    """Return everything that a person wants to know first.

    step: a formula for tables of kernels. Raises: ValueError as `analysis.per_step`.
    """
    source = found.source
    tool = "" if isinstance(source.tool, Missing) else f", {source.tool}"
    lines = [
        f"{source.name}: {source.format}{tool}, {source.size:,} bytes, sha256 {source.sha256}",
        "partial: " + "; ".join(found.completeness.reasons)
        if isinstance(found.completeness, Partial)
        else "complete, as far as the file tells",
    ]
    for content in found.contents:
        lines += ["", *_SHOWN[type(content)](content)]
        if step and isinstance(content, KernelTable) and content.kind == "gpu":
            lines += _per_step(content, step)
    return lines_text([*lines, *(f"note: {note}" for note in found.notes)])


def _kernels(table: KernelTable) -> Iterable[str]:
    what = _NOUNS[table.kind]
    rows = sorted(table.rows, key=lambda row: -row.total)
    calls = sum(row.calls for row in rows)
    yield f"{len(rows)} {what}, {calls:,} calls, {_time(table.total)} together"
    yield from aligned(
        ["share", "total", "calls", "median", "mean", "p95", "name"],
        [
            [f"{100 * row.total / (table.total or 1):.1f} %", _time(row.total), f"{row.calls:,}",
             _time(row.median), _time(row.mean), _time(row.p95), shorten(row.name, _NAME)]
            for row in rows[:_MOST_ROWS]
        ],
    )  # fmt: skip
    if len(rows) > _MOST_ROWS:
        covered = sum(row.total for row in rows[:_MOST_ROWS]) / (table.total or 1)
        yield f"... {len(rows) - _MOST_ROWS} more; these cover {100 * covered:.1f} %"


def _per_step(table: KernelTable, formula: str) -> Iterable[str]:
    found = per_step(table, formula)
    yield (
        f"one step, {formula}: {1e3 * found.seconds:.3f} ms; these kernels are "
        f"{100 * found.coverage:.1f} % of all kernel time, the rest is in no term"
    )
    for term in found.terms:
        name = shorten(term.kernel, _NAME)
        yield f"   {term.steps:g} steps by {term.launches} launches of {name}"
    if not found.agree:
        yield "   the terms disagree on the number of steps: the formula or the table is wrong"


def _profiles(profiles: Profiles) -> Iterable[str]:
    yield counted(len(profiles.launches), "profiled launch")
    for launch in profiles.launches[:_MOST_ROWS]:
        yield from _profile(launch)
    if len(profiles.launches) > _MOST_ROWS:
        yield f"... {len(profiles.launches) - _MOST_ROWS} more"


def _profile(launch: Profile) -> Iterable[str]:
    bound = classify(loads_of_profile(launch))
    shape = f"grid {_sizes(launch.grid)}, block {_sizes(launch.block)}"
    yield f"#{launch.launch} {shorten(launch.kernel, 2 * _NAME)}"
    yield (
        f"   {shape}; {counted(len(launch.metrics), 'metric')}; {_time(launch.duration)} under the "
        "profiler, which is no timing evidence"
    )
    if isinstance(bound, Missing):
        yield f"   bound unknown: {bound.reason}"
        return
    yield f"   bound: {bound.kind} {bound.code} by counters: {bound.because}"
    yield f"   what to try: {bound.advice}"
    yield from (f"   not asked: {each}" for each in bound.lacking)


def _series(series: Series) -> Iterable[str]:
    for column in series.columns:
        yield from _samples(column)


def _samples(column: Samples) -> Iterable[str]:
    kept = column.seconds[column.warm_up :]
    yield (
        f"{column.label}: {counted(len(kept), 'sample')} after {column.warm_up} of warm-up; median "
        f"{_time(median(kept))}, mean {_time(mean(kept))}, from {_time(min(kept))} to "
        f"{_time(max(kept))}"
    )
    if regimes := find_regimes(kept):
        at, size = column.warm_up + regimes[0] + 1, 100 * regimes[1]
        yield (
            f"   times step by {size:+.1f} % from sample {at} on: a mean over both levels is a "
            "time of neither"
        )


def _figures(found: Figures) -> Iterable[str]:
    yield from (f"{name}: {shorten(value, _NAME)}" for name, value in found.settings.items())
    yield from aligned(
        ["value", "unit", "estimator", "figure"],
        [
            [f"{f.value:.10g}", f.unit, f.estimator, shorten(f.label, _NAME)]
            for f in found.figures[:_MOST_ROWS]
        ],
    )
    if len(found.figures) > _MOST_ROWS:
        yield f"... {len(found.figures) - _MOST_ROWS} more"


def _answers(found: Answers) -> Iterable[str]:
    counts = ", ".join(f"{n} {each}" for each in OUTCOMES if (n := found.count(each)))
    yield f"{found.label}: {counted(len(found.answers), 'question')}: {counts}"
    yield f"   answers taken {found.rule}; `roofmark accuracy` judges and compares them"
    yield from (f"   {name}: {shorten(value, _NAME)}" for name, value in found.settings.items())


def _timelines(found: Timelines) -> Iterable[str]:
    yield f"from {found.begin}"
    for line in found.lines:
        yield from _course(follow(line), line.step)


def _course(found: Course, step: float) -> Iterable[str]:
    unit = found.unit
    yield (
        f"{found.label}: {counted(found.readings, 'reading')} over {_hours(found.span)}, every "
        f"{found.every:g} s; from {show(found.low, unit)} to {show(found.peak, unit)}, the peak at "
        f"{_hours(found.peak_at)}" + (f"; rounded to {show(step, unit)}" if step else "")
    )
    for gap in found.gaps:
        yield f"   nobody looked for {_hours(gap.length)} from {_hours(gap.at)} on"
    for each in found.stretches if len(found.stretches) > 1 else ():
        if not isinstance(each.slope, Missing):
            what = f"peak {show(each.peak, unit)}, {_slope(each.slope, unit)}"
            yield f"   {_hours(each.begin)} to {_hours(each.end)}: {what}"
    for each in found.leaks:
        yield (
            f"   keeps rising from {_hours(each.begin)} to {_hours(each.end)}: "
            f"{_slope(each.slope, unit)}: a leak, or a cache that fills"
        )


def _slope(slope: float | Missing, unit: str) -> str:
    if isinstance(slope, Missing):
        return slope.reason
    sign = "-" if slope < 0 else "+" if slope > 0 else ""
    return f"{sign}{show(abs(slope) * 3600, unit)} an hour once settled"


def _hours(seconds: Seconds) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes else f"{seconds:.0f} s"


def _definition(found: ForeignDefinition) -> Iterable[str]:
    axes = ", ".join(f"{name}={size}" for name, size in found.axes.items())
    yield f"definition {found.name}: axes {axes}"
    for word, tensors in (("in", found.inputs), ("out", found.outputs)):
        for name, tensor in tensors.items():
            shape = "scalar" if isinstance(tensor.shape, Missing) else " ".join(tensor.shape)
            yield f"   {word:3s} {shorten(name, _NAME)}: {shape} {tensor.dtype}"


def _workloads(found: ForeignWorkloads) -> Iterable[str]:
    yield f"definition {found.definition}: {counted(len(found.workloads), 'workload')}"
    for each in found.workloads[:_MOST_ROWS]:
        axes = ", ".join(f"{name}={size}" for name, size in each.axes.items())
        kinds = Counter(str(type(one).__struct_config__.tag) for one in each.inputs.values())
        inputs = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
        yield f"   {shorten(each.name, _NAME)}: {axes or 'no axes'}; inputs: {inputs or 'none'}"
    if len(found.workloads) > _MOST_ROWS:
        yield f"... {len(found.workloads) - _MOST_ROWS} more"


def _solution(found: ForeignSolution) -> Iterable[str]:
    by = "" if isinstance(found.author, Missing) else f" by {found.author}"
    yield f"solution {found.name}{by} of {found.definition}: {found.language}, {found.entry}"
    yield f"   runs on {', '.join(found.hardware) or 'hardware that it does not name'}"
    yield from (f"   {path}: {counted(len(s), 'character')}" for path, s in found.sources.items())


_SHOWN: dict[type[Any], Callable[[Any], Iterable[str]]] = {
    KernelTable: _kernels,
    Profiles: _profiles,
    Series: _series,
    Figures: _figures,
    Answers: _answers,
    Timelines: _timelines,
    ForeignDefinition: _definition,
    ForeignWorkloads: _workloads,
    ForeignSolution: _solution,
}


def _time(value: Seconds | Missing) -> str:
    return NOTHING if isinstance(value, Missing) else show(value, "s")


def _sizes(sizes: tuple[int, ...] | Missing) -> str:
    return "unknown" if isinstance(sizes, Missing) else "x".join(map(str, sizes))
