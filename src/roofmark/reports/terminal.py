"""The verdict in a terminal: the answer, a row per solution, what needs attention. 80 columns.

In: a verdict (and its bundle). Out: text, with colours only where they are wanted.
"""

import io
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from roofmark.analysis.verdict import Cell, Verdict
from roofmark.bundle import Bundle
from roofmark.reports.headline import headline
from roofmark.reports.proof import trust
from roofmark.reports.view import (
    CellRow,
    FindingRow,
    caveats,
    cell_row,
    context,
    contrast_rows,
    evidence,
    finding_rows,
    sentences,
)
from roofmark.reports.wording import NOTHING, shape_of, shorten
from roofmark.study import twin_of
from roofmark.terminal_text import quiet

STYLE: dict[str, str] = {
    "faster": "green",
    "same": "cyan",
    "slower": "red",
    "undecided": "yellow",
    "invalid": "red",
}
# Chosen: a screen; beyond it rows are grouped, and the report pages hold every one.
_MOST_ROWS = 24
_MOST_FINDINGS = 12
# Chosen: more sentences push the table off the screen; one for all of them then says it.
_MOST_SENTENCES = 4
_LONGEST = 240


def print_verdict(verdict: Verdict, bundle: Bundle | None = None) -> None:
    """Print the verdict on standard output, as wide as the terminal and in its colours."""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = min(120, Console().width) if sys.stdout.isatty() else 80
    text = render_terminal(verdict, bundle, width=width, colour=colour)
    # A terminal that cannot show µ still gets every number.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def render_terminal(
    verdict: Verdict,
    bundle: Bundle | None = None,
    *,
    width: int = 80,
    colour: bool | None = None,
) -> str:
    """Return the verdict as text, at most `width` columns wide.

    colour: with escape sequences; by default only if standard output is a terminal.
    """
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ if colour is None else colour
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for sentence in caveats(verdict):
        console.print(Text(sentence, style="bold yellow"))
    said = sentences(verdict)
    for sentence in said if len(said) <= _MOST_SENTENCES else [headline(verdict)]:
        console.print(Text(sentence, style="bold"))
    console.print(Text(context(verdict), style="dim"))
    console.print()
    console.print(_table(verdict, width))
    if resting_on := evidence(verdict):
        console.print(Text(f"bounds by {resting_on}", style="dim"))
    console.print()
    for row in contrast_rows(verdict):
        line = f"{row.name}: {row.pair}: {row.decision} {row.speedup}; differs: {row.changed}"
        console.print(Text(line, style=STYLE[row.decision]))
    if bundle is not None:
        for fact in trust(verdict, bundle):
            console.print(Text(f"{fact.name}: {fact.value}"))
    _print_findings(console, finding_rows(verdict))
    console.print(Text(f"bundle {verdict.bundle}", style="dim"))
    # Wrapped lines begin where they like, so a command of a CI system is looked for at the end.
    return quiet("\n".join(line.rstrip() for line in out.getvalue().split("\n"))).rstrip() + "\n"


def _print_findings(console: Console, rows: list[FindingRow]) -> None:
    for row in rows[:_MOST_FINDINGS]:
        line = f"{row.code} {row.title} ({row.effect}), {row.where}: {row.message}"
        console.print(Text(shorten(line, _LONGEST), style="yellow" if row.moves else "dim"))
    if len(rows) > _MOST_FINDINGS:
        console.print(Text(f"... and {len(rows) - _MOST_FINDINGS} more findings in the report"))


def _table(verdict: Verdict, width: int) -> Table:
    shown = _shown(verdict)
    blanks = 2 if _needs(shown, 2) <= width else 1
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, blanks, 0, 0))
    table.add_column("workload", overflow="fold")
    table.add_column("solution", overflow="fold")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("speed-up", justify="right", no_wrap=True)
    table.add_column("x floor, bound", justify="right", no_wrap=True)
    table.add_column("it is", overflow="fold")
    for label, row, verdicts, style in shown:
        values = (row.time, row.speedup, _fitting(row))
        table.add_row(
            Text(label), Text(row.solution), *map(Text, values), Text(verdicts, style=style)
        )
    return table


def _needs(shown: Sequence[tuple[str, CellRow, str, str]], blanks: int) -> int:
    """Return the columns that a table takes if nothing in it is folded."""
    head = ("workload", "solution", "time", "speed-up", "x floor, bound", "it is")
    rows = [
        (label, row.solution, row.time, row.speedup, _fitting(row), verdicts)
        for label, row, verdicts, _ in shown
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return sum(widths) + blanks * (len(widths) - 1)


def _fitting(row: CellRow) -> str:
    """Return the distance from the floor and, beside it, what keeps the time there."""
    value = row.headroom.partition("x ")[0]
    return value if row.bound in ("unknown", NOTHING) else f"{value} {row.bound}"


def _shown(verdict: Verdict) -> list[tuple[str, CellRow, str, str]]:
    """Return label, row, verdict and style: every cell, or one for workloads of the same shape."""
    if len(verdict.cells) <= _MOST_ROWS:
        return [
            (cell.workload, _row(cell, verdict), cell.decision, STYLE[cell.decision])
            for cell in verdict.cells
        ]
    groups: defaultdict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in verdict.cells:
        groups[shape_of(cell.workload), cell.solution].append(cell)
    return [_group(shape, cells, verdict) for (shape, _), cells in groups.items()]


def _row(cell: Cell, verdict: Verdict) -> CellRow:
    """Return a cell's texts; the twin is named by what it is, for its name is long."""
    twin = cell.solution == twin_of(verdict.baseline)
    row = cell_row(cell, verdict.tier)
    return replace(row, solution="A/A twin") if twin else row


def _group(shape: str, cells: list[Cell], verdict: Verdict) -> tuple[str, CellRow, str, str]:
    """Let the middle cell by time stand for its group; the label says for how many."""
    ordered = sorted(cells, key=lambda cell: getattr(cell.time, "value", 0.0))
    counts = Counter(cell.decision for cell in cells)
    verdicts = ", ".join(
        f"{word} {count}/{len(cells)}" if len(counts) > 1 else word
        for word, count in counts.most_common()
    )
    label = f"{shape} ({len(cells)})" if len(cells) > 1 else shape
    style = STYLE[cells[0].decision] if len(counts) == 1 else ""
    return label, _row(ordered[len(ordered) // 2], verdict), verdicts, style
