"""RM345: devices of a fleet say different things about one cell."""

import math

from roofmark.analysis.rules import Note, rule
from roofmark.analysis.stations import split_by
from roofmark.analysis.stats import mean

# Chosen: as RM306, so that devices of one kind pass for two kinds once in 10,000 cells.
ALARM = 1e-4


@rule(
    "RM345",
    "stations of the fleet disagree",
    per="cell",
    moves="undecided",
    fleet=True,
    fires={
        "station_ratios": {"a": (0.30, 0.301, 0.299), "b": (0.20, 0.201, 0.199)},
        "margin": 0.02,
        "slack": 0.03,
    },
    silent={
        "station_ratios": {"a": (0.30, 0.31, 0.29), "b": (0.295, 0.305, 0.285)},
        "margin": 0.02,
        "slack": 0.03,
    },
)
def stations_disagree(
    station_ratios: dict[str, tuple[float, ...]], margin: float, slack: float
) -> str:
    """The speed-up differs between devices of one model by more than the margin, and not by chance.

    Why it matters: a mean over devices that differ tells how often each was asked, not how fast the
    code is on the next one. The interval is as wide as the devices make it; where they differ by
    more than the distance to another verdict, there is none.
    What to do: look at the devices' clocks, power limits and neighbours; measure with more of them.
    Accept it with accept=("RM345",) when the devices that took part are all that you will ever use.
    """
    found = split_by(station_ratios)
    means = {station: mean(ratios) for station, ratios in station_ratios.items()}
    gap = max(means.values()) - min(means.values())
    if found is None or found.p > ALARM or gap <= math.log1p(margin):
        return ""
    told = ", ".join(f"{math.exp(m):.4g}x on {station}" for station, m in means.items())
    return told if gap / 2 >= slack else Note(told)
