"""RM304: within a process, times change level and stay there."""

import math
from statistics import median

from roofmark.analysis.rules import Note, rule

# Chosen: a step has to be larger than 3 % (a shift that a quiet device never shows, and the field's
# smallest regression worth stopping for) and than four times the scatter around it; simulated
# honest noise, AR(1) included, then moves none of 200 cells (benchmarks/statistics.py).
LEAST_STEP = 0.03
SCATTER = 4.0
# Chosen: half a dozen samples on either side; fewer make no level.
LEAST_SIDE = 6
# Chosen: one process in four may have a bad day without being a regime.
SHARE = 0.25


@rule(
    "RM304",
    "times changed level within a process",
    per="cell",
    moves="undecided",
    fires={
        "samples": ((1.0, 1.01) * 6 + (1.17, 1.18) * 6,) * 4,
        "baseline_samples": ((2.0, 2.01) * 12,) * 4,
        "slack": 0.1,
    },
    silent={
        "samples": ((1.0, 1.01) * 12,) * 4,
        "baseline_samples": ((2.0, 2.01) * 12,) * 4,
        "slack": 0.1,
    },
)
def step(
    samples: tuple[tuple[float, ...], ...],
    baseline_samples: tuple[tuple[float, ...], ...],
    slack: float,
) -> str:
    """In more than a quarter of the processes the samples jump to another level and stay there.

    Why it matters: a median over two regimes is a time of neither; a mean is worse (a throttle from
    launch 35 on once passed for a 17 % regression). When the jump is smaller than the distance to
    another verdict it is noted and moves nothing.
    What to do: look for throttling, a cache that fills, or a candidate that changes its behaviour
    after warm-up.
    Accept it with accept=("RM304",) when both levels are the operator's normal life.
    """
    for whose, groups in (("its", samples), ("the baseline's", baseline_samples)):
        sizes = [size for size in (find_step(group) for group in groups) if size]
        if len(sizes) > SHARE * len(groups):
            size = median(sizes)
            sentence = (
                f"{whose} times step by {100 * math.expm1(abs(size)):.1f} % within "
                f"{len(sizes)} of {len(groups)} processes"
            )
            return sentence if abs(size) >= slack else Note(sentence)
    return ""


def find_step(values: tuple[float, ...]) -> float:
    """Return the log size of the one step that explains most, or 0 when there is none."""
    return _step(values)[1]


def find_regimes(values: tuple[float, ...]) -> tuple[int, float] | None:
    """Return where values change their level and by which part; None where they keep it."""
    cut, size = _step(values)
    return (cut, math.expm1(size)) if size else None


def _step(values: tuple[float, ...]) -> tuple[int, float]:
    """Return where the one step that explains most begins, and its log size, or (0, 0)."""
    logs = [math.log(value) for value in values if value > 0]
    if len(logs) < max(2 * LEAST_SIDE, len(values)) or max(logs) - min(logs) < LEAST_STEP:
        return 0, 0.0
    cut = _best_cut(logs)
    left, right = median(logs[:cut]), median(logs[cut:])
    size = right - left
    scatter = 1.4826 * median(
        [abs(v - left) for v in logs[:cut]] + [abs(v - right) for v in logs[cut:]]
    )
    return (cut, size) if abs(size) > max(LEAST_STEP, SCATTER * scatter) else (0, 0.0)


def _best_cut(logs: list[float]) -> int:
    """Return where the variance between the two sides is largest; sums run, they are not redone."""
    n, total, left = len(logs), math.fsum(logs), math.fsum(logs[: LEAST_SIDE - 1])
    best, most = LEAST_SIDE, -1.0
    for cut in range(LEAST_SIDE, n - LEAST_SIDE + 1):
        left += logs[cut - 1]
        gap = left / cut - (total - left) / (n - cut)
        between = cut * (n - cut) * gap * gap
        if between > most:
            best, most = cut, between
    return best
