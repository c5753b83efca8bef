"""RM347: stations of a fleet that were refused or lost."""

from roofmark.analysis.rules import rule


@rule(
    "RM347",
    "stations were refused or lost",
    per="study",
    moves="",
    fleet=True,
    fires={"refused_stations": {"a.b": "gpu.name is H100, not H200"}, "lost_stations": {}},
    silent={"refused_stations": {}, "lost_stations": {}},
)
def stations_gone(
    refused_stations: dict[str, str], lost_stations: dict[str, tuple[str, ...]]
) -> str:
    """A device of the fleet is another model, has other software, or is somebody's; or it died.

    Why it matters: devices of two models are never pooled, so a refused one measured nothing. The
    set that a lost station was measuring left no trace and was measured again with fresh values.
    What to do: for a verdict about the other model, run again where it is the larger group.
    There is nothing to accept: it moves no verdict.
    """
    told = [f"{station} refused: {why}" for station, why in refused_stations.items()]
    told += [
        f"{station} lost {len(why)} time{'s' * (len(why) > 1)}, at last: {why[-1]}"
        for station, why in lost_stations.items()
    ]
    return "; ".join(told)
