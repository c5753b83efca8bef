"""Profiled: what a profiler saw of one call of one solution, or why it saw nothing.

In: nothing. Out: the records in a bundle's `profiles/<workload>/<solution>.json`. A profile informs
(it names a bound) and never moves a verdict: it was taken after the measurement, in a process of
its own, over other values, and times under a profiler are no timing evidence.
"""

from typing import Literal

from roofmark.foreign import Profile
from roofmark.records import Missing, Record
from roofmark.units import Ratio, Seconds

Replay = Literal["kernel", "application"]
FailureKind = Literal[
    "no_cuda",
    "other_device",
    "no_ncu",
    "not_built",
    "other_build",
    "child_failed",
    "no_kernel",
    "not_reached",
    "not_permitted",
    "counters_held",
    "unknown_metric",
    "nothing_matched",
    "no_rows",
    "no_values",
    "cut_short",
    "timed_out",
    "other_kernels",
    "other_times",
    "ncu_failed",
]

MENDS: dict[FailureKind, str] = {
    "no_cuda": "Profile where the GPU is; `roofmark doctor` says what this machine lacks.",
    "other_device": "Profile on the model that was measured, or measure again on this one.",
    "no_ncu": "Install Nsight Compute (package nsight-compute), or put its ncu on PATH.",
    "not_built": "Build it here first: `roofmark run`, then profile that bundle on the same "
    "machine.",
    "other_build": "Profile with the compiler and packages of the measurement, or measure again "
    "here: `roofmark rerun`, then profile that bundle.",
    "child_failed": "Read its log in the bundle; run the solution alone on inputs of this shape.",
    "no_kernel": "Check that the entry launches kernels in this process and on this device.",
    "not_reached": "Give it longer with --time-limit, or less to do with --workload, --solution.",
    "not_permitted": "Run as root, give the container CAP_SYS_ADMIN, or load the driver with "
    "NVreg_RestrictProfilingToAdminUsers=0.",
    "counters_held": "Pause what holds them: `dcgmi profile --pause`, or stop the DCGM exporter.",
    "unknown_metric": "This ncu does not know the GPU or the metric; install one that fits both.",
    "nothing_matched": "The filter found none of the kernels that were seen; read ncu's log in the "
    "bundle for the names it saw.",
    "no_rows": "Read ncu's log in the bundle; it ended without a launch in its table.",
    "no_values": "The counters were not collected; read ncu's log, and try again on an idle GPU.",
    "cut_short": "ncu stopped early; read its log, and give it longer with --time-limit.",
    "timed_out": "Profile fewer launches with --launches; a kernel that waits for others (a grid "
    "barrier) may not survive replay.",
    "other_kernels": "The call launches other kernels from run to run (autotuning, caches): fix "
    "its configuration, then measure and profile again.",
    "other_times": "What was counted is not what was timed; see that the GPU is idle and its "
    "clocks are up, and profile again.",
    "ncu_failed": "Read ncu's log in the bundle; ncu must fit the driver (`roofmark doctor`).",
}
"""Failure -> what to do."""


class SeenKernel(Record):
    """One kernel of one call, as CUPTI's activity records show it without a profiler.

    grid, block: three sizes each. duration: seconds. cooperative: launched for all to meet.
    """

    name: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    duration: Seconds
    cooperative: bool


class Launch(Record):
    """One profiled launch, bound to the kernel of the unprofiled call that it repeats.

    seen: seconds without the profiler. share: of the call's kernel time.
    """

    profile: Profile
    seen: Seconds
    share: Ratio


class Profiled(Record, tag="profiled"):
    """Counters of the launches of one call.

    kernels: how many the call launches. kernel_time: seconds of all of them, unprofiled; coverage:
        share of it that `launches` hold. measured: seconds per call that the bundle's own samples
        give on the device, and on which tier.
    build: whether the very binary that was measured ran, or a rebuild of the same sources by the
        same compiler.
    cache_control, clock_control, replay: how ncu took them. notes: what ncu said besides.
    """

    launches: tuple[Launch, ...]
    kernels: int
    kernel_time: Seconds
    coverage: Ratio
    measured: Seconds | Missing
    measured_tier: str
    build: Literal["same binary", "rebuilt", "same sources"]
    tool: str | Missing
    cache_control: Literal["all", "none"]
    clock_control: Literal["none"]
    replay: Replay
    notes: tuple[str, ...]


class NotProfiled(Record, tag="not_profiled"):
    """No counters, and why; `mend` says what to do about it."""

    kind: FailureKind
    reason: str
    mend: str


class PairProfile(Record):
    """One solution on one workload. bundle: digest of the sealed bundle that was profiled."""

    workload: str
    solution: str
    bundle: str
    outcome: Profiled | NotProfiled


class Profiles(Record):
    """Everything that a bundle's profiles say. bundle: digest of the bundle that holds them."""

    bundle: str
    profiles: tuple[PairProfile, ...]


class Refused(Exception):
    """A profile that cannot be had, on its way to becoming a `NotProfiled`."""

    def __init__(self, kind: FailureKind, reason: str) -> None:
        """Keep the kind and the reason."""
        super().__init__(reason)
        self.kind: FailureKind = kind
        self.reason = reason

    @property
    def outcome(self) -> NotProfiled:
        """What the bundle keeps of it."""
        return NotProfiled(kind=self.kind, reason=self.reason, mend=MENDS[self.kind])
