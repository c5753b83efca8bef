"""Stations: one mean over process statistics that several devices measured.

In: process statistics and the station of each. Out: a `Summary` whose error knows that a device has
an effect of its own, and a test whether the devices differ. With n_i statistics of k devices,

    d_ij = mu + b_i + e_ij,   S = sum((n_i / n)^2),   n_0 = n (1 - S) / (k - 1)
    error^2 = w^2 / n + b^2 S,   b^2 = max(spread^2, (MS_between - w^2) / n_0)

w is the deviation within devices, `spread` what two devices of one model are assumed to differ by;
the error is never less than that of n processes of one machine. Where devices demonstrably differ
they are the sample, with k - 1 degrees of freedom. Hosts are asked in the same way as devices where
there are several, and the wider answer counts.
Source: one-way random effects by analysis of variance; S. R. Searle, G. Casella, C. E. McCulloch,
Variance Components (1992), ch. 3. benchmarks/fleet.py --simulate prints how often it errs.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from scipy.special import fdtrc

from roofmark.analysis.stats import Summary, mean
from roofmark.stations import host_of
from roofmark.study import SERVING_TIERS, Tier

# Chosen: what two runs of an unchanged program on one GPU differ by (shift.py); two devices of one
# model cannot be expected to agree better than one does with itself. `call` includes the host, as
# do the tiers of engines, which no fleet measures.
_BY_HOST: tuple[Tier, ...] = ("call", *SERVING_TIERS)
_ON_DEVICE: tuple[Tier, ...] = ("graph", "kernel")
SPEEDUP_SPREAD = dict.fromkeys(_ON_DEVICE, 0.002) | dict.fromkeys(_BY_HOST, 0.01)
TIME_SPREAD = dict.fromkeys(_ON_DEVICE, 0.005) | dict.fromkeys(_BY_HOST, 0.03)
# Chosen: one cell in a hundred is wide for nothing, and then asks for more process sets.
DIFFER = 0.01


@dataclass(frozen=True, slots=True)
class Split:
    """An analysis of variance: mean squares between groups of values and within them.

    p: chance of groups that differ as much or more, if all values are of one kind.
    """

    between: float
    within: float
    p: float


def split(values: Sequence[float], groups: Sequence[str], floor: float = 0.0) -> Split | None:
    """Compare groups of values; None where nothing can be told: one group, or no two in any.

    floor: least standard deviation within a group.
    """
    by: defaultdict[str, list[float]] = defaultdict(list)
    for value, group in zip(values, groups, strict=True):
        by[group].append(value)
    k, n = len(by), len(values)
    if k < 2 or n == k:
        return None
    centre, means = mean(values), {group: mean(own) for group, own in by.items()}
    between = math.fsum(len(by[g]) * (m - centre) ** 2 for g, m in means.items()) / (k - 1)
    rest = math.fsum((v - means[g]) ** 2 for g, own in by.items() for v in own)
    within = max(rest / (n - k), floor**2)
    p = float(fdtrc(k - 1, n - k, between / within)) if within else float(between == 0)
    return Split(between, within, p)


def split_by(groups: Mapping[str, Sequence[float]]) -> Split | None:
    """Compare group -> values, as `split` does."""
    flat = [(value, group) for group, own in groups.items() for value in own]
    return split([value for value, _ in flat], [group for _, group in flat])


class ByStation(list[Sequence[float]]):
    """Block statistics, one sequence per process, with the station of each process."""

    def __init__(
        self, blocks: Mapping[int, Sequence[float]], stations: Mapping[int, str], spread: float
    ) -> None:
        """Take process -> block statistics and process -> station. spread: of stations, in logs."""
        super().__init__(blocks.values())
        self.stations = [stations.get(process, "") for process in blocks]
        self.spread = spread

    @property
    def k(self) -> int:
        """How many stations measured."""
        return len(set(self.stations))

    def widen(self, plain: Summary, within: float) -> Summary:
        """Return the summary with the stations' own effects in its error."""
        hosts = [host_of(each) for each in self.stations]
        found = [
            self._widened(plain, groups, within)
            for groups in (self.stations, hosts)
            if len(set(groups)) > 1
        ]
        return max(found, key=_width, default=plain)

    def _widened(self, plain: Summary, groups: Sequence[str], within: float) -> Summary:
        n, sizes = plain.n, [groups.count(group) for group in dict.fromkeys(groups)]
        found = split([median(each) for each in self], groups, within)
        uneven = math.fsum((size / n) ** 2 for size in sizes)
        own, noise, freedom = self.spread**2, within**2, plain.freedom
        if found is not None:
            each = n * (1 - uneven) / (len(sizes) - 1)
            own = max(own, (found.between - found.within) / each)
            noise = found.within
            freedom = len(sizes) - 1 if found.p <= DIFFER else freedom
        error = max(plain.error, math.sqrt(noise / n + own * uneven))
        return Summary(plain.mean, error, plain.blur, n, freedom)


def _width(summary: Summary) -> tuple[float, float]:
    """Order summaries of the same values: fewer degrees of freedom first, then the larger error."""
    return -summary.freedom, summary.error
