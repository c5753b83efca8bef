"""Progress of a loop: the best ratio so far against the seconds that the device was held.

In: a row for each try, in order. Out: a chart. A try without a ratio (refused, not built, wrong)
stands on the line of what it was up against, because its time was spent too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from roofmark.reports.charts.paint import (
    PALETTE,
    QUIET,
    Chart,
    Row,
    around,
    data,
    encodings,
    six,
    specification,
    ticks,
)
from roofmark.reports.wording import one_line, shorten

_HEIGHT = 300
_KEPT, _LOST, _NONE = "kept", "measured and not kept", "not measured"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try. seconds: of the device until its end. ratio: over the start, if there is one."""

    number: int
    seconds: float
    ratio: float | None
    best: float
    ending: str
    what: str


def draw_progress(attempts: Sequence[Attempt], start: float) -> Chart:
    """Return the best ratio against device seconds. start: seconds that the start took."""
    return Chart(
        name="progress",
        title="Best ratio against device time",
        caption="Speed-up over the study's own version. The line is the best that was kept, the "
        "product of the confirmed ratios; marks are tries at their own measured ratio, or on the "
        "line where nothing was measured.",
        spec=_spec(attempts, start) if attempts else None,
        absent="No try has ended yet.",
    )


def _spec(attempts: Sequence[Attempt], start: float) -> dict[str, Any]:
    import altair as alt

    rows = _rows(attempts)
    steps: list[Row] = [{"seconds": six(start), "best": 1.0}]
    steps += [{"seconds": six(each.seconds), "best": six(each.best)} for each in attempts]
    ends = [row["ratio"] for row in rows] + [row["best"] for row in steps]
    span = around(ends)
    scale = alt.Scale(type="log", domain=span, nice=False)
    y = alt.Axis(title="times as fast as the start (log scale)", format="~g", values=ticks(span))
    kinds = [_KEPT, _LOST, _NONE]
    looks = [(PALETTE[2], "circle"), (PALETTE[1], "square"), (QUIET, "cross")]
    colour, shape = encodings(dict(zip(kinds, looks, strict=True)), field="kind")
    x = alt.X("seconds:Q", title="seconds that the device was held", axis=alt.Axis(tickCount=6))
    line = alt.Chart(data(steps)).mark_line(interpolate="step-after", color=PALETTE[2])
    points = alt.Chart(data(rows)).mark_point(filled=True, size=50, opacity=0.85)
    tips = [alt.Tooltip(f"{name}:N") for name in ("try", "ending", "shown", "what")]
    layers = alt.layer(
        line.encode(x=x, y=alt.Y("best:Q", scale=scale, axis=y)),
        points.encode(
            x=x,
            y=alt.Y("ratio:Q", scale=scale),
            color=colour,
            shape=shape,
            tooltip=tips,
        ),
    )
    return specification(layers, height=_HEIGHT)


def _rows(attempts: Sequence[Attempt]) -> list[Row]:
    rows: list[Row] = []
    before = 1.0
    for each in attempts:
        measured = each.ratio is not None
        kind = _KEPT if each.ending == "kept" else _LOST if measured else _NONE
        ratio = each.best if each.ending == "kept" else each.ratio if measured else before
        rows.append(
            {
                "try": str(each.number),
                "seconds": six(each.seconds),
                "ratio": six(ratio or before),
                "shown": f"{each.ratio:.4g}x" if measured else "",
                "ending": each.ending,
                "kind": kind,
                "what": shorten(one_line(each.what), 120),
            }
        )
        before = each.best
    return rows
