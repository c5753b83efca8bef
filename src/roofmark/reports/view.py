"""A verdict as sentences and rows, which all pages share, so that none says more than another.

In: a verdict. Out: plain strings, on one line each and unescaped; each page escapes for itself.
The word "faster" stands only where the verdict has it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from roofmark.analysis.verdict import (
    Bound,
    Cell,
    Decision,
    Evidence,
    Finding,
    Fit,
    Overall,
    Verdict,
)
from roofmark.records import Missing
from roofmark.reports.headline import NOBODY, because, tally
from roofmark.reports.headline import headline as headline
from roofmark.reports.wording import (
    NOTHING,
    cost,
    counted,
    headroom,
    interval,
    joined,
    one_line,
    ratio,
    ratio_and_interval,
    sentence,
    shape_of,
    shorten,
)
from roofmark.study import Tier
from roofmark.units import show

# What makes a verdict worthless comes first, then what leaves it open, then what only informs.
_WEIGHT = {"invalid": 0, "undecided": 1, "": 2}
EVIDENCE: dict[Evidence, str] = {
    "timing": "times",
    "counters": "counters",
    "both": "counters and times",
}
"""On what a bound rests, in words."""
# Chosen: so many names fit in a sentence; more are counted.
_MOST_NAMED = 4
# Chosen: a sentence stays one; the findings and the comparisons tell the rest.
_LONGEST = 160


@dataclass(frozen=True, kw_only=True)
class SolutionRow:
    """One solution (or the twin) over all workloads."""

    solution: str
    twin: bool
    decision: Decision
    mixed: bool
    speedup: str
    interval: str
    tally: str
    fit: str
    why: str


@dataclass(frozen=True, kw_only=True)
class CellRow:
    """One solution on one workload; `why` says what moved it or why a number is not there."""

    workload: str
    solution: str
    decision: Decision
    time: str
    baseline_time: str
    speedup: str
    headroom: str
    bound: str
    other_tiers: str
    why: str


@dataclass(frozen=True, kw_only=True)
class BoundRow:
    """What limits one solution on the workloads where the answer is the same."""

    solution: str
    workloads: str
    kind: str
    code: str
    because: str
    headroom: str
    confirm: str
    advice: str


@dataclass(frozen=True, kw_only=True)
class ContrastRow:
    """A ratio between two solutions, and what differs between them."""

    name: str
    pair: str
    decision: Decision
    speedup: str
    changed: str


@dataclass(frozen=True, kw_only=True)
class FindingRow:
    """Findings that say the same about the same solution, with the workloads they say it of."""

    code: str
    title: str
    where: str
    message: str
    effect: str
    moves: bool


# --- sentences -----------------------------------------------------------------------------------
def answer(verdict: Verdict) -> list[str]:
    """Return what a reader must see first: accepted health codes, then the answer."""
    return [*caveats(verdict), *sentences(verdict)]


def caveats(verdict: Verdict) -> list[str]:
    """Return the sentence about health findings that the study accepts, if any fired."""
    if not verdict.accepted:
        return []
    titles = {f.code: one_line(f.title) for f in verdict.findings}
    named = [f"{code} ({titles[code]})" if code in titles else code for code in verdict.accepted]
    return [f"Note first: this study accepts {joined(named)}, which therefore moves no verdict."]


def sentences(verdict: Verdict) -> list[str]:
    """Return the answer, one sentence for each solution."""
    found = [_sentence(each, verdict) for each in verdict.overall if each.role == "solution"]
    return found or [NOBODY]


def _sentence(overall: Overall, verdict: Verdict) -> str:
    name, base, speedup = overall.solution, verdict.baseline, overall.speedup
    why = because(overall, verdict)
    if overall.decision == "invalid":
        return f"{name} is invalid{why}."
    if isinstance(speedup, Missing):
        return f"{name} against {base} is undecided{why}: {_why_none(overall, verdict)}."
    head = {
        "faster": f"{name} is {ratio(speedup)} as fast as {base}",
        "slower": f"{name} is slower than {base}, {ratio(speedup)} as fast",
        "same": f"{name} is as fast as {base} to within {verdict.margin * 100:.3g} %, "
        f"{ratio(speedup)}",
    }.get(overall.decision, f"{name} against {base} is undecided{why}, {ratio(speedup)}")
    measured = (
        f"{speedup.level * 100:.4g} % interval {interval(speedup)}, "
        f"{counted(speedup.n, 'process')}, "
        f"{verdict.tier} tier, {verdict.cache} cache"
    )
    mixed = " The workloads disagree." if overall.mixed else ""
    fallen = tally(overall.counts, ", ")
    return f"{head} ({measured}) on {one_line(verdict.study)}, {fallen}.{mixed}"


def _why_none(overall: Overall, verdict: Verdict) -> str:
    """Return why there is no speed-up, and the first reason that a workload gives."""
    said = [overall.speedup] if isinstance(overall.speedup, Missing) else []
    said += [
        cell.time
        for cell in verdict.cells
        if cell.solution == overall.solution and isinstance(cell.time, Missing)
    ]
    return ": ".join(dict.fromkeys(shorten(one_line(each.reason), _LONGEST) for each in said[:2]))


def context(verdict: Verdict) -> str:
    """Return under which conditions all numbers of a page were taken."""
    return " · ".join(
        (
            one_line(verdict.device_name),
            f"{verdict.tier} tier",
            f"{verdict.cache} cache",
            f"{verdict.processes} fresh processes each",
            f"margin {verdict.margin * 100:.3g} %",
            f"level {verdict.level * 100:.4g} %",
        )
    )


# --- rows ----------------------------------------------------------------------------------------
def solution_rows(verdict: Verdict) -> list[SolutionRow]:
    """Return a row for each solution, the twin last."""
    ordered = sorted(verdict.overall, key=lambda each: each.role == "twin")
    return [_solution_row(each, verdict) for each in ordered]


def _solution_row(each: Overall, verdict: Verdict) -> SolutionRow:
    counts = [f"{count} {word}" for word, count in each.counts.items() if count]
    reason = _why_none(each, verdict) if isinstance(each.speedup, Missing) else ""
    moved = because(each, verdict).strip(" ()")
    return SolutionRow(
        solution=each.solution,
        twin=each.role == "twin",
        decision=each.decision,
        mixed=each.mixed,
        speedup=ratio(each.speedup),
        interval=interval(each.speedup),
        tally=", ".join(counts),
        fit=fit_text(each.fit),
        why=moved or reason,
    )


def fit_text(fit: Fit | Missing) -> str:
    """Return "1.02 µs + bytes / 3.95 TB/s", or a dash."""
    if isinstance(fit, Missing):
        return NOTHING
    return f"{show(fit.t0.value, 's')} + bytes / {show(fit.rate.value, 'B/s')}"


def cell_rows(verdict: Verdict) -> list[CellRow]:
    """Return a row for each solution on each workload, in the order of the study."""
    return [cell_row(cell, verdict.tier) for cell in verdict.cells]


def cell_row(cell: Cell, decides: Tier) -> CellRow:
    """Return one cell as text."""
    others = [f"{tier} {ratio_and_interval(each)}" for tier, each in cell.other_tiers.items()]
    return CellRow(
        workload=cell.workload,
        solution=cell.solution,
        decision=cell.decision,
        time=cost(cell.time, decides),
        baseline_time=cost(cell.baseline_time, decides),
        speedup=ratio_and_interval(cell.speedup),
        headroom=headroom(cell.roof),
        bound=NOTHING if isinstance(cell.bound, Missing) else cell.bound.kind,
        other_tiers="; ".join(others) or NOTHING,
        why="; ".join((*cell.codes, *_reasons(cell))),
    )


def contrast_rows(verdict: Verdict) -> list[ContrastRow]:
    """Return the contrasts in the study's order; a confounded one says so."""
    return [
        ContrastRow(
            name=each.name,
            pair=f"{each.of} against {each.against}",
            decision=each.decision,
            speedup=ratio_and_interval(each.speedup),
            changed="; ".join(each.changed) + (" (confounded)" if each.confounded else ""),
        )
        for each in verdict.contrasts
    ]


def bound_rows(verdict: Verdict) -> list[BoundRow]:
    """Return what limits each solution, workloads with the same answer together.

    The sentence is that of the group's middle workload by headroom.
    """
    groups: defaultdict[tuple[str, str, str], list[tuple[str, Bound]]] = defaultdict(list)
    for cell in verdict.cells:
        if not isinstance(cell.bound, Missing):
            key = cell.solution, cell.bound.kind, cell.bound.evidence
            groups[key].append((cell.workload, cell.bound))
    order = {name: at for at, name in enumerate(dict.fromkeys(c.solution for c in verdict.cells))}
    rows: list[BoundRow] = []
    for (solution, kind, _), found in sorted(groups.items(), key=lambda item: order[item[0][0]]):
        ordered = sorted(found, key=lambda each: getattr(each[1].headroom, "real", 0.0))
        middle = ordered[len(ordered) // 2][1]
        rows.append(
            BoundRow(
                solution=solution,
                workloads=_name_workloads([workload for workload, _ in found], verdict),
                kind=kind,
                code=middle.code,
                because=f"{sentence(middle.because)} (by {EVIDENCE[middle.evidence]})",
                headroom=NOTHING
                if isinstance(middle.headroom, Missing)
                else f"{middle.headroom:.2f}x",
                confirm=middle.confirm,
                advice=sentence(middle.advice),
            )
        )
    return rows


def evidence(verdict: Verdict) -> str:
    """Return on what the bounds of all comparisons rest: "counters and times on 4, times on 2"."""
    bounds = [cell.bound for cell in verdict.cells if isinstance(cell.bound, Bound)]
    counts: Counter[Evidence] = Counter(bound.evidence for bound in bounds)
    if len(counts) == 1:
        return EVIDENCE[bounds[0].evidence]
    return joined([f"{EVIDENCE[each]} on {count}" for each, count in counts.most_common()])


def _name_workloads(names: list[str], verdict: Verdict) -> str:
    everything = len({cell.workload for cell in verdict.cells})
    if len(names) == everything:
        return "all workloads" if everything > 1 else names[0]
    return shorten(", ".join(dict.fromkeys(map(shape_of, names))), 60)


def _reasons(cell: Cell) -> Iterable[str]:
    """Return why there is no number, each reason once."""
    values = (cell.time, cell.speedup)
    reasons = [one_line(each.reason) for each in values if isinstance(each, Missing)]
    return dict.fromkeys(reasons)


def finding_rows(verdict: Verdict) -> list[FindingRow]:
    """Return what fires: what moves a verdict first, equal ones on several workloads as one."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for each in sorted(verdict.findings, key=_order):
        if each.state == "fires":
            groups.setdefault((each.code, each.solution, each.message), []).append(each)
    return [_finding_row(group) for group in groups.values()]


def _order(finding: Finding) -> tuple[bool, int, str, str]:
    return finding.accepted, _WEIGHT[finding.moves], finding.code, finding.solution


def _finding_row(group: list[Finding]) -> FindingRow:
    first = group[0]
    effect = "informs"
    if first.moves:
        effect = f"would make it {first.moves}; accepted" if first.accepted else first.moves
    return FindingRow(
        code=first.code,
        title=one_line(first.title),
        where=_where(first.solution, [each.workload for each in group if each.workload]),
        message=one_line(first.message),
        effect=effect,
        moves=bool(first.moves) and not first.accepted,
    )


def _where(solution: str, workloads: list[str]) -> str:
    shown = ", ".join(workloads[:_MOST_NAMED])
    more = len(workloads) - _MOST_NAMED
    on = f"{shown} and {more} more" if more > 0 else shown
    return " on ".join(part for part in (solution, on) if part) or "the whole study"


def unknown_codes(verdict: Verdict) -> list[str]:
    """Return the rules that lacked a fact somewhere; what they look for is not ruled out."""
    return sorted({each.code for each in verdict.findings if each.state == "unknown"})
