"""A pass over a bundle: pair after pair is watched and counted, then everything is sealed anew.

In: a bundle or a study, where to write, options. Out: a new bundle. The sealed original is only
read. The new folder is written when the pass is over, so one that was killed leaves no half of it;
a pass is bounded, so that no more than its time limit is lost.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from roofmark import api
from roofmark.analysis.bounds import METRICS
from roofmark.analysis.rules import loaded_plugins
from roofmark.bench.build import BuildError
from roofmark.bench.driver import DriverDevice, query_driver
from roofmark.bench.host import Host
from roofmark.bench.profile_job import ProfileJob
from roofmark.bench.profile_run import Start, start_child
from roofmark.bench.scratch import open_scratch
from roofmark.bench.sizes import Sizes
from roofmark.bench.software import read_version
from roofmark.bench.workshop import Workshop, skip_reason
from roofmark.bundle import MANIFEST, Bundle, BundleWriter, open_bundle
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.evidence import Build
from roofmark.loading import load_bundled_study
from roofmark.options import ProfileOptions, Progress, RunOptions
from roofmark.profiled import FailureKind, PairProfile, Profiled, Refused
from roofmark.profiling.pairs import Pair, choose_pairs
from roofmark.profiling.passes import Bench, Session
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
    Raises: StudyError RM130, BenchError RM332, BundleError RM409 when something is in the way, and
        what running a study raises. A profile that cannot be had is no error: its reason is kept.
    """
    options, output = options or ProfileOptions(), Path(output)
    _check_free(output, options)
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
        write_timeline(options.timeline, labels)
    return open_bundle(output)


def _check_free(output: Path, options: ProfileOptions) -> None:
    """Refuse before the pass, not after it. Raises: BundleError RM409."""
    taken = [output] if output.is_file() or (output.is_dir() and any(output.iterdir())) else []
    if options.timeline is not None and options.timeline.exists():
        taken.append(options.timeline)
    if taken:
        mend = "Name another: a profile never changes what is there."
        raise BundleError(*(problem("RM409", f"{p.name} exists", str(p), mend) for p in taken))


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
    obstacle = _obstacle(bundle, options, machine)
    results: list[_Result] = []
    with open_scratch() as scratch:
        shop = _Shop(bundle, scratch) if obstacle is None else None
        bench = None if shop is None else _bench(bundle, shop, options, machine, deadline)
        for done, pair in enumerate(pairs):
            if progress is not None:
                left = max(deadline - time.monotonic(), 0.0)
                text = f"profiling {pair.label}"
                progress(Progress(done=done, total=len(pairs), text=text, seconds_left=left))
            result = _profile_one(bundle, pair, bench, obstacle)
            outcome = result.record.outcome
            if not isinstance(outcome, Profiled) and outcome.kind in _FINAL:
                if options.timeline is None:
                    obstacle = Refused(outcome.kind, outcome.reason)
            results.append(result)
    return results


def _obstacle(bundle: Bundle, options: ProfileOptions, machine: Machine) -> Refused | None:
    """Return what stands in the way of every pair."""
    here, there = machine.device(), bundle.environment.gpu
    if isinstance(here, Missing):
        return Refused("no_cuda", f"there is no CUDA device here: {here.reason}")
    if isinstance(there, Missing) or here.name != there.name:
        was = there.reason if isinstance(there, Missing) else there.name
        return Refused("other_device", f"measured was {was}; here is {here.name}")
    # Without ncu a time line can still be had.
    if options.timeline is None and isinstance(machine.host().find("ncu"), Missing):
        return Refused("no_ncu", "ncu is not on PATH, nor where CUDA installs it")
    return None


def _profile_one(
    bundle: Bundle, pair: Pair, bench: Bench | None, obstacle: Refused | None
) -> _Result:
    session = None if bench is None else Session(bench, pair)
    try:
        if obstacle is not None or session is None:
            raise obstacle or Refused("no_cuda", "there is no bench")
        outcome = session.profile()
    except Refused as refused:
        outcome = refused.outcome
    record = PairProfile(
        workload=pair.workload.id, solution=pair.solution.name, bundle=bundle.digest,
        outcome=outcome,
    )  # fmt: skip
    said = "\n".join(session.said) if session is not None else ""
    return _Result(record, said and f"{said}\n", session.call if session is not None else None)


def _bench(
    bundle: Bundle, shop: "_Shop", options: ProfileOptions, machine: Machine, deadline: float
) -> Bench:
    host = machine.host()
    ncu = host.find("ncu")
    return Bench(
        start=machine.start,
        ncu=None if isinstance(ncu, Missing) else ncu,
        tool=read_version(host, "ncu"),
        metrics=METRICS,
        launches=options.launches,
        cache=bundle.study.protocol.cache,
        scratch=shop.scratch,
        deadline=deadline,
        job=shop.job,
        build=shop.build,
    )


class _Shop:
    """The bundle's own sources, laid out and built once for each solution."""

    def __init__(self, bundle: Bundle, scratch: Path) -> None:
        self.scratch = scratch
        self._bundle = bundle
        self._study = bundle.study
        loaded = load_bundled_study(bundle)
        self._shop = Workshop(
            loaded.study, loaded.contents, scratch=scratch, cache=api.build_cache()
        )
        self._flush = Sizes(self._study, "cuda", bundle.environment).flush
        self._failed: dict[str, Refused] = {}

    def job(self, pair: Pair) -> ProfileJob:
        """Return the job of a pair, after building its solution. Raises: Refused."""
        self._prepare(pair)
        post = self._shop.posts[pair.solution.name]
        return ProfileJob(
            solution=pair.solution,
            definition=self._study.definition,
            workload=pair.workload,
            axes=self._study.axes(pair.workload),
            folder=str(post.folder),
            library=post.library,
            binary=post.binary,
            flush=self._flush,
            cache=self._study.protocol.cache,
        )

    def build(self, pair: Pair) -> Build | None:
        """Return the proof of a compiled solution; an interpreted one proves itself in the call."""
        found = self._shop.proofs.get(pair.solution.name)
        if found is None:
            return None
        with BundleWriter(self.scratch / "proofs") as writer:
            return writer.read(f"builds/{found}.json", Build)

    def _prepare(self, pair: Pair) -> None:
        name = pair.solution.name
        if name not in self._shop.posts and name not in self._failed:
            why = skip_reason(pair.solution, "cuda")
            try:
                if why:
                    raise BuildError(why)
                with BundleWriter(self.scratch / "proofs") as writer:
                    self._shop.prepare(pair.solution, self._bundle.environment, writer)
            except BuildError as error:
                self._failed[name] = Refused("not_built", f"it cannot be built here: {error}")
        if name in self._failed:
            raise self._failed[name]
