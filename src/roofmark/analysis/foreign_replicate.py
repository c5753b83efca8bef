"""Foreign replicate: does a second set of files order its legs as the first set did?

In: two runs of an experiment, each several legs, each leg a file of another tool. Out:
`ForeignReplication`: per figure the order of the legs, each pair's direction and size, and by how
much every leg's own value moved. A verdict is about the legs of one run, so it may reproduce where
the values do not: another day moves all of them. The numbers have no intervals, so directions that
differ by less than the margin are undecided.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Literal

from roofmark.analysis.foreign_pairs import MARGIN, setting_differences
from roofmark.analysis.kernel_sums import per_step, steps_between
from roofmark.analysis.rules.step import find_regimes
from roofmark.analysis.verdict import Difference, Reproduction
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.foreign import Figures, Imported, KernelTable, Series
from roofmark.records import Record

Direction = Literal["faster", "slower", "same"]
# What is better when it is larger; everything else here is a time or an amount of memory.
_RATES = ("tok/s", "req/s", "GB/s", "x", "1")


class ReplicatedPair(Record):
    """Two legs in both runs. original, again: cost of `leg` over that of `against`, above 1 slower.

    size: whether the two ratios agree within the margin.
    """

    leg: str
    against: str
    outcome: Reproduction
    original: float
    again: float
    was: Direction
    now: Direction
    size: Literal["agrees", "differs"]


class ReplicatedFigure(Record):
    """One figure of every leg in both runs, in `unit`; moved: leg -> value again over original.

    order, order_again: the legs, the cheapest first.
    """

    label: str
    unit: str
    outcome: Reproduction
    original: dict[str, float]
    again: dict[str, float]
    order: tuple[str, ...]
    order_again: tuple[str, ...]
    pairs: tuple[ReplicatedPair, ...]
    moved: dict[str, float]


class ForeignReplication(Record):
    """Two runs of one experiment."""

    outcome: Reproduction
    margin: float
    figures: tuple[ReplicatedFigure, ...]
    differences: tuple[Difference, ...]
    lacking: tuple[str, ...]
    notes: tuple[str, ...] = ()


Leg = tuple[str, Imported]
"""A name and the file of it."""


def replicate_foreign(
    original: Sequence[Leg],
    again: Sequence[Leg],
    *,
    margin: float = MARGIN,
    steps: Mapping[str, str] | None = None,
) -> ForeignReplication:
    """Ask of a second run whether it says what the first one said. steps: leg -> formula of a step.

    Raises: BundleError RM425 for fewer than two legs in common, or none of one figure; ValueError
        as `per_step`.
    """
    mine, theirs = dict(original), dict(again)
    names = [name for name in mine if name in theirs]
    if len(names) < 2:
        raise _too_few(mine, theirs)
    values = [_values(side, names, mine[names[0]], steps or {}) for side in (mine, theirs)]
    shared = [label for label in values[0] if label in values[1]]
    if not shared:
        raise _too_few(mine, theirs)
    figures = tuple(_figure(label, values[0][label], values[1][label], margin) for label in shared)
    differences = tuple(
        each for name in names for each in setting_differences(mine[name], theirs[name])
    )
    void = any(each.voids for each in differences)
    return ForeignReplication(
        outcome="not comparable" if void else _together([each.outcome for each in figures]),
        margin=margin,
        figures=figures,
        differences=differences,
        lacking=tuple(name for name in dict.fromkeys((*mine, *theirs)) if name not in names),
        notes=(*_steps("at first", original), *_steps("again", again)),
    )


def _steps(when: str, legs: Sequence[Leg]) -> Iterator[str]:
    """Yield each leg whose samples lie on two levels, which its median hides."""
    for name, file in legs:
        columns = (s for c in file.contents if isinstance(c, Series) for s in c.columns)
        for column in columns:
            if found := find_regimes(column.seconds[column.warm_up :]):
                at, size = found
                yield (
                    f"{name}, {when}: {column.label} steps by {100 * size:+.1f} % from sample "
                    f"{at + 1} on; its median is of one level, its mean of neither"
                )


def leg_name(file: Imported) -> str:
    """Return what a file calls its leg, "" where it does not say."""
    for content in file.contents:
        if isinstance(content, KernelTable) and content.name:
            return content.name
        if isinstance(content, Figures):
            return next(
                (content.settings[k] for k in ("leg", "label") if k in content.settings), ""
            )
    return ""


# --- values --------------------------------------------------------------------------------------
def _values(
    side: Mapping[str, Imported],
    names: Sequence[str],
    first: Imported,
    steps: Mapping[str, str],
) -> dict[tuple[str, str], dict[str, float]]:
    """Return (label, unit) -> leg -> value, of what every leg has."""
    legs = {name: _of_leg(side[name], first, steps.get(name)) for name in names}
    shared = [label for label in legs[names[0]] if all(label in legs[name] for name in names)]
    return {label: {name: legs[name][label] for name in names} for label in shared}


def _of_leg(file: Imported, first: Imported, step: str | None) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    table, reference = _table(file), _table(first)
    if table and step:
        found["one step", "s"] = per_step(table, step).seconds
    elif table and reference:
        many = steps_between(reference, table)
        found["all kernels, for as many steps as the first leg has", "s"] = table.total / many
    for content in file.contents:
        if isinstance(content, Figures):
            found |= {(f.label, f.unit): f.value for f in content.figures if f.value > 0}
        elif isinstance(content, Series):
            found |= {
                (f"{c.label}, median", "s"): median(c.seconds[c.warm_up :]) for c in content.columns
            }
    return found


def _table(file: Imported) -> KernelTable | None:
    tables = [c for c in file.contents if isinstance(c, KernelTable) and c.kind == "gpu" and c.rows]
    return tables[0] if len(tables) == 1 else None


# --- verdicts ------------------------------------------------------------------------------------
def _figure(
    what: tuple[str, str], original: dict[str, float], again: dict[str, float], margin: float
) -> ReplicatedFigure:
    label, unit = what
    costs = [_costs(side, unit) for side in (original, again)]
    pairs = tuple(_pair(a, b, costs, margin) for b, a in combinations(original, 2))
    order, order_again = (tuple(sorted(side, key=side.__getitem__)) for side in costs)
    return ReplicatedFigure(
        label=label,
        unit=unit,
        outcome=_together([each.outcome for each in pairs]),
        original=original,
        again=again,
        order=order,
        order_again=order_again,
        pairs=pairs,
        moved={name: again[name] / original[name] for name in original},
    )


def _costs(values: Mapping[str, float], unit: str) -> dict[str, float]:
    return {name: 1 / value if unit in _RATES else value for name, value in values.items()}


def _pair(
    leg: str, against: str, costs: Sequence[dict[str, float]], margin: float
) -> ReplicatedPair:
    was, now = (side[leg] / side[against] for side in costs)
    one, other = _direction(was, margin), _direction(now, margin)
    agrees = 1 / (1 + margin) <= now / was <= 1 + margin
    outcome: Reproduction = "reproduced"
    if one != other:
        outcome = "undecided" if agrees else "not reproduced"
    return ReplicatedPair(
        leg=leg,
        against=against,
        outcome=outcome,
        original=was,
        again=now,
        was=one,
        now=other,
        size="agrees" if agrees else "differs",
    )


def _direction(ratio: float, margin: float) -> Direction:
    if 1 / (1 + margin) <= ratio <= 1 + margin:
        return "same"
    return "slower" if ratio > 1 else "faster"


def _together(outcomes: Sequence[Reproduction]) -> Reproduction:
    """One contradiction is enough; one open question leaves the whole open."""
    order: tuple[Reproduction, ...] = ("not reproduced", "undecided", "reproduced")
    return next(each for each in order if each in outcomes)


def _too_few(mine: Mapping[str, Imported], theirs: Mapping[str, Imported]) -> BundleError:
    return BundleError(
        problem(
            "RM425",
            f"the runs do not share two legs with one figure: {', '.join(mine)}; "
            f"{', '.join(theirs)}",
            "--replicate",
            "Name each run's legs in one order: ORIGINAL1,ORIGINAL2 AGAIN1,AGAIN2.",
        )
    )
