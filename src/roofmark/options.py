"""What a caller may say about one run, and what a run says while it works.

In: a command line or a Python call. Out: plain values. Whatever changes the question (which
workloads, which tier) is written into the study before it is measured, so the bundle knows it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from roofmark.study import CacheState, Tier

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Verdict
    from roofmark.evidence import Trace


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
class AskOptions:
    """How to ask questions.

    device: of an engine in a worker of ours. tokens: most of one answer. streams: questions under
    way at once; an engine has one. limit: seconds for a leg. template: the prompt, `{question}`
    standing for the question.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    tokens: int = 512
    streams: int = 4
    limit: float = 3600.0
    template: str = "Question: {question}\nAnswer:"


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

    device: as in RunOptions. workloads: patterns over ids; held-out workloads stay, for the
    confirmations. margin: smallest gain that is kept; the study's own if None.
    group_margin: largest loss of any group of workloads (those that differ by their seed alone)
    that a kept candidate may have; margin if None. alpha: chance, over the whole loop, that
    anything is kept which is no gain. commit: make a commit of each kept candidate, in the git work
    tree of the study. fleet: as in RunOptions; each candidate is measured over all of it.
    No new try begins after iterations: tries that count; device_time: seconds for which runs held
    the device; patience: tries in a row of which none was kept (these three count from the loop's
    beginning); time_limit: seconds since it was last started.

    Chosen: alpha is one in twenty, as the level of a study's own family of verdicts.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workloads: tuple[str, ...] = ()
    margin: float | None = None
    group_margin: float | None = None
    alpha: float = 0.05
    iterations: int = 10
    device_time: float | None = None
    time_limit: float | None = None
    patience: int | None = None
    commit: bool = False
    fleet: str = ""


@dataclass(frozen=True, kw_only=True)
class AgainstOptions:
    """What is asked of a gate between two revisions.

    run: as for any run; its `solutions` are shell patterns. revision: the new side; the work tree
    if None. margin: the slow-down that must not pass; the smaller of both studies' if None.
    alarm: highest probability that unchanged code fails the gate. unchanged: measure also what did
    not change, which tells how quiet the machine is.

    Chosen: alarm as in every gate: once in fifty runs nobody learns to ignore.
    """

    run: RunOptions = RunOptions()
    revision: str | None = None
    margin: float | None = None
    alarm: float = 0.02
    unchanged: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is: steps done of those planned so far, and the time that is left at most.

    traces: all so far, told when a set of processes has ended; `standing` makes of them what would
    be judged now, and costs what judging costs, so only those ask it who show it.
    """

    done: int
    total: int
    text: str
    seconds_left: float | None = None
    traces: "Sequence[Trace] | None" = None
    standing: "Callable[[], Verdict] | None" = None
