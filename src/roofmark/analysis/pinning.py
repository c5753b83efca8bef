"""Pinning: from a bundle to a `Baseline`, unless it is unfit to be one.

In: a bundle. Out: `Baseline`. A pin taken on a bad day makes every later gate lax, so health
findings, too few processes, a depressed device and an empty result are refused. What can be
overridden is overridden by name, with a reason, and the pin says so.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from roofmark import __version__
from roofmark.analysis.baseline import (
    Baseline,
    Change,
    Metric,
    PinnedCell,
    Repinned,
    cell_name,
    changes_of,
    control_of,
    host_state,
    measure_cells,
    source_of,
)
from roofmark.analysis.decide import Scene, set_scene
from roofmark.analysis.devices import datasheet_ceilings
from roofmark.analysis.judge import device_name, judge_bundle
from roofmark.analysis.shift import ALARM, derived_margins
from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.codes import problem
from roofmark.errors import BundleError, Problem
from roofmark.evidence import Build, Environment, Passed
from roofmark.records import Missing, digest
from roofmark.study import twin_of

# Chosen: an idle H200 reaches 91 % of its datasheet's memory bandwidth (evidence/); this leaves
# room for products that reach less of theirs, and catches a device that something holds down.
LEAST_OF_DATASHEET = 0.75
# Chosen: a gate that lets through five times the smallest difference that matters guards nothing.
BLUNT = 5.0
BANDWIDTHS = ("copy", "read")


def make_baseline(bundle: Bundle, *, metric: Metric = "speedup", date: str = "") -> Baseline:
    """Return what a pin of this bundle would hold, fit or not. date: ISO 8601, UTC."""
    traces = list(bundle.traces())
    scene = set_scene(bundle.study, bundle.run.device, traces)
    wanted = sorted({t.outcome.build for t in traces if isinstance(t.outcome, Passed)})
    builds = {name: bundle.build(name) for name in wanted}
    draft = draw_baseline(scene, bundle.environment, builds, bundle.digest)
    return sealed(replace(draft, metric=metric, date=date))


def draw_baseline(
    scene: Scene, environment: Environment, builds: Mapping[str, Build], bundle: str
) -> Baseline:
    """Return what a pin of these parts would hold, unsealed and without a date."""
    study, cells = scene.study, measure_cells(scene)
    return Baseline(
        roofmark=__version__,
        date="",
        reason="",
        metric="speedup",
        bundle=bundle,
        study=study.title or study.definition.name,
        study_digest=digest(study),
        definition=digest(study.definition),
        workloads={workload.id: digest(workload) for workload in study.workloads},
        device=scene.device,
        device_name=device_name(environment),
        tier=scene.tier,
        cache=study.protocol.cache,
        margin=study.protocol.margin,
        baseline=study.baseline,
        baseline_source=source_of(scene, builds),
        control=control_of(scene),
        host=host_state(scene.series.values()),
        environment=environment,
        cells=tuple(cell for cell in cells.values() if isinstance(cell, PinnedCell)),
        lost={cell_name(*at): c.reason for at, c in cells.items() if isinstance(c, Missing)},
    )


def sealed(baseline: Baseline) -> Baseline:
    """Return the pin with its own sha256."""
    blank = replace(baseline, sha256="")
    return replace(blank, sha256=digest(blank))


def is_intact(baseline: Baseline) -> bool:
    """Return whether the pin is what was sealed."""
    return sealed(baseline).sha256 == baseline.sha256


def pin_bundle(
    bundle: Bundle,
    *,
    date: str,
    metric: Metric = "speedup",
    reason: str = "",
    force: bool = False,
    replaces: Baseline | None = None,
) -> Baseline:
    """Return the guarded pin of a bundle; `force` overrides health, processes and ceilings.

    replaces: the pin that stood there; its history and what changed are carried on.
    Raises: BundleError RM430 and RM431, every reason at once; RM432 for a replaced pin or an
        overridden guard without a reason.
    """
    draft = make_baseline(bundle, metric=metric, date=date)
    if not any(not isinstance(cell.metric(metric), Missing) for cell in draft.cells):
        mend = "Measure it with two processes or more, and see why with `roofmark judge`."
        fact = f"no cell has a {metric}: nothing passed, or too little was measured"
        raise BundleError(problem("RM430", fact, bundle.name, mend))
    against = list(_guards(bundle, draft))
    if against and not force:
        raise BundleError(*against)
    if (against or replaces) and not reason.strip():
        raise _needs_reason(bundle, replaces)
    return sealed(
        replace(
            draft,
            reason=reason,
            forced=tuple(each.fact for each in against),
            history=_history(draft, replaces, reason) if replaces else (),
        )
    )


def _needs_reason(bundle: Bundle, replaces: Baseline | None) -> BundleError:
    fact = f"the pin of {replaces.date} would be replaced" if replaces else "a guard is overridden"
    mend = 'Say why with --reason "...".'
    return BundleError(problem("RM432", fact, bundle.name, mend))


def _history(new: Baseline, old: Baseline, reason: str) -> tuple[Repinned, ...]:
    changes: tuple[Change, ...] = changes_of(old, new)
    last = Repinned(date=new.date, reason=reason, bundle=old.bundle, changes=changes)
    return (*old.history, last)


# --- guards --------------------------------------------------------------------------------------
def _guards(bundle: Bundle, draft: Baseline) -> Iterator[Problem]:
    verdict = judge_bundle(bundle)
    mend = "Mend the host (`roofmark rules CODE` says how) and measure again."
    for code, places in unwell_cells(verdict).items():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        fact = f"{code} moves {places[0]}{more}"
        yield problem("RM430", fact, bundle.name, mend)
    fewest = bundle.study.protocol.processes[0]
    few = [c for c in draft.cells if len(c.time.values) < fewest]
    if few:
        where, n = cell_name(few[0].workload, few[0].solution), len(few[0].time.values)
        fact = f"{n} processes measured {where}; the protocol's fewest are {fewest}"
        mend = "Measure again without a time limit that cuts the run short."
        yield problem("RM430", fact, bundle.name, mend)
    told = too_blunt(draft)
    if told:
        mend = "Measure with more processes or on a quieter host; --metric chooses another metric."
        yield problem("RM430", told, bundle.name, mend)
    told = depressed_against_datasheet(draft.environment)
    if told:
        mend = "See what holds the device down with `roofmark doctor`, then measure again."
        yield problem("RM431", told, bundle.name, mend)


def unwell_cells(verdict: Verdict) -> dict[str, list[str]]:
    """Return code -> the cells of solutions that it moves; the twin's own cells are control."""
    found: dict[str, list[str]] = {}
    for cell in verdict.cells:
        if cell.solution != twin_of(verdict.baseline):
            for code in cell.codes:
                found.setdefault(code, []).append(cell_name(cell.workload, cell.solution))
    return found


def too_blunt(draft: Baseline) -> str:
    """Return which slow-down a gate against this pin would let through, or "" if it is sharp."""
    margins = derived_margins(draft, draft.cells, draft.metric, ALARM)
    worst = max(margins, key=margins.__getitem__)
    if margins[worst] <= BLUNT * draft.margin:
        return ""
    return (
        f"the noise of {cell_name(*worst)} hides a slow-down of {100 * margins[worst]:.0f} %; "
        f"a pin tells {100 * BLUNT * draft.margin:.0f} % or less"
    )


def depressed_against_datasheet(environment: Environment) -> str:
    """Return how far the measured bandwidth is below the datasheet's, or "" if it is not."""
    if environment.device != "cuda" or isinstance(environment.gpu, Missing):
        return ""
    published = datasheet_ceilings(environment.gpu)
    measured = best_bandwidth(environment)
    if isinstance(published, Missing) or isinstance(measured, Missing):
        return ""
    peak = next(each.value for each in published if each.quantity == "memory")
    if measured >= LEAST_OF_DATASHEET * peak:
        return ""
    return (
        f"{environment.gpu.name} reached {measured / 1e12:.2f} TB/s, {100 * measured / peak:.0f} % "
        f"of its datasheet; a healthy one reaches {100 * LEAST_OF_DATASHEET:.0f} % or more"
    )


def best_bandwidth(environment: Environment) -> float | Missing:
    """Return the highest bandwidth in B/s that was measured on this device."""
    found = [c.value for c in environment.ceilings if c.measured and c.quantity in BANDWIDTHS]
    return max(found) if found else Missing(reason="no bandwidth was measured")
