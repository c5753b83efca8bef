"""The report as one HTML file: no network, no server, everything inside.

In: a verdict and its bundle. Out: a page. Text is escaped by the template engine; charts travel as
JSON in which no character can end a script element.
"""

import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from roofmark import __version__
from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.reports import view
from roofmark.reports.charts import draw_charts
from roofmark.terminal_text import plain

_SNIPPET = "window.vegaEmbed = vegaEmbed;"
_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def render_html(verdict: Verdict, bundle: Bundle) -> str:
    """Return the whole page."""
    charts = draw_charts(verdict, bundle)
    specs = {chart.name: chart.spec for chart in charts if chart.spec is not None}
    return _template().render(
        verdict=verdict,
        view=view,
        answer=view.answer(verdict),
        trust=view.trust(verdict, bundle),
        findings=view.firing(verdict),
        charts=charts,
        proofs=list(view.proofs(bundle)),
        provenance=view.provenance(verdict, bundle),
        commands=view.reproduce(bundle),
        specs=embed_json(specs),
        script=_script(),
        version=__version__,
        title=bundle.study.title or verdict.study,
    )


def embed_json(value: Any) -> str:
    """Return JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":")).translate(_UNSAFE)


@cache
def _script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the package that also makes the SVGs."""
    import vl_convert  # pyright: ignore[reportMissingTypeStubs]

    script = vl_convert.javascript_bundle(_SNIPPET)
    # The bundle is trusted code; only the end tag must not appear inside the element.
    return script.replace("</script", "<\\/script")


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("roofmark.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if type(value) is str else value,  # pyright: ignore
    )
    return environment.get_template("report.html")
