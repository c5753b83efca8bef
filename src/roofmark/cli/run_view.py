"""The view of a run: how far it is, how its intervals narrow, and what its health says meanwhile.

In: what a run says while it works. Out: text on stderr: a screen that is drawn over on a terminal,
plain lines elsewhere. What is decided here is what would be judged if the run ended now.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from roofmark.cli.speak import is_lively, progress_lines, say
from roofmark.options import Progress
from roofmark.terminal_text import plain

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from roofmark.analysis.verdict import Cell, Verdict
    from roofmark.reports.view import FindingRow

# Chosen: how an interval came to its width; the first sets say nothing any more.
_WIDTHS = 4
# Chosen: what a terminal of 24 lines holds beside the bar, the sum and two findings.
_FEWEST_ROWS, _MOST_ROWS, _BESIDE = 4, 24, 9
_MOST_FINDINGS = 4
# What is true of every run that is not over yet is no news.
_NOT_YET = frozenset({"RM308"})


@dataclass
class Standing:
    """What is known of a run so far.

    sets: that have ended. widths: (workload, solution) -> half of the interval after each set, as
    a share of its value. told: findings that were said already.
    """

    sets: int = 0
    verdict: "Verdict | None" = None
    widths: dict[tuple[str, str], list[float]] = field(
        default_factory=dict[tuple[str, str], list[float]]
    )
    told: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def take(self, verdict: "Verdict") -> None:
        """Go on with what is judged after one more set."""
        from roofmark.records import Missing

        self.sets, self.verdict = verdict.processes, verdict
        for cell in verdict.cells:
            if not isinstance(cell.speedup, Missing):
                half = (cell.speedup.high - cell.speedup.low) / 2 / cell.speedup.value
                self.widths.setdefault((cell.workload, cell.solution), []).append(half)

    def health(self) -> "list[FindingRow]":
        """Return the findings that would move the verdict, those apart that only need time."""
        from roofmark.reports.view import finding_rows

        rows = [] if self.verdict is None else finding_rows(self.verdict)
        return [row for row in rows if row.moves and row.code not in _NOT_YET]

    def news(self) -> "list[FindingRow]":
        """Return the findings that were not said yet, and take them for said."""
        new = [row for row in self.health() if (row.code, row.where) not in self.told]
        self.told |= {(row.code, row.where) for row in new}
        return new

    def sum_up(self) -> str:
        """Return in one line how much is decided, and which interval is the widest."""
        cells = self.cells()
        done = sum(cell.decision != "undecided" for cell in cells)
        text = f"after set {self.sets}: {done} of {len(cells)} comparisons decided"
        wide = [(self.widths[key][-1], key) for cell in cells if (key := _key(cell)) in self.widths]
        if not wide:
            return f"{text}; an interval needs two sets"
        half, (workload, solution) = max(wide)
        return f"{text}; widest interval: {solution} on {workload}, ±{_percent(half)} %"

    def cells(self) -> "list[Cell]":
        """Return the cells of solutions, the undecided and the widest ones first."""
        if self.verdict is None:
            return []
        twins = {each.solution for each in self.verdict.overall if each.role == "twin"}
        cells = [cell for cell in self.verdict.cells if cell.solution not in twins]
        return sorted(cells, key=lambda c: (c.decision != "undecided", -self.half(c)))

    def half(self, cell: "Cell") -> float:
        """Return half of a cell's interval, as a share of its value; endless without one."""
        return self.widths.get(_key(cell), [float("inf")])[-1]


@contextmanager
def watch_run() -> Generator[Callable[[Progress], None]]:
    """Yield a function that shows progress, and after every set what would be judged now."""
    standing = Standing()
    if not is_lively():
        yield _lines(standing)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    told = [(time.monotonic(), Progress(done=0, total=0, text="starting"))]

    def drawn() -> "Group":
        since, now = told[0]
        return screen(standing, _ticked(now, time.monotonic() - since), height=console.height)

    def show(now: Progress) -> None:
        if now.standing is not None:
            standing.take(now.standing())
        told[0] = (time.monotonic(), now)

    with Live(get_renderable=drawn, console=console, transient=True, refresh_per_second=2):
        yield show


def _ticked(now: Progress, seconds: float) -> Progress:
    """Return progress that was told so many seconds ago, with what is left of its time."""
    if now.seconds_left is None:
        return now
    return replace(now, seconds_left=max(now.seconds_left - seconds, 0.0))


def _lines(standing: Standing) -> Callable[[Progress], None]:
    steps = progress_lines()

    def show(now: Progress) -> None:
        if now.standing is None:
            steps(now)
            return
        standing.take(now.standing())
        say(plain(standing.sum_up()))
        for row in standing.news():
            say(plain(f"  {row.code} {row.title} ({row.where}): {row.message}"))

    return show


def screen(standing: Standing, now: Progress, *, height: int = 24) -> "Group":
    """Return what a terminal shows: the bar, the sum, the widest intervals, health."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    left = "" if now.seconds_left is None else f"at most {now.seconds_left:.0f} s left"
    head = Table.grid(padding=(0, 2, 0, 0))
    bar = ProgressBar(total=now.total or None, completed=now.done, width=20, pulse=not now.total)
    of = f"{now.done}/{now.total}" if now.total else ""
    head.add_row(Text(plain(now.text), overflow="ellipsis", no_wrap=True), bar, of, left)
    parts: list[Table | Text] = [head]
    if standing.verdict is not None:
        rows = max(_FEWEST_ROWS, min(_MOST_ROWS, height - _BESIDE))
        parts += [Text(plain(standing.sum_up()), style="bold"), _table(standing, rows)]
    for row in standing.health()[:_MOST_FINDINGS]:
        line = Text(plain(f"{row.code} {row.title} ({row.where}): {row.message}"), style="yellow")
        line.truncate(160, overflow="ellipsis")
        parts.append(line)
    return Group(*parts)


def _table(standing: Standing, rows: int) -> "Table":
    from rich.table import Table
    from rich.text import Text

    from roofmark.reports.terminal import STYLE
    from roofmark.reports.wording import shorten

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("workload", "solution", "speed-up so far", "± % by set", "so far"):
        justify = "right" if name[0] in "s±" and name != "so far" and name != "solution" else "left"
        table.add_column(name, no_wrap=True, justify=justify, overflow="ellipsis")
    cells = standing.cells()
    for cell in cells[:rows]:
        # Text, not markup: a name is shown and not obeyed.
        values = (
            shorten(plain(cell.workload), 16),
            shorten(plain(cell.solution), 14),
            _so_far(cell, standing.half(cell)),
            _narrowing(standing.widths.get(_key(cell), [])),
        )
        table.add_row(*map(Text, values), Text(cell.decision, style=STYLE[cell.decision]))
    if len(cells) > rows:
        table.add_row(Text(f"and {len(cells) - rows} more", style="dim"))
    return table


def _narrowing(widths: list[float]) -> str:
    """Return "12 → 5.1 → 2.3": half of the interval after the last sets, in per cent."""
    return " → ".join(_percent(each) for each in widths[-_WIDTHS:])


def _percent(half: float) -> str:
    """Return a half width in per cent; one beyond the value itself says nothing but that."""
    return f"{100 * half:.2g}" if half < 1 else ">100"


def _so_far(cell: "Cell", half: float) -> str:
    from roofmark.reports.wording import ratio, ratio_and_interval

    return ratio_and_interval(cell.speedup) if half < 1 else f"{ratio(cell.speedup)} [any]"


def _key(cell: "Cell") -> tuple[str, str]:
    return cell.workload, cell.solution
