"""Pages about a verdict: terminal, Markdown, HTML. They show what was judged and decide nothing.

In: a verdict and its bundle. Out: text. The suffix of the path chooses the form.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from roofmark.errors import BundleError, Problem

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Verdict
    from roofmark.bundle import Bundle


def write_report(verdict: "Verdict", bundle: "Bundle", path: Path, *, force: bool = False) -> Path:
    """Write `path` (.html or .md) and return it. Raises: BundleError RM409, RM413."""
    if path.exists() and not force:
        raise _in_the_way(path)
    if path.suffix == ".html":
        from roofmark.reports.html import render_html

        text = render_html(verdict, bundle)
    elif path.suffix == ".md":
        from roofmark.reports.markdown import render_markdown, write_charts

        charts = path.with_name(path.stem + "-charts")
        text = render_markdown(verdict, bundle, charts=write_charts(verdict, bundle, charts))
    else:
        raise _unknown_form(path)
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def _in_the_way(path: Path) -> BundleError:
    return BundleError(
        Problem(
            code="RM409",
            fact="a report is already there",
            where=str(path),
            meaning="Nothing is overwritten without being asked.",
            mend="Name another file with -o, or pass --force.",
        )
    )


def _unknown_form(path: Path) -> BundleError:
    return BundleError(
        Problem(
            code="RM413",
            fact=f"no report has the suffix {path.suffix!r}",
            where=str(path),
            mend="End the name in .html or .md.",
        )
    )
