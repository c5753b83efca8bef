"""What the caller of a run chooses, and what a run says while it works.

In: the command line or a Python caller. Out: two small values that the command line and
`roofmark.api` share. Nothing here changes what is asked (that is the `Study`); it only selects a
part of it, or says where the answer may go.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from roofmark.study import Tier


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Which part of a study to run, where, and for how long.

    device: "auto" is CUDA where there is a device, otherwise the CPU.
    workloads: shell patterns over workload ids; empty means all.
    solutions: names besides the baseline; empty means all.
    tier, time_limit: replace the protocol's own; the bundle's study records the replaced values.
    confirm: measure the held-out workloads too.
    resume: an interrupted bundle to continue. force: replace a bundle that is in the way.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workloads: tuple[str, ...] = ()
    solutions: tuple[str, ...] = ()
    tier: Tier | None = None
    time_limit: float | None = None
    confirm: bool = False
    resume: Path | None = None
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is: `done` of `total` steps, what happens now, seconds left if known."""

    done: int
    total: int
    text: str
    seconds_left: float | None = None
