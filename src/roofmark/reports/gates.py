"""Gates on pages: for a terminal, for a CI system's test view, for a GitHub job summary.

In: gates of any kind, each as a `Page` (gate_pages.py). Out: text, JUnit XML, Markdown. What failed
comes first everywhere, and every page says what its gate's alarms are worth.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence

from roofmark.analysis.gated import GateDecision
from roofmark.reports.gate_pages import AnyGate, Page, Row, page_of
from roofmark.reports.markdown import escape
from roofmark.reports.wording import lines_text, one_line, shorten

_WORST_FIRST: tuple[GateDecision, ...] = ("fail", "undecided", "pass")
_WORDS: dict[GateDecision, str] = {
    "pass": "passed",
    "fail": "failed",
    "undecided": "undecided",
}
# Chosen: workloads and solutions have at most 64 characters each; most have far fewer.
_NAME = 40


def gate_text(gates: Sequence[AnyGate]) -> str:
    """Return gates as lines for a terminal."""
    return "".join(_text(page_of(gate)) for gate in gates)


def _text(page: Page) -> str:
    lines = [headline(page), *(f"  {one_line(each)}" for each in page.warnings)]
    for row in _sorted(page.rows):
        name = shorten(one_line(f"{row.workload}/{row.solution}"), _NAME)
        lines.append(f"  {row.decision:<9}  {name:<{_NAME}}  {one_line(row.because)}")
    lines += [f"  {one_line(each)}" for each in page.notes]
    return lines_text([*lines, page.promise])


def headline(page: Page) -> str:
    """Return the answer in one line."""
    counts = [f"{page.count(d)} {_WORDS[d]}" for d in _WORST_FIRST if page.count(d)]
    told = ", ".join(counts) or page.empty
    return f"gate {_WORDS[page.decision]}: {one_line(page.about)}: {told}"


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: _WORST_FIRST.index(row.decision))


# --- Markdown ------------------------------------------------------------------------------------
def gate_markdown(gates: Sequence[AnyGate]) -> str:
    """Return gates as a GitHub job summary; what passed is folded."""
    return "\n".join(_markdown(page_of(gate)) for gate in gates)


def _markdown(page: Page) -> str:
    loud = [row for row in _sorted(page.rows) if row.decision != "pass"]
    quiet = [row for row in page.rows if row.decision == "pass"]
    parts = [f"## {escape(headline(page))}"]
    parts += [f"> [!WARNING]\n> {escape(one_line(each))}" for each in page.warnings]
    parts += [_table(loud, page)] if loud else []
    if quiet:
        fold = f"<details><summary>{len(quiet)} passed</summary>"
        parts += [f"{fold}\n\n{_table(quiet, page)}\n\n</details>"]
    if page.notes:
        parts.append("\n".join(f"- {escape(one_line(each))}" for each in page.notes))
    return "\n\n".join([*parts, escape(page.promise), page.cites]) + "\n"


def _table(rows: Sequence[Row], page: Page) -> str:
    head = ("decision", "workload", "solution", *page.columns, "why")
    body = [
        (
            row.decision,
            *(escape(one_line(w)) for w in (row.workload, row.solution)),
            *row.values,
            escape(one_line(row.because)),
        )
        for row in rows
    ]
    lines = [head, ("---",) * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# --- JUnit ---------------------------------------------------------------------------------------
def gate_junit(gates: Sequence[AnyGate]) -> str:
    """Return gates as JUnit XML: one suite per gate, one test case per cell.

    An undecided cell counts as skipped. A gate that failed without a cell is one failed case.
    """
    suites = ET.Element("testsuites", {"name": "roofmark"})
    totals: dict[str, int] = {}
    for gate in gates:
        suite, counts = _suite(page_of(gate))
        suites.append(suite)
        totals = {name: totals.get(name, 0) + count for name, count in counts.items()}
    suites.attrib |= {name: str(count) for name, count in totals.items()}
    ET.indent(suites)
    text = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(page: Page) -> tuple[ET.Element, dict[str, int]]:
    rows = list(page.rows)
    if not rows and page.decision == "fail":
        rows.append(Row("gate", "anything", page.decision, page.empty, ()))
    counts = {
        "tests": len(rows),
        "failures": sum(row.decision == "fail" for row in rows),
        "errors": 0,
        "skipped": sum(row.decision == "undecided" for row in rows),
    }
    name = {"name": one_line(f"roofmark gate: {page.name}")}
    suite = ET.Element("testsuite", name | {key: str(count) for key, count in counts.items()})
    for row in rows:
        place = {"classname": one_line(row.workload), "name": one_line(row.solution)}
        case = ET.SubElement(suite, "testcase", place)
        if row.decision == "pass":
            ET.SubElement(case, "system-out").text = one_line(row.because)
            continue
        kind = "failure" if row.decision == "fail" else "skipped"
        message = f"{row.decision}: {one_line(row.because)}"
        ET.SubElement(case, kind, {"message": message})
    told = [headline(page), *(one_line(each) for each in page.notes), page.promise]
    ET.SubElement(suite, "system-out").text = "\n".join(told)
    return suite, counts
