"""A sheet as Markdown for a pull request: the answer, the table, what is long folded away.

In: a verdict and its bundle, or any `Sheet`. Out: text that GitHub renders; everything
from outside is escaped, so that it can neither form a table, a link or a tag, nor notify a person
or name an issue.
"""

import re
from collections.abc import Iterable, Sequence

from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.reports.blocks import (
    Block,
    Bullets,
    Column,
    Commands,
    Fact,
    Facts,
    Figure,
    Fold,
    Mark,
    Sheet,
    Table,
    Value,
    Words,
)
from roofmark.reports.study_sheet import study_sheet
from roofmark.reports.wording import one_line, shorten

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~$&^=-])")
# An empty comment is invisible and parts what GitHub would else make a link or a mention of;
# escaping does not, since mentions and addresses are looked for in the rendered text.
_APART = "<!-- -->"
_LINKED = re.compile(r"(@|\\#|(?<=[a-z]):(?=//)|\bwww(?=\.))", re.IGNORECASE)
# Chosen: a line of a log is enough in a pull request; the HTML page has all of it.
_LONGEST = 300
_MARKS = {"faster": "🟢", "same": "⚪", "slower": "🔴", "undecided": "🟡", "invalid": "⛔"}
_SIGNS: dict[Mark, str] = {"good": "✅ ", "doubt": "⚠️ ", "bad": "❌ ", "": ""}
_RULES = {"number": " ---: ", "big": " ---: "}


def escape(text: str) -> str:
    """Return `text` so that GitHub shows it as it is, on one line."""
    escaped = _SPECIAL.sub(r"\\\1", shorten(one_line(text), _LONGEST))
    # A number with a dot and a blank at the very beginning would start a list.
    escaped = re.sub(r"^(\d+)\.(?=\s|$)", r"\1\\.", escaped)
    return _LINKED.sub(rf"\1{_APART}", escaped)


def render_markdown(verdict: Verdict, bundle: Bundle, *, charts: str | None = None) -> str:
    """Return a study's page. charts: address of the folder with the SVG files, or none to show."""
    return render_sheet(study_sheet(verdict, bundle), charts=charts)


def render_sheet(sheet: Sheet, *, charts: str | None = None) -> str:
    """Return any sheet. charts: as above."""
    parts = [f"## {escape(sheet.about)}"]
    parts += [f"> [!WARNING]\n> {escape(each)}" for each in sheet.caveats]
    parts += [f"**{escape(sheet.headline)}**", escape(sheet.context)]
    parts += [_block(block, charts) for block in sheet.top]
    for section in sheet.sections:
        blocks = [_block(block, charts) for block in section.blocks]
        parts += [f"### {escape(section.title)}", *blocks]
    parts.append(escape(sheet.foot))
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block, charts: str | None) -> str:
    match block:
        case Words(text=text, mark=mark):
            return _SIGNS[mark] + escape(text)
        case Bullets(items=items):
            return "\n".join(f"- {escape(each)}" for each in items)
        case Facts(rows=rows):
            return facts(rows)
        case Table():
            return _table(block)
        case Figure():
            return _figure(block, charts)
        case Commands(lines=lines):
            return _commands(lines)
        case Fold(title=title, blocks=blocks):
            inner = "\n\n".join(_block(each, charts) for each in blocks)
            return fold(escape(title), inner)


def _figure(figure: Figure, folder: str | None) -> str:
    chart = figure.chart
    if chart.spec is None:
        return f"{escape(chart.title)}: {escape(chart.absent)}"
    if folder is None:
        return ""
    shown = f"![{escape(chart.title)}]({folder}/{chart.name}.svg)\n\n{escape(chart.caption)}"
    return shown if figure.main else fold(f"Chart: {escape(chart.title)}", shown)


def _table(block: Table) -> str:
    """Return a table without what is only drawn; a verdict gets a mark that has a colour."""
    kept = [i for i, column in enumerate(block.columns) if column.holds != "bar"]
    head = [escape(block.columns[i].name) for i in kept]
    lines = ["| " + " | ".join(head) + " |"]
    lines.append("|" + "".join(_RULES.get(block.columns[i].holds, " --- ") + "|" for i in kept))
    for row in block.rows:
        cells = [_cell(block.columns[i], row.values[i]) for i in kept]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(column: Column, value: Value) -> str:
    # A bar is drawn; its column is left out.
    first, *rest = str(value).split("\n")
    mark = f"{_MARKS[word]} " if (word := first.partition(",")[0]) in _MARKS else ""
    shown = f"{mark if column.holds == 'verdict' else ''}{escape(first)}"
    return "<br>".join([shown, *(f"<sub>{escape(each)}</sub>" for each in rest)])


def _commands(lines: Iterable[tuple[str, str]]) -> str:
    """Return commands as an indented block, in which nothing needs to be escaped."""
    return "\n".join(f"    # {does}\n    {one_line(command)}" for command, does in lines)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table; every cell is escaped, the head is not."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(escape(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def facts(found: Sequence[Fact]) -> str:
    """Return facts as a list, escaped."""
    return "\n".join(
        f"- {_SIGNS[fact.mark]}{escape(fact.name)}: {escape(fact.value)}" for fact in found
    )


def fold(title: str, text: str) -> str:
    """Return text folded away under a title; neither is escaped."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
