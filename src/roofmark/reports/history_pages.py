"""A history as a page: a chart per metric, then the table; HTML, Markdown with SVG, or SVG alone.

In: a `History`. Out: files. The HTML page needs nothing else and asks nobody; what stands in it
comes from bundles that anybody may have written, so all of it is escaped.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from roofmark.analysis.history import History
from roofmark.reports import charts_beside, put, unknown_form, write_charts, writing
from roofmark.reports.blocks import (
    Block,
    Column,
    Fact,
    Facts,
    Figure,
    Fold,
    Line,
    Section,
    Sheet,
    Table,
    Words,
)
from roofmark.reports.charts.timeline import draw_timelines
from roofmark.reports.history import Part, history_parts
from roofmark.reports.html import render_sheet as render_html
from roofmark.reports.markdown import render_sheet as render_markdown
from roofmark.reports.wording import counted

# Chosen: a page with more rows is not read; `roofmark log` and --json give every one.
_MOST_ROWS = 400


def write_history(history: History, path: Path, *, force: bool = False) -> Path:
    """Write `path` (a .html or .md file, or a folder named .svg) and return it.

    Raises: BundleError RM409 when something is there and `force` is not set, RM408 when it cannot
        be written, RM413 for any other suffix.
    """
    write = _WRITERS.get(path.suffix)
    if write is None:
        raise unknown_form(path)
    with writing(path, force=force):
        write(history_sheet(history), path)
    return path


def history_sheet(history: History) -> Sheet:
    """Return a history's page: a section for each line of comparable bundles."""
    lines, bundles = len(history.lines), sum(len(line.steps) for line in history.lines)
    sections = list(_sections(history))
    if history.damaged:
        facts = [Fact(each.name, each.reason) for each in history.damaged]
        sections.append(Section(name="damaged", title="Not counted", blocks=[Facts(facts)]))
    return Sheet(
        about="History",
        headline=f"{counted(bundles, 'bundle')} in {counted(lines, 'comparable line')}",
        sections=sections,
        foot="All of this follows from the bundles that are named, and from nothing else.",
    )


def _sections(history: History) -> Iterator[Section]:
    parts = (part.newest(_MOST_ROWS) for part in history_parts(history))
    for number, (line, part) in enumerate(zip(history.lines, parts, strict=True), 1):
        charts = list(draw_timelines(line, number))
        blocks: list[Block] = [Words(note, soft=True) for note in part.notes]
        # One caption says for all of them what the marks are.
        blocks += [Figure(charts[0], main=True)]
        blocks += [Figure(replace(chart, caption=""), main=True) for chart in charts[1:]]
        blocks.append(Fold(title="Bundles, oldest first", blocks=[_table(part, number)]))
        yield Section(name=f"line-{number}", title=f"{number}. {part.title}", blocks=blocks)


def _table(part: Part, number: int) -> Table:
    rows = [Line(tuple(row)) for row in part.rows]
    columns = [Column(name) for name in part.head]
    return Table(title=f"Bundles of line {number}", columns=columns, rows=rows)


def _write_html(sheet: Sheet, path: Path) -> None:
    put(path, render_html(sheet))


def _write_markdown(sheet: Sheet, path: Path) -> None:
    folder = charts_beside(path)
    _write_charts(sheet, folder)
    put(path, render_markdown(sheet, charts=folder.name))


def _write_charts(sheet: Sheet, folder: Path) -> None:
    """Write a file for each chart that has something to draw; take away what another run left."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("line-*.svg"):
        old.unlink()
    write_charts(sheet.charts, folder)


_WRITERS: dict[str, Callable[[Sheet, Path], None]] = {
    ".html": _write_html,
    ".md": _write_markdown,
    ".svg": _write_charts,
}
