"""Foreign hosts: runs of other tools that were made on different hosts.

In: files with several runs, each with the time of a reference that every run measured. Out:
`HostGroup`s. That time is the canary: runs between which it jumps are groups, not samples of one
thing, and a speed-up over it rewards a slow host.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean, median

from roofmark.foreign import Content, Figures, Imported
from roofmark.records import Missing, Record

# Chosen: in a published file one binary's reference moves by up to 13 % between runs on one host
# and by 60 to 70 % on another; 20 % lies between.
HOST_GAP = 1.2
_CANARY = "reference latency"
# What names a part of a file; parts of the same name are set side by side.
NAMES = ("run", "benchmark", "role", "leg", "definition", "solution")


class HostGroup(Record):
    """Runs whose canary agrees; the ratios are geometric means to the first group's."""

    runs: tuple[str, ...]
    canary: float
    latency: float
    speedup: float | Missing


def name_of(found: Figures) -> tuple[str, ...]:
    """Return what names a set of figures inside its file."""
    return tuple(f"{key} {found.settings[key]}" for key in NAMES if key in found.settings)


def canary(found: Figures) -> dict[str, float]:
    """Return the reference's own latencies, by label."""
    return {f.label: f.value for f in found.figures if f.label.endswith(_CANARY) and f.value > 0}


def mean_ratio(a: dict[str, float], b: dict[str, float]) -> float:
    """Return the geometric mean of b / a over the labels of both; 1 where there are none."""
    both = [label for label in a if label in b]
    return math.exp(fmean([math.log(b[n] / a[n]) for n in both])) if both else 1.0


def host_groups(files: Sequence[Imported]) -> Iterator[HostGroup]:
    """Yield groups of runs between which the canary does not jump, the first run's group first."""
    runs: list[tuple[str, Figures]] = []
    for file in files:
        prefix = f"{file.source.name} " if len(files) > 1 else ""
        runs += [(prefix + _run_name(c, i), c) for i, c in enumerate(_with_canary(file.contents))]
    if len(runs) < 2:
        return
    first = canary(runs[0][1])
    at = sorted((mean_ratio(first, canary(run)), name) for name, run in runs)
    grouped = [[at[0]]]
    for before, each in pairwise(at):
        if each[0] / before[0] >= HOST_GAP:
            grouped.append([])
        grouped[-1].append(each)
    named = [{name for _, name in group} for group in grouped]
    named.sort(key=lambda names: runs[0][0] not in names)
    chosen = [[run for name, run in runs if name in names] for names in named]
    for names, group in zip(named, chosen, strict=True):
        yield HostGroup(
            runs=tuple(name for name, _ in runs if name in names),
            canary=mean_ratio(_centre(chosen[0], _CANARY), _centre(group, _CANARY)),
            latency=mean_ratio(_centre(chosen[0], ": latency"), _centre(group, ": latency")),
            speedup=_gain(chosen[0], group),
        )


def _gain(first: Sequence[Figures], group: Sequence[Figures]) -> float | Missing:
    mine, theirs = (_centre(runs, ": speed-up") for runs in (first, group))
    if not mine.keys() & theirs.keys():
        return Missing(reason="the runs name no speed-up")
    return mean_ratio(mine, theirs)


def _run_name(found: Figures, index: int) -> str:
    return ", ".join(name_of(found)) or f"run {index + 1}"


def _with_canary(contents: Sequence[Content]) -> list[Figures]:
    return [c for c in contents if isinstance(c, Figures) and canary(c)]


def _centre(runs: Sequence[Figures], ending: str) -> dict[str, float]:
    """Return label -> median over runs, of the labels with that ending."""
    values: dict[str, list[float]] = {}
    for run in runs:
        for figure in run.figures:
            if figure.label.endswith(ending) and figure.value > 0:
                values.setdefault(figure.label, []).append(figure.value)
    return {label: median(found) for label, found in values.items()}
