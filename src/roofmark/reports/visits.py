"""What was sampled, visit by visit, for the charts that show samples.

In: a bundle. Out: visits of one tier, with every sample that counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median_high

from roofmark.bundle import Bundle
from roofmark.evidence import Passed, Trace


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One visit of a tier: seconds is the median of its samples, all that were taken."""

    solution: str
    workload: str
    process: int
    start: float
    samples: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """The middle sample; of an even number the later of the two in the middle."""
        return median_high(self.samples)


def visits(bundle: Bundle, tier: str) -> Iterator[Visit]:
    """Yield every visit of a tier that has samples, by trace."""
    for trace in bundle.traces():
        if isinstance(trace.outcome, Passed):
            yield from _visits(trace, trace.outcome, tier)


def _visits(trace: Trace, outcome: Passed, tier: str) -> Iterator[Visit]:
    for measurement in outcome.measurements:
        for visit in measurement.visits if measurement.tier == tier else ():
            if visit.samples:
                yield Visit(
                    solution=trace.solution,
                    workload=trace.workload,
                    process=trace.process,
                    start=visit.start,
                    samples=visit.samples,
                )
