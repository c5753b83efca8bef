"""A loop's page: what it came to, its chart, and a row for each try.

In: attempts in order, and the chart of them. Out: a `Sheet`.
"""

from collections.abc import Sequence

from roofmark.reports.blocks import Column, Figure, Line, Section, Sheet, Table
from roofmark.reports.charts.paint import Chart
from roofmark.reports.charts.progress import Attempt
from roofmark.reports.wording import NOTHING, one_line

_COLUMNS = (
    Column("Try", "name"),
    Column("Device seconds so far", "number"),
    Column("Over the start", "number"),
    Column("Best", "number"),
    Column("Ending"),
    Column("What"),
)


def loop_sheet(title: str, headline: str, chart: Chart, attempts: Sequence[Attempt]) -> Sheet:
    """Return the page of a loop."""
    rows = [
        Line(
            (
                str(each.number),
                f"{each.seconds:.0f}",
                NOTHING if each.ratio is None else f"{each.ratio:.4g}x",
                f"{each.best:.4g}x",
                each.ending,
                one_line(each.what),
            )
        )
        for each in attempts
    ]
    table = Table(title="Every try", columns=_COLUMNS, rows=rows)
    return Sheet(
        about=one_line(title),
        headline=headline,
        top=[Figure(chart, main=True)],
        sections=[Section(name="tries", title="Tries", blocks=[table])],
        foot="All of this follows from the loop's journal and its bundles, and from nothing else.",
    )
