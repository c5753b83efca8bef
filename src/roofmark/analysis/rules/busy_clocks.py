"""RM517: both clocks disagree, and what is seen of it accuses nobody."""

from roofmark.analysis.rules import rule
from roofmark.analysis.rules.outside import Clocks
from roofmark.analysis.rules.second_clock import many, most, sort_clocks
from roofmark.units import show


@rule(
    "RM517",
    "both clocks disagree, and a busy host, uneven calls or chance may be why",
    per="series",
    moves="undecided",
    fires={
        "clocks": ((4.0e-3, 2.0e-3, 9.0, 1e-4),) * 2,
        "crowded": True,
        "uneven": False,
        "level": 0.95,
    },
    silent={
        "clocks": ((4.0e-3, 2.0e-3, 1.0, 1e-4),) * 2,
        "crowded": True,
        "uneven": False,
        "level": 0.95,
    },
)
def busy_clocks(clocks: tuple[Clocks, ...], crowded: bool, uneven: bool, level: float) -> str:
    """Batches took longer than the samples say (RM508), and that accuses nobody here.

    Programs outside of the run kept cores busy while its threads waited for one, or the solution's
    own threads wanted more cores than there are, or the baseline's own batches were as far from its
    samples. Or calls take now this long and now several times that (a thread that waits for the
    scheduler's next tick): their mean fits the batch, and their median, the verdict's, does not.
    Or they disagree in processes that are not most, too few to accuse, and enough for a verdict to
    rest on: from four on, where it is asked for with a confidence of 95 %.

    Why it matters: threads that wait for a core make an honest batch long, so this accuses nobody;
    but samples that no clock outside confirms carry no verdict either.
    What to do: measure again while nothing else runs; where its own threads filled all cores (also
    those that spin on when a call has returned, as threads of OpenBLAS or OpenMP do), give it fewer
    threads, or the run more cores; where calls are uneven, look for threads that wake each other.
    It cannot be accepted.
    """
    apart, sure = sort_clocks(clocks)
    if not many(apart, clocks, level) or most(sure, clocks):
        return ""
    seen, said, _, _ = min(apart, key=lambda each: each[0] / each[1])
    if not most(apart, clocks):
        where = f" in {len(apart)} of {len(clocks)} processes"
    elif crowded:
        where = "; its own threads filled all cores"
    elif uneven:
        where = "; its calls' mean is far above their median"
    else:
        where = " on a busy host"
    return f"{show(seen, 's')} from outside, {show(said, 's')} by its samples{where}"
