"""The charts: one definition each, for the interactive page and for static SVG.

In: a verdict and its bundle. Out: `Chart`s; one that has nothing to draw says so in a sentence.
Colours are Okabe and Ito's, which people with any colour vision tell apart.
Source: Okabe, Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color/.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from roofmark.analysis.roofline import ceilings_for
from roofmark.analysis.verdict import Cell, Fit, Verdict
from roofmark.bundle import Bundle
from roofmark.records import Missing
from roofmark.reports.view import samples

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_WIDTH = 620
# Chosen: so many workloads are told apart in a forest plot; more are drawn as one row per shape.
_MOST_ROWS = 12
_SEED = re.compile(r"-s\d+$")

Row = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """A name for files, a title, what to look for, and a Vega-Lite specification or none."""

    name: str
    title: str
    caption: str
    spec: dict[str, Any] | None


def draw_charts(verdict: Verdict, bundle: Bundle) -> list[Chart]:
    """Return every chart of a report, in the order in which a reader wants them."""
    return [
        _chart(
            "speed-ups",
            "Speed-up against the baseline",
            "Points right of 1 are faster than the baseline; the grey band is the margin within "
            "which a difference does not matter. Lines are intervals. The twin is the baseline "
            "measured again: it belongs on 1.",
            _forest(verdict),
        ),
        _chart(
            "roofline",
            "Under the roof",
            "Each point is a solution on a workload: useful bytes per second against flops per "
            "byte moved. Lines are ceilings, measured on this device or from its datasheet.",
            _roofline(verdict, bundle),
        ),
        _chart(
            "size",
            "Time against bytes",
            "Time per call against compulsory bytes; lines are t0 + bytes / rate where a fit "
            "was possible.",
            _size(verdict, bundle),
        ),
        _chart(
            "samples",
            "Samples over time",
            "The median of every visit over the run, relative to its own solution and workload; "
            "one colour per process set. A level line is a steady machine.",
            _samples(verdict, bundle),
        ),
    ]


def render_svg(chart: Chart) -> str:
    """Return a chart as SVG."""
    import vl_convert  # pyright: ignore[reportMissingTypeStubs]

    spec: Any = chart.spec
    return vl_convert.vegalite_to_svg(spec)


def _chart(name: str, title: str, caption: str, spec: dict[str, Any] | None) -> Chart:
    return Chart(name, title, caption, spec)


def _forest(verdict: Verdict) -> dict[str, Any] | None:
    import altair as alt

    rows = [row for cell in verdict.cells if (row := _ratio_row(cell))]
    if not rows:
        return None
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    grouped = len({row["workload"] for row in rows}) > _MOST_ROWS
    y = alt.Y("shape:N" if grouped else "workload:N", sort=shapes if grouped else None, title=None)
    band = alt.Chart(_data([{"low": 1 / (1 + verdict.margin), "high": 1 + verdict.margin}]))
    x = alt.X("value:Q", scale=alt.Scale(type="log", nice=False), title="speed-up (log scale)")
    points = alt.Chart(_data(rows)).encode(
        y=y,
        yOffset=alt.YOffset("solution:N"),
        color=_colour(rows),
        tooltip=["workload:N", "solution:N", "decision:N", "value:Q", "low:Q", "high:Q"],
    )
    layers = [
        band.mark_rect(color="#888", opacity=0.25).encode(x="low:Q", x2="high:Q"),
        points.mark_rule(strokeWidth=1.5, opacity=0.6).encode(x="low:Q", x2="high:Q"),
        points.mark_point(filled=True, size=36, opacity=0.9).encode(x=x),
    ]
    count = len(shapes) if grouped else len({row["workload"] for row in rows})
    step = 14 * max(2, len({row["solution"] for row in rows}))
    return _spec(alt.layer(*layers), height=count * step)


def _ratio_row(cell: Cell) -> Row | None:
    speedup = cell.speedup
    if isinstance(speedup, Missing):
        return None
    return {
        "workload": cell.workload,
        "shape": _SEED.sub("", cell.workload),
        "solution": cell.solution,
        "decision": cell.decision,
        "value": speedup.value,
        "low": speedup.low,
        "high": speedup.high,
    }


def _roofline(verdict: Verdict, bundle: Bundle) -> dict[str, Any] | None:
    import altair as alt

    points = [row for cell in verdict.cells if (row := _roof_row(cell))]
    lines = _ceiling_rows(bundle, points)
    if not points or not lines:
        return None
    x = alt.X("intensity:Q", scale=alt.Scale(type="log"), title="flop per byte moved")
    y = alt.Y("rate:Q", scale=alt.Scale(type="log"), title="flop per second",
              axis=alt.Axis(format="~s"))  # fmt: skip
    roof = (
        alt.Chart(_data(lines))
        .mark_line(color="#888")
        .encode(x=x, y=y, strokeDash=alt.StrokeDash("ceiling:N", title="ceiling"))
    )
    dots = (
        alt.Chart(_data(points))
        .mark_point(filled=True, size=45, opacity=0.7)
        .encode(
            x=x,
            y=y,
            color=_colour(points),
            tooltip=["workload:N", "solution:N", "headroom:Q", "limit:N", "source:N"],
        )
    )
    return _spec(alt.layer(roof, dots), height=300)


def _roof_row(cell: Cell) -> Row | None:
    roof, time = cell.roof, cell.time
    if isinstance(roof, Missing) or isinstance(time, Missing) or roof.traffic <= 0:
        return None
    return {
        "workload": cell.workload,
        "solution": cell.solution,
        "intensity": _round(roof.flops / roof.traffic),
        "rate": _round(roof.flops / time.value),
        "headroom": roof.headroom,
        "limit": roof.limit,
        "source": roof.source,
    }


def _ceiling_rows(bundle: Bundle, points: Sequence[Row]) -> list[Row]:
    """Two ends of a slanted line for each kind of bandwidth: measured and datasheet."""
    if not points:
        return []
    low = min(row["intensity"] for row in points) / 3
    high = max(row["intensity"] for row in points) * 3
    best: dict[str, float] = {}
    for ceiling in ceilings_for(bundle.environment):
        if ceiling.quantity in ("copy", "read", "memory"):
            kind = "measured" if ceiling.measured else "datasheet"
            name = f"{kind} {ceiling.quantity}"
            best[name] = max(best.get(name, 0.0), ceiling.value)
    return [
        {"ceiling": name, "intensity": _round(at), "rate": _round(at * value)}
        for name, value in best.items()
        for at in (low, high)
    ]


def _size(verdict: Verdict, bundle: Bundle) -> dict[str, Any] | None:
    import altair as alt

    points = [row for cell in verdict.cells if (row := _size_row(cell))]
    if len({row["bytes"] for row in points}) < 2:
        return None
    sizes = sorted({row["bytes"] for row in points})
    lines = [
        {"solution": fit.solution, "bytes": size, "seconds": fit.t0.value + size / fit.rate.value}
        for each in verdict.overall
        if isinstance(fit := each.fit, Fit)
        for size in sizes
    ]
    x = alt.X("bytes:Q", scale=alt.Scale(type="log"), title="bytes moved per call",
              axis=alt.Axis(format="~s"))  # fmt: skip
    y = alt.Y("seconds:Q", scale=alt.Scale(type="log"), title="seconds per call",
              axis=alt.Axis(format="~s"))  # fmt: skip
    colour = _colour(points)
    dots = (
        alt.Chart(_data(points))
        .mark_point(filled=True, size=40, opacity=0.8)
        .encode(x=x, y=y, color=colour, tooltip=["workload:N", "solution:N", "seconds:Q"])
    )
    fits = alt.Chart(_data(lines)).mark_line(opacity=0.6).encode(x=x, y=y, color=colour)
    return _spec(alt.layer(dots, fits) if lines else dots, height=300)


def _size_row(cell: Cell) -> Row | None:
    if isinstance(cell.roof, Missing) or isinstance(cell.time, Missing):
        return None
    return {
        "workload": cell.workload,
        "solution": cell.solution,
        "bytes": cell.roof.traffic,
        "seconds": cell.time.value,
    }


def _samples(verdict: Verdict, bundle: Bundle) -> dict[str, Any] | None:
    import altair as alt

    taken = list(samples(bundle, verdict.tier))
    if not taken:
        return None
    middles = _middles(taken)
    rows: list[Row] = [
        {
            "solution": row["solution"],
            "process": f"set {row['process']}",
            "start": round(float(str(row["start"])), 2),
            "relative": _round(float(str(row["seconds"])) / middles[_key(row)]),
        }
        for row in taken
    ]
    chart = (
        alt.Chart(_data(rows))
        .mark_point(size=12, opacity=0.6)
        .encode(
            x=alt.X("start:Q", title="seconds since the run began"),
            y=alt.Y(
                "relative:Q",
                title="time / its median",
                # Chosen: what lies outside is counted by the outlier rule; the band shows drift.
                scale=alt.Scale(domain=[0.9, 1.15], clamp=True),
            ),
            color=alt.Color("process:N", legend=None, scale=alt.Scale(range=list(PALETTE))),
            row=alt.Row("solution:N", title=None),
        )
        .properties(width=_WIDTH - 40, height=70)
    )
    return chart.to_dict(format="vega-lite")


def _key(row: dict[str, object]) -> tuple[object, object]:
    return row["solution"], row["workload"]


def _middles(taken: Sequence[dict[str, object]]) -> dict[tuple[object, object], float]:
    groups: dict[tuple[object, object], list[float]] = {}
    for row in taken:
        groups.setdefault(_key(row), []).append(float(str(row["seconds"])))
    return {key: sorted(values)[len(values) // 2] for key, values in groups.items()}


def _colour(rows: Sequence[Row]) -> Any:
    import altair as alt

    names = list(dict.fromkeys(row["solution"] for row in rows))
    scale = alt.Scale(domain=names, range=[PALETTE[i % len(PALETTE)] for i in range(len(names))])
    return alt.Color("solution:N", scale=scale, title=None, legend=alt.Legend(orient="top"))


def _spec(chart: Any, *, height: int) -> dict[str, Any]:
    to_dict: Callable[..., dict[str, Any]] = chart.properties(width=_WIDTH, height=height).to_dict
    return to_dict(format="vega-lite")


def _data(rows: Sequence[Row]) -> Any:
    import altair as alt

    return alt.Data(values=list(rows))  # pyright: ignore[reportArgumentType]


def _round(value: float) -> float:
    """Six figures are more than a pixel; the page stays small."""
    return float(f"{value:.6g}")
