"""Gate: does a new bundle keep what a pin promises?

In: a pin, a new bundle. Out: `Gate`: per pinned cell pass, fail or undecided. For process figures
with means m and standard deviations s over n processes, in logs, positive where the new is slower,

    shift = m_new - m_old,    half = t(1 - a, df) * error + blur
    error^2 = s_old^2 / n_old + s_new^2 / n_new + 2 r^2,    a = alarm / cells

r is the spread between runs: two runs are two draws of a host, which no number of processes within
either tells. A cell passes when shift + half is below the margin, fails when shift - half is above
0 and the shift is nearer to the margin than to 0, and is undecided otherwise. Unchanged code fails
somewhere in the gate with a probability of at most `alarm` (Bonferroni over cells). A margin that
is not given is twice the `half` that the pin's own noise leads to expect: unchanged code then
passes, and a slow-down of the margin's size fails, each with a probability of 1 - a per cell.
Source: B. L. Welch, Biometrika 34 (1947), for df; Bonferroni's inequality.
"""

import fnmatch
import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from roofmark.analysis.baseline import (
    Baseline,
    HostState,
    Metric,
    Pinned,
    PinnedCell,
    cell_name,
)
from roofmark.analysis.comparable import circumstances, models
from roofmark.analysis.gated import GatedCell, GateDecision, decide, matches, together, told
from roofmark.analysis.judge import judge_bundle, moving
from roofmark.analysis.pinning import best_bandwidth, make_baseline
from roofmark.analysis.shift import ALARM, derived_margins, run_spread, shift_between
from roofmark.analysis.stats import sig
from roofmark.analysis.verdict import Difference, Estimate, Verdict
from roofmark.bundle import Bundle
from roofmark.codes import problem
from roofmark.errors import BundleError, StudyError
from roofmark.records import Missing, Record
from roofmark.study import Device
from roofmark.units import Ratio

# Chosen: two hosts with an H200 agree on bandwidth within 1.5 % (evidence/); a processor's memory
# is shared with neighbours. A lower figure than this says that the host is held down.
BANDWIDTH_SHARE: dict[Device, float] = {"cuda": 0.05, "cpu": 0.15}
# Chosen: below the smallest margin in use, above one step of a GPU's clock (15 MHz of 2 GHz).
CLOCK_SHARE = 0.02


class Ask(Record):
    """What is asked of a gate.

    margin: the slow-down that must not pass, as a ratio minus one; None derives it from the pin.
    metric: None is the pin's own. workloads, solutions: shell patterns; all if none.
    alarm: highest probability that unchanged code fails the gate.
    """

    margin: Annotated[float, Meta(gt=0, lt=1)] | None = None
    metric: Metric | None = None
    workloads: tuple[str, ...] = ()
    solutions: tuple[str, ...] = ()
    alarm: Annotated[float, Meta(gt=0, lt=0.5)] = ALARM


class Gate(Record, tag="pin"):
    """The answer of a gate; cites the pin and the bundle by sha256.

    each: probability per cell that unchanged code fails it. run: the standard deviation by which
        runs of unchanged code are taken to differ. margins: where they come from.
    host: why the host counts as depressed. unpinned: cells measured now that the pin lacks.
    differences: what differs between the two hosts without voiding the comparison.
    """

    pin: str
    pinned: str
    bundle: str
    study: str
    device_name: str
    metric: Metric
    decision: GateDecision
    alarm: Ratio
    each: Ratio
    run: Ratio
    margins: Literal["given", "derived"]
    host: tuple[str, ...]
    cells: tuple[GatedCell, ...]
    unpinned: tuple[str, ...]
    differences: tuple[Difference, ...]

    def count(self, decision: GateDecision) -> int:
        """Return how many cells came out so."""
        return sum(cell.decision == decision for cell in self.cells)


def gate_bundle(bundle: Bundle, pin: Baseline, ask: Ask) -> Gate:
    """Gate a bundle against a pin.

    Raises: StudyError RM130 for a filter that matches nothing, BundleError RM434 for each field
        that makes the comparison void.
    """
    return gate_pins(pin, make_baseline(bundle), judge_bundle(bundle), ask)


def gate_pins(pin: Baseline, fresh: Baseline, verdict: Verdict, ask: Ask) -> Gate:
    """Gate what a new bundle would pin, with the verdict on it, against a pin; as `gate_bundle`."""
    metric = ask.metric or pin.metric
    chosen = select_cells(pin, metric, ask)
    _check_comparable(pin, fresh, verdict, metric, chosen)
    host = tuple(depressions(pin, fresh))
    cells = tuple(
        _heed(cell, verdict, metric, host=host) for cell in gate_cells(pin, fresh, chosen, ask)
    )
    known = {(c.workload, c.solution) for c in pin.cells}
    new = [(c.workload, c.solution) for c in fresh.cells]
    return Gate(
        pin=pin.sha256,
        pinned=pin.bundle,
        bundle=fresh.bundle,
        study=pin.study,
        device_name=fresh.device_name,
        metric=metric,
        decision=together(cell.decision for cell in cells),
        alarm=ask.alarm,
        each=sig(ask.alarm / len(cells)),
        run=sig(run_spread(pin, metric, fresh)),
        margins="derived" if ask.margin is None else "given",
        host=host,
        cells=cells,
        unpinned=tuple(cell_name(*place) for place in new if place not in known),
        differences=tuple(circumstances(pin.environment, fresh.environment)),
    )


def select_cells(pin: Baseline, metric: Metric, ask: Ask) -> list[PinnedCell]:
    """Return the pinned cells that are gated. Raises: StudyError RM130."""
    cells = [cell for cell in pin.cells if not isinstance(cell.metric(metric), Missing)]
    asked = (
        ("workload", ask.workloads, [cell.workload for cell in cells]),
        ("solution", ask.solutions, [cell.solution for cell in cells]),
    )
    for kind, patterns, names in asked:
        idle = [p for p in patterns if not fnmatch.filter(names, p)]
        if idle:
            raise _no_match(f"--{kind} {', '.join(idle)}", kind, names)
    chosen = [
        cell
        for cell in cells
        if matches(cell.workload, ask.workloads) and matches(cell.solution, ask.solutions)
    ]
    if not chosen:
        raise _no_match(f"the filters together, metric {metric}", "cell", [])
    return chosen


def _no_match(asked: str, kind: str, names: Sequence[str]) -> StudyError:
    known = ", ".join(dict.fromkeys(names))
    mend = f"Pinned: {known}." if known else "Leave a filter out; `--metric time` gates every cell."
    return StudyError(problem("RM130", f"no pinned {kind} matches {asked}", "the pin", mend))


# --- numbers -------------------------------------------------------------------------------------
def gate_cells(
    pin: Baseline, fresh: Baseline, chosen: Sequence[PinnedCell], ask: Ask
) -> Iterator[GatedCell]:
    """Yield each chosen cell as its numbers alone decide it, before health has its say."""
    metric = ask.metric or pin.metric
    now = {(c.workload, c.solution): c for c in fresh.cells}
    run, each = run_spread(pin, metric, fresh), ask.alarm / len(chosen)
    derived = derived_margins(pin, chosen, metric, ask.alarm)
    for cell in chosen:
        place = (cell.workload, cell.solution)
        old = cell.metric(metric)
        if isinstance(old, Missing):
            continue
        reason = fresh.lost.get(cell_name(*place), "absent from the new bundle")
        new = now[place].metric(metric) if place in now else Missing(reason=reason)
        margin = derived[place] if ask.margin is None else ask.margin
        yield _gated(place, old, new, _Plan(metric, run, each, margin))


class _Plan(Record, kw_only=False):
    """How one cell is decided."""

    metric: Metric
    run: float
    each: float
    margin: float


def _gated(place: tuple[str, str], old: Pinned, new: Pinned | Missing, plan: _Plan) -> GatedCell:
    if isinstance(new, Missing):
        return GatedCell(
            workload=place[0],
            solution=place[1],
            decision="fail",
            because=f"nothing measured: {new.reason}",
            was=old.estimate,
            now=new,
            ratio=new,
            margin=plan.margin,
            p=1.0,
        )
    shift = shift_between(old, new, plan.metric, plan.run)
    half = shift.half(plan.each)
    decision = decide(shift.mean, half, math.log1p(plan.margin))
    return GatedCell(
        workload=place[0],
        solution=place[1],
        decision=decision,
        because=told(decision, shift.mean, half, plan.margin),
        was=old.estimate,
        now=new.estimate,
        ratio=Estimate(
            value=sig(math.exp(shift.mean)),
            low=sig(math.exp(shift.mean - half)),
            high=sig(math.exp(shift.mean + half)),
            level=sig(1 - 2 * plan.each),
            method="Welch t interval over processes, with a spread between runs",
            n=min(len(old.values), len(new.values)),
        ),
        margin=plan.margin,
        p=sig(shift.chance()),
    )


# --- health --------------------------------------------------------------------------------------
def _heed(cell: GatedCell, verdict: Verdict, metric: Metric, *, host: Sequence[str]) -> GatedCell:
    """Take a decision back that an unhealthy host made; what was not measured stays failed.

    A slow host cannot make a time pass, so it takes back failures; but it can slow the baseline
    of a speed-up, so a finding about the cell takes back its pass as well.
    """
    place = (cell.workload, cell.solution)
    against = moving(verdict.findings, place, verdict.baseline)
    codes = tuple(sorted({finding.code for finding in against}))
    if any(finding.moves == "invalid" for finding in against):
        because = f"the new bundle is invalid here: {', '.join(codes)}"
        return replace(cell, decision="fail", because=because, codes=codes)
    if isinstance(cell.now, Missing):
        return cell
    if cell.decision == "fail" and (codes or host):
        because = f"{cell.because}; but {', '.join((*codes, *host))}"
        return replace(cell, decision="undecided", because=because, codes=codes)
    if cell.decision == "pass" and codes and metric == "speedup":
        because = f"{cell.because}; but {', '.join(codes)}"
        return replace(cell, decision="undecided", because=because, codes=codes)
    return cell


def depressions(pin: Baseline, fresh: Baseline) -> Iterator[str]:
    """Yield what tells that the new run's host was held down in comparison with the pinned one."""
    was, now = _bandwidth(pin), _bandwidth(fresh)
    if _below(now, was, BANDWIDTH_SHARE[pin.device]):
        yield f"memory bandwidth is {now / 1e9:.0f} GB/s, was {was / 1e9:.0f} when pinned"
    was, now = _clock(pin.host), _clock(fresh.host)
    if _below(now, was, CLOCK_SHARE):
        yield f"the GPU's clock is {now / 1e6:.0f} MHz, was {was / 1e6:.0f} when pinned"


def _below(now: float, was: float, share: float) -> bool:
    """Compare two readings; one that could not be had (NaN) tells nothing."""
    return now < (1 - share) * was


def _bandwidth(run: Baseline) -> float:
    found = best_bandwidth(run.environment)
    return math.nan if isinstance(found, Missing) else found


def _clock(host: HostState) -> float:
    return math.nan if isinstance(host.sm_clock, Missing) else host.sm_clock[1]


# --- comparability -------------------------------------------------------------------------------
def _check_comparable(
    pin: Baseline, fresh: Baseline, verdict: Verdict, metric: Metric, chosen: Sequence[PinnedCell]
) -> None:
    void = [each for each in _differences(pin, fresh, verdict, metric, chosen) if each.voids]
    if void:
        raise BundleError(
            *(
                problem("RM434", f"{d.field} was {d.original}, is {d.again}", "the pin", d.mend)
                for d in void
            )
        )


def _differences(
    pin: Baseline, fresh: Baseline, verdict: Verdict, metric: Metric, chosen: Sequence[PinnedCell]
) -> Iterator[Difference]:
    """Yield what makes a ratio between the two runs another question."""
    fields = ("device", "tier", "cache", "definition")
    fields += ("baseline", "baseline_source") if metric == "speedup" else ()
    for field in fields:
        was, now = getattr(pin, field), getattr(fresh, field)
        if was != now and not any(isinstance(each, Missing) for each in (was, now)):
            yield _void(field, was, now)
    for workload in sorted({cell.workload for cell in chosen}):
        was, now = pin.workloads.get(workload, "absent"), fresh.workloads.get(workload)
        if now is not None and was != now:
            yield _void(f"workload {workload}", was, now)
    if pin.device == fresh.device:
        yield from models(verdict.device, pin.environment, fresh.environment)


MENDS = {
    "device": "Gate on the pinned kind of device, or pin on this one.",
    "tier": "Run with --tier as pinned, or pin again; tiers are never compared.",
    "cache": "Run with --cache as pinned, or pin again.",
    "baseline": "Gate with --metric time, or pin again: a speed-up belongs to what it is over.",
    "baseline_source": "Gate with --metric time, or pin again: the baseline itself was changed.",
}


def _void(field: str, was: str, now: str) -> Difference:
    mend = MENDS.get(field, "It is another question now: pin a bundle of the new study.")
    return Difference(field=field, original=was[:16], again=now[:16], voids=True, mend=mend)
