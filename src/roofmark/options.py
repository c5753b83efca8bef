"""What a caller may say about one run, and what a run says while it works.

In: a command line or a Python call. Out: plain values. Whatever changes the question (which
workloads, which tier) is written into the study before it is measured, so the bundle knows it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from roofmark.study import CacheState, Tier


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to run a study.

    device: "auto" takes CUDA where there is a GPU. workloads: patterns over workload ids.
    solutions: names to measure beside the baseline. tier, cache, processes, blocks, time_limit
    replace the protocol's. confirm: measure held-out workloads too. force: delete a sealed bundle
    in the way. fleet: spread the run over several devices: "auto", "local", "local:N", "ray",
    "ray:HOST:PORT" or "ray://HOST:PORT"; "" is this machine alone.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workloads: tuple[str, ...] = ()
    solutions: tuple[str, ...] = ()
    tier: Tier | None = None
    cache: CacheState | None = None
    processes: tuple[int, int] | None = None
    blocks: int | None = None
    time_limit: float | None = None
    confirm: bool = False
    force: bool = False
    fleet: str = ""


@dataclass(frozen=True, kw_only=True)
class ProfileOptions:
    """What to profile, and how much of it.

    workloads: patterns over workload ids. solutions: names. time_limit: seconds of the whole pass.
    launches: most launches that are counted of one call. timeline: file for a trace of the calls.

    Chosen: 300 s are some 15 pairs (each starts torch twice and ncu once); 16 launches are more
    than a fused operator makes, and of a longer call the kernels that take most of its time.
    """

    workloads: tuple[str, ...] = ()
    solutions: tuple[str, ...] = ()
    time_limit: float = 300.0
    launches: int = 16
    timeline: Path | None = None


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """What bounds a loop, and what it takes to keep a candidate.

    device: as in RunOptions. margin: smallest gain that is kept; the study's own if None. alpha:
    chance, over the whole loop, that anything is kept which is no gain. iterations: tries that
    count, those of earlier sessions included. time_limit: seconds after which no new try begins.
    commit: make a commit of each kept candidate, in the git work tree of the study. fleet: as in
    RunOptions; each candidate is measured over all of it.

    Chosen: alpha is one in twenty, as the level of a study's own family of verdicts.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    margin: float | None = None
    alpha: float = 0.05
    iterations: int = 10
    time_limit: float | None = None
    commit: bool = False
    fleet: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is: steps done of those planned so far, and the time that is left at most."""

    done: int
    total: int
    text: str
    seconds_left: float | None = None
