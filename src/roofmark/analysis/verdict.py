"""What follows: the records that judging a bundle gives. Never stored inside the bundle.

In: nothing; these are the shapes of conclusions. Out: `Verdict`, which cites the digest of its
bundle. Floats are rounded to six significant digits before they come here, so that the same bundle
gives the same bytes on machines whose mathematical libraries differ in the last bit.
"""

from typing import Literal

from roofmark.records import Missing, Record
from roofmark.showing import shown_as
from roofmark.study import CacheState, Device, Tier
from roofmark.units import Bytes, BytesPerSecond, Flops, Ratio, Seconds

Decision = Literal["faster", "slower", "same", "undecided", "invalid"]
State = Literal["fires", "silent", "unknown"]


class Estimate(Record, tag="estimate"):
    """A value with its interval; n counts independent processes, never samples."""

    value: float
    low: float
    high: float
    level: float
    method: str
    n: int


class Finding(Record):
    """What one rule says about one place.

    solution, workload: "" when the finding is about the whole study.
    moves: "invalid" or "undecided" if it takes the verdict there, "" if it only informs.
    accepted: the study accepts this code, so it moves nothing, and the report says so first.
    """

    code: str
    title: str
    state: State
    solution: str
    workload: str
    message: str
    moves: Literal["", "undecided", "invalid"]
    accepted: bool = False


class Roof(Record, tag="roof"):
    """Where one time stands under the roof.

    floor: the least time that the device's ceilings allow for the compulsory bytes and the flops.
    limit: which of the two sets that floor. headroom: time / floor. source: of the ceiling.
    """

    traffic: Bytes
    flops: Flops
    floor: Seconds
    limit: Literal["memory", "arithmetic", "launch"]
    headroom: Ratio
    rate: BytesPerSecond
    source: str


BoundKind = Literal[
    "host",
    "launch",
    "latency",
    "memory",
    "on-chip",
    "compute",
    "tensor-feed",
    "mixed",
    "unknown",
]

Evidence = Literal["timing", "counters", "both"]
"""Times alone, a profiler's counters alone, or counters for the units and times for the rest."""


class Bound(Record, tag="bound"):
    """What limits one solution on one workload.

    code: of the rule that fired, "" for unknown. evidence: times, counters of a profiler, or both.
    headroom: how many times faster at that roof. confirm, advice: what would prove it, what to try.
    lacking: rules that could not be asked, and why.
    """

    kind: BoundKind
    code: str
    evidence: Evidence
    headroom: Ratio | Missing
    because: str
    confirm: str
    advice: str
    lacking: tuple[str, ...]


class Cell(Record):
    """One solution (or the twin) against the baseline on one workload, on the deciding tier.

    time, baseline_time: seconds per call. speedup: baseline / solution.
    p: smallest family level at which the interval fits one zone, corrected over workloads (Holm)
        and over looks. codes: what moved the decision. other_tiers: speed-ups that do not decide.
    """

    workload: str
    solution: str
    decision: Decision
    time: Estimate | Missing
    baseline_time: Estimate | Missing
    speedup: Estimate | Missing
    p: float
    codes: tuple[str, ...]
    roof: Roof | Missing
    bound: Bound | Missing
    other_tiers: dict[Tier, Estimate]
    outcome: str


class Fit(Record, tag="fit"):
    """t = t0 + bytes / rate over the workloads of one solution (relative least squares)."""

    solution: str
    t0: Estimate
    rate: Estimate


class Overall(Record):
    """One solution over all workloads: geometric mean of speed-ups, and how the cells fell.

    decision: "faster" or "slower" only if no workload says the opposite; `mixed` names that case.
    """

    solution: str
    role: Literal["solution", "twin"]
    decision: Decision
    speedup: Estimate | Missing
    counts: dict[Decision, int]
    codes: tuple[str, ...]
    mixed: bool
    fit: Fit | Missing


class Contrasted(Record):
    """A ratio between two solutions: the time of `against` over that of `of`, over all workloads.

    changed: what differs between them; confounded: more than one thing does.
    """

    name: str
    of: str
    against: str
    decision: Decision
    speedup: Estimate | Missing
    changed: tuple[str, ...]
    confounded: bool


class StationResult(Record):
    """What one station of a fleet alone would say.

    processes: the sets that it measured. speedups: solution -> over all workloads.
    """

    station: str
    device_name: str
    processes: int
    speedups: dict[str, Estimate | Missing]


class Verdict(Record, omit_defaults=True):
    """Everything that follows from one bundle.

    bundle: sha256 of its manifest. decision: the study's (that of its solutions if they agree,
        otherwise "undecided" with each solution's own in `overall`).
    settled: every cell of every solution is decided. stations: of a fleet, one by one.
    """

    bundle: str
    study: str
    device: Device
    device_name: str
    tier: Tier
    cache: CacheState
    margin: Ratio
    level: float
    baseline: str
    processes: int
    decision: Decision
    settled: bool
    overall: tuple[Overall, ...]
    contrasts: tuple[Contrasted, ...]
    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...]
    accepted: tuple[str, ...]
    plugins: dict[str, str]
    stations: tuple[StationResult, ...] = ()

    def _repr_html_(self) -> str:
        return shown_as("html", self)

    def _repr_markdown_(self) -> str:
        return shown_as("markdown", self)


# --- replication ---------------------------------------------------------------------------------
Reproduction = Literal["reproduced", "not reproduced", "undecided", "not comparable"]


class Difference(Record):
    """One field in which two runs differ; `mend` says how to make them comparable if it voids."""

    field: str
    original: str
    again: str
    voids: bool
    mend: str = ""


class ReplicatedSolution(Record, omit_defaults=True):
    """One solution in two runs, over all workloads or on one.

    outcome: about the direction. size: whether the intervals of the speed-up overlap. workload: ""
    for all of them.
    """

    solution: str
    outcome: Reproduction
    original: Decision | Missing
    again: Decision | Missing
    original_speedup: Estimate | Missing
    again_speedup: Estimate | Missing
    size: Literal["agrees", "differs"] | Missing
    workload: str = ""


class Replication(Record, omit_defaults=True):
    """Whether a second run says what the first one said; cites both bundles by digest.

    cells: every solution on each of several workloads; the outcome follows from `solutions` alone.
    """

    original: str
    again: str
    outcome: Reproduction
    solutions: tuple[ReplicatedSolution, ...]
    differences: tuple[Difference, ...]
    cells: tuple[ReplicatedSolution, ...] = ()
