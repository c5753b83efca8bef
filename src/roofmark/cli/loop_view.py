"""The view of a loop that runs: a table of tries and sums on a terminal, plain lines elsewhere.

In: the loop's folder, and what it says while it works. Out: text on stderr. The table is made from
the journal that is on disk, so it shows what is kept and nothing else.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from roofmark.cli.speak import is_lively, progress_lines, say
from roofmark.options import Progress
from roofmark.terminal_text import plain

if TYPE_CHECKING:
    from rich.console import Group

    from roofmark.looping.standing import Standing
    from roofmark.looping.tries import Try

# Chosen: what a small terminal shows beside the sums; the ledger has all.
_ROWS = 12


@contextmanager
def watch_loop(folder: Path) -> Generator[Callable[[Progress], None]]:
    """Yield a function that shows progress, and every try when it has ended."""
    seen = _Seen(folder)
    if not is_lively():
        lines = progress_lines()

        def tell(now: Progress) -> None:
            for each in seen.new():
                say(try_line(each))
            lines(now)

        yield tell
        for each in seen.new():
            say(try_line(each))
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as live:

        def show(now: Progress) -> None:
            seen.new()
            live.update(_page(seen, now))

        yield show


class _Seen:
    """The tries of the journal, read again when the file has changed."""

    def __init__(self, folder: Path) -> None:
        """Take what earlier sessions left as seen."""
        self._folder, self._stamp, self._start = folder, 0, 0.0
        self.tries: list[Try] = []
        self.started = time.monotonic()
        self.new()

    def new(self) -> "list[Try]":
        """Return the tries that were added since the last look."""
        from roofmark.looping.chart import read_tries
        from roofmark.looping.journal import JOURNAL

        path = self._folder / JOURNAL
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        if stamp == self._stamp:
            return []
        self._stamp, before = stamp, len(self.tries)
        self.tries = read_tries(self._folder)
        return self.tries[before:]

    def standing(self) -> "Standing":
        """Return the sums so far."""
        from roofmark.looping.chart import start_seconds
        from roofmark.looping.plan import read_plan
        from roofmark.looping.standing import sum_up

        self._start = self._start or start_seconds(self._folder)
        return sum_up(self.tries, self._start, read_plan(self._folder).alpha)


def try_line(each: "Try") -> str:
    """Return one try in one line."""
    from roofmark.looping.journal import params_text, speedup_text

    speedup = speedup_text(each.confirmation) or speedup_text(each.first)
    what = each.note.hypothesis or params_text(each.params)
    said = " ".join(f"{each.ending} {speedup} {what}".split())
    return plain(f"try {each.number}: {said} ({each.device_seconds:.0f} s): {each.reason}")


def sums(standing: "Standing") -> str:
    """Return what a loop has cost and found in one line."""
    endings = ", ".join(f"{n} {name}" for name, n in standing.endings.items()) or "no try yet"
    cost = [
        f"{standing.device_seconds:.0f} s of the device",
        f"{standing.seconds:.0f} s in all",
        f"{standing.confirmations} confirmations, the next at level {standing.next_level:.6g}",
    ]
    if isinstance(standing.tokens, int):
        cost.append(f"{standing.tokens} tokens")
    if isinstance(standing.usd, float | int):
        cost.append(f"{standing.usd:.2f} USD")
    return f"{endings}; {', '.join(cost)}"


def _page(seen: _Seen, now: Progress) -> "Group":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from roofmark.looping.journal import params_text, speedup_text

    table = Table(box=None, pad_edge=False)
    for name in ("try", "ending", "first run", "confirmation", "device", "what"):
        table.add_column(name, no_wrap=True)
    for each in seen.tries[-_ROWS:]:
        cells = (
            str(each.number),
            each.ending,
            speedup_text(each.first),
            speedup_text(each.confirmation),
            f"{each.device_seconds:.0f} s",
            each.note.hypothesis or params_text(each.params),
        )
        # Text, not markup: what a proposer wrote is shown and not obeyed.
        table.add_row(*(Text(plain(cell)) for cell in cells))
    of = f" {now.done}/{now.total}" if now.total else ""
    clock = f"{time.monotonic() - seen.started:.0f} s"
    doing = f"try {len(seen.tries) + 1}: {plain(now.text)}{of} ({clock})"
    return Group(table, Text(sums(seen.standing())), Text(doing))
