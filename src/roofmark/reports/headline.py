"""The whole answer in one sentence with its intervals, however many solutions there are.

In: a verdict. Out: a sentence, which never says more than the verdict does.
"""

import re
from collections.abc import Callable, Mapping

from roofmark.analysis.verdict import Decision, Overall, Verdict
from roofmark.records import Missing
from roofmark.reports.wording import counted, interval, joined, one_line, ratio

_ORDER: tuple[Decision, ...] = ("faster", "same", "undecided", "slower", "invalid")
# Chosen: so many of one kind fit in a sentence; of more, the first are named and the rest counted.
_ALL_NAMED, _NAMED_OF_MORE = 3, 2
NOBODY = "No solution was measured against the baseline."


def headline(verdict: Verdict) -> str:
    """Return the answer: what is faster, the same, undecided, slower, invalid, in this order."""
    found = [each for each in verdict.overall if each.role == "solution"]
    if not found:
        return NOBODY
    groups = [[each for each in found if each.decision == word] for word in _ORDER]
    clauses = [_CLAUSES[group[0].decision](group, verdict) for group in groups if group]
    text = f"Against {verdict.baseline}, {'; '.join(clauses)}."
    # The first interval says of which level all are.
    return _INTERVAL.sub(f"({verdict.level * 100:.4g} % interval ", text, count=1)


_INTERVAL = re.compile(r"\((?=[\d.]+ to [\d.]+\))")


def _faster(group: list[Overall], verdict: Verdict) -> str:
    first, *others = (f"{each.solution} {_size(each)}" for each in _shown(group))
    name, _, size = first.partition(" ")
    more = "".join(f", and {each} are faster" for each in _more(group))
    return f"{joined([f'{name} is {size}', *others])} as fast{_where(group)}{more}"


def _slower(group: list[Overall], verdict: Verdict) -> str:
    named = [f"{each.solution} at {_size(each)}" for each in _shown(group)]
    if len(group) == 1:
        return f"{group[0].solution} is slower at {_size(group[0])}{_where(group)}"
    return f"{joined([*named, *_more(group)])} are slower{_where(group)}"


def _same(group: list[Overall], verdict: Verdict) -> str:
    named = [f"{each.solution} at {_size(each)}" for each in _shown(group)]
    verb = "are" if len(group) > 1 else "is"
    within = f"as fast to within {verdict.margin * 100:.3g} %"
    return f"{joined([*named, *_more(group)])} {verb} {within}{_where(group)}"


def _open(group: list[Overall], verdict: Verdict) -> str:
    """Return "a and b are undecided"; with a reason where it is one that has it."""
    word = group[0].decision
    if len(group) > 1:
        named = [each.solution + _codes(each) for each in _shown(group)]
        return f"{joined([*named, *_more(group)])} are {word}"
    (only,) = group
    known = word == "undecided" and not isinstance(only.speedup, Missing)
    size = f" at {_size(only)}" if known else ""
    split = f", {tally(only.counts, ' and ')}" if only.mixed else ""
    return f"{only.solution} is {word}{size}{split}{because(only, verdict)}"


_CLAUSES: dict[Decision, Callable[[list[Overall], Verdict], str]] = {
    "faster": _faster,
    "same": _same,
    "slower": _slower,
    "undecided": _open,
    "invalid": _open,
}


def _shown(group: list[Overall]) -> list[Overall]:
    """Return those that are named, the fastest first."""
    ordered = sorted(group, key=lambda each: -getattr(each.speedup, "value", 0.0))
    return ordered if len(group) <= _ALL_NAMED else ordered[:_NAMED_OF_MORE]


def _more(group: list[Overall]) -> list[str]:
    left = len(group) - len(_shown(group))
    return [f"{left} more"] if left else []


def _size(each: Overall) -> str:
    return f"{ratio(each.speedup)} ({interval(each.speedup)})"


def _codes(each: Overall) -> str:
    return f" ({', '.join(each.codes)})" if each.codes else ""


def _where(group: list[Overall]) -> str:
    """Return on how many workloads, where all of a group came out alike; else how they fell."""
    first = {word: count for word, count in group[0].counts.items() if count}
    alike = all({w: n for w, n in each.counts.items() if n} == first for each in group)
    if not first or not alike:
        return ""
    if len(first) > 1:
        return f", {tally(group[0].counts, ', ')}"
    total = sum(first.values())
    many = "both workloads" if total == 2 else f"all {total} workloads"
    return f" on {many}" if total > 1 else ""


# --- what sentences share ----------------------------------------------------------------------
def because(overall: Overall, verdict: Verdict) -> str:
    """Return " (RM310, other processes were on the GPU)", or nothing."""
    titles = {f.code: one_line(f.title) for f in verdict.findings}
    named = [f"{code}, {titles[code]}" if code in titles else code for code in overall.codes]
    return f" ({'; '.join(named)})" if named else ""


def tally(counts: Mapping[Decision, int], between: str) -> str:
    """Return "faster on 54 of 54 workloads"; every word that the cells have, none else."""
    parts = [f"{word} on {count}" for word, count in counts.items() if count]
    return (
        f"{between.join(parts) or 'decided on none'} of {counted(sum(counts.values()), 'workload')}"
    )
