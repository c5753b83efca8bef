"""Budgets: when a loop begins no further try.

In: the options, the journal, seconds since the last start. Out: which budget is spent. A try
that has begun is finished: half a try has cost its seconds and says nothing.
"""

from roofmark.bundle import Bundle
from roofmark.looping.journal import Journal
from roofmark.looping.state import seconds_of
from roofmark.options import LoopOptions


def spent_budget(options: LoopOptions, journal: Journal, start: Bundle, seconds: float) -> str:
    """Return what is spent, or nothing. seconds: since the last start."""
    tries = journal.tries
    device = seconds_of(start) + sum(each.device_seconds for each in tries)
    idle = len(tries) - journal.best
    if len(tries) >= options.iterations:
        return f"{options.iterations} tries were made"
    if options.time_limit is not None and seconds >= options.time_limit:
        return f"the loop has run for {options.time_limit:g} s"
    if options.device_time is not None and device >= options.device_time:
        return f"the device was held for {device:.0f} s of {options.device_time:g}"
    if options.patience is not None and idle >= options.patience:
        return f"{idle} tries in a row gained nothing"
    return ""
