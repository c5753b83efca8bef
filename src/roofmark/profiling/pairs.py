"""Which pairs of workload and solution are profiled, and what was measured of each.

In: a sealed bundle, options. Out: `Pair`s in the order of the study; whether what was built here is
what was measured there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from msgspec import UnsetType

from roofmark.analysis.compare import Series, collect_series
from roofmark.analysis.decide import fate_of
from roofmark.bundle import Bundle
from roofmark.codes import problem
from roofmark.errors import BenchError
from roofmark.evidence import Build, KernelResources
from roofmark.narrowing import no_match, select_workloads
from roofmark.options import ProfileOptions
from roofmark.profiled import Refused
from roofmark.records import Missing
from roofmark.study import Solution, Study, Tier, Workload
from roofmark.units import Seconds

Same = Literal["same binary", "rebuilt", "same sources"]

# nvcc puts a hash of the file's place into the names of an anonymous namespace.
_HASH = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True)
class Pair:
    """One solution on one workload. builds: of its measured processes."""

    workload: Workload
    solution: Solution
    measured: Seconds | Missing
    tier: str
    builds: tuple[Build, ...]

    @property
    def label(self) -> str:
        """What a time line calls it."""
        return f"{self.solution.name} on {self.workload.id}"


def choose_pairs(bundle: Bundle, options: ProfileOptions) -> list[Pair]:
    """Return what is to be profiled: everything that was found right, within the options.

    Raises: StudyError RM130 for a filter that matches nothing, BenchError RM332 when nothing is
        left, or nothing ran on a GPU.
    """
    study = bundle.study
    if not isinstance(study.serving, UnsetType):
        raise _nothing(bundle, "engines have their kernel tables in the bundle already")
    workloads = select_workloads(study.workloads, options.workloads)
    known = [solution.name for solution in study.solutions]
    if strange := [name for name in options.solutions if name not in known]:
        raise no_match("solution", strange, known)
    if bundle.run.device != "cuda":
        raise _nothing(bundle, "the bundle is of a run on the CPU")
    series = collect_series(study, bundle.traces())
    wanted = options.solutions or tuple(known)
    pairs = [
        pair
        for workload in workloads
        for pair in _pairs_of(bundle, study, workload, wanted, series)
    ]
    if not pairs:
        raise _nothing(bundle, "nothing that was asked for was found right in every process")
    return pairs


def _pairs_of(
    bundle: Bundle,
    study: Study,
    workload: Workload,
    wanted: tuple[str, ...],
    series: dict[tuple[str, str], Series],
) -> Iterator[Pair]:
    for solution in study.solutions:
        own = series.get((workload.id, solution.name))
        if solution.name in wanted and own is not None and fate_of(own) == "passed":
            measured, tier = _measured(own)
            builds = dict.fromkeys(passed.build for _, passed in own.passed())
            yield Pair(workload, solution, measured, tier, tuple(map(bundle.build, builds)))


def _measured(series: Series) -> tuple[Seconds | Missing, str]:
    """Return the least time on the device: gaps that the host leaves only lengthen a span."""
    tiers: tuple[Tier, ...] = ("kernel", "graph")
    found = {tier: median(m) for tier in tiers if (m := series.process_medians(tier))}
    if not found:
        return Missing(reason="the bundle has no time on the device, only the host's"), ""
    tier = min(found, key=lambda each: found[each])
    return found[tier], tier


def check_build(pair: Pair, now: Build) -> Same:
    """Return in which way what was built here is what was measured. Raises: Refused.

    The digest of a `Build` cannot be the test: it holds the seconds that the compiler took. The
    binary's bytes are the proof where they agree; where a rebuild changes them (a compiler may
    write its process id), the same sources, compiler, command and machine code's resources stand
    for it. Of an interpreted solution, what a first call compiled depends on the workload, so its
    sources, interpreter and packages have to agree.
    """
    reasons = [_difference(build, now) for build in pair.builds]
    if all(reasons):
        raise Refused("other_build", reasons[0])
    if now.language == "python":
        return "same sources"
    same = any(build.binary == now.binary for build in pair.builds)
    return "same binary" if same else "rebuilt"


def _difference(measured: Build, now: Build) -> str:
    """Return the first thing that differs, or nothing."""
    facts = ["source", "command"] + (["compiler", "targets"] if now.language != "python" else [])
    for name in facts:
        was, is_now = getattr(measured, name), getattr(now, name)
        if was != is_now:
            return f"its {name} was {_shown(was)}, and is {_shown(is_now)}"
    if now.language == "python" or measured.binary == now.binary:
        return ""
    alike = _resources(measured.kernels) == _resources(now.kernels)
    return "" if alike else "the same sources gave kernels of other names, registers or memory"


def _resources(kernels: tuple[KernelResources, ...]) -> list[tuple[object, ...]]:
    return sorted(
        (_HASH.sub("", k.name), k.registers, k.spill_bytes, k.shared, k.target) for k in kernels
    )


def _shown(value: object) -> str:
    parts = [str(each) for each in value] if isinstance(value, tuple) else [str(value)]  # pyright: ignore[reportUnknownVariableType]
    return " ".join(parts)[:200] or "nothing"


def _nothing(bundle: Bundle, fact: str) -> BenchError:
    mend = "Name a bundle of a run on a GPU, with solutions that passed."
    return BenchError(problem("RM332", f"nothing to profile: {fact}", bundle.name, mend))
