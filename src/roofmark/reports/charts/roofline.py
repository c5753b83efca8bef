"""Roofline: what each solution reaches, under the ceilings measured here and those published.

In: a verdict and its bundle. Out: a chart. Where all workloads have about the same intensity the
usual axes would stack all points in one column, so then the rate of bytes is drawn against their
amount.

Source: Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from roofmark.analysis.roofline import ceilings_for
from roofmark.analysis.verdict import Cell, Verdict
from roofmark.bundle import Bundle
from roofmark.evidence import Ceiling
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
from roofmark.reports.wording import headroom, one_line, shorten
from roofmark.units import show

_BANDWIDTHS = ("copy", "read", "memory")
_HEIGHT = 300
# Chosen: intensities within this factor would stand in one narrow column.
_SAME = 4.0


def draw_roofline(verdict: Verdict, bundle: Bundle) -> Chart:
    """Return every solution on every workload under the highest ceilings."""
    twins = {each.solution for each in verdict.overall if each.role == "twin"}
    points = [row for cell in verdict.cells if (row := _point(cell))]
    for row in points:
        # The twin is the baseline again: one of them says where the baseline stands.
        row["solution"] = verdict.baseline if row["solution"] in twins else row["solution"]
    roofs = _roofs(ceilings_for(bundle.environment))
    by_size = bool(points) and _spread(points) < _SAME
    axes = "amount of bytes" if by_size else "flop per byte"
    return Chart(
        name="roofline",
        title="Under the roof",
        caption=f"Compulsory work per second against {axes}, one mark per workload. Lines are "
        "ceilings: solid as measured on this device, dashed as its datasheet states. Distance to "
        "the line is what is left to gain.",
        spec=_spec(points, roofs, verdict, by_size=by_size) if points and roofs else None,
        absent="No ceiling of this device is known, so there is no roof to draw."
        if points
        else "No solution has a time to set under a roof.",
    )


def _point(cell: Cell) -> Row | None:
    roof = cell.roof
    if isinstance(roof, Missing) or isinstance(cell.time, Missing) or roof.traffic <= 0:
        return None
    return {
        "workload": cell.workload,
        "solution": cell.solution,
        "bytes": roof.traffic,
        "intensity": six(roof.flops / roof.traffic),
        "flops": six(roof.flops / cell.time.value),
        "rate": roof.rate,
        "over": headroom(roof),
        "shown": show(roof.rate, "B/s"),
        "source": shorten(one_line(roof.source), 120),
    }


def _spread(points: Sequence[Row]) -> float:
    intensities = [row["intensity"] for row in points]
    return max(intensities) / max(min(intensities), 1e-30)


def _roofs(ceilings: Sequence[Ceiling]) -> list[Ceiling]:
    """Return the highest measured and the highest published ceiling, of bytes and arithmetic."""
    best: dict[tuple[bool, bool], Ceiling] = {}
    for each in ceilings:
        arithmetic = each.quantity.startswith("arithmetic:")
        if (arithmetic or each.quantity in _BANDWIDTHS) and each.value > 0:
            key = (arithmetic, each.measured)
            if key not in best or best[key].value < each.value:
                best[key] = each
    return list(best.values()) if any(not arithmetic for arithmetic, _ in best) else []


def _spec(
    points: list[Row], roofs: list[Ceiling], verdict: Verdict, *, by_size: bool
) -> dict[str, Any]:
    import altair as alt

    across, up = ("bytes", "rate") if by_size else ("intensity", "flops")
    span = around([row[across] for row in points], room=0.15)
    lines = [row for each in roofs for row in _line(each, roofs, span, by_size=by_size)]
    tops = [row["y"] for row in lines]
    field_scale = alt.Scale(type="log", domain=span, nice=False)
    high = around([*tops, *(row[up] for row in points)])
    y_scale = alt.Scale(type="log", domain=high, nice=False)
    x_title, y_title = (
        ("bytes moved per call", "bytes per second")
        if by_size
        else ("flop per byte moved", "flop per second")
    )
    x_axis, y_axis = (alt.Axis(format="~s", values=ticks(each)) for each in (span, high))
    x = alt.X(f"{across}:Q", scale=field_scale, title=x_title, axis=x_axis)
    y = alt.Y(f"{up}:Q", scale=y_scale, title=y_title, axis=y_axis)
    colour, shape = marks(verdict, [row["solution"] for row in points])
    base = alt.Chart(data(lines)).encode(
        x=alt.X("x:Q", scale=field_scale), y=alt.Y("y:Q", scale=y_scale)
    )
    dash = alt.StrokeDash(
        "kind:N",
        legend=None,
        scale=alt.Scale(domain=["measured", "datasheet"], range=[[1, 0], [6, 4]]),
    )
    dots = alt.Chart(data(points)).mark_point(filled=True, size=46, opacity=0.75)
    layers = alt.layer(
        base.mark_line(color=QUIET, strokeWidth=1.6).encode(strokeDash=dash, detail="label:N"),
        *_labels(base, by_size=by_size),
        dots.encode(x=x, y=y, color=colour, shape=shape, tooltip=_tooltip()),
    )  # fmt: skip
    return specification(layers, height=_HEIGHT)


def _labels(base: Any, *, by_size: bool) -> Iterator[Any]:
    """Name ceilings where points are rare: above a slope, at an end of what is level."""
    level = ("left", 4) if by_size else ("right", -4)
    for kind, slope, (align, dx), dy in (
        ("measured", True, ("right", -7), -3),
        ("datasheet", True, ("right", -7), -3),
        ("measured", False, level, 12),
        ("datasheet", False, level, -7),
    ):
        wanted = f"datum.names && datum.slope === {str(slope).lower()} && datum.kind === '{kind}'"
        places = base.transform_filter(wanted)
        yield places.mark_text(align=align, dx=dx, dy=dy).encode(text="label:N")


def _tooltip() -> list[Any]:
    import altair as alt

    return [
        alt.Tooltip("workload:N"),
        alt.Tooltip("solution:N"),
        alt.Tooltip("shown:N", title="useful bytes"),
        alt.Tooltip("over:N", title="over its floor"),
        alt.Tooltip("source:N", title="floor from"),
    ]


def _line(ceiling: Ceiling, roofs: list[Ceiling], span: list[float], *, by_size: bool) -> list[Row]:
    """Return points of a ceiling: slanted for bytes, level for arithmetic, cut where they meet."""
    arithmetic = ceiling.quantity.startswith("arithmetic:")
    left, right = span
    if by_size:
        level = [(left, ceiling.value, True), (right, ceiling.value, False)]
        return [] if arithmetic else _points(ceiling, level, slope=False)
    like = [each for each in roofs if each.measured == ceiling.measured]
    rates = [each.value for each in like if not each.quantity.startswith("arithmetic:")]
    peaks = [each.value for each in like if each.quantity.startswith("arithmetic:")]
    ridge = peaks[0] / rates[0] if peaks and rates else None
    if arithmetic:
        left = left if ridge is None else max(left, ridge)
        places = [(left, ceiling.value, False), (right, ceiling.value, True)]
    else:
        right = right if ridge is None else min(right, ridge)
        # Chosen: two slopes run side by side, so their names stand at different heights.
        share = 0.55 if ceiling.measured else 0.8
        middle = left * (right / left) ** share if left < right else left
        places = [(at, at * ceiling.value, at == middle) for at in (left, middle, right)]
    return _points(ceiling, places, slope=not arithmetic) if left < right else []


def _points(ceiling: Ceiling, places: list[tuple[float, float, bool]], *, slope: bool) -> list[Row]:
    """Return rows of a line. places: x, y, and whether the ceiling's name stands there."""
    kind = "measured" if ceiling.measured else "datasheet"
    what = ceiling.quantity.removeprefix("arithmetic:")
    unit = "flop/s" if ceiling.quantity != what else "B/s"
    label = f"{kind} {one_line(what)} {show(ceiling.value, unit)}"
    return [
        {"x": six(x), "y": six(y), "kind": kind, "label": label, "names": names, "slope": slope}
        for x, y, names in places
    ]
