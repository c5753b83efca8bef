"""Samples: every visit of one solution and its baseline on one workload, as rows and as a chart.

In: traces. Out: rows for tables, a chart. What was discarded is shown with its reason.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from roofmark.evidence import (
    BuildFailed,
    Crashed,
    Incorrect,
    Measurement,
    NonFinite,
    Passed,
    Reported,
    TimedOut,
    Trace,
)
from roofmark.reports.charts.paint import PALETTE, WIDTH, Chart, Row, data, six, specification
from roofmark.units import show

# Chosen: as many marks as a browser draws at once; beyond it a mark is the median of a visit.
_MOST_MARKS = 3000
# Chosen: a page of rows; the bundle's own file has all of them.
MOST_VISITS = 500
# Chosen: steps of some percent show; both strips and the caption fit on a screen.
_STRIP = 130


@dataclass(frozen=True, kw_only=True)
class ProcessRow:
    """One process: what became of it, what was checked, what else it says."""

    solution: str
    process: int
    station: str
    outcome: str
    passed: bool
    said: str
    median: str


@dataclass(frozen=True, kw_only=True)
class VisitRow:
    """One turn of a solution in a block; samples in order, discarded ones with a reason."""

    solution: str
    process: int
    block: int
    position: int
    start: str
    median: str
    samples: tuple[str, ...]
    discarded: str


def traces_of(traces: Iterable[Trace], workload: str, solutions: Sequence[str]) -> list[Trace]:
    """Return the traces of some solutions on one workload, by process."""
    found = [t for t in traces if t.workload == workload and t.solution in solutions]
    return sorted(found, key=lambda each: (each.process, solutions.index(each.solution)))


def process_rows(traces: Iterable[Trace], tier: str) -> list[ProcessRow]:
    """Return a row for each process."""
    return [_process_row(each, tier) for each in traces]


def _process_row(trace: Trace, tier: str) -> ProcessRow:
    outcome = trace.outcome
    times = [s for m in measured(trace, tier) for v in m.visits for s in v.samples]
    return ProcessRow(
        solution=trace.solution,
        process=trace.process,
        station=trace.station,
        outcome=_OUTCOMES[type(outcome)],
        passed=isinstance(outcome, Passed),
        said=said_of(trace),
        median=show(median(times), "s") if times else "",
    )


_OUTCOMES = {
    Passed: "passed",
    Incorrect: "incorrect",
    BuildFailed: "build failed",
    Crashed: "crashed",
    TimedOut: "timed out",
    Reported: "reported",
}


def said_of(trace: Trace) -> str:
    """Return what one process says beside its times: checks, or why there are none."""
    outcome = trace.outcome
    if isinstance(outcome, Passed | Incorrect):
        checks = [
            f"{each.output}: {each.calls} calls checked, {each.timed} of them timed, "
            + (
                f"{each.error.elements} elements not finite"
                if isinstance(each.error, NonFinite)
                else f"rms error {each.error.rms:.3g}, worst {each.error.peak:.3g}"
            )
            for each in outcome.checks
        ]
        absent = outcome.absent.items() if isinstance(outcome, Passed) else ()
        reason = [outcome.reason] if isinstance(outcome, Incorrect) else []
        return "; ".join([*reason, *checks, *(f"no {tier} tier: {why}" for tier, why in absent)])
    if isinstance(outcome, TimedOut):
        return f"{outcome.stage}: no answer in {show(outcome.limit, 's')}"
    if isinstance(outcome, Reported):
        return f"{outcome.statistic} {show(outcome.seconds, 's')}, as {outcome.tool} says"
    where = f"{outcome.stage}: " if isinstance(outcome, Crashed) else ""
    return where + outcome.reason


def measured(trace: Trace, tier: str) -> Iterator[Measurement]:
    """Yield the measurements of a tier."""
    if isinstance(trace.outcome, Passed):
        yield from (each for each in trace.outcome.measurements if each.tier == tier)


def visit_rows(traces: Iterable[Trace], tier: str) -> list[VisitRow]:
    """Return a row for each visit, by process, block and position."""
    rows: list[VisitRow] = []
    for trace in traces:
        for each in measured(trace, tier):
            for visit in each.visits:
                dropped = {d.sample: d.reason for d in visit.discarded}
                reasons = dict.fromkeys(dropped.values())
                rows.append(
                    VisitRow(
                        solution=trace.solution,
                        process=trace.process,
                        block=visit.block,
                        position=visit.position,
                        start=f"{visit.start:.2f} s",
                        median=show(median(visit.samples), "s") if visit.samples else "",
                        samples=tuple(
                            show(value, "s") + ("*" if at in dropped else "")
                            for at, value in enumerate(visit.samples)
                        ),
                        discarded="; ".join(reasons),
                    )
                )
    return sorted(rows, key=lambda each: (each.process, each.block, each.position))


def draw_samples(traces: Sequence[Trace], solution: str, tier: str) -> Chart:
    """Return every sample over the run; the solution against its baseline."""
    rows = list(_marks(traces, tier, whole=True))
    thinned = len(rows) > _MOST_MARKS
    rows = list(_marks(traces, tier, whole=False)) if thinned else rows
    what = "The median of each visit" if thinned else "Every sample"
    return Chart(
        name="samples",
        title="Samples over the run",
        caption=f"{what} on the {tier} tier, in the order of the run; gaps part processes. "
        "Each strip has an axis of its own, which does not begin at zero; crosses do not count.",
        spec=_spec(rows, solution) if rows else None,
        absent=f"No sample was taken on the {tier} tier.",
    )


def _marks(traces: Iterable[Trace], tier: str, *, whole: bool) -> Iterator[Row]:
    for trace in traces:
        for each in measured(trace, tier):
            for visit in each.visits:
                dropped = {d.sample for d in visit.discarded}
                values = list(enumerate(visit.samples))
                if not whole:
                    kept = [value for at, value in values if at not in dropped]
                    values = [(-1, median(kept))] if kept else []
                step = visit.elapsed / max(1, len(values))
                for at, value in values:
                    yield {
                        "solution": trace.solution,
                        "process": trace.process,
                        "start": six(visit.start + step * max(0, at)),
                        "us": six(value * 1e6),
                        "kept": "kept" if at not in dropped else "discarded",
                    }


def _spec(rows: list[Row], solution: str) -> dict[str, Any]:
    import altair as alt

    names = sorted({row["solution"] for row in rows}, key=lambda each: each != solution)
    kinds = [each for each in ("kept", "discarded") if any(r["kept"] == each for r in rows)]
    looks = {"kept": (PALETTE[0], "circle"), "discarded": (PALETTE[1], "cross")}
    colours, shapes = (list(each) for each in zip(*(looks[kind] for kind in kinds), strict=True))
    legend = alt.Legend(orient="top") if len(kinds) > 1 else None
    points = alt.Chart(data(rows)).mark_point(filled=True, size=26, opacity=0.75, aria=False)
    y = alt.Y("us:Q", title="µs", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4))
    strips = points.encode(
        x=alt.X("start:Q", title="seconds since the run began", axis=alt.Axis(tickCount=6)),
        y=y,
        color=alt.Color("kept:N", title=None, legend=legend,
                        scale=alt.Scale(domain=kinds, range=colours)),
        shape=alt.Shape("kept:N", title=None, legend=legend,
                        scale=alt.Scale(domain=kinds, range=shapes)),
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("solution", "process", "us", "kept")],
    ).properties(width=WIDTH - 40, height=_STRIP)  # fmt: skip
    header = alt.Header(title=None, labelOrient="top", labelAnchor="start", labelPadding=2)
    chart = strips.facet(row=alt.Row("solution:N", sort=names, header=header), spacing=10)
    return specification(chart.resolve_scale(y="independent"))
