"""Samples over time, coloured by process: was the machine the same from beginning to end?

In: a verdict and its bundle. Out: a chart with a strip for each solution.
"""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any

from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.reports.charts.paint import PALETTE, WIDTH, Chart, Row, data, specification
from roofmark.reports.visits import Visit, visits

# Chosen: as many marks as a page draws at once and 100 kB hold; beyond it one mark stands for the
# visits of a process to a workload.
_MOST_MARKS = 1500
# Chosen: below this, scatter fills the strip and a quiet machine looks wild.
_LEAST_SPAN = 0.05
_STRIP = 64


def draw_steadiness(verdict: Verdict, bundle: Bundle) -> Chart:
    """Return the visits of every solution over the run, relative to their own median."""
    taken = list(visits(bundle, verdict.tier))
    thinned = len(taken) > _MOST_MARKS
    rows = _rows(_thin(taken) if thinned else taken)
    each = "process on one workload" if thinned else "visit"
    return Chart(
        name="samples",
        title="Steady over the run?",
        caption=f"The median time of each {each}, relative to the median of that solution and "
        "workload, over the run; the colour changes with every new set of processes. A level band "
        "is a steady machine; steps between colours are why processes, not samples, are counted.",
        spec=_spec(rows) if rows else None,
        absent=f"No sample was taken on the {verdict.tier} tier.",
    )


def _thin(taken: Iterable[Visit]) -> list[Visit]:
    groups: defaultdict[tuple[str, str, int], list[Visit]] = defaultdict(list)
    for each in taken:
        groups[each.solution, each.workload, each.process].append(each)
    return [
        Visit(
            solution=solution,
            workload=workload,
            process=process,
            start=group[0].start,
            samples=(median(each.seconds for each in group),),
        )
        for (solution, workload, process), group in groups.items()
    ]


def _rows(taken: list[Visit]) -> list[Row]:
    groups: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for each in taken:
        groups[each.solution, each.workload].append(each.seconds)
    middles = {place: median(times) for place, times in groups.items()}
    return [
        {
            "solution": each.solution,
            "set": each.process,
            "start": round(each.start, 1),
            "relative": round(each.seconds / middles[each.solution, each.workload], 4),
        }
        for each in taken
        if middles[each.solution, each.workload] > 0
    ]


def _spec(rows: list[Row]) -> dict[str, Any]:
    import altair as alt

    # Chosen: what lies outside 0.8 to 1.25 is drawn at the edge; the outlier rule counts it.
    off = min(0.25, max(_LEAST_SPAN, *(abs(row["relative"] - 1) for row in rows)))
    sets = sorted({row["set"] for row in rows})
    scale = alt.Scale(domain=sets, range=[PALETTE[k % len(PALETTE)] for k in range(len(sets))])
    ends = [round(1 - off, 4), round(1 + off, 4)]
    y = alt.Y(
        "relative:Q",
        title=None,
        scale=alt.Scale(domain=ends, clamp=True, nice=False),
        axis=alt.Axis(values=[ends[0], 1, ends[1]], labelExpr="format(datum.value - 1, '+.0%')"),
    )
    solutions = list(dict.fromkeys(row["solution"] for row in rows))
    header = alt.Header(title=None, labelOrient="top", labelAnchor="start", labelPadding=2)
    # A line for each set: as a path it takes a tenth of what its points would take in an SVG.
    lines = alt.Chart(data(rows)).mark_line(strokeWidth=1.2, clip=True).encode(
        x=alt.X("start:Q", title="seconds since the run began", axis=alt.Axis(tickCount=6)),
        y=y,
        color=alt.Color("set:N", legend=None, scale=scale),
    )  # fmt: skip
    strips = lines.properties(width=WIDTH - 40, height=_STRIP)
    chart = strips.facet(row=alt.Row("solution:N", sort=solutions, header=header), spacing=8)
    return specification(chart, room=64)
