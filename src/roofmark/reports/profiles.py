"""What a pass of profiling gave, as text: lines for each pair, each failure's reason once.

In: the records of a profiled bundle, its verdict. Out: text for a terminal. No time under the
profiler is shown; shares of the call's kernel time say what was counted.
"""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from roofmark.analysis.bounds import loads_of_launches, percent
from roofmark.analysis.verdict import Bound, Verdict
from roofmark.profiled import PairProfile, Profiled
from roofmark.records import Missing
from roofmark.reports.proof import not_profiled
from roofmark.reports.view import EVIDENCE
from roofmark.reports.wording import counted, lines_text, one_line, shorten
from roofmark.study import twin_of
from roofmark.units import show

_NAME = 30
_WIDTH = 80
# Chosen: what takes most of the time; the record has all.
_MOST_LAUNCHES = 3


def profiles_text(pairs: Sequence[PairProfile], verdict: Verdict) -> str:
    """Return a few lines for each pair, then why others have no counters and what to do."""
    bounds = {(cell.workload, cell.solution): cell.bound for cell in verdict.cells}
    twin = twin_of(verdict.baseline)
    lines: list[str] = []
    for each in pairs:
        name = twin if each.solution == verdict.baseline else each.solution
        if isinstance(each.outcome, Profiled):
            lines += _pair(each, each.outcome, bounds.get((each.workload, name)))
    for text in not_profiled(pairs):
        lines += wrap(f"not profiled: {text}", _WIDTH, subsequent_indent="   ")
    return lines_text(lines)


def _pair(pair: PairProfile, profile: Profiled, bound: Bound | Missing | None) -> Iterator[str]:
    told = f"{bound.kind} by {EVIDENCE[bound.evidence]}" if isinstance(bound, Bound) else "unknown"
    yield f"{pair.workload} {pair.solution}: {told}"
    yield f"   {_loads(profile)}"
    yield f"   {_launches(profile)}"
    for each in sorted(profile.launches, key=lambda each: -each.share)[:_MOST_LAUNCHES]:
        name = shorten(one_line(each.profile.kernel), _NAME)
        yield f"   {percent(each.share):>6} {name}, {show(each.seen, 's')} without ncu"


def _loads(profile: Profiled) -> str:
    loads = loads_of_launches([(each.profile, each.seen) for each in profile.launches])
    if isinstance(loads, Missing):
        return loads.reason
    return (
        f"main memory {percent(loads.memory)}, on-chip {percent(loads.chip)}, arithmetic "
        f"{percent(loads.math)}, tensor {percent(loads.tensor)}"
    )


def _launches(profile: Profiled) -> str:
    launches = f"{len(profile.launches)} of {counted(profile.kernels, 'launch')}"
    return f"{launches}, {percent(profile.coverage)} of the kernel time"
