"""What limits a kernel: shares of the device's peaks, and the first bound rule that fires on them.

In: a place of a case (timing alone), or one profiled launch (counters). Out: `Bound`: a word, on
which evidence, how far from that roof, what would confirm it and what to try. The rules (RM201 to
RM208, one per file in rules/) see `Loads` and do not care where a load comes from; their codes are
the order of the questions: host, launch, latency, memory, on-chip, compute, tensor-feed, mixed.

    load = peak's time for this work / time          1.0 is at the roof; headroom = 1 / load

What is not known is Missing. A rule that needs it cannot fire, and the bound says which.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec.structs import replace

from roofmark.analysis.verdict import Bound, BoundKind, Evidence
from roofmark.foreign import Metric, Profile
from roofmark.records import Missing, Record
from roofmark.units import Ratio, Seconds

_NO_COUNTER = Missing(reason="no counter was read")

KINDS: dict[str, tuple[BoundKind, str]] = {
    "RM201": ("host", "host"),
    "RM202": ("launch", "launch"),
    "RM203": ("latency", ""),
    "RM204": ("memory", "memory"),
    "RM205": ("on-chip", "chip"),
    "RM206": ("compute", "math"),
    "RM207": ("tensor-feed", "tensor"),
    "RM208": ("mixed", ""),
}
"""Code -> the word for the bound, and the load whose reciprocal is the headroom."""


class Loads(Record):
    """Shares of what the device could do, 1.0 at the peak.

    host: of a call, spent outside the device. launch: an empty kernel's time over this one's.
    copied: a plain copy's time for the same bytes over this one's. memory: main memory. chip: the
    busiest of L1, L2 and shared memory. math: arithmetic, or the SM's busiest pipe. tensor: the
    tensor pipe. resident: the working set is in the last-level cache before each call. timed: the
    units' loads are counters', all others come from times.
    """

    origin: Literal["timing", "counters"]
    host: Ratio | Missing = _NO_COUNTER
    launch: Ratio | Missing = _NO_COUNTER
    copied: Ratio | Missing = _NO_COUNTER
    memory: Ratio | Missing = _NO_COUNTER
    chip: Ratio | Missing = _NO_COUNTER
    math: Ratio | Missing = _NO_COUNTER
    tensor: Ratio | Missing = _NO_COUNTER
    resident: bool = False
    timed: bool = False

    @property
    def evidence(self) -> Evidence:
        """On what a bound by these loads rests."""
        return "both" if self.timed else self.origin


def known(load: Ratio | Missing, *, otherwise: float = 0.0) -> float:
    """Return a load for comparing; what is not known must never make a rule fire."""
    return otherwise if isinstance(load, Missing) else load


def percent(load: Ratio | Missing) -> str:
    """Return a load as people read it."""
    return "unknown" if isinstance(load, Missing) else f"{100 * load:.0f} %"


def classify(loads: Loads | Missing) -> Bound | Missing:
    """Return the first bound whose rule fires; "unknown" with the reasons when none does."""
    from roofmark.analysis.rules import all_rules

    if isinstance(loads, Missing):
        return loads
    lacking: list[str] = []
    for rule in all_rules():
        if rule.per != "bound":
            continue
        answer = rule.ask(loads=loads)
        if isinstance(answer, Missing):
            lacking.append(f"{rule.code}: {answer.reason}")
        elif answer:
            return _bound(rule.code, answer, rule.documentation, loads, lacking)
    return Bound(
        kind="unknown",
        code="",
        evidence=loads.evidence,
        headroom=Missing(reason="no roof was found near"),
        because=f"no load stands out: {_tell(loads)}",
        confirm="Counters of Nsight Compute: memory, L2 and SM throughput.",
        advice="Profile before changing anything.",
        lacking=tuple(lacking),
    )


def _bound(code: str, because: str, text: str, loads: Loads, lacking: list[str]) -> Bound:
    kind, field = KINDS[code]
    load = getattr(loads, field) if field else _highest(loads)
    near = isinstance(load, float | int) and load > 0
    return Bound(
        kind=kind,
        code=code,
        evidence=loads.evidence,
        headroom=_six(1 / load) if near else Missing(reason="this load has no peak"),
        because=because,
        confirm=_paragraph(text, "What would confirm it: "),
        advice=_paragraph(text, "What to do: "),
        lacking=tuple(lacking),
    )


def _highest(loads: Loads) -> float:
    """Return the nearest roof of the device."""
    return max(map(known, (loads.launch, loads.memory, loads.chip, loads.math)))


def _tell(loads: Loads) -> str:
    names = {
        "launch": loads.launch,
        "main memory": loads.memory,
        "on-chip": loads.chip,
        "arithmetic": loads.math,
    }
    return ", ".join(f"{name} {percent(load)}" for name, load in names.items())


def _paragraph(documentation: str, start: str) -> str:
    """Return the paragraph of a rule's docstring that begins so, without its heading."""
    for part in documentation.replace("\n", " ").split(". "):
        if start.strip() in part:
            return part.split(start.strip(), 1)[1].strip().rstrip(".") + "."
    return ""


def _six(value: float) -> float:
    return float(f"{value:.6g}")


def combine(timing: Loads, counters: Loads) -> Loads:
    """Return what counters say of the device's units, and times of what no counter sees."""
    return replace(
        counters,
        host=timing.host,
        launch=timing.launch,
        copied=timing.copied,
        resident=timing.resident,
        timed=True,
    )


# --- loads of a profiled launch ------------------------------------------------------------------
# Source: Nsight Compute's metric names (raw page), and what its details page calls them.
_COUNTERS: Mapping[str, tuple[str, ...]] = {
    "math": ("sm__throughput.avg.pct_of_peak_sustained_elapsed", "Compute (SM) Throughput"),
    "memory": (
        "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed",
        "dram__throughput.avg.pct_of_peak_sustained_elapsed",
        "DRAM Throughput",
    ),
    "chip": (
        "gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed",
        "gpu__compute_memory_request_throughput.avg.pct_of_peak_sustained_elapsed",
        "Memory Throughput",
        "Max Bandwidth",
    ),
    "tensor": (
        "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active",
        "sm__inst_executed_pipe_tensor.avg.pct_of_peak_sustained_active",
    ),
}

METRICS = ("gpu__time_duration.sum", *(names[0] for names in _COUNTERS.values()))
"""What a profiler is asked for: a launch's duration, and the counters that bound rules need."""


def loads_of_profile(profile: Profile) -> Loads | Missing:
    """Return the loads that a launch's counters give; Missing when it has none of them.

    "Memory Throughput" is the busiest of main memory, L2 and L1: it stands for the chip's load and
    never for main memory's.
    """
    math, memory, chip, tensor = (
        _percentage(profile, _COUNTERS[field]) for field in ("math", "memory", "chip", "tensor")
    )
    if all(isinstance(load, Missing) for load in (math, memory, chip)):
        return Missing(reason="the report holds none of the counters that bound rules need")
    return Loads(origin="counters", math=math, memory=memory, chip=chip, tensor=tensor)


def loads_of_launches(launches: Sequence[tuple[Profile, Seconds]]) -> Loads | Missing:
    """Return the loads of a call that makes several launches: their mean, weighted by time.

    launches: each with its seconds. A load is the peak's time for the work over the time taken;
    over a call both add up, which is this mean. (The longest launch alone would speak for time
    that it did not take.) What one launch does not tell is Missing for all.
    """
    each = [(loads_of_profile(profile), seconds) for profile, seconds in launches]
    known_loads = [(loads, seconds) for loads, seconds in each if isinstance(loads, Loads)]
    if len(known_loads) < len(each) or not each:
        lacking = [loads for loads, _ in each if isinstance(loads, Missing)]
        return lacking[0] if lacking else Missing(reason="no launch was profiled")
    math, memory, chip, tensor = (
        _weighted(known_loads, name) for name in ("math", "memory", "chip", "tensor")
    )
    return Loads(origin="counters", math=math, memory=memory, chip=chip, tensor=tensor)


def _weighted(launches: Sequence[tuple[Loads, Seconds]], field: str) -> Ratio | Missing:
    total = sum(seconds for _, seconds in launches)
    mean = 0.0
    for loads, seconds in launches:
        load: Ratio | Missing = getattr(loads, field)
        if isinstance(load, Missing):
            return load
        mean += load * seconds
    return _six(mean / total) if total > 0 else Missing(reason="the launches took no time")


def _percentage(profile: Profile, names: tuple[str, ...]) -> float | Missing:
    for name in names:
        metric = profile.metrics.get(name)
        if metric is not None and isinstance(metric.value, float) and _in_percent(name, metric):
            return _six(metric.value / 100)
    return Missing(reason=f"the report has no {names[0]}")


def _in_percent(name: str, metric: Metric) -> bool:
    return metric.unit == "%" or ".pct_" in name
