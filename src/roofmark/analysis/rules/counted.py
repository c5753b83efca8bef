"""Facts from counters: the loads of a cell whose call was profiled.

In: a case, a place. Out: `Loads`, or Missing with the reason. The twin is the baseline again, the
same sources in the same place of the study, so the baseline's counters are its own.
"""

from roofmark.analysis.bounds import Loads, combine, loads_of_launches, percent
from roofmark.analysis.compare import Place
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact, loads
from roofmark.profiled import NotProfiled
from roofmark.records import Missing

# Chosen: the fifth of the time that is not seen moves a load by 20 points at the very most.
COVERAGE = 0.8


@fact
def counted(case: Case, place: Place) -> Loads | Missing:
    """Loads of the device's units by counters, and of what no counter sees by times."""
    workload, solution = place[0], case.study.solution(place[1]).name
    found = case.profiles.get((workload, solution))
    if found is None:
        return Missing(reason="no profile was taken")
    if isinstance(found.outcome, NotProfiled):
        return Missing(reason=f"not profiled: {found.outcome.reason}")
    if found.outcome.coverage < COVERAGE:
        share = percent(found.outcome.coverage)
        return Missing(reason=f"the profiled launches are only {share} of the kernel time")
    timing = loads(case, place)
    counters = loads_of_launches([(each.profile, each.seen) for each in found.outcome.launches])
    for either in (timing, counters):
        if isinstance(either, Missing):
            return either
    assert isinstance(timing, Loads) and isinstance(counters, Loads)
    return combine(timing, counters)
