"""Facts about engines: what is visible of a leg, and what follows from its requests.

In: a case, a place. Out: plain values. Of a study of kernels none of these is ever asked.
"""

import math

from msgspec import UnsetType

from roofmark.analysis.compare import Place
from roofmark.analysis.leg_evidence import unseen as find_unseen
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact
from roofmark.analysis.rules.output import Output
from roofmark.evidence import Measurement, Passed
from roofmark.legs import Command, Treatment
from roofmark.served import Answered, Request, ServedVisit, samples_of
from roofmark.serving import load_of
from roofmark.study import Tier

# Chosen: samples and requests are rounded to a nanosecond; a changed sample differs by far more.
_ROUNDING = 1e-6


@fact
def unseen(case: Case, place: Place) -> tuple[str, ...]:
    """What of a leg's declared treatment is not visible, one sentence each."""
    solution = case.study.solution(place[1])
    if not isinstance(solution.treatment, Treatment):
        return ()
    return find_unseen(solution.treatment, case.legs, place[1], solution.name)


@fact
def stale(case: Case, place: Place) -> bool:
    """Whether a leg was found running instead of being started for each process set."""
    return any(not stay.fresh for stay in case.legs.stays.get(place[1], ()))


@fact
def unfounded(case: Case, place: Place) -> tuple[str, ...]:
    """Tiers whose samples do not follow from the requests that stand beside them."""
    series = case.scene.series.get(place)
    solution = case.study.solution(place[1])
    if series is None or isinstance(solution.leg, Command):
        return ()
    load = load_of(next(w for w in case.study.workloads if w.id == place[0]))
    kept = {each.process: each.visits for each in case.legs.served.get(place, ())}
    found: list[str] = []
    for process, passed in series.passed():
        visits = kept.get(process, ())
        if any(not isinstance(r.ending, Answered) for v in visits for r in v.requests):
            found.append(f"process set {process + 1}: a request was not answered")
            continue
        again = {v.block: samples_of(v.requests, load) for v in visits}
        found += [f"process set {process + 1}: {t}" for t in _differing(passed, again)]
    return tuple(found)


def _differing(passed: Passed, again: dict[int, dict[Tier, tuple[float, ...]]]) -> list[str]:
    """Return the tiers, but for memory, in which some visit differs from what is computed again."""
    return [m.tier for m in passed.measurements if m.tier != "memory" and not _agrees(m, again)]


def _agrees(kept: Measurement, again: dict[int, dict[Tier, tuple[float, ...]]]) -> bool:
    for visit in kept.visits:
        computed = again.get(visit.block, {}).get(kept.tier, ())
        if len(computed) != len(visit.samples):
            return False
        pairs = zip(computed, visit.samples, strict=True)
        if not all(math.isclose(a, b, rel_tol=_ROUNDING, abs_tol=1e-9) for a, b in pairs):
            return False
    return True


@fact
def degenerate(case: Case, place: Place) -> tuple[str, ...]:
    """Timed outputs of a trained model that a rule about outputs fires on, with the first rule."""
    serving = case.study.serving
    if isinstance(serving, UnsetType) or not serving.trained:
        return ()
    # The rules about outputs are registered beside this fact, so not before it.
    from roofmark.analysis.degenerate import look_at

    return tuple(
        f"process set {each.process + 1}, block {visit.block + 1}, request {number}: "
        f"{found[0].code} {found[0].message}"
        for each in case.legs.served.get(place, ())
        for visit in each.visits
        for number, request in enumerate(visit.requests, 1)
        if (found := look_at(_output(request)))
    )


def _output(request: Request) -> Output:
    written = request.output
    return Output(text=written) if isinstance(written, str) else Output(tokens=written)


@fact
def lag(case: Case, place: Place) -> float:
    """Of an open loop: the worst visit's median of (sent - intended) over its median latency."""
    visits = [v for each in case.legs.served.get(place, ()) for v in each.visits]
    return max((_lag(visit) for visit in visits), default=0.0)


def _lag(visit: ServedVisit) -> float:
    late = sorted(each.sent - each.intended for each in visit.requests)
    took = sorted(each.arrivals[-1] - each.intended for each in visit.requests if each.arrivals)
    return late[len(late) // 2] / took[len(took) // 2] if late and took else 0.0
