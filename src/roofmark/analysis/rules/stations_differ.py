"""RM346: how far the devices of a fleet are from one another."""

import math

from roofmark.analysis.rules import rule
from roofmark.analysis.stations import split_by
from roofmark.analysis.stats import mean

# Chosen: a solution in a thousand is named for nothing; it costs a line and moves no verdict.
ALARM = 1e-3
# Chosen: probes of one idle machine agree to 1 or 2 % (comparable.py).
CEILINGS_AGREE = 0.05


@rule(
    "RM346",
    "stations of the fleet are not equal",
    per="study",
    moves="",
    fleet=True,
    fires={
        "overall_ratios": {"fast": {"a": (0.30, 0.301, 0.299), "b": (0.29, 0.291, 0.289)}},
        "station_ceilings": {"read": {"a": 4.2e12, "b": 4.2e12}},
    },
    silent={
        "overall_ratios": {"fast": {"a": (0.30, 0.31, 0.29), "b": (0.295, 0.305, 0.285)}},
        "station_ceilings": {"read": {"a": 4.2e12, "b": 4.1e12}},
    },
)
def stations_differ(
    overall_ratios: dict[str, dict[str, tuple[float, ...]]],
    station_ceilings: dict[str, dict[str, float]],
) -> str:
    """Over all workloads, or in a measured ceiling, devices of one model differ, not by chance.

    Why it matters: it is what a verdict over one device alone would not have known. Differences of
    speed-ups are told however small they are; of ceilings, from 5 % on.
    What to do: nothing, while it is small against the margin; see RM345 otherwise.
    There is nothing to accept: it moves no verdict.
    """
    told = [_ratios(name, by) for name, by in overall_ratios.items()]
    told += [_ceiling(name, by) for name, by in station_ceilings.items()]
    return "; ".join(each for each in told if each)


def _ratios(name: str, by: dict[str, tuple[float, ...]]) -> str:
    found = split_by(by)
    if found is None or found.p > ALARM:
        return ""
    means = [mean(ratios) for ratios in by.values()]
    return f"{name} by {100 * math.expm1(max(means) - min(means)):.2g} %"


def _ceiling(name: str, by: dict[str, float]) -> str:
    apart = max(by.values()) / min(by.values()) - 1
    return f"ceiling {name} by {100 * apart:.2g} %" if apart > CEILINGS_AGREE else ""
