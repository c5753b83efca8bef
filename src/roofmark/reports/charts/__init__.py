"""The charts: one definition each, for the interactive page and for static SVG.

In: a verdict and its bundle. Out: `Chart`s; one that has nothing to draw says why in a sentence.
Altair and vl-convert are imported when a chart is drawn, never by judge or the terminal.
"""

from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.reports.charts.ecdf import draw_ecdf
from roofmark.reports.charts.forest import draw_forest
from roofmark.reports.charts.paint import Chart, render_svg
from roofmark.reports.charts.roofline import draw_roofline
from roofmark.reports.charts.size import draw_size
from roofmark.reports.charts.steadiness import draw_steadiness
from roofmark.reports.charts.waterfall import draw_waterfall

__all__ = ["Chart", "draw_charts", "render_svg"]


def draw_charts(verdict: Verdict, bundle: Bundle) -> list[Chart]:
    """Return every chart of a report, in the order of its page; all have names that stay."""
    return [
        draw_steadiness(verdict, bundle),
        draw_roofline(verdict, bundle),
        draw_size(verdict),
        draw_waterfall(verdict, bundle),
        draw_forest(verdict),
        draw_ecdf(verdict, bundle),
    ]
