"""Comparisons as text: what differs, then ratios, then what follows from them.

In: `Compared`, `ForeignCompared`, `Replication`. Out: text for a terminal.
"""

from collections.abc import Iterable, Sequence

from roofmark.analysis.between import Compared, ComparedCell
from roofmark.analysis.foreign_pairs import (
    ForeignCompared,
    ForeignPart,
    ForeignRow,
    HostGroup,
    Together,
)
from roofmark.analysis.verdict import Decision, Difference, Replication
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
    return lines_text([*lines, "", *_spread(found)])


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


def _spread(found: Compared) -> Iterable[str]:
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
    """Return the outcome, each solution's, and what differs between the runs."""
    lines = [found.outcome]
    for each in found.solutions:
        was, now = _decision(each.original), _decision(each.again)
        lines.append(f"  {each.solution}: {each.outcome} (was {was}, is {now})")
    for each in found.differences:
        mend = f" ({each.mend})" if each.mend else ""
        lines.append(f"  {each.field}: {each.original} -> {each.again}{mend}")
    return lines_text(lines)


def _decision(decision: Decision | Missing) -> str:
    return decision.reason if isinstance(decision, Missing) else decision


# --- files of other tools ------------------------------------------------------------------------
def foreign_compared_text(found: ForeignCompared) -> str:
    """Return the ratios that two files report, and why no decision follows from them."""
    both = found.a if found.a == found.b and not found.parts else f"{found.a} (A), {found.b} (B)"
    lines = [f"{found.outcome}: {both}"]
    if len(found.groups) > 1:
        lines += ["", *_groups(found.groups)]
    for part in found.parts:
        lines += ["", *_part(part, found.margin)]
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
    return f" ({row.why or row.doubt})" if row.why or row.doubt else ""


def _together(found: Together, margin: float) -> Iterable[str]:
    change = (found.ratio - 1) * 100
    within = 1 / (1 + margin) <= found.ratio <= 1 + margin
    size = f"the same within {percent(margin)}" if within else f"beyond {percent(margin)}"
    if found.other_share > margin:
        size = f"of different work: {percent(found.other_share)} is in kernels with other calls"
    yield (
        f"{counted(found.kernels, 'row')} in common, {found.other_calls} of them with another "
        f"number of calls: {show(found.a, 's')} and {show(found.b, 's')} together, "
        f"{change:+.2f} %, {size}"
    )
    yield f"they are {percent(found.coverage_a)} of the time in A, {percent(found.coverage_b)} in B"


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
