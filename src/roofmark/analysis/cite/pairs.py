"""Ratios of what evidence holds twice: speed-ups and changes, by equal estimators.

In: a label and an index. Out: ratios of subjects of one name in two places, made only where a
claim asks for one and only around the subjects that it names.
"""

from collections.abc import Iterator
from itertools import islice

from roofmark.analysis.cite.label import Label
from roofmark.analysis.cite.records import Derived
from roofmark.analysis.cite.subjects import Index, Subject, Value
from roofmark.analysis.cite.words import CHANGE_WORDS, RATIO_WORDS

# Chosen: a text compares a handful of things; these bound the work for one claim.
_SIDES, _PARTNERS, _MOST = 64, 32, 20_000
# Chosen: a speed-up is a ratio of centres; that of two p95 or two deviations is named as such.
_CENTRES = ("median", "mean", "min", "total")


def estimator_of(value: Value) -> str:
    """Return the estimator without what it was taken over: "mean without the first" is "mean"."""
    return value.estimator.partition(" ")[0]


def asks_for_ratio(label: Label) -> bool:
    """Whether a claim's words speak of a speed-up or of a change."""
    words = {"ratio": RATIO_WORDS, "percent": CHANGE_WORDS}.get(label.claim.dimension)
    return bool(words and words & label.words)


def ratios(label: Label, index: Index) -> Iterator[tuple[Derived, bool]]:
    """Yield ratios (or changes in percent), and whether the label surely names one side."""
    yield from islice(_ratios(label, index), _MOST)


def _ratios(label: Label, index: Index) -> Iterator[tuple[Derived, bool]]:
    named = (s for _, s in label.candidates(index) if len(index.alike[s.sort, s.name]) > 1)
    sides = list(islice(named, _SIDES)) or _few(label, index)
    seen: set[tuple[int, int]] = set()
    for side in sides:
        sure = label.shares_key(side) or _told(label, side, index)
        for other in index.alike[side.sort, side.name][:_PARTNERS]:
            if other is side or (id(other), id(side)) in seen:
                continue
            seen.add((id(side), id(other)))
            yield from ((each, sure) for each in _of_pair(side, other, label))


def _few(label: Label, index: Index) -> list[Subject]:
    """Return everything comparable, where that is little enough to be meant without a name."""
    groups = [group for group in index.alike.values() if len(group) > 1]
    if len(groups) > 4:
        return []
    return [each for group in groups for each in group[:_PARTNERS] if not label.excludes(each)]


def _told(label: Label, side: Subject, index: Index) -> bool:
    return label.bond(side).sure and label.tells_apart(side, index)


def _of_pair(one: Subject, two: Subject, label: Label) -> Iterator[Derived]:
    theirs = {(v.estimator, v.dimension): v for v in two.values}
    for mine in one.values:
        other = theirs.get((mine.estimator, mine.dimension))
        if other is None or mine.dimension in ("ratio", "percent", "number"):
            continue
        how = estimator_of(mine)
        if one.sort in ("samples", "kernel") and how not in (*_CENTRES, *label.estimators):
            continue
        if not label.counts_rightly(one, mine):
            continue
        yield from _both_ways(one, two, (mine, other), label.claim.dimension)


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
            estimator=f"ratio of two: {mine.estimator}",
            place=above.place,
        )
