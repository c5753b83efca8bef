"""RM305: the speed-up itself drifts from process to process."""

import math

from roofmark.analysis.rules import Note, rule
from roofmark.analysis.stats import line_p

# Chosen: a hundred cells of honest noise then fire once in a hundred studies.
LEVEL = 1e-4


@rule(
    "RM305",
    "the speed-up drifts over the run",
    per="cell",
    moves="undecided",
    fires={
        "ratios": (0.01, 0.021, 0.029, 0.041, 0.05, 0.059, 0.07, 0.081),
        "margin": 0.02,
        "slack": 0.02,
    },
    silent={
        "ratios": (0.05, 0.048, 0.052, 0.047, 0.053, 0.05, 0.049, 0.051),
        "margin": 0.02,
        "slack": 0.02,
    },
)
def drift(ratios: tuple[float, ...], margin: float, slack: float) -> str:
    """The ratio of baseline to solution moves steadily from one process to the next.

    Why it matters: pairing cancels what hits both alike; what is left changes one of the two, and
    the mean then depends on how long the run was. A drift smaller than the distance to another
    verdict is noted and moves nothing.
    What to do: see which of the two drifts (temperature, memory that fragments, a growing cache).
    Accept it with accept=("RM305",) when the drift is known and the whole run is representative.
    """
    if len(ratios) < 4:
        return ""
    slope, p = line_p(ratios)
    change = slope * (len(ratios) - 1)
    if p > LEVEL or abs(change) <= math.log1p(margin):
        return ""
    sentence = f"the speed-up changes by {100 * math.expm1(change):+.1f} % over the run"
    return sentence if abs(change) >= slack else Note(sentence)
