"""What a gate of any kind shows: rows, warnings, notes, and what its alarms are worth.

In: a gate. Out: `Page`, plain words that gates.py puts on a terminal, into XML or Markdown.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from roofmark.analysis.gate import Gate
from roofmark.analysis.gated import GatedCell, GateDecision
from roofmark.analysis.memory_gate import MemoryCell, MemoryGate
from roofmark.analysis.paired_gate import PairedGate
from roofmark.analysis.ratio_gate import RatioCell, RatioGate
from roofmark.analysis.verdict import Difference, Estimate
from roofmark.records import Missing
from roofmark.reports.wording import NOTHING, interval, ratio
from roofmark.units import show

AnyGate = Gate | PairedGate | RatioGate | MemoryGate


@dataclass(frozen=True)
class Row:
    """One cell. values: one for each column of the page."""

    workload: str
    solution: str
    decision: GateDecision
    because: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One gate in words.

    name: of the suite. about: what was gated, on what. columns: of the table, beside decision,
    place and reason. empty: what to say when there is no row. cites: digests, as Markdown.
    """

    name: str
    about: str
    decision: GateDecision
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    promise: str
    cites: str
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    empty: str = "nothing was measured"

    def count(self, decision: GateDecision) -> int:
        """Return how many rows came out so."""
        return sum(row.decision == decision for row in self.rows)


def page_of(gate: AnyGate) -> Page:
    """Return a gate in words."""
    match gate:
        case Gate():
            return _pinned(gate)
        case PairedGate():
            return _paired(gate)
        case RatioGate():
            return _ratios(gate)
        case MemoryGate():
            return _memory(gate)


# --- against a pin -------------------------------------------------------------------------------
def _pinned(gate: Gate) -> Page:
    unpinned = ", ".join(gate.unpinned)
    margins = "given" if gate.margins == "given" else "derived from the pinned noise"
    return Page(
        name=gate.study,
        about=f"{gate.study} on {gate.device_name}, {gate.metric}",
        decision=gate.decision,
        columns=("pinned", "now"),
        rows=tuple(_row(cell, "s" if gate.metric == "time" else "1") for cell in gate.cells),
        warnings=tuple(f"depressed host: {each}" for each in gate.host),
        notes=(
            *((f"not pinned, not gated: {unpinned}",) if unpinned else ()),
            *_differing(gate.differences),
        ),
        promise=(
            f"Margins {margins}; unchanged code fails at most {100 * gate.alarm:g} % of such gates "
            f"({len(gate.cells)} cells, {100 * gate.each:.2g} % each), if its runs differ by "
            f"{100 * gate.run:.2g} % (standard deviation)."
        ),
        cites=f"Pin `{gate.pin[:12]}`, bundle `{gate.bundle[:12]}`.",
    )


def _row(cell: GatedCell, unit: str) -> Row:
    values = tuple(_shown(each, unit) for each in (cell.was, cell.now))
    return Row(cell.workload, cell.solution, cell.decision, cell.because, values)


def _shown(estimate: Estimate | Missing, unit: str) -> str:
    return NOTHING if isinstance(estimate, Missing) else show(estimate.value, unit)


def _differing(differences: tuple[Difference, ...]) -> Iterator[str]:
    return (f"differs: {d.field}: {d.original} -> {d.again}" for d in differences)


# --- against another revision --------------------------------------------------------------------
def _paired(gate: PairedGate) -> Page:
    place = "" if isinstance(gate.device_name, Missing) else f" on {gate.device_name}"
    bundle = gate.bundle
    cites = bundle.reason if isinstance(bundle, Missing) else f"Bundle `{bundle[:12]}`"
    return Page(
        name=gate.study,
        about=f"{gate.study}{place}, side by side",
        decision=gate.decision,
        columns=("was", "now"),
        rows=tuple(_row(cell, "s") for cell in gate.cells),
        notes=(
            *(f"the host, for both sides alike: {each}" for each in gate.host),
            *(f"no change: {name} is {how}" for name, how in gate.unchanged.items()),
            *(f"only before, not gated: {name}" for name in gate.only_was),
            *(f"only now, not gated: {name}" for name in gate.only_now),
            *_differing(gate.differences),
        ),
        promise=_paired_promise(gate),
        cites=f"{cites[:1].upper()}{cites[1:]}.",
        empty="no change" if gate.unchanged else "nothing to gate: no solution is on both sides",
    )


def _paired_promise(gate: PairedGate) -> str:
    if not gate.cells:
        return "Nothing was measured."
    return (
        f"Margin {100 * gate.margin:g} %; unchanged code fails at most {100 * gate.alarm:g} % of "
        f"such gates ({len(gate.cells)} cells, {gate.looks} looks, {100 * gate.each:.2g} % each)."
    )


# --- between two solutions -----------------------------------------------------------------------
def _ratios(gate: RatioGate) -> Page:
    return Page(
        name=f"{gate.study}, ratios",
        about=f"{gate.study} on {gate.device_name}, ratios on the {gate.tier} tier",
        decision=gate.decision,
        columns=("demanded", "ratio", "interval"),
        rows=tuple(_ratio_row(cell) for cell in gate.cells),
        promise=(
            f"A ratio that lies at its bound fails at most {100 * gate.alarm:g} % of such gates "
            f"({len(gate.cells)} cells, {100 * gate.each:.2g} % each at every look)."
        ),
        cites=f"Bundle `{gate.bundle[:12]}`.",
    )


def _ratio_row(cell: RatioCell) -> Row:
    values = (f"{cell.sense} {cell.bound:g}", ratio(cell.ratio), interval(cell.ratio))
    pair = f"{cell.of}/{cell.over}"
    return Row(cell.workload, pair, cell.decision, cell.because, values)


# --- memory --------------------------------------------------------------------------------------
def _memory(gate: MemoryGate) -> Page:
    return Page(
        name=f"{gate.study}, memory",
        about=f"{gate.study} on {gate.device_name}, memory",
        decision=gate.decision,
        columns=("was", "now"),
        rows=tuple(_memory_row(cell) for cell in gate.cells),
        promise=(
            f"Limit: the most of any process then, plus {100 * gate.margin:g} % and "
            f"{show(gate.slack, 'B')}; a cell fails if every process is above, passes if none is."
        ),
        cites=f"Bundle `{gate.bundle[:12]}`.",
    )


def _memory_row(cell: MemoryCell) -> Row:
    now = NOTHING if isinstance(cell.now, Missing) else show(cell.now, "B")
    values = (show(cell.was, "B"), now)
    place = f"{cell.solution} ({cell.observer})"
    return Row(cell.workload, place, cell.decision, cell.because, values)
