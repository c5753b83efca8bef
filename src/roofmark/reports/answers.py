"""Accuracy and degenerate outputs as text: for a terminal and for a CI job's summary.

In: `Judged`, `Compared`, `Degenerate`. Out: text. Both ways of counting what was not answered stand
beside each other, every flip is listed, and what the set could have told stands below.
"""

from collections.abc import Iterable, Sequence

from roofmark.analysis.accuracy import Compared, Flip, Gate, Judged, Leg, Paired, Told
from roofmark.analysis.degenerate import Degenerate
from roofmark.analysis.verdict import Estimate
from roofmark.answers import OUTCOMES
from roofmark.records import Missing
from roofmark.reports.markdown import escape
from roofmark.reports.wording import (
    NOTHING,
    aligned,
    counted,
    lines_text,
    one_line,
    percent,
    shorten,
)
from roofmark.terminal_text import plain

# Chosen: a screen; `--json` gives every one.
_MOST_FLIPS = 40
_MOST_BAD = 15
_ANSWER = 40
_QUESTION = 70
_IDS = 200


def judged_text(found: Judged) -> str:
    """Return one leg's counts, its accuracy in both ways of counting, and the floor."""
    leg = found.leg
    lines = [one_line(f"{leg.label}: answers taken {leg.rule}")]
    lines += [f"  {outcome}: {n}" for outcome, n in leg.counts.items()]
    lines += [f"  right of those answered: {_share(leg.answered)}"]
    lines += [f"  right of all, what was not answered counted as wrong: {_share(leg.asked)}"]
    lines += [f"  {each}" for each in _remarks(leg)]
    lines += _gate("floor", found.floor)
    return lines_text([*lines, f"Intervals are Clopper and Pearson's, {percent(found.level)}."])


def compared_answers_text(found: Compared) -> str:
    """Return the decision, both legs' counts, every flip, and what the set could have told."""
    a, b = found.a, found.b
    lines = [_headline(found)]
    for each in found.differences:
        mark = "voids" if each.voids else "differs"
        lines.append(one_line(f"  {mark} {each.field}: {each.original} -> {each.again}"))
        lines += [f"    {each.mend}"] if each.mend else []
    lines += _sets(found)
    lines += ["", *aligned(["A", "B", ""], _rows(a, b))]
    lines += [one_line(f"  {side}: {each}") for side, leg in (("A", a), ("B", b))
              for each in _remarks(leg)]  # fmt: skip
    lines += ["", *_pairs("both answered", found.answered)]
    lines += _pairs("of both, what was not answered counted as wrong", found.asked)
    lines += ["", *_flips("lost: right in A, wrong in B", found.lost)]
    lines += _flips("gained: wrong in A, right in B", found.gained)
    lines += _unanswered(found.unanswered)
    lines += _flips("wrong in both, and not the same", found.changed) if found.changed else []
    lines += ["", *_told(found.told, found.margin), *_gate("floor (B)", found.floor)]
    lines += _gate("ship", found.ship)
    return lines_text(lines)


def _headline(found: Compared) -> str:
    names = f"{found.a.label} (A), {found.b.label} (B)"
    return one_line(f"{found.decision}: {names}: {found.because}")


def _sets(found: Compared) -> Iterable[str]:
    for side, other, only in (("A", "B", found.only_a), ("B", "A", found.only_b)):
        if only:
            shown = one_line(", ".join(only[:10])) + (", …" if len(only) > 10 else "")
            yield f"  unequal sets: {len(only)} only in {side}, not asked in {other}: {shown}"


def _rows(a: Leg, b: Leg) -> list[list[str]]:
    rows = [
        [str(a.counts.get(each, 0)), str(b.counts.get(each, 0)), each]
        for each in OUTCOMES
        if each in a.counts or each in b.counts
    ]
    return [
        *rows,
        [_share(a.answered), _share(b.answered), "right of those answered"],
        [_share(a.asked), _share(b.asked), "right of all, not answered counted as wrong"],
    ]


def _remarks(leg: Leg) -> Iterable[str]:
    if leg.nothing:
        yield f"{leg.nothing} of the wrong ones hold no answer that could be taken"
    if leg.cut:
        yield f"{counted(leg.cut, 'answer')} ended at the token limit"


def _pairs(name: str, found: Paired | Missing) -> Iterable[str]:
    if isinstance(found, Missing):
        yield f"{name}: {found.reason}"
        return
    d = found.difference
    yield (
        f"{counted(found.n, 'question')} {name}: {found.lost} lost, {found.gained} gained; B - A "
        f"{_signed(d.value)} [{_signed(d.low)}, {_signed(d.high)}] ({d.method}, "
        f"{percent(d.level)}); "
        f"McNemar exact p = {found.p:.3g}, mid-p {found.mid_p:.3g}"
    )


def _flips(name: str, flips: Sequence[Flip]) -> Iterable[str]:
    yield f"{name}: {len(flips) or 'none'}"
    for each in flips[:_MOST_FLIPS]:
        answers = f"{_short(each.a, _ANSWER)} -> {_short(each.b, _ANSWER)}"
        expected = f"expected {_short(each.expected, _ANSWER)}"
        question = f"  {_short(each.question, _QUESTION)}" if each.question else ""
        yield f"  {_short(each.id, _ANSWER)}: {answers}, {expected}{question}"
    if len(flips) > _MOST_FLIPS:
        yield f"  ... {len(flips) - _MOST_FLIPS} more; --json gives every one"


def _unanswered(flips: Sequence[Flip]) -> Iterable[str]:
    """Say which questions one leg alone answered, and what the other one did instead."""
    yield f"answered by one leg alone: {len(flips) or 'none'}"
    groups: dict[str, list[str]] = {}
    for each in flips:
        groups.setdefault(f"{each.a_outcome} in A, {each.b_outcome} in B", []).append(each.id)
    for name, ids in groups.items():
        yield f"  {name}: {len(ids)}: {_short(', '.join(ids), _IDS)}"


def _short(text: str, length: int) -> str:
    return shorten(one_line(text), length)


def _told(told: Told | Missing, margin: float) -> Iterable[str]:
    if isinstance(told, Missing):
        return
    churn = f" beside {percent(told.churn)} that flip either way" if told.churn else ""
    yield (
        f"What {counted(told.n, 'question')} can tell: {told.flips} flips, all one way, are the "
        f"fewest that decide{_percent_of(told.flips, told.n)};"
    )
    if isinstance(told.smallest, Missing):
        yield f"  no difference shows four times in five, {told.smallest.reason};"
    else:
        yield f"  a true difference of {percent(told.smallest)}{churn} shows four times in five;"
    enough = told.enough
    needs = enough.reason if isinstance(enough, Missing) else f"takes about {enough:,} questions"
    yield f"  to show one of {percent(margin)} {needs}."


def _percent_of(flips: int, n: int) -> str:
    return f", {percent(flips / n)} of them" if flips <= n else ", more than there are"


def _gate(name: str, gate: Gate | Missing) -> Iterable[str]:
    if isinstance(gate, Gate):
        limit = f"-{percent(gate.limit)}" if name == "ship" else percent(gate.limit)
        yield f"{name} {limit} {gate.decision}: {gate.because}"


def _share(found: Estimate | Missing) -> str:
    if isinstance(found, Missing):
        return NOTHING
    return f"{percent(found.value)} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f} %"


# --- degenerate outputs --------------------------------------------------------------------------
def degenerate_text(legs: Sequence[Degenerate]) -> str:
    """Return how many outputs of each leg are degenerate, by which rules, and which they are."""
    head = ["degenerate", "looked at", "not kept", "leg"]
    rows = [
        [f"{len(leg.bad)}{_share_of(leg)}", str(leg.looked), str(leg.unseen), one_line(leg.label)]
        for leg in legs
    ]
    lines = list(aligned(head, rows))
    for leg in legs:
        lines += ["", *_leg_of_bad(leg)] if leg.bad else []
        if leg.tails:
            lines.append(one_line(f"note: {leg.label}: only the ends of texts were kept"))
    return lines_text(lines)


def _leg_of_bad(leg: Degenerate) -> Iterable[str]:
    counts = ", ".join(f"{code} {n}" for code, n in leg.counts.items())
    yield one_line(f"{leg.label}: {counts}")
    for each in leg.bad[:_MOST_BAD]:
        said = "; ".join(f"{f.code} {f.message}" for f in each.findings)
        yield "  " + one_line(f"{each.id}: {shorten(one_line(each.begins), _ANSWER)!r}: {said}")
    if len(leg.bad) > _MOST_BAD:
        yield f"  ... {len(leg.bad) - _MOST_BAD} more; --json gives every one"


def _share_of(leg: Degenerate) -> str:
    share = leg.share
    return "" if isinstance(share, Missing) else f" ({percent(share)})"


# --- Markdown ------------------------------------------------------------------------------------
def markdown(title: str, text: str) -> str:
    """Return a report as a section of a job summary: its first line as the title's end."""
    first, _, rest = text.partition("\n")
    inside = plain(rest).strip("\n").replace("```", "` ` `")
    return f"## {escape(f'{title}: {first}')}\n\n```text\n{inside}\n```\n"
