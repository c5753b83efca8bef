"""A sheet as one HTML file: no network, no server, everything inside.

In: a verdict and its bundle, or any `Sheet`. Out: a page. Text is escaped by the template engine;
charts travel as JSON in which no character can end a script element, and beside it as still
pictures for readers whose browser runs no script; a policy in the page lets only our own scripts
run, named by their digests, so that markup which slipped through could still do nothing.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from roofmark import __version__
from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.reports.blocks import Sheet
from roofmark.reports.charts import Chart
from roofmark.reports.charts.paint import render_svg
from roofmark.reports.study_sheet import study_sheet
from roofmark.terminal_text import plain

_SNIPPET = "window.vegaEmbed = vegaEmbed;"
_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
# Chosen: 40 stills of the largest kind stay below a page of 2 MB less its scripts; a history of
# many lines has more charts than that, and tables that say the same.
_MOST_STILLS = 12


def render_html(verdict: Verdict, bundle: Bundle) -> str:
    """Return a study's whole page."""
    return render_sheet(study_sheet(verdict, bundle))


def render_sheet(sheet: Sheet) -> str:
    """Return any sheet as a page."""
    return render_page("page.html", sheet.charts, sheet=sheet)


def render_page(template: str, charts: Sequence[Chart], **values: Any) -> str:
    """Return a page with charts, from a template of this package."""
    drawn = [chart for chart in charts if chart.spec is not None]
    scripts = [_vega(), asset("page.js")] if drawn else []
    return _template(template).render(
        specs=embed_json({chart.name: chart.spec for chart in drawn}),
        still={chart.name: render_svg(chart) for chart in drawn[:_MOST_STILLS]},
        scripts=scripts,
        style=asset("page.css"),
        policy=policy_for(scripts),
        version=__version__,
        **values,
    )


def embed_json(value: Any) -> str:
    """Return JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":")).translate(_UNSAFE)


def policy_for(scripts: Sequence[str]) -> str:
    """Return the content security policy of a page that runs these scripts and no other.

    Vega sets styles on elements, so that stays allowed; its expressions are interpreted and not
    compiled (`ast` in page.js), so no text becomes code. No address may be loaded from, asked, or
    sent to.
    """
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    named = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in digests) or "'none'"
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
def asset(name: str) -> str:
    """Return a style sheet or a script of this package."""
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
