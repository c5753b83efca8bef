"""One pair, profiled: watched once without a profiler, then counted under ncu.

In: a pair and a bench to do it on. Out: `Profiled`, the call that was watched, and what was said;
or `Refused`. Every step has a limit of its own and ends with the pass's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from roofmark.bench.ncu import Counting, ncu_prefix
from roofmark.bench.profile_job import Called, Mode, ProfileJob, paths_in
from roofmark.bench.profile_run import Ran, Start, run_child
from roofmark.evidence import Build
from roofmark.foreign import Profile
from roofmark.profiled import FailureKind, Profiled, Refused, Replay
from roofmark.profiling.bind import bind_launches, check_call, choose_kernels
from roofmark.profiling.pairs import Pair, Same, check_build
from roofmark.profiling.said import check_child, read_launches
from roofmark.profiling.timeline import SeenCall, read_call
from roofmark.records import Missing
from roofmark.study import CacheState

# Chosen: starting torch, CUDA and ncu takes 10 to 20 s, Triton's compiler as long again; what takes
# longer is stuck, most often a kernel that waits in a replay for others that do not run.
CHILD_LIMIT = 90.0
# After these a replay of the whole program may still succeed: the kernel itself stood no replay.
_REPLAYABLE: tuple[FailureKind, ...] = (
    "timed_out",
    "cut_short",
    "no_rows",
    "ncu_failed",
    "child_failed",
)


def no_ncu() -> Refused:
    """Return the refusal where Nsight Compute is not installed."""
    return Refused("no_ncu", "ncu is not on PATH, nor where CUDA installs it")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every pair needs. deadline: of the pass, on the monotonic clock. ncu: None without it.

    job: makes a pair's job. proof: of what was built here; None for an interpreted solution.
    """

    start: Start
    ncu: Path | None
    tool: str | Missing
    metrics: tuple[str, ...]
    launches: int
    cache: CacheState
    scratch: Path
    deadline: float
    job: Callable[[Pair], ProfileJob]
    proof: Callable[[Pair], Build | None]


@dataclass
class Session:
    """One pair in progress, and what is left of it whatever happens: words, and its call."""

    bench: Bench
    pair: Pair
    said: list[str] = field(default_factory=list[str])
    call: SeenCall | None = None

    def profile(self) -> Profiled:
        """Return the profile. Raises: Refused."""
        job = self.bench.job(self.pair)
        proof = self.bench.proof(self.pair)
        if proof is not None:
            check_build(self.pair, proof)
        self.call, proof = self._watch(job, proof)
        same = check_build(self.pair, proof)
        check_call(self.call.kernel_time + self.call.copies, self.pair.measured, self.pair.tier)
        if self.bench.ncu is None:
            raise no_ncu()
        return self._count_somehow(job, self.call, same, self.bench.ncu)

    def _watch(self, job: ProfileJob, proof: Build | None) -> tuple[SeenCall, Build]:
        """Make the call once under torch's profiler, which needs no counters."""
        ran, limit, cut = self._run((), "watch", job)
        check_child(ran, limit, cut=cut)
        built = ran.answer.build if isinstance(ran.answer, Called) else None
        proof = proof or built
        if proof is None:
            raise Refused("not_built", "the child gave no proof of what it loaded")
        return read_call(paths_in(self._folder())[2]), proof

    def _count_somehow(self, job: ProfileJob, call: SeenCall, same: Same, ncu: Path) -> Profiled:
        """Replay each kernel, or where that fails the whole program.

        A cooperative launch waits for all of its blocks; replayed alone, some such kernels wait
        for ever. The first pass sees the plain ones; what it cannot see ends at a limit.
        """
        cooperative = any(kernel.cooperative for kernel in call.kernels)
        if not cooperative:
            try:
                return self._count(job, call, same, ncu, "kernel")
            except Refused as refused:
                if refused.kind not in _REPLAYABLE or self._left() <= 0:
                    raise
                self.said.append(f"kernel replay: {refused.reason}; the program is replayed")
        return self._count(job, call, same, ncu, "application")

    def _count(
        self, job: ProfileJob, call: SeenCall, same: Same, ncu: Path, replay: Replay
    ) -> Profiled:
        chosen = choose_kernels(call.kernels, self.bench.launches)
        how = Counting(
            metrics=self.bench.metrics,
            names=chosen.names,
            launches=self.bench.launches,
            cache=self.bench.cache,
            replay=replay,
        )
        launches, remarks = self._under(ncu, how, job, len(chosen.kernels))
        bound = bind_launches(launches, chosen.kernels, call.kernel_time)
        return Profiled(
            launches=bound,
            kernels=len(call.kernels),
            kernel_time=call.kernel_time,
            coverage=min(1.0, sum(each.share for each in bound)),
            measured=self.pair.measured,
            measured_tier=self.pair.tier,
            build=same,
            tool=self.bench.tool,
            cache_control=how.cache_control,
            clock_control="none",
            replay=replay,
            notes=remarks,
        )

    def _under(
        self, ncu: Path, how: Counting, job: ProfileJob, expected: int
    ) -> tuple[tuple[Profile, ...], tuple[str, ...]]:
        log = self._folder() / "ncu.csv"
        log.unlink(missing_ok=True)
        ran, limit, cut = self._run(ncu_prefix(ncu, log, how), "count", job)
        if log.is_file():
            rows = log.read_text(errors="replace").splitlines()
            self.said += [line for line in rows if not line.startswith('"')]
        return read_launches(ran, log, metrics=how.metrics, expected=expected, limit=limit, cut=cut)

    def _run(self, prefix: tuple[str, ...], mode: Mode, job: ProfileJob) -> tuple[Ran, float, bool]:
        """Run the child; return also its limit, and whether the pass's end cut that short."""
        left = self._left()
        if left <= 0:
            raise Refused("not_reached", "the pass's time was up before it")
        limit = min(left, CHILD_LIMIT)
        self.said.append(f"{mode}: {' '.join(prefix) or 'without a profiler'}")
        try:
            ran = run_child(self.bench.start, prefix, mode, job, self._folder(), limit)
        except OSError as error:
            raise Refused("ncu_failed", f"it cannot be started: {error}") from error
        self.said += [ran.tool.output.rstrip()] if ran.tool.output.strip() else []
        if ran.answer is not None and not isinstance(ran.answer, Called):
            self.said.append(ran.answer.log)
        return ran, limit, left < CHILD_LIMIT

    def _left(self) -> float:
        return self.bench.deadline - time.monotonic()

    def _folder(self) -> Path:
        """Return the child's folder: one for a solution, so that what it compiles stays."""
        return self.bench.scratch / "profiles" / self.pair.solution.name
