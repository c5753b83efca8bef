"""RM501: a worker's clock disagrees with ours."""

from roofmark.analysis.rules import rule
from roofmark.units import show

# Chosen: two healthy clocks of one machine differ by less than 1e-4; the orchestrator's reading
# also holds every overhead, so samples longer than it are impossible but for a rounding.
TOLERANCE = 0.01


@rule(
    "RM501",
    "samples take longer than the visit did",
    per="series",
    moves="invalid",
    fires={"clocked": ((0.5, 0.1),)},
    silent={"clocked": ((0.5, 0.6),)},
)
def two_clocks(clocked: tuple[tuple[float, float], ...]) -> str:
    """The samples of a visit add up to more time than passed on the orchestrator's own clock.

    Why it matters: the worker's clock was wrong or tampered with; no time of it counts.
    What to do: read the candidate's source for patched timers; check the host's clock source.
    It cannot be accepted.
    """
    bad = [pair for pair in clocked if pair[0] > pair[1] * (1 + TOLERANCE)]
    if not bad:
        return ""
    ours, elapsed = max(bad, key=lambda pair: pair[0] - pair[1])
    return f"{show(ours, 's')} of samples within {show(elapsed, 's')}, in {len(bad)} visits"
