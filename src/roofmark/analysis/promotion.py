"""Promotion: may a solution take the baseline's place, and is it worth going on to find out?

In: a study, a device, the traces so far. Out: which workloads are open, why going on is hopeless,
which groups of workloads lose. A solution is promoted when it is faster overall by more than the
margin and no group loses more than its own; so a run stops when both are known. Overall means over
the workloads that the gain is sought on. Held-out ones are asked in a confirmation whether they
lose: they would thin out a gain on the shapes that somebody chose.

Groups are workloads that differ by nothing but their seed: what is one shape to a user is one group
here, and its workloads speak together.

Giving up looks after every process set, from the first on. It can only end a run that would have
gone on, so it takes nothing from an error budget; it costs power, and benchmarks/loop.py measures
how much. A solution is given up when the upper end

    mean + t(1 - DOUBT, 2 n - 1 + m) * error + blur,
    error = max(s, within, twin, earlier) / sqrt(n)

of its overall log ratio is below log(1 + margin). After n sets the n differences of the twin from
its known mean 0 and the n - 1 of the solution tell how processes differ, and so do the m sets of
earlier runs of one loop; taking the largest of the four instead of pooling them only widens it.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from scipy.special import stdtrit

from roofmark.analysis.compare import looks
from roofmark.analysis.decide import DOOMED, Comparison, Scene, compare_cells, set_scene
from roofmark.analysis.overall import balanced_ratios, overall_blur, overall_floor, zone_overall
from roofmark.analysis.stats import Summary, holm, interval, summarise
from roofmark.analysis.verdict import Decision
from roofmark.evidence import Trace
from roofmark.records import Record, encode
from roofmark.study import Device, Protocol, Study, twin_of

# Chosen: at 5 % a solution without a gain leaves after one or two sets where processes differ by
# less than half of the margin; benchmarks/loop.py has the power that it costs. A smaller doubt
# costs sets in every try, and most tries have no gain.
DOUBT = 0.05


class Noise(Record):
    """How far equal programs were from each other: the twin from the baseline, in log ratios.

    squares: sum over process sets of the squared mean over workloads. sets: how many.
    """

    squares: float
    sets: int

    def __add__(self, other: "Noise") -> "Noise":
        """Return both together."""
        return Noise(squares=self.squares + other.squares, sets=self.sets + other.sets)

    @property
    def spread(self) -> float:
        """Return the standard deviation about the known mean, 0."""
        return math.sqrt(self.squares / self.sets) if self.sets else 0.0


UNKNOWN = Noise(squares=0.0, sets=0)


@dataclass(frozen=True, slots=True)
class Group:
    """Workloads of one shape, and where they stand together against the baseline.

    decision: by the margin of groups. open: more processes could still show that it loses.
    """

    name: str
    decision: Decision
    open: bool


@dataclass(frozen=True, slots=True)
class Promotion:
    """Where one solution stands.

    ratio: its overall speed-up, however few sets there are; None before the first whole one.
    settled: more process sets change nothing. hopeless: why it cannot win, or nothing. slower: by
    more than the margin, with the same doubt; a word for people, where a verdict asks for more.
    noise: what the twin shows in the same sets.
    """

    ratio: float | None
    settled: bool
    hopeless: str
    slower: bool
    groups: tuple[Group, ...]
    noise: Noise


def sought(study: Study) -> set[str]:
    """Return the ids of the workloads that a gain is sought on: those not held out."""
    return {each.id for each in study.workloads if not each.held_out}


def judge_promotions(
    study: Study,
    device: Device,
    traces: Iterable[Trace],
    *,
    group_margin: float,
    earlier: Noise = UNKNOWN,
) -> dict[str, Promotion]:
    """Return where each solution stands, in the study's order. earlier: of runs like this one."""
    return _promotions(set_scene(study, device, traces), group_margin, earlier)


def open_workloads(
    study: Study, device: Device, traces: Iterable[Trace], *, group_margin: float
) -> set[str]:
    """Return all workloads, or none once it is known whether the solutions are promoted."""
    scene = set_scene(study, device, traces)
    found = _promotions(scene, group_margin, UNKNOWN)
    if found and all(each.settled for each in found.values()):
        return set()
    return {workload.id for workload in scene.workloads}


def find_hopeless(
    study: Study,
    device: Device,
    traces: Iterable[Trace],
    *,
    group_margin: float,
    earlier: Noise = UNKNOWN,
) -> str:
    """Return why no solution can be promoted any more, or nothing while one can."""
    found = judge_promotions(study, device, traces, group_margin=group_margin, earlier=earlier)
    told = [each.hopeless for each in found.values()]
    return "; ".join(told) if told and all(told) else ""


# --- one solution --------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Cells:
    """A solution's and its twin's comparisons on some workloads."""

    own: list[Comparison]
    twin: list[Comparison]

    @property
    def floor(self) -> float:
        return overall_floor(self.own, self.twin)

    def on(self, workloads: Collection[str]) -> "_Cells":
        own, twin = ([c for c in side if c.workload in workloads] for side in (self.own, self.twin))
        return _Cells(own, twin)

    def noise(self) -> Noise:
        """Return what the twin shows in these sets."""
        ratios = balanced_ratios(self.twin)
        return Noise(squares=math.fsum(each**2 for each in ratios), sets=len(ratios))

    def summary(self) -> Summary | None:
        """Return the overall log ratio once every workload is in one whole process set."""
        ratios = balanced_ratios(self.own)
        if not ratios or any(cell.pairs is None for cell in self.own):
            return None
        blur = overall_blur(self.own)
        return summarise([[ratio] for ratio in ratios], floor=self.floor, blur=blur)


def _promotions(scene: Scene, group_margin: float, earlier: Noise) -> dict[str, Promotion]:
    cells = compare_cells(scene)
    twin = twin_of(scene.study.baseline)
    of = {name: [c for c in cells.values() if c.solution == name] for name in (*scene.names, twin)}
    return {
        name: _promotion(scene.study, _Cells(of[name], of[twin]), group_margin, earlier)
        for name in scene.names
        if name != twin
    }


def _promotion(study: Study, cells: _Cells, group_margin: float, earlier: Noise) -> Promotion:
    plan, chosen = study.protocol, cells.on(sought(study))
    summary, groups = chosen.summary(), _groups(study, cells, group_margin)
    zone, p = zone_overall(chosen.own, plan, floor=chosen.floor)
    decided = p <= 1 - plan.level
    upper = _upper(summary, earlier) if summary else math.inf
    return Promotion(
        ratio=math.exp(summary.mean) if summary else None,
        settled=decided and (zone != "faster" or not any(group.open for group in groups)),
        hopeless=_fallen(cells) or _below(summary, upper, plan.margin) or _lost(groups),
        slower=upper < -math.log1p(plan.margin),
        groups=groups,
        noise=chosen.noise(),
    )


def _fallen(cells: _Cells) -> str:
    fallen = [cell for cell in cells.own if cell.fate in DOOMED]
    return f"{fallen[0].fate.replace('_', ' ')} on {fallen[0].workload}" if fallen else ""


def _below(summary: Summary | None, upper: float, margin: float) -> str:
    if summary is None or upper >= math.log1p(margin):
        return ""
    return (
        f"{math.exp(summary.mean):.4g}x, at most {math.exp(upper):.4g}x after {summary.n} "
        f"process set{'s' if summary.n > 1 else ''}; a gain is above {1 + margin:.4g}x"
    )


def _lost(groups: Sequence[Group]) -> str:
    lost = [group.name for group in groups if group.decision == "slower"]
    return f"slower on {', '.join(lost)}" if lost else ""


def _upper(summary: Summary, earlier: Noise) -> float:
    quantile = float(stdtrit(2 * summary.n - 1 + earlier.sets, 1 - DOUBT))
    error = max(summary.error, earlier.spread / math.sqrt(summary.n))
    return summary.mean + quantile * error + summary.blur


# --- groups --------------------------------------------------------------------------------------
def _groups(study: Study, cells: _Cells, margin: float) -> tuple[Group, ...]:
    plan = replace(study.protocol, margin=margin)
    parts = [part for each in _members(study) if (part := cells.on(each)).own]
    zones = [zone_overall(part.own, plan, floor=part.floor) for part in parts]
    corrected = holm([p for _, p in zones])
    found: list[Group] = []
    for part, (zone, _), p in zip(parts, zones, corrected, strict=True):
        decision: Decision = zone if p <= 1 - plan.level else "undecided"
        open_ = decision == "undecided" and not _is_safe(part.summary(), plan)
        found.append(Group(_name(part.own), decision, open=open_))
    return tuple(found)


def _is_safe(summary: Summary | None, plan: Protocol) -> bool:
    """Whether a group does not lose more than its margin, decided or not."""
    if summary is None or summary.n < plan.processes[0]:
        return False
    return interval(summary, level=plan.level, looks=looks(plan))[0] > -math.log1p(plan.margin)


def _members(study: Study) -> list[set[str]]:
    """Return the ids of the workloads of each shape."""
    found: dict[bytes, set[str]] = {}
    for workload in study.workloads:
        found.setdefault(encode((workload.axes, workload.values)), set()).add(workload.id)
    return list(found.values())


def _name(cells: Sequence[Comparison]) -> str:
    more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
    return f"{cells[0].workload}{more}"
