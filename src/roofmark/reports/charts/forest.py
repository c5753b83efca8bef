"""Forest plot: every speed-up with its interval, against 1 and the margin around it.

In: a verdict. Out: a chart. Workloads that differ by seed alone share a row.
"""

import re
from typing import Any

from roofmark.analysis.verdict import Cell, Verdict
from roofmark.records import Missing
from roofmark.reports.charts.paint import (
    QUIET,
    Chart,
    Row,
    around,
    data,
    marks,
    six,
    specification,
    ticks,
)
from roofmark.reports.wording import ratio_and_interval

# Chosen: so many workloads are told apart in a forest plot; more are drawn as one row per shape.
_MOST_ROWS = 12
# Chosen: a row of its own per solution, far enough apart that intervals do not touch.
_STEP = 15
_SEED = re.compile(r"-s\d+$")


def draw_forest(verdict: Verdict) -> Chart:
    """Return the speed-ups of all solutions and the twin on all workloads."""
    rows = [row for cell in verdict.cells if (row := _row(cell))]
    return Chart(
        name="speed-ups",
        title="Speed-up on every workload",
        caption="Times as fast as the baseline, which stands at 1; to the right is faster. Lines "
        f"are {verdict.level * 100:.4g} % intervals. Within the grey band, the margin, a "
        "difference does not matter. The twin is the baseline measured again and belongs on 1.",
        spec=_spec(rows, verdict) if rows else None,
        absent="No speed-up could be estimated, so there is nothing to compare.",
    )


def _row(cell: Cell) -> Row | None:
    speedup = cell.speedup
    if isinstance(speedup, Missing):
        return None
    return {
        "workload": cell.workload,
        "shape": _SEED.sub("", cell.workload),
        "solution": cell.solution,
        "decision": cell.decision,
        "value": speedup.value,
        "low": max(speedup.low, 1e-9),
        "high": speedup.high,
        "text": ratio_and_interval(speedup),
    }


def _spec(rows: list[Row], verdict: Verdict) -> dict[str, Any]:
    import altair as alt

    field = "shape" if len({row["workload"] for row in rows}) > _MOST_ROWS else "workload"
    places = list(dict.fromkeys(row[field] for row in rows))
    solutions = list(dict.fromkeys(row["solution"] for row in rows))
    band = {"low": six(1 / (1 + verdict.margin)), "high": 1 + verdict.margin}
    ends = [row[end] for row in (*rows, band) for end in ("low", "high")]
    span = around(ends)
    scale = alt.Scale(type="log", domain=span, nice=False)
    axis = alt.Axis(
        title="times as fast as the baseline (log scale)", format="~g", values=ticks(span)
    )
    x = alt.X("value:Q", scale=scale, axis=axis)
    colour, shape = marks(verdict, solutions)
    points = alt.Chart(data(rows)).encode(
        y=alt.Y(f"{field}:N", sort=places, title=None, axis=alt.Axis(labelLimit=140)),
        yOffset=alt.YOffset("solution:N", sort=solutions),
        color=colour,
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("workload", "solution", "decision")]
        + [alt.Tooltip("text:N", title="speed-up")],
    )
    low = alt.X("low:Q", scale=scale)
    ground = alt.Chart(data([band])).mark_rect(color=QUIET, opacity=0.22)
    one = alt.Chart(data([{"one": 1}])).mark_rule(color=QUIET)
    layers = alt.layer(
        ground.encode(x=low, x2="high:Q"),
        one.encode(x=alt.X("one:Q", scale=scale)),
        points.mark_rule(strokeWidth=2, opacity=0.55).encode(x=low, x2="high:Q"),
        points.mark_point(filled=True, size=42, opacity=0.85).encode(x=x, shape=shape),
    )
    return specification(layers, height=max(80, len(places) * (_STEP * len(solutions) + 8)))
