"""The verdict in a terminal: the answer, a row per solution, what needs attention. 80 columns.

In: a verdict (and its bundle). Out: text with colours only where they are wanted.
"""

import io
import os
import sys
from collections import defaultdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from roofmark.analysis.verdict import Cell, Verdict
from roofmark.bundle import Bundle
from roofmark.reports.view import answer, firing, headroom, place_of, ratio, seconds, trust
from roofmark.terminal_text import plain

_STYLE = {
    "faster": "green",
    "same": "cyan",
    "slower": "red",
    "undecided": "yellow",
    "invalid": "red",
}
# Chosen: a screen; beyond it rows are grouped, and the report pages hold every one.
_MOST_ROWS = 24
_MOST_FINDINGS = 12


def render_terminal(verdict: Verdict, bundle: Bundle | None = None, *, width: int = 80) -> str:
    """Return the verdict as text, at most `width` columns wide."""
    out = io.StringIO()
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    console = Console(file=out, width=width, force_terminal=colour, highlight=False, markup=False)
    for sentence in answer(verdict):
        console.print(Text(plain(sentence), style="bold"))
    console.print(_table(verdict))
    if bundle is not None:
        for fact in trust(verdict, bundle):
            console.print(Text(plain(f"{fact.name}: {fact.value}")))
    fires = firing(verdict)
    for finding in fires[:_MOST_FINDINGS]:
        effect = f" -> {finding.moves}" if finding.moves and not finding.accepted else ""
        line = f"{finding.code} {place_of(finding)}: {finding.message}{effect}"
        console.print(Text(plain(line), style="yellow" if effect else "dim"))
    if len(fires) > _MOST_FINDINGS:
        console.print(Text(f"... and {len(fires) - _MOST_FINDINGS} more findings in the report"))
    console.print(Text(f"bundle {verdict.bundle}", style="dim"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _table(verdict: Verdict) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (
        ("workload", "left"),
        ("solution", "left"),
        ("time", "right"),
        ("speed-up", "right"),
        ("over floor", "right"),
        ("verdict", "left"),
    ):
        table.add_column(name, justify=justify)  # pyright: ignore[reportArgumentType]
    for label, cell in _shown(verdict):
        style = _STYLE[cell.decision]
        codes = f" {','.join(cell.codes)}" if cell.codes else ""
        table.add_row(
            Text(plain(label)),
            Text(plain(cell.solution)),
            seconds(cell.time),
            ratio(cell.speedup),
            headroom(cell.roof).replace("memory", "mem").replace("arithmetic", "math"),
            Text(cell.decision + codes, style=style),
        )
    return table


def _shown(verdict: Verdict) -> list[tuple[str, Cell]]:
    """Every cell if they fit; else, of workloads that differ by seed alone, one for all."""
    if len(verdict.cells) <= _MOST_ROWS:
        return [(cell.workload, cell) for cell in verdict.cells]
    groups: defaultdict[tuple[str, str, str], list[Cell]] = defaultdict(list)
    for cell in verdict.cells:
        groups[_shape(cell.workload), cell.solution, cell.decision].append(cell)
    rows: list[tuple[str, Cell]] = []
    for (shape, _, _), cells in groups.items():
        # The middle cell by time stands for its group; the label says for how many.
        ordered = sorted(cells, key=lambda cell: getattr(cell.time, "value", 0.0))
        rows.append((f"{shape} ({len(cells)})", ordered[len(ordered) // 2]))
    return rows


def _shape(workload: str) -> str:
    head, mark, seed = workload.rpartition("-s")
    return head if mark and seed.isdigit() else workload
