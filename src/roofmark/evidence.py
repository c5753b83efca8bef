"""What happened: the records that the bench writes and everything after it reads.

In: nothing but facts, each observed or `Missing` with its reason. Out: traces, builds, environment.
No averages: every sample stands here in the order in which it was taken.
"""

from typing import Literal

from roofmark.bystanders import NO_BYSTANDERS, Bystanders
from roofmark.records import Missing, Record
from roofmark.study import CacheState, Device, Language, Tier
from roofmark.units import (
    Bytes,
    Celsius,
    Count,
    Hertz,
    Moment,
    Peak,
    Ratio,
    Sample,
    Seconds,
    Some,
    Watts,
)


# --- the machine ---------------------------------------------------------------------------------
class Cpu(Record):
    """The host processor. cores: for this process; online: all, whose tasks the load counts."""

    model: str | Missing
    cores: Count
    isa: tuple[str, ...]
    last_level_cache: Bytes | Missing
    governor: str | Missing
    memory: Bytes
    load: Ratio | Missing
    hypervisor: str | Missing
    online: Count | Missing = Missing(reason="it was not recorded when this was measured")


class Gpu(Record, tag="gpu"):
    """One CUDA device as its driver shows it."""

    name: str
    uuid: str
    driver: str
    compute_capability: str
    multiprocessors: Count
    memory: Bytes
    last_level_cache: Bytes
    power_limit: Watts | Missing
    max_clock: Hertz | Missing
    persistence: bool | Missing
    mig: bool | Missing
    other_processes: Count | Missing


class Git(Record, tag="git"):
    """The commit that the study's folder was at."""

    commit: str
    dirty: bool


class Ceiling(Record):
    """A peak with its source.

    quantity: "copy", "read" (measured from main memory), "memory" (main memory's peak as the vendor
        states it), "launch" (one kernel inside a graph), "launch:call" (one call from the host), or
        "arithmetic:<dtype>".
    size: bytes moved, where it matters. value: B/s, flop/s, or (launch) seconds.
    """

    quantity: str
    value: Peak
    source: str
    size: Bytes | Missing
    measured: bool


class Environment(Record, omit_defaults=True):
    """The machine, its software, and the ceilings measured on it. Every gap has its reason.

    isolation: what of workers the kernel bounds; empty in bundles of versions that did not say.
    """

    device: Device
    cpu: Cpu
    gpu: Gpu | Missing
    os: str
    python: str
    packages: dict[str, str]
    tools: dict[str, str | Missing]
    variables: dict[str, str]
    git: Git | Missing
    ceilings: tuple[Ceiling, ...]
    isolation: tuple[str, ...] = ()


# --- the build -----------------------------------------------------------------------------------
class Target(Record, array_like=True):
    """Machine code found in a binary: ("sass", "sm_90a"), ("ptx", "sm_90"), ("isa", "avx2")."""

    kind: Literal["sass", "ptx", "elf", "isa"]
    name: str


class KernelResources(Record):
    """What one device kernel takes, as the compiler or the driver reports it."""

    name: str
    registers: Count
    spill_bytes: Bytes
    shared: Bytes
    target: str


class Build(Record):
    """Proof of what was built and loaded.

    source: sha256 over all source files of the solution, names included.
    binary: sha256 of the very bytes that were loaded.
    """

    solution: str
    language: Language
    compiler: str | Missing
    command: tuple[str, ...]
    seconds: Seconds | Missing
    source: str
    binary: str | Missing
    targets: tuple[Target, ...]
    kernels: tuple[KernelResources, ...]
    ptx_only: bool = False


# --- the check -----------------------------------------------------------------------------------
class Deviation(Record, tag="deviation"):
    """The worst error over all verified calls, scaled as the tolerance scales it."""

    rms: Ratio
    peak: Ratio


class NonFinite(Record, tag="nonfinite"):
    """Some output elements were NaN or infinite where the reference is finite."""

    elements: Count


class Check(Record):
    """One output over all calls whose results were verified.

    calls: how many outputs were compared; timed: how many of them belong to timed calls.
    """

    output: str
    calls: Count
    timed: Count
    error: Deviation | NonFinite
    passed: bool


# --- the measurement -----------------------------------------------------------------------------
class Discard(Record, array_like=True):
    """A sample that does not count: its position in the visit, and why."""

    sample: Count
    reason: str


class Visit(Record, omit_defaults=True):
    """One solution's turn in one block.

    block: index within this process; position: place in the block's random order.
    start: seconds since the run began. samples: seconds per call, in order;
        bytes on the memory tier.
    calls: calls behind each sample (a replayed graph holds several).
    elapsed: the same visit seen by the orchestrator's own clock, overheads included.
    """

    block: Count
    position: Count
    start: Seconds
    samples: tuple[Sample, ...]
    calls: Some
    elapsed: Seconds
    discarded: tuple[Discard, ...] = ()


class Measurement(Record):
    """Every sample of one tier, in order."""

    tier: Tier
    cache: CacheState
    clock: str
    visits: tuple[Visit, ...]


class Batch(Record, array_like=True):
    """Calls timed from outside the worker, over values that it saw only when the clock ran.

    seconds: from the moment the inputs were there until the outputs could no longer change, by the
        orchestrator's clock. empty: the same way around without a call. calls: all verified.
    busy, empty_busy: CPU time of the worker and all that it started in both, as the kernel counts
        it: nobody's work takes less of it than of time. 0 where it was not looked at, or not known.
    rounds: how often they were made, to fill a clock of milliseconds. 0: one more empty batch.
    held: how long its threads, and those that timed it, waited for a core in `seconds`.
    """

    tier: Tier
    calls: int
    seconds: Seconds
    empty: Seconds
    busy: Seconds = 0.0
    empty_busy: Seconds = 0.0
    rounds: int = 1
    held: Seconds | Missing = Missing(reason="it was not looked at")


class Sign(Record, array_like=True):
    """Something about a solution that an honest one does not show.

    kind: "patched" (functions of the harness or of a library were replaced), "restless" (it worked
        while nobody asked), "spoiled" (it wrote into memory of others), "device" (it changed the
        state of the device), or what a wrong output looks like: "unwritten", "replayed", "copied",
        "constant", "rounded", "late".
    """

    kind: Literal[
        "patched", "restless", "spoiled", "device",
        "unwritten", "replayed", "copied", "constant", "rounded", "late",
    ]  # fmt: skip
    text: str


class GpuReading(Record, array_like=True, tag="gpu"):
    """Clocks, temperature, power and throttle reasons (NVML bit mask) after one visit."""

    at: Seconds
    sm_clock: Hertz
    memory_clock: Hertz
    temperature: Celsius
    power: Watts
    throttle: Count


class CpuReading(Record, array_like=True, tag="cpu"):
    """Load of the host during one visit.

    stolen: share of CPU time that the hypervisor gave to others; preempted: involuntary switches.
    """

    at: Seconds
    stolen: Ratio
    preempted: Count
    load: Ratio


class MemoryUse(Record, tag="memory"):
    """Bytes that one process held while it worked on one workload.

    before: before anything of this workload was bound. bound: when its weights were prepared and
    every slot had its call. peak: the most since `before`, timed calls included.
    """

    before: Bytes
    bound: Bytes
    peak: Bytes


class Memory(Record):
    """What a worker held, as three observers tell it.

    host: resident set of the process. allocator: torch's on the device. driver: all of the process
    on the device, as NVML sees it; its peak is the highest reading, not a high-water mark.
    """

    host: MemoryUse | Missing
    allocator: MemoryUse | Missing
    driver: MemoryUse | Missing


_UNSEEN = Missing(reason="memory was not observed when this was measured")
NO_MEMORY = Memory(host=_UNSEEN, allocator=_UNSEEN, driver=_UNSEEN)
"""What bundles of format 1 tell of memory."""


# --- the outcome ---------------------------------------------------------------------------------
class Passed(Record, tag="passed", omit_defaults=True):
    """Every verified output was right; the only outcome that has a speed.

    build: digest of the Build record. absent: tier -> why it was not measured. batches: none where
    a version took none. bystanders: what others did meanwhile.
    """

    build: str
    checks: tuple[Check, ...]
    measurements: tuple[Measurement, ...]
    absent: dict[str, str]
    readings: tuple[GpuReading | CpuReading, ...]
    memory: Memory = NO_MEMORY
    batches: tuple[Batch, ...] = ()
    signs: tuple[Sign, ...] = ()
    bystanders: Bystanders | Missing = NO_BYSTANDERS


class Incorrect(Record, tag="incorrect", omit_defaults=True):
    """Some output was wrong, missing, or an input was changed."""

    build: str
    checks: tuple[Check, ...]
    reason: str
    signs: tuple[Sign, ...] = ()


class BuildFailed(Record, tag="build_failed"):
    """The solution could not be built, loaded, or proved."""

    reason: str
    log: str


class Crashed(Record, tag="crashed"):
    """The worker died or the solution raised."""

    stage: str
    reason: str
    log: str


class TimedOut(Record, tag="timed_out"):
    """The worker did not answer in time and was killed."""

    stage: str
    limit: Seconds


class Reported(Record, tag="reported"):
    """A number that a foreign tool gave without its samples: shown, never decisive."""

    tier: Tier
    statistic: str
    seconds: Seconds
    tool: str


Outcome = Passed | Incorrect | BuildFailed | Crashed | TimedOut | Reported


class Trace(Record, omit_defaults=True):
    """One solution on one workload in one process.

    process: index of the set of processes that ran side by side; traces of one set are paired.
    role: "twin" is the baseline again (A/A control), "wrong" a negative control.
    station: id of the device in `stations/`, "HOST.DEVICE"; "" where the run had one machine.
    """

    workload: str
    solution: str
    role: Literal["baseline", "solution", "twin", "wrong"]
    process: Count
    outcome: Outcome
    station: str = ""


class Skipped(Record):
    """A solution that was not run here, and why."""

    solution: str
    reason: str


class Session(Record):
    """One invocation of the bench on this bundle; a resumed run has several.

    started: UTC, seconds since 1970. ended: how it ended, or Missing while it runs or if killed.
    """

    started: Moment
    roofmark: str
    ended: str | Missing
    seconds: Seconds | Missing


class Run(Record, omit_defaults=True):
    """How the study was run.

    entropy: hex; with a workload's seed it gives every value drawn, so a checker can redraw them.
    confirmation: held-out workloads were included.
    fleet: where several devices were asked for; "" for one machine.
    """

    device: Device
    entropy: str
    confirmation: bool
    skipped: tuple[Skipped, ...]
    sessions: tuple[Session, ...]
    fleet: str = ""
