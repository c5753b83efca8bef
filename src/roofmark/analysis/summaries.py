"""Summaries: what of one run is needed to set it beside another, without its samples.

In: a bundle. Out: `RunSummary`: when, where and from which sources it was measured, and for every
solution the mean and standard error of log time and of log speed-up, over processes. A summary is
small, is named by the bundle's digest, and can be kept in place of judging the bundle again.
"""

import math
from collections.abc import Sequence
from statistics import median

from roofmark.analysis.comparable import Conditions, conditions_of
from roofmark.analysis.compare import Series
from roofmark.analysis.decide import Comparison, Scene, summary_of
from roofmark.analysis.judge import Judged, judge_whole
from roofmark.analysis.overall import balanced_blocks, overall_blur, overall_floor
from roofmark.analysis.stations import TIME_SPREAD, ByStation
from roofmark.analysis.stats import (
    Summary,
    hidden_by_clock,
    mean,
    rms,
    sig,
    spread_within,
    summarise,
)
from roofmark.analysis.verdict import Cell, Decision, Estimate, Overall, Verdict
from roofmark.bundle import Bundle
from roofmark.evidence import Environment
from roofmark.records import Missing, Record, digest, encode
from roofmark.study import Study, twin_of


class Level(Record, tag="level"):
    """The mean of a logarithm over n processes, its standard error, and what the clock hides."""

    mean: float
    error: float
    blur: float
    n: int


class CellSummary(Record):
    """One solution on one workload, or over all of them.

    log_time, log_gain: of seconds, and of the speed-up over the baseline. codes: what moved it.
    """

    decision: Decision | Missing
    time: Estimate | Missing
    speedup: Estimate | Missing
    log_time: Level | Missing
    log_gain: Level | Missing
    codes: tuple[str, ...]


class SolutionSummary(Record):
    """One solution of a run.

    sources: digest over its options and files. binary: digest of what was loaded in every process.
    """

    sources: str
    binary: str | Missing
    overall: CellSummary
    workloads: dict[str, CellSummary]


class RunSummary(Record):
    """One bundle, ready to be compared.

    started: UTC, seconds since 1970. host: as far as a bundle tells one host from another.
    """

    bundle: str
    started: float | Missing
    commit: str | Missing
    dirty: bool
    title: str
    device_name: str
    host: str
    conditions: Conditions
    margin: float
    level: float
    processes: int
    baseline: str
    solutions: dict[str, SolutionSummary]


def summarise_bundle(bundle: Bundle) -> RunSummary:
    """Return the summary of a bundle. Raises: BundleError as `judge_bundle`."""
    return summarise_judged(bundle, judge_whole(bundle))


def summarise_judged(bundle: Bundle, judged: Judged) -> RunSummary:
    """Return the summary of a bundle that is judged already."""
    verdict, scene, comparisons = judged.verdict, judged.scene, list(judged.comparisons.values())
    study, environment, run = scene.study, bundle.environment, bundle.run
    binaries = _binaries(bundle, scene)
    git = environment.git
    return RunSummary(
        bundle=bundle.digest,
        started=run.sessions[0].started if run.sessions else Missing(reason="no session is kept"),
        commit=git if isinstance(git, Missing) else git.commit,
        dirty=not isinstance(git, Missing) and git.dirty,
        title=verdict.study,
        device_name=verdict.device_name,
        host=host_of(environment),
        conditions=conditions_of(verdict, environment, study),
        margin=study.protocol.margin,
        level=study.protocol.level,
        processes=verdict.processes,
        baseline=study.baseline,
        solutions={
            name: _solution(scene, verdict, comparisons, name, binaries.get(name, _UNBUILT))
            for name in (study.baseline, *scene.names)
            if name != twin_of(study.baseline)
        },
    )


def host_of(environment: Environment) -> str:
    """Name the host by what differs between hosts of one kind: the GPU, the memory in bytes."""
    cpu, gpu = environment.cpu, environment.gpu
    card = "" if isinstance(gpu, Missing) else gpu.uuid
    return " ".join((str(cpu.model), str(cpu.memory), card)).strip()


def sources_of(study: Study, name: str) -> str:
    """Return a digest over how one solution is built and called, and the bytes of its files."""
    solution = study.solution(name)
    files = [study.files.get(path, "absent").encode() for path in solution.files]
    return digest(b"\n".join([encode(solution), *files]))


def _binaries(bundle: Bundle, scene: Scene) -> dict[str, str | Missing]:
    """Return solution -> digest of the one binary that all its processes loaded."""
    builds: dict[str, set[str]] = {}
    for (_, name), series in scene.series.items():
        builds.setdefault(name, set()).update(passed.build for _, passed in series.passed())
    found: dict[str, str | Missing] = {}
    for name, digests in builds.items():
        binaries = {b for b in (bundle.build(d).binary for d in digests) if isinstance(b, str)}
        several = Missing(reason=f"{len(binaries)} binaries were loaded")
        found[name] = binaries.pop() if len(binaries) == 1 else several
    return found


def _solution(
    scene: Scene,
    verdict: Verdict,
    comparisons: Sequence[Comparison],
    name: str,
    binary: str | Missing,
) -> SolutionSummary:
    own = [each for each in comparisons if each.solution == name]
    series = {w.id: scene.series.get((w.id, name)) for w in scene.workloads}
    cells = {cell.workload: cell for cell in verdict.cells if cell.solution == name}
    base_times = {cell.workload: cell.baseline_time for cell in verdict.cells}
    gains = {each.workload: each for each in own}
    overall = next((o for o in verdict.overall if o.solution == name), None)
    twin = [c for c in comparisons if c.solution == twin_of(scene.study.baseline)]
    return SolutionSummary(
        sources=sources_of(scene.study, name),
        binary=binary,
        overall=CellSummary(
            decision=overall.decision if overall else _BASELINE,
            time=Missing(reason="a time over several workloads has no meaning"),
            speedup=overall.speedup if overall else _BASELINE,
            log_time=_mean_time(scene, list(series.values())),
            log_gain=_mean_gain(own, twin) if overall else _BASELINE,
            codes=_codes(verdict, name, overall),
        ),
        workloads={
            workload: _cell(
                scene,
                series[workload],
                cells.get(workload),
                gains.get(workload),
                base_times.get(workload, Missing(reason="nothing was set against it")),
            )
            for workload in series
        },
    )


_BASELINE = Missing(reason="it is the baseline")
_UNBUILT = Missing(reason="it never passed, so nothing was loaded")


def _codes(verdict: Verdict, name: str, overall: Overall | None) -> tuple[str, ...]:
    """Return what moved the whole; of the baseline, what is found about it or the whole study."""
    if overall:
        return overall.codes
    about = (f for f in verdict.findings if f.solution in ("", name) and not f.workload)
    return tuple(
        sorted({f.code for f in about if f.state == "fires" and f.moves and not f.accepted})
    )


def _cell(
    scene: Scene,
    series: Series | None,
    cell: Cell | None,
    comparison: Comparison | None,
    base_time: Estimate | Missing,
) -> CellSummary:
    log_time = _log_time(scene, series)
    pairs = comparison.pairs if comparison else None
    gain = _level(summary_of(pairs, comparison.floor)) if comparison and pairs else None
    return CellSummary(
        decision=cell.decision if cell else _BASELINE,
        time=cell.time if cell else base_time,
        speedup=cell.speedup if cell else _BASELINE,
        log_time=log_time,
        log_gain=gain
        or (_BASELINE if cell is None else Missing(reason="no speed-up was measured")),
        codes=cell.codes if cell else (),
    )


# --- levels --------------------------------------------------------------------------------------
def _level(summary: Summary) -> Level | Missing:
    if summary.n < 2:
        return Missing(reason="one process measured it; an interval needs two")
    return Level(
        mean=sig(summary.mean), error=sig(summary.error), blur=sig(summary.blur), n=summary.n
    )


def _log_times(scene: Scene, series: Series | None) -> dict[int, list[float]]:
    by_process = series.tiers.get(scene.tier, {}) if series else {}
    return {p: [math.log(t.median) for t in by_process[p].values()] for p in sorted(by_process)}


def _blur(scene: Scene, series: Series) -> float:
    spans = [t.span for blocks in series.tiers[scene.tier].values() for t in blocks.values()]
    return hidden_by_clock(spans, scene.resolution)


def _log_time(scene: Scene, series: Series | None) -> Level | Missing:
    found = _log_times(scene, series)
    if series is None or not found:
        return Missing(reason=f"no sample on the {scene.tier} tier")
    blocks = ByStation(found, series.stations, TIME_SPREAD[scene.tier])
    return _level(summarise(blocks, blur=_blur(scene, series)))


def _mean_time(scene: Scene, series: Sequence[Series | None]) -> Level | Missing:
    """Return the mean over workloads, of processes that measured every one of them."""
    tables = [_log_times(scene, each) for each in series]
    unmeasured = sum(not table for table in tables)
    if unmeasured or not tables:
        return Missing(reason=f"{unmeasured} of {len(tables)} workloads have no time")
    common = sorted(set[int](tables[0]).intersection(*tables[1:]))
    if not common:
        return Missing(reason="no process measured every workload")
    within = [spread_within(table.values()) for table in tables]
    means = {p: [mean([median(table[p]) for table in tables])] for p in common}
    stations = next((each.stations for each in series if each), {})
    per_process = ByStation(means, stations, TIME_SPREAD[scene.tier])
    floor = rms(within) / math.sqrt(len(within))
    blur = mean([_blur(scene, each) for each in series if each])
    return _level(summarise(per_process, floor=floor, blur=blur))


def _mean_gain(own: Sequence[Comparison], twin: Sequence[Comparison]) -> Level | Missing:
    unmeasured = sum(each.pairs is None for each in own)
    ratios = balanced_blocks(own)
    if unmeasured or not ratios:
        return Missing(reason=f"{unmeasured} of {len(own)} workloads have no speed-up")
    floor = overall_floor(own, twin)
    return _level(summarise(ratios, floor=floor, blur=overall_blur(own)))
