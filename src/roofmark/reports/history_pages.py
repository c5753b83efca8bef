"""A history as a page: a chart per metric, then the table; HTML, Markdown with SVG, or SVG alone.

In: a `History`. Out: files. The HTML page needs nothing else and asks nobody; what stands in it
comes from bundles that anybody may have written, so all of it is escaped.
"""

from collections.abc import Callable
from pathlib import Path

from roofmark.analysis.history import History
from roofmark.reports import charts_beside, put, unknown_form, writing
from roofmark.reports.charts.paint import Chart, render_svg
from roofmark.reports.charts.timeline import draw_timelines
from roofmark.reports.history import Part, history_parts
from roofmark.reports.html import render_page
from roofmark.reports.markdown import escape, table

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
        write(history, path)
    return path


def _charts(history: History) -> list[list[Chart]]:
    return [list(draw_timelines(line, n)) for n, line in enumerate(history.lines, 1)]


def _write_html(history: History, path: Path) -> None:
    charts = _charts(history)
    flat = [chart for each in charts for chart in each]
    page = render_page(
        "history.html",
        flat,
        title="History",
        lines=list(zip(_shown(history), charts, strict=True)),
        damaged=history.damaged,
    )
    put(path, page)


def _write_markdown(history: History, path: Path) -> None:
    folder = charts_beside(path)
    _write_charts(history, folder)
    parts: list[str] = []
    for part, charts in zip(_shown(history), _charts(history), strict=True):
        parts += [f"## {escape(part.title)}", *(f"> {escape(each)}" for each in part.notes)]
        for chart in charts:
            parts.append(
                f"![{escape(chart.title)}]({folder.name}/{chart.name}.svg)"
                if chart.spec
                else escape(f"{chart.title}: {chart.absent}")
            )
        parts += [escape(charts[0].caption), table(part.head, part.rows)]
    if history.damaged:
        rows = [[each.name, each.reason] for each in history.damaged]
        parts += ["## Not counted", table(["bundle", "why"], rows)]
    put(path, "\n\n".join(parts) + "\n")


def _write_charts(history: History, folder: Path) -> None:
    """Write a file for each chart that has something to draw; take away what another run left."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("line-*.svg"):
        old.unlink()
    for chart in (chart for each in _charts(history) for chart in each):
        if chart.spec is not None:
            put(folder / f"{chart.name}.svg", render_svg(chart))


def _shown(history: History) -> list[Part]:
    return [part.newest(_MOST_ROWS) for part in history_parts(history)]


_WRITERS: dict[str, Callable[[History, Path], None]] = {
    ".html": _write_html,
    ".md": _write_markdown,
    ".svg": _write_charts,
}
