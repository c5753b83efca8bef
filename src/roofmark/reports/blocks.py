"""What a page consists of: sections of a few kinds of blocks, the same for HTML and Markdown.

In: plain strings, unescaped and on one line each. Out: a `Sheet` that each form renders in its own
way. A line break inside a cell parts what it says from why, which is shown more quietly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from roofmark.reports.charts.paint import Chart

Mark = Literal["", "good", "doubt", "bad"]
"""Whether a fact speaks for the numbers, leaves a doubt, or speaks against them; "" for neither."""


@dataclass(frozen=True)
class Fact:
    """A name, what is known of it, and what that means for trust."""

    name: str
    value: str
    mark: Mark = ""


@dataclass(frozen=True)
class Facts:
    """Facts, one a line."""

    kind: ClassVar = "facts"
    rows: Sequence[Fact]


@dataclass(frozen=True)
class Words:
    """A paragraph. soft: shown more quietly. mark: as of a fact."""

    kind: ClassVar = "words"
    text: str
    soft: bool = False
    mark: Mark = ""


@dataclass(frozen=True)
class Bullets:
    """Sentences, one a line."""

    kind: ClassVar = "bullets"
    items: Sequence[str]


@dataclass(frozen=True)
class Column:
    """A column's name and what it holds; a "verdict" cell begins with the verdict's word."""

    name: str
    holds: Literal["text", "name", "number", "big", "verdict", "bar"] = "text"


@dataclass(frozen=True)
class Bar:
    """An interval drawn in a cell; all in per cent of its width. one: where the ratio is 1."""

    low: float
    high: float
    at: float
    one: float
    decision: str


Value = str | Bar


@dataclass(frozen=True)
class Line:
    """One row of a table. quiet: a control, not an answer."""

    values: Sequence[Value]
    quiet: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under named columns. title: what a screen reader says that it holds."""

    kind: ClassVar = "table"
    title: str
    columns: Sequence[Column]
    rows: Sequence[Line]


@dataclass(frozen=True)
class Figure:
    """A chart. main: shown at once where others are folded away."""

    kind: ClassVar = "figure"
    chart: Chart
    main: bool = False


@dataclass(frozen=True)
class Commands:
    """What to type, and beside each what it does."""

    kind: ClassVar = "commands"
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Blocks behind a title that opens them."""

    kind: ClassVar = "fold"
    title: str
    blocks: "Sequence[Block]"


Block = Facts | Words | Bullets | Table | Figure | Commands | Fold


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page. name: its address within it."""

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A whole page.

    about: what it is of. headline: the answer in one sentence. caveats: what must be read before
    it. context: the conditions of all numbers. top: what stands between them and the sections.
    decision: colours the headline's mark, "" for none. foot: from what all of it follows.
    """

    about: str
    headline: str
    sections: Sequence[Section]
    foot: str
    caveats: Sequence[str] = ()
    context: str = ""
    top: Sequence[Block] = ()
    decision: str = ""

    @property
    def charts(self) -> list[Chart]:
        """Every chart of the page, in order."""
        blocks = [*self.top, *(block for each in self.sections for block in each.blocks)]
        return [figure.chart for figure in _figures(blocks)]


def _figures(blocks: Sequence[Block]) -> list[Figure]:
    found: list[Figure] = []
    for block in blocks:
        if isinstance(block, Fold):
            found += _figures(block.blocks)
        elif isinstance(block, Figure):
            found.append(block)
    return found
