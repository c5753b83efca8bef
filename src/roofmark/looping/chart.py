"""The chart of a loop: best ratio against device seconds, as SVG and as a page.

In: a loop's folder. Out: progress.svg and progress.html in it, made from its journal.
"""

from collections.abc import Sequence
from pathlib import Path

from roofmark.bundle import MANIFEST, open_bundle
from roofmark.looping.files import put
from roofmark.looping.journal import read_journal
from roofmark.looping.plan import read_plan
from roofmark.looping.standing import Point, Standing, sum_up, trace_progress
from roofmark.looping.state import seconds_of
from roofmark.looping.tries import Try
from roofmark.records import Missing
from roofmark.reports.charts.paint import render_svg
from roofmark.reports.charts.progress import Attempt, draw_progress
from roofmark.reports.html import render_sheet
from roofmark.reports.loop_sheet import loop_sheet

SVG, PAGE = "progress.svg", "progress.html"


def write_charts(folder: Path) -> list[Path]:
    """Draw the chart of a loop into its folder; return what was written, nothing before a try."""
    tries, seconds = read_tries(folder), start_seconds(folder)
    points = trace_progress(tries, seconds)
    if not points:
        return []
    attempts = attempts_of(points)
    chart = draw_progress(attempts, seconds)
    plan = read_plan(folder)
    title = f"Loop over {plan.solution}"
    headline = headline_of(sum_up(tries, seconds, plan.alpha))
    page = render_sheet(loop_sheet(title, headline, chart, attempts))
    written = {folder / SVG: render_svg(chart), folder / PAGE: page}
    for path, text in written.items():
        put(path, text.encode())
    return list(written)


def attempts_of(points: Sequence[Point]) -> list[Attempt]:
    """Return the rows that the chart of progress is drawn from."""
    return [
        Attempt(
            number=each.number,
            seconds=each.device_seconds,
            ratio=None if isinstance(each.over_start, Missing) else each.over_start,
            best=each.best,
            ending=each.ending,
            what=each.what,
        )
        for each in points
    ]


def headline_of(standing: Standing) -> str:
    """Return what the loop came to in one line."""
    if not standing.best:
        return f"{standing.tries} tries, nothing was kept"
    return (
        f"{standing.tries} tries, {standing.kept} kept; best is try {standing.best}, "
        f"{standing.over_start:.4g}x the start"
    )


def read_tries(folder: Path) -> list[Try]:
    """Return the tries of a loop. Raises: BundleError RM402."""
    return [each for each in read_journal(folder) if isinstance(each, Try)]


def start_seconds(folder: Path) -> float:
    """Return the seconds for which the start held the device; 0 while it is not there."""
    if not (folder / "start" / MANIFEST).exists():
        return 0.0
    return seconds_of(open_bundle(folder / "start"))
