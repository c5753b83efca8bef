"""ECDF: which share of all samples is at most so large; it shows tails that no interval shows.

In: a verdict and its bundle. Out: a chart: over all workloads relative to their medians, or of one
workload in seconds.
"""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any

from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.reports.charts.paint import Chart, Row, data, marks, six, specification
from roofmark.reports.visits import visits
from roofmark.reports.wording import one_line
from roofmark.study import twin_of

_HEIGHT = 260
# Chosen: steps of 2 %, and the tail in which a latency of one in a hundred or a thousand calls is.
_SHARES = (0.0, 0.002, 0.01, *(k / 50 for k in range(1, 50)), 0.99, 0.998, 1.0)
# Chosen: what lies beyond stands at the edge; one sample of a preempted host must not flatten all.
_WIDEST = 0.25
_NARROWEST = 0.02


def draw_ecdf(verdict: Verdict, bundle: Bundle, *, workload: str | None = None) -> Chart:
    """Return the distribution of samples by solution. workload: of that alone, in seconds."""
    samples: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for visit in visits(bundle, verdict.tier):
        if workload in (None, visit.workload) and visit.solution != twin_of(verdict.baseline):
            samples[visit.solution, visit.workload] += visit.samples
    relative = workload is None
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for (solution, _), taken in samples.items():
        middle = median(taken) if relative else 1.0
        groups[solution] += [each / middle for each in taken] if middle > 0 else []
    rows = [row for name, taken in groups.items() for row in _curve(name, taken)]
    of = "each relative to the median of its solution and workload" if relative else "in seconds"
    where = "" if workload is None else f" on {one_line(workload)}"
    return Chart(
        name="ecdf",
        title=f"Every sample{where}",
        caption=f"The share of samples that are at most so large, {of}. A steep line is a steady "
        "kernel; a foot to the right is a tail, a stair is a second mode, and either makes a mean "
        "say something else than a median.",
        spec=_spec(rows, verdict, relative=relative) if rows else None,
        absent=f"No sample was taken on the {verdict.tier} tier.",
    )


def _curve(solution: str, taken: list[float]) -> Iterable[Row]:
    ordered = sorted(taken)
    last = len(ordered) - 1
    for share in _SHARES if ordered else ():
        yield {"solution": solution, "share": share, "value": six(ordered[round(share * last)])}


def _spec(rows: list[Row], verdict: Verdict, *, relative: bool) -> dict[str, Any]:
    import altair as alt

    x = alt.X("value:Q", scale=alt.Scale(domain=_span(rows, relative=relative), clamp=True,
                                         nice=False), axis=_axis(relative=relative))  # fmt: skip
    y = alt.Y(
        "share:Q",
        title="share of samples",
        axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1]),
        scale=alt.Scale(domain=[0, 1]),
    )
    colour, _ = marks(verdict, [row["solution"] for row in rows])
    lines = alt.Chart(data(rows)).mark_line(interpolate="step-after", strokeWidth=1.8)
    return specification(lines.encode(x=x, y=y, color=colour, detail="solution:N"), height=_HEIGHT)


def _axis(*, relative: bool) -> Any:
    import altair as alt

    if relative:
        return alt.Axis(title="distance from the median", tickCount=6,
                        labelExpr="format(datum.value - 1, '+.1%')")  # fmt: skip
    return alt.Axis(title="seconds per call", format="~s", tickCount=6)


def _span(rows: list[Row], *, relative: bool) -> list[float]:
    """Return an axis around the medians that holds all but the farthest samples."""
    values = [row["value"] for row in rows]
    if not relative:
        middles = [row["value"] for row in rows if row["share"] == 0.5]
        return [max(min(values), min(middles) / 2), min(max(values), max(middles) * 2)]
    # The least and the greatest sample of all decide nothing; those next to them set the width.
    inner = [row["value"] for row in rows if 0 < row["share"] < 1]
    off = min(max(_NARROWEST, *(abs(each - 1) for each in inner)), _WIDEST)
    return [six(1 - off), six(1 + off)]
