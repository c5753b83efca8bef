"""RM306: processes fall into two groups with nothing between them."""

import math

from roofmark.analysis.rules import Note, rule
from roofmark.analysis.stats import split_in_two

# Chosen: so that n processes of one kind, normal or with the tails of Student's t3, pass for two
# groups once in 10,000 cells (benchmarks/statistics.py prints how often); few processes agree
# within groups by chance, so they need a wider gap.
SEPARATION = {6: 30.0, 7: 21.0, 8: 16.0, 9: 13.0}
SEPARATION_OF_MORE = 12.0
# Chosen: with fewer, two groups of two arise by chance.
FEWEST = 6


@rule(
    "RM306",
    "processes fall into two groups",
    per="cell",
    moves="undecided",
    fires={
        "process_medians": (1.0, 1.001, 1.0, 1.05, 1.051, 1.05),
        "baseline_medians": (2.0, 2.01, 1.99, 2.02, 1.98, 2.0),
        "margin": 0.02,
        "slack": 0.01,
    },
    silent={
        "process_medians": (1.0, 1.01, 0.99, 1.02, 0.98, 1.005),
        "baseline_medians": (2.0, 2.01, 1.99, 2.02, 1.98, 2.0),
        "margin": 0.02,
        "slack": 0.01,
    },
)
def bimodal(
    process_medians: tuple[float, ...],
    baseline_medians: tuple[float, ...],
    margin: float,
    slack: float,
) -> str:
    """Some processes run at one speed, the others at another, and none in between.

    Why it matters: a process keeps its mode for life (where its memory lies, which clock it got),
    so a mean over a few of them tells how many fell into each, not how fast the code is. A gap
    smaller than the distance to another verdict is noted and moves nothing.
    What to do: find what tells the groups apart (addresses, NUMA node), or take more processes.
    Accept it with accept=("RM306",) when users meet both modes as often as this run did.
    """
    for whose, medians in (("its", process_medians), ("the baseline's", baseline_medians)):
        if len(medians) < FEWEST:
            continue
        gap, scatter, low = split_in_two([math.log(value) for value in medians])
        if gap > max(math.log1p(margin), separation(len(medians)) * scatter):
            sentence = (
                f"{whose} processes split {low} to {len(medians) - low}, "
                f"{100 * math.expm1(gap):.1f} % apart"
            )
            return sentence if gap >= slack else Note(sentence)
    return ""


def separation(processes: int) -> float:
    """Return how many scatters wide the gap has to be."""
    return SEPARATION.get(processes, SEPARATION_OF_MORE)
