"""What a pass of profiling gave, as text: a line for each pair, each failure's mend once.

In: the records of a profiled bundle, its verdict. Out: text for a terminal. A time under the
profiler is never shown as a time; a share of the call's kernel time says what was counted.
"""

from collections.abc import Iterable, Iterator, Sequence

from roofmark.analysis.bounds import loads_of_launches, percent
from roofmark.analysis.verdict import Bound, Verdict
from roofmark.profiled import NotProfiled, PairProfile, Profiled
from roofmark.records import Missing
from roofmark.reports.view import EVIDENCE
from roofmark.reports.wording import counted, one_line, shorten
from roofmark.study import twin_of

_NAME = 40


def profiles_text(pairs: Sequence[PairProfile], verdict: Verdict) -> str:
    """Return a line or two for each pair, then what to do where there are no counters."""
    bounds = {(cell.workload, cell.solution): cell.bound for cell in verdict.cells}
    twin = twin_of(verdict.baseline)
    lines: list[str] = []
    for each in pairs:
        name = twin if each.solution == verdict.baseline else each.solution
        lines += _pair(each, bounds.get((each.workload, name)))
    mends = {p.outcome.mend for p in pairs if isinstance(p.outcome, NotProfiled)}
    return "\n".join([*lines, *sorted(mends)]) + "\n"


def _pair(pair: PairProfile, bound: Bound | Missing | None) -> Iterator[str]:
    label = f"{pair.workload} {pair.solution}"
    if isinstance(pair.outcome, NotProfiled):
        yield f"{label}: not profiled: {one_line(pair.outcome.reason)}"
        return
    told = f"{bound.kind} by {EVIDENCE[bound.evidence]}" if isinstance(bound, Bound) else "unknown"
    yield f"{label}: {told}; {_loads(pair.outcome)}"
    yield from (f"   {line}" for line in _launches(pair.outcome))


def _loads(profile: Profiled) -> str:
    loads = loads_of_launches([(each.profile, each.seen) for each in profile.launches])
    if isinstance(loads, Missing):
        return loads.reason
    return (
        f"main memory {percent(loads.memory)}, on-chip {percent(loads.chip)}, arithmetic "
        f"{percent(loads.math)}, tensor pipe {percent(loads.tensor)}"
    )


def _launches(profile: Profiled) -> Iterable[str]:
    ordered = sorted(profile.launches, key=lambda each: -each.share)
    shown = [
        f"{percent(e.share)} {shorten(one_line(e.profile.kernel), _NAME)}" for e in ordered[:3]
    ]
    launches = f"{len(profile.launches)} of {counted(profile.kernels, 'launch')}"
    yield f"{launches}, {percent(profile.coverage)} of the kernel time: {', '.join(shown)}"
