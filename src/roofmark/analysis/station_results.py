"""Station by station: what each device of a fleet alone would say.

In: comparisons, the stations of a bundle. Out: `StationResult`s, to be set side by side by people
and by rules. A verdict never takes one of them for the whole.
"""

from collections.abc import Mapping, Sequence

from roofmark.analysis.compare import Place, estimate_ratio
from roofmark.analysis.decide import Comparison, Scene
from roofmark.analysis.overall import balanced_processes, overall_floor
from roofmark.analysis.verdict import Estimate, StationResult
from roofmark.records import Missing
from roofmark.stations import Station
from roofmark.study import twin_of


def stations_of(scene: Scene) -> dict[int, str]:
    """Return process -> station, over all that was measured."""
    return {
        process: station
        for (_, name), series in scene.series.items()
        for process, station in series.stations.items()
        if station and name == scene.study.baseline
    }


def ratios_by_station(cells: Sequence[Comparison]) -> dict[str, list[float]]:
    """Return station -> the mean log ratios of its balanced processes."""
    pairs = next((cell.pairs for cell in cells if cell.pairs is not None), None)
    found: dict[str, list[float]] = {}
    for process, ratio in balanced_processes(cells).items():
        station = pairs.stations.get(process, "") if pairs else ""
        found.setdefault(station, []).append(ratio)
    return found


def judge_stations(
    scene: Scene,
    comparisons: Mapping[Place, Comparison],
    stations: Sequence[Station],
    names: Mapping[str, str],
) -> tuple[StationResult, ...]:
    """Return the result of every station that measured. names: station -> its device's name."""
    sets = list(stations_of(scene).values())
    of = {n: [c for c in comparisons.values() if c.solution == n] for n in scene.names}
    return tuple(
        StationResult(
            station=each.id,
            device_name=names[each.id],
            processes=sets.count(each.id),
            speedups={name: _speedup(scene, own, of, each.id) for name, own in of.items()},
        )
        for each in stations
        if each.id in sets
    )


def _speedup(
    scene: Scene,
    own: Sequence[Comparison],
    of: Mapping[str, Sequence[Comparison]],
    station: str,
) -> Estimate | Missing:
    ratios = ratios_by_station(own).get(station, [])
    if not ratios:
        return Missing(reason="no set of it measured every workload")
    twin = twin_of(scene.study.baseline)
    floor = overall_floor(own, () if own[0].solution == twin else of.get(twin, ()))
    return estimate_ratio([[r] for r in ratios], scene.study.protocol, floor=floor)
