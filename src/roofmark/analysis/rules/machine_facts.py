"""Facts about the machine of a run, or the stations of a fleet.

In: a case, a place. Out: plain values, or `Missing` with the reason; see facts.py.
"""

from roofmark.analysis.compare import Place
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.facts import fact
from roofmark.analysis.station_results import ratios_by_station
from roofmark.records import Missing
from roofmark.stations import host_of

Ratios = dict[str, tuple[float, ...]]


# --- what the run itself puts on the machine -----------------------------------------------------
@fact
def cores(case: Case, place: Place) -> int:
    """CPU cores of the whole host; where it was not told, those of all slots side by side on it."""
    cpu = case.environment.cpu
    return cpu.online if isinstance(cpu.online, int) else cpu.cores * _side_by_side(case)


@fact
def crew(case: Case, place: Place) -> int:
    """Processes that the run starts side by side: referee, twin, and one for each solution."""
    one = 2 + sum(case.run.device in solution.runs_on for solution in case.study.solutions)
    return one * _side_by_side(case)


def _side_by_side(case: Case) -> int:
    """Return how many stations of a fleet share the host that has the most."""
    hosts = [host_of(each.id) for each in case.stations if not each.refused]
    return max(map(hosts.count, hosts), default=1)


@fact
def other_processes(case: Case, place: Place) -> int | Missing:
    """Processes of others on the GPU before the run; of a fleet, on the busiest."""
    own = [each.environment for each in case.stations if not each.refused] or [case.environment]
    found = [e.gpu if isinstance(e.gpu, Missing) else e.gpu.other_processes for e in own]
    missing = [each for each in found if isinstance(each, Missing)]
    return missing[0] if missing else max(each for each in found if isinstance(each, int))


# --- whether stations agree ----------------------------------------------------------------------
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
