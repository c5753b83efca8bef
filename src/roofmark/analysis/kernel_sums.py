"""Kernel sums: what one step costs, from a kernel table, with what the sum leaves out.

In: a `KernelTable` and a formula such as `14*Decode + 2*Beta`: so many launches per step of the
kernel whose name holds that word. Out: `PerStep`. How many steps there were follows from the data,
once per term; terms that disagree are told, since a count that somebody believes (without warm-up,
say) is what makes such figures wrong by a factor. Coverage stands beside every partial sum.

Two tables of runs of different length: most kernels of B then run the same number of times as
often as in A, and that number is how many of B's steps there are for one of A's.
"""

import re
from bisect import bisect_right
from statistics import median

from roofmark.foreign import KernelRow, KernelTable
from roofmark.records import Record
from roofmark.units import Ratio, Seconds

_TERM = re.compile(r"^\s*(?:(?P<times>\d{1,6})\s*\*\s*)?(?P<word>[^*+]+?)\s*$")
# Chosen: a first or last step that was cut changes a count by less than one in a hundred.
AGREES = 0.01
# Chosen: half of the kernels of both tables are no coincidence, two are.
MOST_AGREE, FEWEST_KERNELS = 0.5, 3


class Term(Record):
    """So many launches per step of one kernel. steps: what its calls say of how many there were."""

    kernel: str
    launches: int
    mean: Seconds
    steps: float


class PerStep(Record):
    """Seconds per step. coverage: what share of the table's total the terms' kernels make up."""

    seconds: Seconds
    terms: tuple[Term, ...]
    coverage: Ratio
    agree: bool


def per_step(table: KernelTable, formula: str) -> PerStep:
    """Return what a step costs. Raises: ValueError for a term that names no or several kernels."""
    terms = [_term(table, text) for text in formula.split("+")]
    rows = {row.name: row for row, _ in terms}
    if len(rows) < len(terms):
        raise ValueError("two terms name the same kernel")
    found = tuple(
        Term(
            kernel=row.name,
            launches=times,
            mean=row.total / row.calls,
            steps=row.calls / times,
        )
        for row, times in terms
    )
    steps = [term.steps for term in found]
    return PerStep(
        seconds=sum(term.launches * term.mean for term in found),
        terms=found,
        coverage=sum(row.total for row in rows.values()) / table.total,
        agree=max(steps) <= min(steps) * (1 + AGREES),
    )


def steps_between(a: KernelTable, b: KernelTable) -> float:
    """Return how many steps B has for one of A: the ratio of calls that most kernels agree on.

    It is 1 where no number is agreed on by at least half of the kernels that both tables hold.
    """
    theirs = {row.name: row.calls for row in b.rows if row.calls}
    ratios = sorted(theirs[r.name] / r.calls for r in a.rows if r.calls and r.name in theirs)
    agreeing = max(
        (ratios[i : bisect_right(ratios, low * (1 + AGREES))] for i, low in enumerate(ratios)),
        key=len,
        default=[],
    )
    enough = max(FEWEST_KERNELS, MOST_AGREE * len(ratios))
    return median(agreeing) if len(agreeing) >= enough else 1.0


def same_work(calls: int, others: int, steps: float) -> bool:
    """Whether a kernel runs as often per step in both tables, a cut step apart."""
    return abs(others - calls * steps) <= (AGREES * others if steps != 1 else 0)


def _term(table: KernelTable, text: str) -> tuple[KernelRow, int]:
    told = _TERM.match(text)
    if not told or int(told["times"] or 1) == 0:
        raise ValueError(f"{text.strip()!r} is no term; write 14*Decode")
    rows = [row for row in table.rows if told["word"] in row.name]
    if len(rows) != 1 or rows[0].calls == 0:
        names = ", ".join(row.name[:80] for row in rows[:3])
        raise ValueError(
            f"{told['word']!r} is part of {len(rows)} kernels' names"
            + (f": {names}" if rows else "; upper and lower case count")
        )
    return rows[0], int(told["times"] or 1)
