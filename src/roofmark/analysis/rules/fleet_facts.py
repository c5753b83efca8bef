"""Facts about the stations of a fleet, for the rules that ask whether they agree.

In: a case, a place. Out: plain values, or `Missing` with the reason; see facts.py.
"""

from roofmark.analysis.compare import Place
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact
from roofmark.analysis.station_results import ratios_by_station
from roofmark.records import Missing

Ratios = dict[str, tuple[float, ...]]


@fact
def station_ratios(case: Case, place: Place) -> Ratios | Missing:
    """Station -> log of baseline / solution, one per process in order."""
    found = case.comparisons[place].pairs if place in case.comparisons else None
    if found is None:
        return Missing(reason="no pair with the baseline")
    by: dict[str, list[float]] = {}
    for process, ratio in found.by_process.items():
        by.setdefault(found.stations.get(process, ""), []).append(ratio)
    return {station: tuple(ratios) for station, ratios in by.items()}


@fact
def overall_ratios(case: Case, place: Place) -> dict[str, Ratios]:
    """Solution -> station -> mean log ratio over the workloads, one per balanced process."""
    found: dict[str, Ratios] = {}
    for name in case.scene.names:
        own = [each for each in case.comparisons.values() if each.solution == name]
        found[name] = {s: tuple(ratios) for s, ratios in ratios_by_station(own).items()}
    return found


@fact
def refused_stations(case: Case, place: Place) -> dict[str, str]:
    """Station -> why it measured nothing."""
    return {each.id: each.refused for each in case.stations if each.refused}


@fact
def lost_stations(case: Case, place: Place) -> dict[str, tuple[str, ...]]:
    """Station -> how it was lost, each time."""
    return {each.id: each.losses for each in case.stations if each.losses}


@fact
def station_ceilings(case: Case, place: Place) -> dict[str, dict[str, float]]:
    """Ceiling -> station -> measured value, in its base unit."""
    found: dict[str, dict[str, float]] = {}
    for each in case.stations:
        for ceiling in each.environment.ceilings if not each.refused else ():
            if ceiling.measured:
                size = "" if isinstance(ceiling.size, Missing) else f" {ceiling.size}"
                found.setdefault(ceiling.quantity + size, {})[each.id] = ceiling.value
    return found
