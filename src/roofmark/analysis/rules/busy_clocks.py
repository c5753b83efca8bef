"""RM517: both clocks disagree on a host that is too busy to say why."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.outside import Clocks
from roofmark.analysis.rules.second_clock import most, sort_clocks
from roofmark.units import show


@rule(
    "RM517",
    "both clocks disagree on a busy host",
    per="series",
    moves="undecided",
    fires={"clocks": ((4.0e-3, 2.0e-3, 9.0, 1e-4), (4.1e-3, 2.0e-3, 9.0, 1e-4))},
    silent={"clocks": ((4.0e-3, 2.0e-3, 1.0, 1e-4), (4.1e-3, 2.0e-3, 1.0, 1e-4))},
)
def busy_clocks(clocks: tuple[Clocks, ...]) -> str:
    """Batches took longer than the samples say (RM508), where others wanted the cores as well.

    Programs outside of the run kept cores busy while its threads waited for one, or the baseline's
    own batches were as far from its samples.

    Why it matters: threads that wait for a core make an honest batch long, so this accuses nobody;
    but samples that no clock outside confirms carry no verdict either.
    What to do: measure again while nothing else runs.
    It cannot be accepted.
    """
    apart, sure = sort_clocks(clocks)
    if not most(apart, clocks) or most(sure, clocks):
        return ""
    seen, said, _, _ = min(apart, key=lambda each: each[0] / each[1])
    return f"{show(seen, 's')} from outside, {show(said, 's')} by its samples, on a busy host"
