"""The report as one HTML file: no network, no server, everything inside.

In: a verdict and its bundle. Out: a page. Text is escaped by the template engine; charts travel as
JSON in which no character can end a script element; a policy in the page lets only our own scripts
run, named by their digests, so that markup which slipped through could still do nothing.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from roofmark import __version__
from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.reports import proof, view
from roofmark.reports.charts import Chart, draw_charts
from roofmark.reports.charts.progress import Attempt
from roofmark.reports.legs import leg_tables
from roofmark.reports.wording import one_line
from roofmark.terminal_text import plain

_SNIPPET = "window.vegaEmbed = vegaEmbed;"
_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def render_html(verdict: Verdict, bundle: Bundle) -> str:
    """Return the whole page."""
    return render_page(
        "report.html",
        draw_charts(verdict, bundle),
        verdict=verdict,
        title=one_line(bundle.study.title or verdict.study),
        caveats=view.caveats(verdict),
        headline=view.headline(verdict),
        sentences=view.sentences(verdict),
        context=view.context(verdict),
        solutions=view.solution_rows(verdict),
        contrasts=view.contrast_rows(verdict),
        bounds=view.bound_rows(verdict),
        trust=proof.trust(verdict, bundle),
        findings=view.finding_rows(verdict),
        cells=view.cell_rows(verdict),
        legs=leg_tables(verdict, bundle),
        proofs=proof.proofs(bundle),
        provenance=proof.provenance(verdict, bundle),
        commands=proof.reproduce(bundle),
    )


def render_page(template: str, charts: Sequence[Chart], **values: Any) -> str:
    """Return a page with charts, from a template of this package."""
    scripts = [_vega(), _asset("report.js")]
    return _template(template).render(
        charts=charts,
        specs=embed_json({chart.name: chart.spec for chart in charts if chart.spec is not None}),
        scripts=scripts,
        style=_asset("report.css"),
        policy=_policy(scripts),
        version=__version__,
        **values,
    )


def render_progress(title: str, headline: str, chart: Chart, attempts: Sequence[Attempt]) -> str:
    """Return the page of a loop: its chart, and a row for each try."""
    return render_page(
        "loop.html",
        [chart],
        title=one_line(title),
        headline=headline,
        chart=chart,
        attempts=[replace(each, what=one_line(each.what)) for each in attempts],
    )


def embed_json(value: Any) -> str:
    """Return JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":")).translate(_UNSAFE)


def _policy(scripts: list[str]) -> str:
    """Return the page's content security policy.

    Vega sets styles on elements, so that stays allowed; its expressions are interpreted and not
    compiled (`ast` in report.js), so no text becomes code. No address may be loaded from, asked, or
    sent to.
    """
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    named = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in digests)
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src {named}"
    )


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the package that also makes the SVGs."""
    import vl_convert  # pyright: ignore[reportMissingTypeStubs]

    # The script is trusted; what would end its element must only not appear in it by accident.
    return vl_convert.javascript_bundle(_SNIPPET).replace("</script", "<\\/script")


@cache
def _asset(name: str) -> str:
    return files("roofmark.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _template(name: str) -> Any:
    environment = Environment(
        loader=PackageLoader("roofmark.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_without_controls,
    )
    return environment.get_template(name)


def _without_controls(value: Any) -> Any:
    """Return a text without control characters; what is marked as safe stays as it is."""
    return plain(value) if type(value) is str else value
