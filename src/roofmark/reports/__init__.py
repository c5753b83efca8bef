"""Pages about a verdict: terminal, Markdown, HTML. They show what was judged and decide nothing.

In: a verdict and its bundle. Out: text. The suffix of the path chooses the form: one HTML file that
needs nothing else, Markdown with SVG charts in a folder beside it, or that folder of charts alone.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from roofmark.codes import problem
from roofmark.errors import BundleError

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Verdict
    from roofmark.bundle import Bundle
    from roofmark.reports.charts import Chart


def write_report(verdict: "Verdict", bundle: "Bundle", path: Path, *, force: bool = False) -> Path:
    """Write `path` (a .html or .md file, or a folder named .svg) and return it.

    Raises: BundleError RM409 when something is there and `force` is not set, RM408 when it cannot
        be written, RM413 for any other suffix.
    """
    write = _WRITERS.get(path.suffix)
    if write is None:
        raise unknown_form(path)
    with writing(path, force=force):
        write(verdict, bundle, path)
    return path


@contextmanager
def writing(path: Path, *, force: bool) -> Generator[None]:
    """Make room for a page and what lies beside it. Raises: BundleError RM409, RM408."""
    ways = [path, charts_beside(path)] if path.suffix == ".md" else [path]
    for each in ways:
        if each.exists() and not force:
            raise _in_the_way(each)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise _cannot_write(path, error) from error


def charts_beside(path: Path) -> Path:
    """Return the folder in which a Markdown page keeps its charts."""
    return path.with_name(path.stem + "-charts")


def _write_html(verdict: "Verdict", bundle: "Bundle", path: Path) -> None:
    from roofmark.reports.html import render_html

    put(path, render_html(verdict, bundle))


def _write_markdown(verdict: "Verdict", bundle: "Bundle", path: Path) -> None:
    from roofmark.reports.markdown import render_sheet
    from roofmark.reports.study_sheet import study_sheet

    folder, sheet = charts_beside(path), study_sheet(verdict, bundle)
    write_charts(sheet.charts, folder)
    put(path, render_sheet(sheet, charts=folder.name))


def _write_svgs(verdict: "Verdict", bundle: "Bundle", path: Path) -> None:
    from roofmark.reports.charts import draw_charts

    write_charts(draw_charts(verdict, bundle), path)


def write_charts(charts: "Sequence[Chart]", folder: Path) -> None:
    """Write a file for each chart that has something to draw; take away those that have not."""
    from roofmark.reports.charts import render_svg

    folder.mkdir(parents=True, exist_ok=True)
    for chart in charts:
        file = folder / f"{chart.name}.svg"
        if chart.spec is None:
            file.unlink(missing_ok=True)
        else:
            put(file, render_svg(chart))


_WRITERS: dict[str, Callable[["Verdict", "Bundle", Path], None]] = {
    ".html": _write_html,
    ".md": _write_markdown,
    ".svg": _write_svgs,
}


def put(path: Path, text: str) -> None:
    """Write beside the target and rename: a page is whole or not there."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)


def _in_the_way(path: Path) -> BundleError:
    fact = "a report is already there"
    return BundleError(
        problem("RM409", fact, str(path), "Name another file with -o, or pass --force.")
    )


def _cannot_write(path: Path, error: OSError) -> BundleError:
    fact = f"cannot write the report: {error.strerror or error}"
    return BundleError(problem("RM408", fact, str(path), "Name another place with -o."))


def unknown_form(path: Path) -> BundleError:
    """Return the error for a suffix that names no form."""
    fact = f"no report has the suffix {path.suffix!r}"
    return BundleError(problem("RM413", fact, str(path), "End the name in .html, .md or .svg."))
