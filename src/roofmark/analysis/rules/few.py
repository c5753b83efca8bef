"""RM308: too few processes, or too few samples, to know anything."""

from roofmark.analysis.rules import Note, rule

# Source: the chance that n processes all land on one side of their median is 2^(1 - n): 3 % for 6.
LEAST_FOR_ANY_SHAPE = 6
# Chosen: the median of fewer than three samples is no protection against one outlier.
LEAST_SAMPLES = 3


@rule(
    "RM308",
    "too few processes or samples",
    per="cell",
    moves="undecided",
    fires={"fate": "passed", "processes": (2, 2), "counts": (64, 0), "fewest": 6},
    silent={"fate": "passed", "processes": (6, 6), "counts": (192, 0), "fewest": 6},
)
def too_few(fate: str, processes: tuple[int, int], counts: tuple[int, int], fewest: int) -> str:
    """Fewer processes than the protocol asks for gave a pair with the baseline, or hardly a sample.

    Why it matters: the stopping rule has not looked yet; what a few processes agree on is often
    where they happened to land. A protocol that asks for fewer than six is noted: four processes
    of a program with two modes all land in the same one in 12 % of the runs.
    What to do: let the run go on (roofmark run --resume), or see why processes were lost.
    Accept it with accept=("RM308",): the interval is shown, but stays without a decision.
    """
    if fate != "passed":
        return ""
    paired, started = processes
    kept = counts[0] - counts[1]
    if paired < fewest:
        return f"{paired} of {started} processes give a pair; the protocol asks for {fewest}"
    if kept < LEAST_SAMPLES * paired:
        return f"{kept} samples are kept over {paired} processes"
    if fewest < LEAST_FOR_ANY_SHAPE and paired < LEAST_FOR_ANY_SHAPE:
        chance = 100 * 2 ** (1 - paired)
        return Note(f"{paired} processes all land in one of two modes in {chance:.0f} % of runs")
    return ""
