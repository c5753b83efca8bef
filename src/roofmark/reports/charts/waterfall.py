"""Waterfall: which kernels one call launches, one after another, and what each takes of its time.

In: a verdict and its profiled bundle, or stretches of any origin. Out: a chart.
Times are those of the kernels without the profiler; what was not profiled is a bar of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.profiled import PairProfile, Profiled
from roofmark.reports.charts.paint import (
    PALETTE,
    QUIET,
    WIDTH,
    Chart,
    Row,
    data,
    six,
    specification,
)
from roofmark.reports.wording import one_line, shorten
from roofmark.units import show

_STEP = 20
_NAME = 34
_ROOM = 240
# Chosen: a page's height; the longest calls are shown, and the caption counts the rest.
_MOST_GROUPS = 6
# Chosen: what takes less than this of a call, or comes after so many, is one bar together.
_MOST_BARS = 12
_REST, _GAP = "all other kernels", "not in any kernel"


@dataclass(frozen=True)
class Stretch:
    """One kernel's part of a call. kind: what it is drawn as. seconds: how long it took."""

    kernel: str
    seconds: float
    kind: str


def draw_waterfall(verdict: Verdict, bundle: Bundle) -> Chart:
    """Return the kernel time of every profiled call, the longest calls first."""
    pairs = [each for each in bundle.profiles() if isinstance(each.outcome, Profiled)]
    groups = {one_line(f"{p.solution} on {p.workload}"): list(_stretches(p)) for p in pairs}
    return draw_stretches(groups)


def draw_stretches(groups: dict[str, list[Stretch]]) -> Chart:
    """Return a waterfall for each group of stretches that have any time."""
    timed = {name: _few(found) for name, found in groups.items() if _total(found) > 0}
    ordered = sorted(timed, key=lambda name: -_total(timed[name]))
    left = len(ordered) - _MOST_GROUPS
    note = f" {left} shorter calls are left out." if left > 0 else ""
    rows = [row for name in ordered[:_MOST_GROUPS] for row in _rows(name, timed[name])]
    return Chart(
        name="kernels",
        title="Where a call's time goes",
        caption="Kernels in the order of their launch, each beginning where the one before ended, "
        "in microseconds as timed without the profiler. Grey is the measured time of a call that "
        f"no profiled kernel accounts for.{note}",
        spec=_spec(rows) if rows else None,
        absent="Nothing was profiled, so no kernel has a time of its own.",
    )


def _stretches(pair: PairProfile) -> Iterator[Stretch]:
    found = pair.outcome
    if not isinstance(found, Profiled):
        return
    for each in found.launches:
        yield Stretch(one_line(each.profile.kernel), each.seen, "kernel")
    seen = sum(each.seen for each in found.launches)
    yield Stretch(_REST, max(found.kernel_time - seen, 0.0), "rest")
    if isinstance(found.measured, float):
        yield Stretch(_GAP, max(found.measured - max(found.kernel_time, seen), 0.0), "rest")


def _few(found: Sequence[Stretch]) -> list[Stretch]:
    """Return at most so many bars; what follows them is one."""
    shown = [each for each in found if each.seconds > 0]
    rest = shown[_MOST_BARS:]
    joined = [Stretch(f"{len(rest)} more", _total(rest), "rest")] if rest else []
    return shown[:_MOST_BARS] + joined


def _total(found: Sequence[Stretch]) -> float:
    return sum(each.seconds for each in found)


def _rows(group: str, found: Sequence[Stretch]) -> Iterator[Row]:
    whole, start = _total(found), 0.0
    for number, each in enumerate(found, 1):
        end = start + each.seconds
        share = f"{100 * each.seconds / whole:.0f} %"
        yield {
            "group": f"{group}: {show(whole, 's')}",
            "kernel": f"{number}. {shorten(each.kernel, _NAME)}",
            "begin": six(start * 1e6),
            "end": six(end * 1e6),
            "kind": each.kind,
            "text": f"{show(each.seconds, 's')}, {share}",
        }
        start = end


def _spec(rows: list[Row]) -> dict[str, Any]:
    import altair as alt

    kinds = alt.Scale(domain=["kernel", "rest"], range=[PALETTE[0], QUIET])
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("kernel:N", sort=None, title=None),
        x=alt.X("begin:Q", title=None, axis=alt.Axis(tickCount=6)),
        x2="end:Q",
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("group", "kernel", "text")],
    )
    bars = base.mark_bar(height=_STEP * 0.6).encode(
        color=alt.Color("kind:N", legend=None, scale=kinds)
    )
    places = list(dict.fromkeys(row["group"] for row in rows))
    header = alt.Header(title=None, labelOrient="top", labelAnchor="start", labelPadding=2)
    strips = bars.properties(width=WIDTH - _ROOM, height=alt.Step(_STEP))
    chart = strips.facet(row=alt.Row("group:N", sort=places, header=header), spacing=14)
    return specification(chart.resolve_scale(y="independent", x="independent"), room=_ROOM)
