"""Loops: what one has come to, while it runs too, from its journal on disk.

In: the folder of a loop. Out: its plan, tries, sums and chart.
"""

from dataclasses import dataclass
from pathlib import Path

from roofmark.bundle_errors import damaged
from roofmark.errors import RoofmarkError
from roofmark.looping.chart import attempts_of, headline_of, read_tries, start_seconds
from roofmark.looping.journal import missed_by, params_text, speedup_text
from roofmark.looping.plan import PLAN, read_plan
from roofmark.looping.standing import Standing, sum_up, trace_progress
from roofmark.looping.tries import LoopPlan, Try
from roofmark.reports.charts.paint import Chart
from roofmark.reports.charts.progress import draw_progress
from roofmark.viewing.underway import is_held


@dataclass(frozen=True)
class TryRow:
    """One try as text."""

    number: int
    against: str
    ending: str
    first: str
    confirmation: str
    missed: str
    device: str
    what: str
    reason: str
    diff: str


@dataclass(frozen=True)
class LoopView:
    """A loop as far as it is."""

    plan: LoopPlan
    standing: Standing
    headline: str
    running: bool
    rows: list[TryRow]
    chart: Chart


def is_loop(folder: Path) -> bool:
    """Return whether a folder holds a loop; one behind a link does not count."""
    plan = folder / PLAN
    return plan.is_file() and not plan.is_symlink() and folder.resolve() == folder


def read_loop(folder: Path) -> LoopView:
    """Return a loop as far as it is. Raises: BundleError RM402 for a journal that is none."""
    try:
        plan, tries = read_plan(folder), read_tries(folder)
    except OSError as error:
        raise damaged([f"the loop cannot be read: {error.strerror}"], folder.name) from error
    seconds = _start_seconds(folder)
    standing = sum_up(tries, seconds, plan.alpha)
    return LoopView(
        plan=plan,
        standing=standing,
        headline=headline_of(standing),
        running=is_held(folder),
        rows=[_row(each) for each in reversed(tries)],
        chart=draw_progress(attempts_of(trace_progress(tries, seconds)), seconds),
    )


def _start_seconds(folder: Path) -> float:
    try:
        return start_seconds(folder)
    except RoofmarkError:
        return 0.0


def _row(each: Try) -> TryRow:
    return TryRow(
        number=each.number,
        against=f"try {each.against}" if each.against else "the study's own",
        ending=each.ending,
        first=speedup_text(each.first),
        confirmation=speedup_text(each.confirmation),
        missed=missed_by(each),
        device=f"{each.device_seconds:.0f} s",
        what=each.note.hypothesis or params_text(each.params),
        reason=each.reason,
        diff=each.diff,
    )
