"""A pass over a bundle: pair after pair is watched and counted, then everything is sealed anew.

In: a bundle or a study, where to write, options. Out: a new bundle. The sealed original is only
read. The new folder is written when the pass is over, so one that was killed leaves no half of it;
a pass is bounded, so that no more than its time limit is lost.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

from roofmark import api
from roofmark.analysis.bounds import METRICS
from roofmark.analysis.rules import loaded_plugins
from roofmark.bench.driver import DriverDevice, query_driver
from roofmark.bench.host import Host
from roofmark.bench.profile_run import Start, start_child
from roofmark.bench.scratch import open_scratch
from roofmark.bench.software import read_version
from roofmark.bundle import MANIFEST, Bundle, BundleWriter, open_bundle
from roofmark.codes import problem
from roofmark.errors import BundleError, StudyError
from roofmark.options import ProfileOptions, Progress, RunOptions
from roofmark.profiled import FailureKind, NotProfiled, PairProfile, Profiled, Refused
from roofmark.profiling.pairs import Pair, choose_pairs
from roofmark.profiling.passes import Bench, Session, no_ncu
from roofmark.profiling.shop import Shop
from roofmark.profiling.timeline import SeenCall, write_timeline
from roofmark.records import Missing
from roofmark.study import Study

# What refuses one pair for these reasons refuses all of them.
_FINAL: tuple[FailureKind, ...] = ("not_permitted", "counters_held", "unknown_metric", "no_ncu")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a pass touches of this machine; tests put another in its place."""

    start: Start = start_child
    device: Callable[[], DriverDevice | Missing] = query_driver
    host: Callable[[], Host] = Host


@dataclass(frozen=True)
class _Result:
    """What became of one pair: the record, what was said, and the call that was watched."""

    record: PairProfile
    said: str
    call: SeenCall | None


def profile(
    target: Study | str | Path,
    output: str | Path,
    *,
    options: ProfileOptions | None = None,
    progress: api.Say | None = None,
    machine: Machine | None = None,
) -> Bundle:
    """Profile a bundle, or run a study and profile that; return the new sealed bundle.

    A study is run into `<output>-measured`, which stays as it was sealed.
    Raises: StudyError RM124 or RM130, BenchError RM332, BundleError RM407 to RM409 when something
        is in the way, and what running a study raises. A profile that cannot be had is no error:
        its reason is kept.
    """
    options, output = options or ProfileOptions(), Path(output)
    _check_options(options)
    _check_free(target, output, options)
    bundle = _measured(target, output, options, progress)
    pairs = choose_pairs(bundle, options)
    results = _profile_all(bundle, pairs, options, progress, machine or Machine())
    with BundleWriter(output) as writer:
        writer.copy(bundle)
        for result in results:
            writer.write_profile(result.record)
            name = f"profile-{result.record.workload}"
            writer.write_log(result.record.solution, name, result.said.encode())
        writer.seal(loaded_plugins())
    if options.timeline is not None:
        calls = [(r, r.call) for r in results if r.call is not None]
        labels = [(f"{r.record.solution} on {r.record.workload}", call) for r, call in calls]
        try:
            write_timeline(options.timeline, labels)
        except OSError as error:
            raise _no_timeline(options.timeline, error.strerror or str(error)) from error
    return open_bundle(output)


def _check_options(options: ProfileOptions) -> None:
    """Raise StudyError RM124 for options that no pass could follow."""
    if not (options.launches >= 1 and 0 < options.time_limit < math.inf):
        fact = f"launches is {options.launches}, time_limit {options.time_limit} s"
        mend = "Count one launch or more, and give the pass some seconds."
        raise StudyError(problem("RM124", fact, "options of the profile", mend))


def _check_free(target: Study | str | Path, output: Path, options: ProfileOptions) -> None:
    """Refuse before the pass, not after it. Raises: BundleError RM407, RM408 or RM409."""
    line = options.timeline
    if line is not None and not line.parent.is_dir():
        raise _no_timeline(line, "there is no such folder")
    for path in (output, line):
        if path is not None and not isinstance(target, Study) and _is_inside(path, Path(target)):
            mend = "Name a place outside of it."
            raise BundleError(problem("RM407", f"{path.name} would lie in it", str(target), mend))
    taken = [output] if output.is_file() or (output.is_dir() and any(output.iterdir())) else []
    taken += [line] if line is not None and line.exists() else []
    if taken:
        mend = "Name another: a profile never changes what is there."
        raise BundleError(*(problem("RM409", f"{p.name} exists", str(p), mend) for p in taken))


def _no_timeline(path: Path, why: str) -> BundleError:
    mend = "Name a file in a folder that can be written with --timeline."
    return BundleError(problem("RM408", f"the time line: {why}", str(path), mend))


def _is_inside(path: Path, target: Path) -> bool:
    sealed = (target / MANIFEST).exists()
    return sealed and path.resolve().is_relative_to(target.resolve())


def _measured(
    target: Study | str | Path, output: Path, options: ProfileOptions, progress: api.Say | None
) -> Bundle:
    """Return the bundle to profile; of a study, after it was run."""
    if not isinstance(target, Study):
        path = Path(target)
        if (path / MANIFEST).exists() or (path / "run.json").exists():
            return open_bundle(path)
    run = RunOptions(device="cuda", workloads=options.workloads, solutions=options.solutions)
    measured = output.with_name(f"{output.name}-measured")
    return api.run(target, measured, options=run, progress=progress)


def _profile_all(
    bundle: Bundle,
    pairs: Sequence[Pair],
    options: ProfileOptions,
    progress: api.Say | None,
    machine: Machine,
) -> list[_Result]:
    deadline = time.monotonic() + options.time_limit
    results: list[_Result] = []
    with open_scratch() as scratch:
        bench = _obstacle(bundle, options, machine) or _bench(
            bundle, scratch, options, machine, deadline
        )
        for done, pair in enumerate(pairs):
            if progress is not None:
                left = max(deadline - time.monotonic(), 0.0)
                text = f"profiling {pair.label}"
                progress(Progress(done=done, total=len(pairs), text=text, seconds_left=left))
            result = _profile_one(bundle, pair, bench)
            results.append(result if options.timeline else replace(result, call=None))
            outcome = result.record.outcome
            # A time line is still to be had of the others.
            if options.timeline is None and _is_final(outcome):
                bench = outcome
    return results


def _is_final(outcome: Profiled | NotProfiled) -> TypeGuard[NotProfiled]:
    return isinstance(outcome, NotProfiled) and outcome.kind in _FINAL


def _obstacle(bundle: Bundle, options: ProfileOptions, machine: Machine) -> NotProfiled | None:
    """Return what stands in the way of every pair."""
    here, there = machine.device(), bundle.environment.gpu
    if isinstance(here, Missing):
        return Refused("no_cuda", f"there is no CUDA device here: {here.reason}").outcome
    if isinstance(there, Missing) or here.name != there.name:
        was = there.reason if isinstance(there, Missing) else there.name
        return Refused("other_device", f"measured was {was}; here is {here.name}").outcome
    if options.timeline is None and isinstance(machine.host().find("ncu"), Missing):
        return no_ncu().outcome
    return None


def _profile_one(bundle: Bundle, pair: Pair, bench: Bench | NotProfiled) -> _Result:
    said, call = "", None
    if isinstance(bench, Bench):
        session = Session(bench, pair)
        try:
            outcome: Profiled | NotProfiled = session.profile()
        except Refused as refused:
            outcome = refused.outcome
        said, call = "".join(f"{line}\n" for line in session.said), session.call
    else:
        outcome = bench
    record = PairProfile(
        workload=pair.workload.id,
        solution=pair.solution.name,
        bundle=bundle.digest,
        outcome=outcome,
    )
    return _Result(record, said, call)


def _bench(
    bundle: Bundle, scratch: Path, options: ProfileOptions, machine: Machine, deadline: float
) -> Bench:
    host, shop = machine.host(), Shop(bundle, scratch)
    ncu = host.find("ncu")
    return Bench(
        start=machine.start,
        ncu=None if isinstance(ncu, Missing) else ncu,
        tool=read_version(host, "ncu"),
        metrics=METRICS,
        launches=options.launches,
        cache=bundle.study.protocol.cache,
        scratch=scratch,
        deadline=deadline,
        job=shop.job,
        proof=shop.proof,
    )
