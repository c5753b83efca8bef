"""Nsight Compute's command line, and the refusals that its output is known for.

In: where ncu is, how to count. Out: the words to put before a program; from what ncu said, whether
it was refused. Clocks are left alone, because the measurement left them alone.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from roofmark.profiled import Replay
from roofmark.study import CacheState

Refusal = Literal["not_permitted", "counters_held", "unknown_metric", "nothing_matched"]

# Source: what ncu 2020 to 2025 prints; the first that is found counts, because a refused ncu also
# says that it profiled nothing.
_REFUSALS: tuple[tuple[Refusal, str], ...] = (
    ("not_permitted", r"ERR_NVGPUCTRPERM"),
    ("counters_held", r"resource.{0,20}unavailable|ResourceUnavailable|in use by"),
    ("unknown_metric", r"failed to find metric|did not match any metric"),
    ("nothing_matched", r"No kernels were profiled"),
)


@dataclass(frozen=True, kw_only=True)
class Counting:
    """How to count one call.

    metrics: counters by name. names: kernels by their function's name; empty for all. launches: at
    most so many. cache: of the measurement; a cold one has the caches flushed before each pass.
    """

    metrics: tuple[str, ...]
    names: tuple[str, ...]
    launches: int
    cache: CacheState
    replay: Replay

    @property
    def cache_control(self) -> Literal["all", "none"]:
        """What ncu does to the caches before each pass."""
        return "all" if self.cache == "cold" else "none"


def ncu_prefix(ncu: Path, log: Path, how: Counting) -> tuple[str, ...]:
    """Return the words before the program's own; the table and ncu's own words go to `log`.

    Names are matched against the function's bare name: ncu and CUPTI spell template arguments and
    namespaces differently ("char *" and "char*", "<unnamed>" and "(anonymous namespace)").
    """
    chosen: tuple[str, ...] = ()
    if how.names:
        either = "|".join(re.escape(name) for name in how.names)
        chosen = ("--kernel-name-base", "function", "--kernel-name", f"regex:^({either})$")
    return (
        str(ncu),
        "--profile-from-start", "off",
        "--target-processes", "all",
        "--csv", "--page", "raw",
        "--log-file", str(log),
        "--metrics", ",".join(how.metrics),
        "--clock-control", "none",
        "--cache-control", how.cache_control,
        "--replay-mode", how.replay,
        "--launch-count", str(how.launches),
        *chosen,
    )  # fmt: skip


def refusal_in(text: str) -> Refusal | None:
    """Return the refusal that ncu's output names, if any."""
    for refusal, pattern in _REFUSALS:
        if re.search(pattern, text, re.I):
            return refusal
    return None
