"""Time lines: one number over bundles in their order, with intervals and what happened.

In: one line of comparable bundles. Out: a chart for speed-ups, and one per workload for times. One
bundle takes one place on the axis, named by its commit: what was measured twice a day and then not
for a month would else be a heap and a gap.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from roofmark.analysis.history import Entry, Line, LinePin, Step
from roofmark.analysis.verdict import Estimate
from roofmark.records import Missing
from roofmark.reports.charts.paint import (
    Chart,
    Row,
    around,
    data,
    encodings,
    look_of,
    six,
    specification,
    ticks,
)
from roofmark.reports.wording import date_of, one_line, shorten
from roofmark.units import show

_HEIGHT = 240
# Chosen: with more marks than pixels nothing is seen; the newest and all that happened are drawn.
MOST_POINTS = 400
# Chosen: a chart per workload stays readable for as many; --workload chooses another.
MOST_WORKLOADS = 3


def draw_timelines(line: Line, number: int) -> Iterator[Chart]:
    """Yield the charts of one line; number: tells its charts from those of other lines."""
    shown = _thinned(line.steps)
    left = len(line.steps) - len(shown)
    names = list(dict.fromkeys(e.solution for s in line.steps for e in s.entries))
    note = f" {left} older ones in which nothing changed are left out." if left else ""
    rows = [row for at, s in shown for e in s.entries if (row := _row(at, s, e, e.speedup, "1"))]
    pins = line.pin.speedups if isinstance(line.pin, LinePin) else {}
    yield _chart(
        f"line-{number}-speed-up",
        f"Speed-up of {one_line(line.study)}",
        note,
        _spec(rows, names, line.steps, pins, "times as fast as the baseline"),
    )
    workloads = list(dict.fromkeys(w for s in line.steps for e in s.entries for w in e.times))
    for workload in workloads[:MOST_WORKLOADS]:
        rows = [
            row
            for at, s in shown
            for e in s.entries
            if (row := _row(at, s, e, e.times.get(workload, _ABSENT), "s"))
        ]
        pins = _pinned_times(line.pin, workload)
        yield _chart(
            f"line-{number}-time-{workloads.index(workload) + 1}",
            f"Time of {one_line(line.study)} on {one_line(workload)}",
            note,
            _spec(rows, names, line.steps, pins, "seconds per call"),
        )


_ABSENT = Missing(reason="not measured")


def _pinned_times(pin: LinePin | Missing, workload: str) -> dict[str, float]:
    if isinstance(pin, Missing):
        return {}
    return {name: held[workload].value for name, held in pin.times.items() if workload in held}


def _chart(name: str, title: str, note: str, spec: dict[str, Any] | None) -> Chart:
    return Chart(
        name=name,
        title=title,
        caption="Bundles in the order of time, named by commit; lines are their intervals. A ring "
        "marks the best that no finding moved, ▲ and ▼ a change point (faster, slower than the "
        f"bundle before), a square the pinned bundle and a dashed line its value.{note}",
        spec=spec,
        absent="There is no estimate to draw.",
    )


def _thinned(steps: Sequence[Step]) -> list[tuple[int, Step]]:
    """Return (place, step) of the newest ones and of those in which something happened."""
    places = list(enumerate(steps, 1))
    newest, older = places[-MOST_POINTS:], places[:-MOST_POINTS]
    happened = [p for p in older if p[1].pinned or any(e.change or e.best for e in p[1].entries)]
    return happened[-MOST_POINTS:] + newest


def _row(at: int, step: Step, entry: Entry, estimate: Estimate | Missing, unit: str) -> Row | None:
    if isinstance(estimate, Missing) or estimate.value <= 0:
        return None
    happened = [m for m, on in (("best", entry.best), (entry.change, entry.change)) if on]
    return {
        "at": at,
        "solution": one_line(entry.solution),
        "value": estimate.value,
        "low": max(estimate.low, 1e-30),
        "high": estimate.high,
        "text": " ".join((show(estimate.value, unit), *happened)),
        "bundle": shorten(one_line(step.name), 60),
        "commit": _commit(step),
        "date": date_of(step.started),
        "decision": "none" if isinstance(entry.decision, Missing) else entry.decision,
        "codes": ", ".join(entry.codes) or "none",
        "change": entry.change,
        "best": entry.best,
        "pinned": step.pinned,
    }


def _commit(step: Step) -> str:
    if isinstance(step.commit, Missing):
        return "no commit"
    return one_line(step.commit)[:9] + ("+" if step.dirty else "")


def _spec(
    rows: list[Row], names: list[str], steps: Sequence[Step], pins: dict[str, float], title: str
) -> dict[str, Any] | None:
    if not rows:
        return None
    import altair as alt

    pins = {one_line(n): v for n, v in pins.items() if n in names}
    ends = _readable([row[end] for row in rows for end in ("low", "high")], rows)
    span = around([*ends, *pins.values()])
    scale = alt.Scale(type="log", domain=span, nice=False, clamp=True)
    y = alt.Y("value:Q", scale=scale, axis=alt.Axis(title=title, format="~s", values=ticks(span)))
    x = alt.X("at:Q", axis=_axis(steps), scale=alt.Scale(nice=False, padding=14))
    colour, shape = encodings(look_of([one_line(name) for name in names]))
    base = alt.Chart(data(rows)).encode(x=x, color=colour)
    spans = base.mark_rule(strokeWidth=1.5, opacity=0.5).encode(
        y=alt.Y("low:Q", scale=scale), y2="high:Q"
    )
    points = base.mark_point(filled=True, size=40, opacity=0.9).encode(
        y=y, shape=shape, tooltip=_tooltip()
    )
    layers = [spans, base.mark_line(opacity=0.35).encode(y=y), points, *_marks(base, y)]
    if pins:
        pinned = [{"solution": name, "value": six(value)} for name, value in pins.items()]
        layers.insert(
            0, alt.Chart(data(pinned)).mark_rule(strokeDash=[6, 4]).encode(y=y, color=colour)
        )
    return specification(alt.layer(*layers), height=_HEIGHT)


def _readable(ends: Sequence[float], rows: Sequence[Row]) -> list[float]:
    """Return the ends that the axis has to hold: a wild interval must not flatten the rest."""
    values = [row["value"] for row in rows]
    # Chosen: ten times beyond every value an interval's end says no more than "wide".
    return [min(max(end, min(values) / 10), max(values) * 10) for end in ends]


def _marks(base: Any, y: Any) -> Iterator[Any]:
    ring = base.mark_point(size=190, strokeWidth=2, filled=False).encode(y=y)
    yield ring.transform_filter("datum.best")
    square = base.mark_point(size=260, shape="square", strokeWidth=1.5, filled=False).encode(y=y)
    yield square.transform_filter("datum.pinned")
    for change, text, dy in (("faster", "▲", -16), ("slower", "▼", 16)):
        mark = base.mark_text(text=text, dy=dy, fontSize=13).encode(y=y)
        yield mark.transform_filter(f"datum.change === '{change}'")


def _axis(steps: Sequence[Step]) -> Any:
    """Name each place by its commit; the list stands in the chart, as text and never as code."""
    import altair as alt

    names = ["", *(_commit(step) for step in steps)]
    # JSON is JavaScript; what could end a script is escaped once more by the page.
    expression = f"{json.dumps(names)}[datum.value] || ''"
    return alt.Axis(
        title="bundle, oldest first, by commit",
        labelExpr=expression,
        labelAngle=-35,
        tickMinStep=1,
        tickCount=min(12, len(steps)),
        format="d",
        grid=False,
    )


def _tooltip() -> list[Any]:
    import altair as alt

    fields: Iterable[str] = ("solution", "text", "decision", "codes", "bundle", "commit", "date")
    return [alt.Tooltip(f"{field}:N") for field in fields]
