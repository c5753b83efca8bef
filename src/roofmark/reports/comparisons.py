"""Comparisons as text: what differs, then ratios, then what follows from them.

In: `Compared`, `ForeignCompared`, `Replication`. Out: text for a terminal.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from roofmark.analysis.between import Compared, ComparedCell
from roofmark.analysis.foreign_hosts import HostGroup
from roofmark.analysis.foreign_pairs import (
    ForeignCompared,
    ForeignPart,
    ForeignRow,
    Together,
)
from roofmark.analysis.foreign_replicate import ForeignReplication, ReplicatedFigure
from roofmark.analysis.verdict import (
    Decision,
    Difference,
    Estimate,
    ReplicatedSolution,
    Replication,
)
from roofmark.records import Missing
from roofmark.reports.wording import (
    aligned,
    counted,
    joined,
    lines_text,
    one_line,
    percent,
    ratio_and_interval,
    shorten,
)
from roofmark.units import show, show_percent

# Chosen: a screen; `--json` gives every row.
_MOST_ROWS = 24
_MOST_DIFFERENCES = 12
_NAME = 60
_FIELD = 70


def compared_text(found: Compared) -> str:
    """Return comparability, overall ratios, workloads, and how far they can be believed."""
    lines = [f"{found.outcome}: {_runs(found.a)} (A) and {_runs(found.b)} (B)"]
    lines += _differences(found.differences)
    if found.outcome == "not comparable":
        return lines_text([*lines, *_mends(found.differences)])
    lines += [f"sources differ: {joined(list(found.changed))}"] if found.changed else []
    if found.same_binary:
        names = joined(list(found.same_binary))
        lines.append(f"but the binary is the same: {names}; what moved there is not its code")
    lines += ["", *aligned(_HEAD, [_row(c, "all workloads") for c in found.overall])]
    lines += [f"   {c.solution}: {c.why}{_codes(c)}" for c in found.overall]
    for each in found.baseline:
        lines.append(f"   baseline {each.solution}, time A / B: {ratio_and_interval(each.times)}")
    cells = found.cells
    lines += ["", *aligned(_HEAD, [_row(c, c.workload) for c in cells[:_MOST_ROWS]])]
    if len(cells) > _MOST_ROWS:
        lines.append(f"... {len(cells) - _MOST_ROWS} more; --json gives every one")
    return lines_text([*lines, "", *spread_sentences(found)])


_HEAD = ["time A / B", "speed-up B / A", "decision", "where"]


def _row(cell: ComparedCell, where: str) -> list[str]:
    return [
        ratio_and_interval(cell.times),
        ratio_and_interval(cell.speedups),
        cell.decision,
        f"{cell.solution}, {where}",
    ]


def _codes(cell: ComparedCell) -> str:
    return f" ({', '.join(cell.codes)})" if cell.codes else ""


def _runs(digests: Sequence[str]) -> str:
    return ", ".join(each[:12] for each in digests)


def spread_sentences(found: Compared) -> Iterable[str]:
    """Yield how far the ratios can be believed: what runs or hosts differ by, and who says so."""
    yield f"Above 1, B is faster. Margin {percent(found.margin)}, level {percent(found.level)}."
    if isinstance(found.assumed_at, float):
        yield (
            f"Too few {found.unit}s per side to know how much {found.unit}s differ: taken as "
            f"{percent(found.assumed_at)}. Two or more {found.unit}s on each side measure it."
        )
    else:
        yield f"The variance between {found.unit}s is measured and in the intervals."


def _differences(differences: Sequence[Difference]) -> Iterable[str]:
    """Show what voids, then what else differs, as far as a screen goes."""
    ordered = sorted(differences, key=lambda each: not each.voids)
    shown = [d for i, d in enumerate(ordered) if d.voids or i < _MOST_DIFFERENCES]
    for each in shown:
        mark = "voids" if each.voids else "differs"
        mine, theirs = (shorten(one_line(t), _FIELD) for t in (each.original, each.again))
        yield f"  {mark} {each.field}: {mine} -> {theirs}"
    if len(shown) < len(ordered):
        yield f"  ... {len(ordered) - len(shown)} more fields differ; --json gives every one"


def _mends(differences: Sequence[Difference]) -> Iterable[str]:
    """Say once each how to make it comparable."""
    yield "To make it comparable:"
    yield from dict.fromkeys(f"  {each.mend}" for each in differences if each.voids)


# --- replication ---------------------------------------------------------------------------------
def replication_text(found: Replication) -> str:
    """Return the outcome, each solution's, and what differs between the runs.

    A workload is named where it fell otherwise than its solution did over all of them.
    """
    lines = [found.outcome]
    for each in found.solutions:
        lines.append(f"  {each.solution}: {_told(each)}")
        own = [c for c in found.cells if c.solution == each.solution]
        other = [f"    on {c.workload}: {_told(c)}" for c in own if c.outcome != each.outcome]
        lines += other[:_MOST_ROWS]
        if len(other) > _MOST_ROWS:
            lines.append(f"    ... {len(other) - _MOST_ROWS} more; --json gives every one")
    for each in found.differences:
        mend = f" ({each.mend})" if each.mend else ""
        lines.append(f"  {each.field}: {each.original} -> {each.again}{mend}")
    return lines_text(lines)


def _told(each: ReplicatedSolution) -> str:
    was = _decision(each.original, each.original_speedup)
    return f"{each.outcome} (was {was}; is {_decision(each.again, each.again_speedup)})"


def _decision(decision: Decision | Missing, speedup: Estimate | Missing) -> str:
    if isinstance(decision, Missing):
        return decision.reason
    size = "" if isinstance(speedup, Missing) else f", {ratio_and_interval(speedup)}"
    return f"{decision}{size}"


# --- files of other tools ------------------------------------------------------------------------
def foreign_compared_text(found: ForeignCompared) -> str:
    """Return the ratios that two files report, and why no decision follows from them."""
    both = found.a if found.a == found.b and not found.parts else f"{found.a} (A), {found.b} (B)"
    lines = [f"{found.outcome}: {both}"]
    if len(found.groups) > 1:
        lines += ["", *_groups(found.groups)]
    for part in found.parts:
        lines += ["", *_part(part, found.margin)]
    beyond = [row for part in found.parts for row in part.rows if row.limit and not part.void]
    if beyond:
        failed = counted(len(beyond), "figure")
        lines += ["", f"fails: {failed} of B beyond the limits that the files themselves state"]
    lines += ["", "Single numbers without an interval: reported, and no verdict follows from them."]
    return lines_text([*lines, *(f"note: {note}" for note in found.notes)])


def _part(part: ForeignPart, margin: float) -> Iterable[str]:
    verdict = ": not comparable" if part.void else ""
    yield f"{part.name}{verdict}; {counted(len(part.rows), 'row')} in both"
    yield from _differences(part.differences)
    if part.void:
        yield from _mends(part.differences)
        return
    if isinstance(part.together, Together):
        yield from _together(part.together, margin)
    rows = sorted(part.rows, key=lambda row: abs(row.ratio - 1), reverse=True)[:_MOST_ROWS]
    yield from aligned(
        ["A", "B", "B / A", "figure"],
        [
            [_value(r.a, r.unit), _value(r.b, r.unit), "–" if r.why else show_percent(r.ratio),
             shorten(one_line(r.label), _NAME) + _remark(r)]
            for r in rows
        ],
    )  # fmt: skip
    if len(part.rows) > len(rows):
        yield f"... {len(part.rows) - len(rows)} more that moved less; --json gives every one"
    for name, only in (("A", part.only_a), ("B", part.only_b)):
        if only:
            shown = "; ".join(shorten(one_line(each), _NAME) for each in only[:5])
            yield f"only in {name}: {len(only)}: {shown}"


def _remark(row: ForeignRow) -> str:
    said = "; ".join(each for each in (row.why or row.doubt, row.limit) if each)
    return f" ({said})" if said else ""


def _together(found: Together, margin: float) -> Iterable[str]:
    per = ""
    if found.steps != 1:
        per = " per step"
        yield (
            f"B has {found.steps:.4g} steps for one of A, by the calls of "
            f"{found.kernels - found.other_calls} of {found.kernels} kernels; ratios are per step"
        )
    size = f"{_size(found.ratio, margin)}{per}"
    if found.other_share > margin:
        size = f"of different work: {percent(found.other_share)} is in kernels with other calls"
    yield (
        f"{counted(found.kernels, 'row')} in common, {found.other_calls} of them with another "
        f"number of calls{per}: {show(found.a, 's')} and {show(found.b, 's')} together, "
        f"{_change(found.ratio)}, {size}"
    )
    yield f"they are {percent(found.coverage_a)} of the time in A, {percent(found.coverage_b)} in B"
    if min(found.coverage_a, found.coverage_b) < 1:
        yield f"all rows of each: {_change(found.whole)}{per}, {_size(found.whole, margin)}"
    if isinstance(found.uniform, float):
        yield (
            f"every kernel that takes time moved by about {show_percent(found.uniform)}: a clock, "
            "a limit of power or another device moves all alike, a change of code seldom does"
        )


def _change(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.2f} %"


def _size(ratio: float, margin: float) -> str:
    within = 1 / (1 + margin) <= ratio <= 1 + margin
    return f"the same within {percent(margin)}" if within else f"beyond {percent(margin)}"


def _value(value: float, unit: str) -> str:
    return show(value, "s") if unit == "s" else f"{value:.7g} {unit}"


def _groups(groups: Sequence[HostGroup]) -> Iterable[str]:
    yield (
        f"{len(groups)} groups of runs, not {sum(len(g.runs) for g in groups)} samples: the "
        "reference's own latency jumps between them, so they were on different hosts"
    )
    for index, group in enumerate(groups, 1):
        yield f"  group {index}: {'; '.join(group.runs)}"
        if index > 1:
            gain = "" if isinstance(group.speedup, Missing) else show_percent(group.speedup)
            yield (
                f"     against group 1: reference {show_percent(group.canary)}, latency "
                f"{show_percent(group.latency)}, speed-up over the reference {gain}"
            )
    yield "Compare runs within a group; a speed-up over a reference rewards a slow host."


# --- runs of several legs ------------------------------------------------------------------------
def foreign_replication_text(found: ForeignReplication) -> str:
    """Return whether the legs of a second run fall as those of the first, and what moved."""
    lines = [f"{found.outcome}: {_moral(found)}"]
    lines += _differences(found.differences)
    if found.outcome == "not comparable":
        return lines_text([*lines, *_mends(found.differences)])
    lines += [f"  only in one run: {', '.join(found.lacking)}"] if found.lacking else []
    for figure in found.figures:
        lines += ["", *_replicated(figure)]
    lines += ["", *found.notes] if found.notes else []
    lines += [
        "",
        "Reported numbers without intervals: what they say is compared, not whether it holds.",
    ]
    return lines_text(lines)


def _moral(found: ForeignReplication) -> str:
    """Say in one line what became of order, sizes and values."""
    pairs = [pair for figure in found.figures for pair in figure.pairs]
    turned = [pair for pair in pairs if pair.was != pair.now]
    sizes = [pair for pair in pairs if pair.size == "differs"]
    most = math.expm1(max(abs(math.log(m)) for f in found.figures for m in f.moved.values()))
    order = f"{len(turned)} of {len(pairs)} pairs of legs fall otherwise" if turned else (
        "the legs fall as they did"
    )  # fmt: skip
    within = f"within {percent(found.margin)}"
    size = f"{len(sizes)} of {len(pairs)} ratios do not agree" if sizes else "the ratios agree"
    moved = f"moved by up to {percent(most)}" if most > found.margin else "stayed, too"
    return f"{order}, {size} {within}, the values {moved}"


def _replicated(figure: ReplicatedFigure) -> Iterable[str]:
    yield f"{figure.label}: {figure.outcome}"
    then, again = _order(figure, "original"), _order(figure, "again")
    yield f"  cheapest first: {then}, then {'again' if then == again else again}"
    for pair in figure.pairs:
        yield (
            f"  {pair.leg} against {pair.against}: {pair.original:.3f}x {pair.was}, then "
            f"{pair.again:.3f}x {pair.now}: {pair.outcome}, size {pair.size}"
        )
    for leg, ratio in figure.moved.items():
        was, now = (_value(side[leg], figure.unit) for side in (figure.original, figure.again))
        yield f"  {leg}: {was}, then {now} ({_change(ratio)})"


def _order(figure: ReplicatedFigure, run: Literal["original", "again"]) -> str:
    """Return the legs from the cheapest on; ≈ stands between neighbours within the margin."""
    order = list(figure.order if run == "original" else figure.order_again)
    same = {
        frozenset((pair.leg, pair.against))
        for pair in figure.pairs
        if (pair.was if run == "original" else pair.now) == "same"
    }
    shown = order[0]
    for before, leg in pairwise(order):
        shown += f" {'≈' if frozenset((before, leg)) in same else '<'} {leg}"
    return shown
