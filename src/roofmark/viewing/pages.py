"""Pages: templates, addresses and the small drawings in them.

In: values. Out: HTML in which every text from a bundle is escaped and without control characters.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from roofmark import __version__
from roofmark.analysis.verdict import Estimate
from roofmark.records import Missing
from roofmark.reports.html import embed_json
from roofmark.reports.wording import NOTHING, interval, one_line, ratio
from roofmark.terminal_text import plain
from roofmark.units import show

# Chosen: wide enough to tell 2 % apart where ratios span 1 to 20, narrow enough for a table.
_WIDTH = 150.0


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis that all whiskers of a table share; it always holds 1."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return the place of a ratio in pixels."""
        span = math.log(self.high / self.low)
        inside = min(max(value, self.low), self.high)
        return round(_WIDTH * math.log(inside / self.low) / span, 2)


def scale_of(estimates: Iterable[Estimate | Missing]) -> Scale:
    """Return the axis for some ratios, with a little room at either end."""
    known = [each for each in estimates if isinstance(each, Estimate)]
    # Chosen: the interval of two processes may span thousands; it is cut, so that others show.
    cut = [(max(e.low, e.value / 8), min(e.high, e.value * 8)) for e in known]
    ends = [1.0, *(end for pair in cut for end in pair if 0 < end < math.inf)]
    low, high = min(ends), max(ends)
    # Chosen: at least 10 %, or a table of equal ratios would show wild differences.
    room = max((high / low) ** 0.06, 1.05)
    return Scale(low / room, high * room)


def address(path: str, **words: object) -> str:
    """Return an address with its words encoded."""
    return f"{path}?{urlencode(words)}" if words else path


def render(template: str, **values: Any) -> str:
    """Return a page."""
    return _environment().get_template(template).render(values)


@cache
def static(name: str) -> str:
    """Return a file that all pages share."""
    if name == "vega.js":
        return _vega()
    return files("roofmark.viewing").joinpath("static", name).read_text(encoding="utf-8")


STATIC = {"view.css": "text/css", "view.js": "text/javascript", "vega.js": "text/javascript"}
"""The files that all pages share, and what they are."""


def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed, from the package that also makes a report's charts."""
    import vl_convert  # pyright: ignore[reportMissingTypeStubs]

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("roofmark.viewing"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_without_controls,
    )
    # What jinja's own types allow is narrower than what it takes.
    names: dict[str, Any] = environment.globals  # pyright: ignore[reportAssignmentType]
    names.update(url=address, version=__version__, whisker_width=_WIDTH, nothing=NOTHING, show=show)
    environment.filters.update(
        line=one_line, ratio=ratio, interval=interval, specs=embed_json, is_estimate=_is_estimate
    )
    return environment


def _is_estimate(value: Any) -> bool:
    return isinstance(value, Estimate)


def _without_controls(value: Any) -> Any:
    """Return a text without control characters; what is marked as safe stays as it is."""
    return plain(value) if type(value) is str else value
