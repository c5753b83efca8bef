"""A verdict or a bundle in a notebook: the answer and a small table, as HTML or Markdown.

In: a verdict or a bundle. Out: text that loads nothing and runs nothing; what comes from a bundle
is escaped. A bundle is not judged for it: that may take seconds, and a cell is shown often.
"""

from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup

from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.errors import RoofmarkError
from roofmark.evidence import Passed
from roofmark.records import Missing
from roofmark.reports import markdown as md
from roofmark.reports import view
from roofmark.reports.wording import counted, date_of, joined, one_line, shorten

# Chosen: a cell of a notebook stays one screen; `rm.report` writes all of it.
_MOST_ROWS = 20
_MOST_NAMED = 6
_LONGEST = 200
_CELL = Markup("<{0}>{1}</{0}>")
_ROW = Markup("<tr>{}</tr>")
_PAGE = Markup("<div>{notes}<p><strong>{headline}</strong><br>{context}</p>{table}{foot}</div>")


@dataclass(frozen=True)
class _Shown:
    """Notes that come first, a headline, what it holds for, a table, last lines."""

    notes: list[str]
    headline: str
    context: str
    head: list[str]
    rows: list[list[str]]
    foot: list[str]


def html(value: Verdict | Bundle) -> str:
    """Return what a notebook displays, as HTML."""
    found = _shown(value)
    head = _ROW.format(Markup("").join(_CELL.format(Markup("th"), each) for each in found.head))
    rows = [
        _ROW.format(Markup("").join(_CELL.format(Markup("td"), each) for each in row))
        for row in found.rows
    ]
    table = Markup("<table><thead>{}</thead><tbody>{}</tbody></table>")
    lines = [_CELL.format(Markup("p"), each) for each in found.foot]
    page = _PAGE.format(
        notes=Markup("").join(_CELL.format(Markup("p"), each) for each in found.notes),
        headline=found.headline,
        context=found.context,
        table=table.format(head, Markup("").join(rows)) if rows else "",
        foot=Markup("").join(lines),
    )
    return str(page)


def markdown(value: Verdict | Bundle) -> str:
    """Return what a notebook displays, as Markdown."""
    found = _shown(value)
    parts = [md.escape(each) for each in found.notes]
    parts += [f"**{md.escape(found.headline)}**", md.escape(found.context)]
    parts += [md.table(found.head, found.rows)] if found.rows else []
    return "\n\n".join([*parts, *(md.escape(each) for each in found.foot)]) + "\n"


def _shown(value: Verdict | Bundle) -> _Shown:
    if isinstance(value, Verdict):
        return _verdict(value)
    try:
        return _bundle(value)
    except RoofmarkError as error:
        fact = one_line(error.problems[0].fact)
        return _Shown([], f"Bundle {one_line(value.name)} cannot be read", fact, [], [], [])


def _verdict(verdict: Verdict) -> _Shown:
    rows = [
        [
            each.solution + (" (A/A control)" if each.twin else ""),
            each.decision + (", mixed" if each.mixed else ""),
            each.speedup,
            each.interval,
            each.tally,
            shorten(each.why, _LONGEST),
        ]
        for each in view.solution_rows(verdict)
    ]
    moving = [each for each in view.finding_rows(verdict) if each.moves]
    codes = joined(list(dict.fromkeys(each.code for each in moving)))
    return _Shown(
        notes=view.caveats(verdict),
        headline=view.headline(verdict),
        context=view.context(verdict),
        head=["solution", "verdict", "speed-up", "interval", "workloads", "why"],
        rows=rows[:_MOST_ROWS],
        foot=[
            *([f"{len(rows) - _MOST_ROWS} more solutions"] if len(rows) > _MOST_ROWS else []),
            f"{codes} move a verdict." if moving else "No finding moves a verdict.",
            f"All of this follows from bundle {verdict.bundle[:12]}.",
        ],
    )


def _bundle(bundle: Bundle) -> _Shown:
    study, environment, run = bundle.study, bundle.environment, bundle.run
    outcomes = Counter(
        "passed" if isinstance(each.outcome, Passed) else type(each.outcome).__name__.lower()
        for each in bundle.traces()
        if each.role != "wrong"
    )
    gpu, cpu = environment.gpu, environment.cpu
    device = cpu.model if isinstance(gpu, Missing) else gpu.name
    began = date_of(run.sessions[0].started) if run.sessions else "unknown"
    rows = [
        ["solutions", _names([each.name for each in study.solutions])],
        ["baseline", one_line(study.baseline)],
        ["workloads", _names([each.id for each in study.workloads])],
        ["device", one_line(str(device))],
        ["measured", began],
        ["processes", joined([f"{count} {name}" for name, count in outcomes.most_common()])],
        ["digest", bundle.digest],
    ]
    return _Shown(
        notes=[],
        headline=f"Bundle {one_line(bundle.name)}",
        context=one_line(study.title or study.definition.name),
        head=["", ""],
        rows=rows,
        foot=["Sealed evidence; rm.judge(bundle) says what follows from it."],
    )


def _names(names: list[str]) -> str:
    shown = ", ".join(map(one_line, names[:_MOST_NAMED]))
    more = len(names) - _MOST_NAMED
    return f"{shown} and {counted(more, 'other')}" if more > 0 else shown
