"""Pins on a terminal: what replacing one changes, and what a gate against one will tell.

In: the changes of a pin, or a pin. Out: text.
"""

from collections.abc import Sequence

from roofmark.analysis.baseline import Baseline, Change
from roofmark.analysis.shift import ALARM, derived_margins
from roofmark.records import Missing
from roofmark.reports.wording import NOTHING, one_line, shorten
from roofmark.units import show

# Chosen: workloads and solutions have at most 64 characters each; most have far fewer.
_NAME = 40


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
