"""Ratios of what evidence holds twice: speed-ups and changes, by equal estimators.

In: a label and an index. Out: ratios of subjects of one name in two places, made only where a
claim asks for one and only around the subjects that it names.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from roofmark.analysis.cite.label import Label
from roofmark.analysis.cite.records import Derived
from roofmark.analysis.cite.subjects import Index, Subject, Value
from roofmark.analysis.cite.words import CHANGE_WORDS, RATIO_WORDS

# Chosen: a text compares a handful of things; these bound the work for one claim.
_SIDES, _PARTNERS, _MOST = 64, 32, 20_000
# Chosen: a speed-up is a ratio of centres; that of two p95 or two deviations is named as such.
_CENTRES = ("median", "mean", "total")


class Ratio(NamedTuple):
    """A ratio of two. sure: the text names one side. meant: by an estimator that it may mean."""

    derived: Derived
    sure: bool
    meant: bool


def estimator_of(value: Value) -> str:
    """Return the estimator without what it was taken over: "mean without the first" is "mean"."""
    return value.estimator.partition(" ")[0]


def asks_for_ratio(label: Label) -> bool:
    """Whether a claim's words speak of a speed-up or of a change."""
    words = {"ratio": RATIO_WORDS, "percent": CHANGE_WORDS}.get(label.claim.dimension)
    return bool(words and words & label.words)


def ratios(label: Label, index: Index) -> Iterator[Ratio]:
    """Yield ratios (or changes in percent)."""
    yield from islice(_ratios(label, index), _MOST)


def _ratios(label: Label, index: Index) -> Iterator[Ratio]:
    named = (s for _, s in label.candidates(index) if len(index.alike[s.sort, s.name]) > 1)
    sides = list(islice(named, _SIDES)) or _few(label, index)
    seen: set[tuple[int, int]] = set()
    for side in sides:
        sure = label.shares_key(side) or _told(label, side, index)
        for other in index.alike[side.sort, side.name][:_PARTNERS]:
            if other is side or (id(other), id(side)) in seen:
                continue
            seen.add((id(side), id(other)))
            yield from (Ratio(each, sure, meant) for each, meant in _of_pair(side, other, label))


def _few(label: Label, index: Index) -> list[Subject]:
    """Return everything comparable, where that is little enough to be meant without a name."""
    groups = [group for group in index.alike.values() if len(group) > 1]
    if len(groups) > 4:
        return []
    return [each for group in groups for each in group[:_PARTNERS] if not label.excludes(each)]


def _told(label: Label, side: Subject, index: Index) -> bool:
    return label.bond(side).sure and label.tells_apart(side, index)


def _of_pair(one: Subject, two: Subject, label: Label) -> Iterator[tuple[Derived, bool]]:
    theirs = {_kind(two, v): v for v in reversed(two.values)}
    for mine in one.values:
        other = theirs.get(_kind(one, mine))
        if other is None or mine.dimension in ("ratio", "percent", "number"):
            continue
        meant = _may_be_meant(label, one, mine)
        if meant or estimator_of(mine) in (*_CENTRES, "min"):
            both = _both_ways(one, two, (mine, other), label.claim.dimension)
            yield from ((derived, meant) for derived in both)


def _kind(subject: Subject, value: Value) -> tuple[str, str]:
    """Return what has to be equal; other tools add to an estimator over how many it was taken."""
    how = estimator_of(value) if subject.sort == "figure" else value.estimator
    return how, value.dimension


def _may_be_meant(label: Label, subject: Subject, value: Value) -> bool:
    """Least times count where the text names them, or names no centre at all."""
    how = estimator_of(value)
    if not label.counts_rightly(subject, value):
        return False
    if subject.sort not in ("samples", "kernel") or how in (*_CENTRES, *label.estimators):
        return True
    told = label.text.estimators
    return how == "min" and ("min" in told or not told & {"mean", "median"})


def _both_ways(
    one: Subject, two: Subject, values: tuple[Value, Value], dimension: str
) -> Iterator[Derived]:
    mine, other = values
    for upper, lower, above, below in ((mine, other, one, two), (other, mine, two, one)):
        # Subnormal times would overflow; they are no measurements either.
        if lower.value <= 1e-300 or upper.value / lower.value > 1e300:
            continue
        ratio = upper.value / lower.value
        yield Derived(
            value=ratio if dimension == "ratio" else 100 * (ratio - 1),
            unit="1" if dimension == "ratio" else "%",
            dimension=dimension,
            label=f"{one.name}: {above.place} over {below.place}",
            estimator=f"{'ratio' if dimension == 'ratio' else 'change'} by {mine.estimator}",
            place=above.place,
        )
