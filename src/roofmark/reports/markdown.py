"""The verdict as Markdown for a pull request: the answer, the table, the rest folded away.

In: a verdict and its bundle. Out: text that GitHub renders; everything from outside is escaped, so
that it can neither form a table, a link or a tag, nor notify a person or name an issue.
"""

import re

from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.reports.legs import leg_tables
from roofmark.reports.proof import Fact, proofs, provenance, reproduce, trust
from roofmark.reports.view import (
    SolutionRow,
    bound_rows,
    caveats,
    cell_rows,
    context,
    contrast_rows,
    finding_rows,
    headline,
    sentences,
    solution_rows,
)
from roofmark.reports.wording import one_line, shorten

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~$&^=-])")
# An empty comment is invisible and parts what GitHub would else make a link or a mention of;
# escaping does not, since mentions and addresses are looked for in the rendered text.
_APART = "<!-- -->"
_LINKED = re.compile(r"(@|\\#|(?<=[a-z]):(?=//)|\bwww(?=\.))", re.IGNORECASE)
# Chosen: a line of a log is enough in a pull request; the HTML page has all of it.
_LONGEST = 300
_MARKS = {"faster": "🟢", "same": "⚪", "slower": "🔴", "undecided": "🟡", "invalid": "⛔"}


def escape(text: str) -> str:
    """Return `text` so that GitHub shows it as it is, on one line."""
    escaped = _SPECIAL.sub(r"\\\1", shorten(one_line(text), _LONGEST))
    # A number with a dot and a blank at the very beginning would start a list.
    escaped = re.sub(r"^(\d+)\.(?=\s|$)", r"\1\\.", escaped)
    return _LINKED.sub(rf"\1{_APART}", escaped)


def render_markdown(verdict: Verdict, bundle: Bundle, *, charts: str | None = None) -> str:
    """Return the page. charts: address of the folder with the SVG files, or none to show."""
    parts = [f"## {escape(bundle.study.title or verdict.study)}"]
    parts += [f"> [!WARNING]\n> {escape(each)}" for each in caveats(verdict)]
    parts += [f"**{escape(headline(verdict))}**", escape(context(verdict)), _solutions(verdict)]
    if len([each for each in verdict.overall if each.role == "solution"]) > 1:
        parts += ["\n".join(f"- {escape(sentence)}" for sentence in sentences(verdict))]
    if charts is not None:
        parts += _charts(verdict, bundle, charts)
    parts += _contrasts(verdict)
    parts += ["### Can it be believed?", facts(trust(verdict, bundle)), *_findings(verdict)]
    parts += ["### What limits each solution", _bounds(verdict)]
    for each in leg_tables(verdict, bundle):
        text = table(list(each.head), [list(row) for row in each.rows])
        parts += [fold(escape(each.title), f"{escape(each.note)}\n\n{text}")]
    parts += [fold(f"All {len(verdict.cells)} comparisons", _cells(verdict))]
    parts += [fold("What was built", facts(proofs(bundle)))]
    parts += [fold("Where it comes from", facts(provenance(verdict, bundle)))]
    commands = "\n".join(f"    {command}" for command in reproduce(bundle))
    parts += [fold("Check it and run it again", commands)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _solutions(verdict: Verdict) -> str:
    rows = [
        [_name(row), f"{_MARKS[row.decision]} {row.decision}", row.speedup, row.interval, row.tally]
        for row in solution_rows(verdict)
    ]
    level = f"{verdict.level * 100:.4g} % interval"
    return table(["solution", "verdict", "speed-up", level, "workloads"], rows)


def _name(row: SolutionRow) -> str:
    return f"{row.solution} (A/A control)" if row.twin else row.solution


def _charts(verdict: Verdict, bundle: Bundle, folder: str) -> list[str]:
    """Show the first chart; the others are folded away."""
    from roofmark.reports.charts import draw_charts

    shown = [
        f"![{chart.title}]({folder}/{chart.name}.svg)\n\n{escape(chart.caption)}"
        if chart.spec is not None
        else f"{chart.title}: {escape(chart.absent)}"
        for chart in draw_charts(verdict, bundle)
    ]
    return [shown[0], fold("More charts", "\n\n".join(shown[1:]))]


def _findings(verdict: Verdict) -> list[str]:
    rows = [
        [row.code, row.where, f"{row.title}: {row.message}", row.effect]
        for row in finding_rows(verdict)
    ]
    if not rows:
        return []
    shown = table(["code", "where", "what", "effect"], rows)
    moved = sum(row.moves for row in finding_rows(verdict))
    return [fold(f"{len(rows)} findings, {moved} of them move a verdict", shown)]


def _contrasts(verdict: Verdict) -> list[str]:
    rows = [
        [row.name, row.pair, f"{_MARKS[row.decision]} {row.decision}", row.speedup, row.changed]
        for row in contrast_rows(verdict)
    ]
    head = ["contrast", "of", "verdict", "speed-up", "what differs"]
    return ["### Contrasts", table(head, rows)] if rows else []


def _cells(verdict: Verdict) -> str:
    rows = [
        [row.workload, row.solution, row.time, row.speedup, row.headroom, row.bound,
         f"{row.decision} ({row.why})" if row.why else row.decision]
        for row in cell_rows(verdict)
    ]  # fmt: skip
    head = ["workload", "solution", "time", "speed-up", "over its floor", "bound", "verdict"]
    return table(head, rows)


def _bounds(verdict: Verdict) -> str:
    rows = [
        [row.solution, row.workloads, f"{row.kind} {row.code}".strip(), row.headroom, row.because,
         row.advice]
        for row in bound_rows(verdict)
    ]  # fmt: skip
    head = ["solution", "workloads", "bound", "to that roof", "because", "what to try"]
    return table(head, rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table; every cell is escaped, the head is not."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(escape(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def facts(found: list[Fact]) -> str:
    """Return facts as a list, escaped."""
    return "\n".join(f"- {escape(fact.name)}: {escape(fact.value)}" for fact in found)


def fold(title: str, text: str) -> str:
    """Return text folded away under a title; neither is escaped."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
