"""Time against traffic, with the fitted line t0 + bytes / rate.

In: a verdict. Out: a chart: what a call costs whatever it moves, and what each byte adds.
"""

import math
from typing import Any

from roofmark.analysis.verdict import Cell, Fit, Verdict
from roofmark.records import Missing
from roofmark.reports.charts.paint import Chart, Row, around, data, marks, six, specification, ticks
from roofmark.reports.view import fit_text
from roofmark.units import show

_HEIGHT = 300
# Chosen: enough points for a smooth curve on two logarithmic axes.
_POINTS = 24
_LINES = (
    " Lines are the fit that the legend names, intercept + bytes / slope: level at the left where "
    "a call costs its intercept whatever it moves, rising at the right where memory does."
)


def draw_size(verdict: Verdict) -> Chart:
    """Return the times of all solutions and the baseline over the bytes that they must move."""
    points = [row for cell in verdict.cells for row in _points(cell, verdict)]
    sizes = sorted({row["bytes"] for row in points})
    enough = len(sizes) > 1
    fitted = any(isinstance(each.fit, Fit) for each in verdict.overall)
    return Chart(
        name="size",
        title="Time against bytes moved",
        caption=f"Time per call against compulsory bytes, on logarithmic axes.{_LINES * fitted}",
        spec=_spec(points, sizes, verdict) if enough else None,
        absent="All workloads move the same bytes, so there is no trend to draw."
        if points
        else "No time could be estimated.",
    )


def _points(cell: Cell, verdict: Verdict) -> list[Row]:
    """Return a solution's time; of the twin's cell the baseline's own."""
    if isinstance(cell.roof, Missing):
        return []
    twins = {each.solution for each in verdict.overall if each.role == "twin"}
    twin = cell.solution in twins
    time = cell.baseline_time if twin else cell.time
    if isinstance(time, Missing):
        return []
    return [
        {
            "workload": cell.workload,
            "solution": verdict.baseline if twin else cell.solution,
            "bytes": cell.roof.traffic,
            "seconds": time.value,
            "text": show(time.value, "s"),
        }
    ]


def _spec(points: list[Row], sizes: list[int], verdict: Verdict) -> dict[str, Any]:
    import altair as alt

    span = around(sizes)
    x = alt.X(
        "bytes:Q",
        scale=alt.Scale(type="log", domain=span, nice=False),
        axis=alt.Axis(title="bytes moved per call", format="~s", values=ticks(span)),
    )
    times = around([row["seconds"] for row in points])
    y = alt.Y(
        "seconds:Q",
        scale=alt.Scale(type="log", domain=times, nice=False),
        axis=alt.Axis(title="seconds per call", format="~s", values=ticks(times)),
    )
    fits = {e.solution: e.fit for e in verdict.overall if isinstance(e.fit, Fit)}
    named = {name: f"{name}: {fit_text(fit)}" for name, fit in fits.items()}
    colour, shape = marks(verdict, [row["solution"] for row in points], labels=named)
    dots = alt.Chart(data(points)).mark_point(filled=True, size=42, opacity=0.8)
    twins = {each.solution for each in verdict.overall if each.role == "twin"}
    lines = [row for n, fit in fits.items() if n not in twins for row in _line(fit, sizes)]
    tooltip = [
        alt.Tooltip("workload:N"),
        alt.Tooltip("solution:N"),
        alt.Tooltip("text:N", title="time"),
    ]
    layers = [dots.encode(x=x, y=y, color=colour, shape=shape, tooltip=tooltip)]
    if lines:
        curve = alt.Chart(data(lines)).mark_line(opacity=0.6, strokeWidth=1.6, clip=True)
        layers.insert(0, curve.encode(x=x, y=y, color=colour))
    return specification(alt.layer(*layers), height=_HEIGHT)


def _line(fit: Fit, sizes: list[int]) -> list[Row]:
    """Return the fitted curve at even steps of the logarithmic axis."""
    low, high = math.log(sizes[0]), math.log(sizes[-1])
    places = [math.exp(low + (high - low) * k / (_POINTS - 1)) for k in range(_POINTS)]
    return [
        {
            "solution": fit.solution,
            "bytes": six(size),
            "seconds": six(fit.t0.value + size / fit.rate.value),
        }
        for size in places
        if fit.rate.value > 0
    ]
