"""RM508: a clock outside the worker saw more time than its samples."""

from math import inf

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.outside import Clocks
from roofmark.records import Missing
from roofmark.units import show

# Chosen: what lies around a call inside a batch and not inside a sample (two readings of a clock, a
# loop) is a few percent of the shortest calls; a cheat that gains less than a fifth hides in it.
FACTOR = 1.25
# Chosen: how far two empty batches are apart at their best, on a quiet host and on a busy one.
SLACK = 60e-6

# Chosen: a host on which the baseline itself is out by as much as what is looked for tells nothing.
DISTURBED = 1.5


@rule(
    "RM508",
    "a clock outside the worker saw more time",
    per="series",
    moves="invalid",
    fires={"clocks": ((4.0e-3, 2.0e-3, 1.0), (4.1e-3, 2.0e-3, 1.02))},
    silent={"clocks": ((4.0e-3, 2.0e-3, 1.0), (2.1e-3, 2.0e-3, 1.0))},
)
def second_clock(clocks: tuple[Clocks, ...]) -> str | Missing:
    """In every process, the quickest batch of calls took longer than the samples say.

    A batch is timed by the orchestrator: the worker gets its inputs when that clock has started,
    and the clock stops when no output can change any more. Noise makes a batch longer now and then,
    and it is taken again while it disagrees; only what is never as fast as it says always does.
    A host that disturbs the baseline's batches as well has its ratio counted in.

    Why it matters: the solution's samples, or the work that they hold, are not what a user gets:
    clocks or samples were changed in the worker, or work was done before a call or after it.
    What to do: look for patched timers (RM510), threads, streams and processes that outlive a call,
    caches filled between calls, and kernels that rely on what runs before them.
    It cannot be accepted. Where a batch is too short for the outer clock, the answer is unknown.
    """
    if max((0.5 * said for _, said, _ in clocks), default=inf) < SLACK:
        longest = max(said for _, said, _ in clocks)
        return Missing(reason=f"a batch of {show(longest, 's')} is too short for a clock outside")
    if all(seen > FACTOR * said + SLACK for seen, said, _ in clocks) and _disturbed(clocks):
        return Missing(reason="batches of the baseline are as long beside its samples: a busy host")
    apart = [seen - FACTOR * around * said - SLACK for seen, said, around in clocks]
    if min(apart) <= 0 or len(apart) < 2:
        return ""
    seen, said, _ = clocks[apart.index(min(apart))]
    return (
        f"{show(seen, 's')} from outside, {show(said, 's')} by its samples, for the same calls "
        f"({seen / said:.1f}x, and no less in any of {len(clocks)} processes)"
    )


def _disturbed(clocks: tuple[Clocks, ...]) -> bool:
    """Whether the host, and not the solution, is why some process agrees with neither clock."""
    apart = (seen - FACTOR * around * said - SLACK for seen, said, around in clocks)
    return min(apart) <= 0 and any(around > DISTURBED for _, _, around in clocks)
