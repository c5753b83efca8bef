"""Gates on pages: for a terminal, for a CI system's test view, for a GitHub job summary.

In: `Gate`, or the changes of a pin. Out: text, JUnit XML, Markdown. What failed comes first
everywhere, and every page says how often unchanged code would fail.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence

from roofmark.analysis.baseline import Baseline, Change, Metric
from roofmark.analysis.gate import (
    Gate,
    GatedCell,
    GateDecision,
)
from roofmark.analysis.shift import ALARM, derived_margins
from roofmark.analysis.verdict import Estimate
from roofmark.records import Missing
from roofmark.reports.markdown import escape
from roofmark.reports.wording import NOTHING, lines_text, one_line, shorten
from roofmark.units import show

_WORST_FIRST: tuple[GateDecision, ...] = ("fail", "undecided", "pass")
_WORDS: dict[GateDecision, str] = {
    "pass": "passed",
    "fail": "failed",
    "undecided": "undecided",
}
# Chosen: workloads and solutions have at most 64 characters each; most have far fewer.
_NAME = 40


def gate_text(gate: Gate) -> str:
    """Return the gate as lines for a terminal."""
    lines = [f"{headline(gate)}", *(f"  depressed host: {each}" for each in gate.host)]
    for cell in _sorted(gate.cells):
        name = shorten(one_line(f"{cell.workload}/{cell.solution}"), _NAME)
        lines.append(f"  {cell.decision:<9}  {name:<{_NAME}}  {one_line(cell.because)}")
    if gate.unpinned:
        lines.append(f"  not pinned, not gated: {one_line(', '.join(gate.unpinned))}")
    lines += [
        one_line(f"  differs: {d.field}: {d.original} -> {d.again}") for d in gate.differences
    ]
    return lines_text([*lines, promise(gate)])


def headline(gate: Gate) -> str:
    """Return the answer in one line."""
    counts = [f"{gate.count(d)} {_WORDS[d]}" for d in _WORST_FIRST if gate.count(d)]
    where = one_line(f"{gate.study} on {gate.device_name}")
    return f"gate {_WORDS[gate.decision]}: {where}, {gate.metric}: {', '.join(counts)}"


def promise(gate: Gate) -> str:
    """Return what the gate's alarms are worth, as a sentence."""
    margins = "given" if gate.margins == "given" else "derived from the pinned noise"
    return (
        f"Margins {margins}; unchanged code fails at most {100 * gate.alarm:g} % of such gates "
        f"({len(gate.cells)} cells, {100 * gate.each:.2g} % each), if its runs differ by "
        f"{100 * gate.run:.2g} % (standard deviation)."
    )


def _sorted(cells: Iterable[GatedCell]) -> list[GatedCell]:
    return sorted(cells, key=lambda cell: _WORST_FIRST.index(cell.decision))


# --- Markdown ------------------------------------------------------------------------------------
def gate_markdown(gate: Gate) -> str:
    """Return the gate as a GitHub job summary; what passed is folded."""
    loud = [cell for cell in _sorted(gate.cells) if cell.decision != "pass"]
    quiet = [cell for cell in gate.cells if cell.decision == "pass"]
    parts = [f"## {escape(headline(gate))}"]
    parts += [f"> [!WARNING]\n> {escape(f'Depressed host: {each}')}" for each in gate.host]
    parts += [_table(loud, gate.metric)] if loud else []
    if quiet:
        fold = f"<details><summary>{len(quiet)} passed</summary>"
        parts += [f"{fold}\n\n{_table(quiet, gate.metric)}\n\n</details>"]
    parts += [escape(promise(gate)), f"Pin `{gate.pin[:12]}`, bundle `{gate.bundle[:12]}`."]
    return "\n\n".join(parts) + "\n"


def _table(cells: Sequence[GatedCell], metric: Metric) -> str:
    rows = [
        (
            cell.decision,
            escape(cell.workload),
            escape(cell.solution),
            _shown(cell.was, metric),
            _shown(cell.now, metric),
            escape(cell.because),
        )
        for cell in cells
    ]
    head = ("decision", "workload", "solution", "pinned", "now", "why")
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(estimate: Estimate | Missing, metric: Metric) -> str:
    if isinstance(estimate, Missing):
        return NOTHING
    return show(estimate.value, "s" if metric == "time" else "1")


# --- JUnit ---------------------------------------------------------------------------------------
def gate_junit(gate: Gate) -> str:
    """Return the gate as JUnit XML: one test case per cell; an undecided one counts as skipped."""
    name = one_line(f"roofmark gate: {gate.study}")
    counts = {
        "tests": str(len(gate.cells)),
        "failures": str(gate.count("fail")),
        "errors": "0",
        "skipped": str(gate.count("undecided")),
    }
    suite = ET.Element("testsuite", {"name": name} | counts)
    for cell in gate.cells:
        place = {"classname": one_line(cell.workload), "name": one_line(cell.solution)}
        case = ET.SubElement(suite, "testcase", place)
        if cell.decision == "pass":
            ET.SubElement(case, "system-out").text = one_line(cell.because)
            continue
        kind = "failure" if cell.decision == "fail" else "skipped"
        message = f"{cell.decision}: {one_line(cell.because)}"
        ET.SubElement(case, kind, {"message": message})
    ET.SubElement(suite, "system-out").text = f"{headline(gate)}\n{promise(gate)}"
    suites = ET.Element("testsuites", {"name": "roofmark"} | counts)
    suites.append(suite)
    ET.indent(suites)
    text = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


# --- pins ----------------------------------------------------------------------------------------
def changes_text(changes: Sequence[Change]) -> str:
    """Return what replacing a pin changes, one line per cell and metric."""
    return "".join(f"{_change(each)}\n" for each in changes)


def _change(change: Change) -> str:
    unit = "s" if change.metric == "time" else "1"
    was, now = (
        NOTHING if isinstance(value, Missing) else show(value, unit)
        for value in (change.was, change.now)
    )
    share = change.share
    moved = share.reason if isinstance(share, Missing) else f"{100 * share:+.2f} %"
    name = shorten(one_line(change.cell), _NAME)
    return f"  {name:<{_NAME}}  {change.metric:<7}  {was:>10} -> {now:>10}  {moved}"


def sharpness_text(pin: Baseline) -> str:
    """Return what slow-downs a gate against this pin will tell: the sharpest and bluntest cell."""
    margins = derived_margins(pin, pin.cells, pin.metric, ALARM)
    blunt, sharp = max(margins, key=margins.__getitem__), min(margins.values())
    return (
        f"A gate over all {len(margins)} cells ({pin.metric}) tells slow-downs of "
        f"{100 * sharp:.1f} % to {100 * margins[blunt]:.1f} % ({one_line('/'.join(blunt))})."
    )
