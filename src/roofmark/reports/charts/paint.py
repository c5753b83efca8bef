"""What all charts share: the record of a chart, colours, domains, and the way to SVG.

In: rows of plain values. Out: Altair parts, Vega-Lite specifications, SVG text. Two themes: dark
pages swap the ink in the browser, an SVG brings its own light ground.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roofmark.analysis.verdict import Verdict

# Source: Okabe, Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color/: told apart
# with any colour vision. Their yellow and black are left out: one fades on white, one on black.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
"""A second mark beside colour, for grey print and for more solutions than colours."""
QUIET = "#8a929b"
"""Baseline, twin and ceilings: what solutions are set against; readable on white and on black."""
WIDTH = 620

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A name for files, a title, what to look for, and a Vega-Lite specification or why not."""

    name: str
    title: str
    caption: str
    spec: dict[str, Any] | None
    absent: str = ""


def render_svg(chart: Chart) -> str:
    """Return a chart as SVG on a light ground. Raises: ValueError if there is nothing to draw."""
    import vl_convert  # pyright: ignore[reportMissingTypeStubs]

    if chart.spec is None:
        raise ValueError(f"chart {chart.name!r} has nothing to draw: {chart.absent}")
    # Chosen: GitHub shows the same file in light and dark mode; a ground of its own is readable
    # in both.
    themed = chart.spec | {"background": "#ffffff", "padding": 12, "config": _CONFIG}
    return _slim(vl_convert.vegalite_to_svg(themed), chart.name)


_TAG = re.compile(r"<[a-z][^<>]*>")
_SPOKEN = re.compile(r' (?:aria-[a-z]+|role|pointer-events)="[^"]*"')
_CLIP = re.compile(r"\bclip\d+\b")


def _slim(svg: str, name: str) -> str:
    """Return an SVG without roles of single marks, and with ids that are its own and always alike.

    The table on the page says the same in words; ids that count all charts ever drawn would make
    two pages of the same verdict differ, and two charts in one page share them.
    """
    ids: dict[str, str] = {}

    def own(found: re.Match[str]) -> str:
        return ids.setdefault(found[0], f"{name}-clip{len(ids)}")

    def clean(tag: re.Match[str]) -> str:
        return _CLIP.sub(own, _SPOKEN.sub("", tag[0]))

    return _TAG.sub(clean, svg)


# Chosen: fonts that are there everywhere; labels large enough for a phone. No descriptions of
# single marks: they are most of the file, and the table on the page says the same in words.
_CONFIG: dict[str, Any] = {
    "aria": False,
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
             "gridColor": "#e3e7eb", "domainColor": "#c3c9cf", "tickColor": "#c3c9cf",
             "labelColor": "#3c444c", "titleColor": "#3c444c", "titlePadding": 10},
    "legend": {"labelFontSize": 12, "labelColor": "#3c444c", "symbolOpacity": 1},
    "header": {"labelFontSize": 12, "labelColor": "#3c444c"},
    "text": {"color": "#3c444c", "fontSize": 12},
    "axisY": {"labelLimit": 230},
}  # fmt: skip


def specification(
    chart: Any, *, height: int | None = None, room: int | None = None
) -> dict[str, Any]:
    """Return an Altair chart as Vega-Lite, without defaults that the page sets itself.

    room: of strips below one another, the pixels that stand beside each for its axis.
    """
    size = {} if height is None else {"width": WIDTH, "height": height}
    spec: dict[str, Any] = chart.properties(**size).to_dict(format="vega-lite")
    meta = {} if room is None else {"usermeta": {"room": room}}
    return {key: value for key, value in spec.items() if key != "config"} | meta


def data(rows: Sequence[Row]) -> Any:
    """Return rows as inline data."""
    import altair as alt

    return alt.Data(values=list(rows))  # pyright: ignore[reportArgumentType]


def marks(
    verdict: Verdict, names: Iterable[str], *, labels: Mapping[str, str] | None = None
) -> tuple[Any, Any]:
    """Return colour and shape by solution; the same solution looks the same in every chart.

    labels: what the legend says instead of a name, each on a line of its own.
    """
    wanted = set(names)
    known = [each.solution for each in verdict.overall if each.role == "solution"]
    looks = look_of(known)
    looks = {name: look for name, look in looks.items() if name in wanted}
    looks |= {name: (QUIET, "circle") for name in sorted(wanted - set(known))}
    return encodings(looks, labels=labels)


def look_of(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return name -> (colour, shape), by its place among the names."""
    return {
        name: (PALETTE[index % len(PALETTE)], SHAPES[index % len(SHAPES)])
        for index, name in enumerate(names)
    }


def encodings(
    looks: Mapping[str, tuple[str, str]],
    *,
    field: str = "solution",
    labels: Mapping[str, str] | None = None,
) -> tuple[Any, Any]:
    """Return the Altair encodings of looks, with one legend above the chart for both."""
    import altair as alt

    legend = alt.Legend(orient="top")
    if labels:
        # JSON is JavaScript; what could end a script is escaped once more by the page.
        named = f"{json.dumps(dict(labels))}[datum.label] || datum.label"
        legend = alt.Legend(orient="top", columns=1, labelLimit=420, labelExpr=named)
    colours, shapes = (list(each) for each in zip(*looks.values(), strict=True))
    shown: dict[str, Any] = {"title": None, "legend": legend}
    return (
        alt.Color(f"{field}:N", scale=alt.Scale(domain=list(looks), range=colours), **shown),
        alt.Shape(f"{field}:N", scale=alt.Scale(domain=list(looks), range=shapes), **shown),
    )


def around(values: Iterable[float], *, room: float = 0.08) -> list[float]:
    """Return a logarithmic domain with some room on either side, so that no mark is cut."""
    positive = [value for value in values if value > 0]
    low, high = math.log(min(positive)), math.log(max(positive))
    # Chosen: a domain of at least 10 %, or equal values would be drawn as a wild scatter.
    spare = max((high - low) * room, 0.05)
    return [six(math.exp(low - spare)), six(math.exp(high + spare))]


# Chosen: at least so many decades -> the round values of each that have room on a chart.
_STEPS = (
    (3.0, (1,)),
    (1.0, (1, 2, 5)),
    (0.35, (1, 1.5, 2, 3, 4, 5, 7)),
    (0.0, (1, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9, 9.5)),
)


def ticks(span: Sequence[float]) -> list[float]:
    """Return round values on a logarithmic axis: 1, 2, 5, 10 where there is room, else fewer."""
    low, high = (math.log10(end) for end in span)
    steps = next(values for decades, values in _STEPS if high - low >= decades)
    found = [
        six(step * 10.0**power)
        for power in range(math.floor(low), math.ceil(high) + 1)
        for step in steps
    ]
    return [each for each in found if span[0] <= each <= span[1]]


def six(value: float) -> float:
    """Round to six figures: more than a pixel, and the page stays small."""
    return float(f"{value:.6g}")
