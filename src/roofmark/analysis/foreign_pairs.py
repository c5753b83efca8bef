"""Foreign pairs: two files of other tools side by side, row by row, without a verdict.

In: two `Imported` files of one kind, or one that holds several runs. Out: `ForeignCompared`: per
row the ratio B / A of what the files say, as `reported`: it has no interval, so it decides nothing.
Settings that change the question void a part, another estimator or number of calls a row.

Where a file holds the time of a reference that every run measured, that time is the canary: runs
between which it jumps were on different hosts, and are groups, not samples of one thing.
"""

import math
import re
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Literal

from msgspec import structs

from roofmark.analysis.foreign_hosts import (
    HOST_GAP,
    NAMES,
    HostGroup,
    canary,
    host_groups,
    mean_ratio,
    name_of,
)
from roofmark.analysis.kernel_sums import same_work, steps_between
from roofmark.analysis.rules.step import find_regimes
from roofmark.analysis.verdict import Difference
from roofmark.answers import Answers
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.foreign import Figures, Imported, KernelRow, KernelTable, Samples, Series
from roofmark.records import Missing, Record

# Chosen: the margin of a Protocol that names none.
MARGIN = 0.02
# Chosen: kernels of 1 % of the time and more are nearly all of it. Three or more of different kinds
# that move alike, within 5 %, have a cause that they share: the clock, the host, another device.
SMALL, FEWEST_ALIKE, ALIKE = 0.01, 3, 0.05
_UNSAID = "not stated"
# Source: thresholds as pins of engines name them -> the labels they are about, and whether those
# are rates, which get worse by falling.
_LIMITS = {
    "decode_regression_pct": (re.compile(r"(tg|decode)"), True),
    "prefill_regression_pct": (re.compile(r"(pp|prefill)"), True),
    "vram_increase_pct": (re.compile(r"(memory|vram)"), False),
}
# What makes two numbers answers to different questions. A method that one side leaves unsaid voids
# too: methods changed between pins before, and nobody wrote so.
_VOID = (
    "model", "architecture", "shape", "kv_cache", "gpu", "device", "hardware", "host", "hostname",
    "num_prompts", "request_rate", "max_concurrency", "n_prompt", "n_gen", "n_batch",
)  # fmt: skip
_VOID_UNSAID = ("methodology",)
_NO_SETTING = (
    *NAMES,
    "timestamp",
    "date",
    "log",
    "label",
    "_note",
    "note",
    "comment",
    "summary_md",
)


class ForeignRow(Record):
    """One figure in both files, in `unit`; ratio: B / A.

    why: it is not comparable, "" if it is. doubt: what one of the files leaves unsaid. limit: of
    the files' own thresholds, the one that B is beyond, "" if none.
    """

    label: str
    unit: str
    a: float
    b: float
    ratio: float
    why: str
    doubt: str
    limit: str = ""


class Together(Record, tag="together"):
    """Sums over the kernels that both tables hold; coverage: their part of each table's time.

    steps: how many steps B has for one of A; every ratio is per step. other_calls: how many kernels
    were called another number of times per step; other_share: their part of the sums, which are
    then of different work. whole: the ratio over all kernels of each table.
    uniform: the ratio of each kernel that takes time, where all of them moved by about the same.
    """

    kernels: int
    steps: float
    other_calls: int
    other_share: float
    a: float
    b: float
    ratio: float
    coverage_a: float
    coverage_b: float
    whole: float
    uniform: float | Missing


class ForeignPart(Record):
    """One table or set of figures in both files. only_a, only_b: rows that the other one lacks."""

    name: str
    differences: tuple[Difference, ...]
    rows: tuple[ForeignRow, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    together: Together | Missing

    @property
    def void(self) -> bool:
        """Whether a setting makes it not comparable."""
        return any(each.voids for each in self.differences)


class ForeignCompared(Record):
    """Two files; `reported`: ratios without an interval, which no decision follows from."""

    a: str
    b: str
    outcome: Literal["reported", "not comparable"]
    margin: float
    parts: tuple[ForeignPart, ...]
    groups: tuple[HostGroup, ...]
    notes: tuple[str, ...]


def compare_foreign(a: Imported, b: Imported, *, margin: float | None = None) -> ForeignCompared:
    """Set two files side by side, or (the same one twice) the runs and roles inside one.

    Raises: BundleError RM425 where they hold nothing of one kind.
    """
    parts = tuple(_against_own_baseline(a) if a is b else _parts(a, b))
    files = (a,) if a is b else (a, b)
    groups = tuple(host_groups(files))
    if not parts and not groups:
        raise _nothing_shared(a, b)
    void = len(groups) > 1 or (bool(parts) and all(part.void for part in parts))
    return ForeignCompared(
        a=a.source.name,
        b=b.source.name,
        outcome="not comparable" if void else "reported",
        margin=MARGIN if margin is None else margin,
        parts=parts,
        groups=groups,
        notes=tuple(f"{each.source.name}: {note}" for each in files for note in each.notes),
    )


def _nothing_shared(a: Imported, b: Imported) -> BundleError:
    if a is b:
        fact = (
            f"{a.source.name} ({a.source.format}) holds no runs with a reference of their own, and "
            "no baseline beside what it measured"
        )
        mend = (
            "Let every run measure a reference, too (its latency, or the speed-up over it): "
            "without one, nothing tells whether runs that differ were on different hosts."
        )
    else:
        fact = f"{a.source.format} and {b.source.format} hold nothing of one kind"
        mend = "Name two files of one kind: tables of kernels, figures of an engine, or timings."
    if any(isinstance(content, Answers) for content in (*a.contents, *b.contents)):
        mend = "`roofmark accuracy A B` compares answers, question by question."
    return BundleError(problem("RM425", fact, f"{a.source.name}, {b.source.name}", mend))


def _parts(a: Imported, b: Imported) -> Iterator[ForeignPart]:
    for kind in ("gpu", "copies", "api", "regions"):
        tables = [
            [c for c in f.contents if isinstance(c, KernelTable) and c.kind == kind] for f in (a, b)
        ]
        if len(tables[0]) == len(tables[1]):
            yield from (_kernels(kind, *pair) for pair in zip(*tables, strict=True))
    figures = [[c for c in f.contents if isinstance(c, Figures)] for f in (a, b)]
    # One set has no need of a name: it is compared with every one of the other file.
    alone = 1 in (len(figures[0]), len(figures[1]))
    for one in figures[0]:
        for two in figures[1]:
            if alone or name_of(one) == name_of(two):
                yield _figures(one, two)
    columns = [[s for c in f.contents if isinstance(c, Series) for s in c.columns] for f in (a, b)]
    if all(columns):
        medians = [
            {s.label: ("s", _regime(s), median(s.seconds[s.warm_up :])) for s in side}
            for side in columns
        ]
        yield _part("samples of one process", (), medians[0], medians[1])


def _regime(column: Samples) -> str:
    """Return how a column's time was taken; where its level steps, a median hides one of two."""
    found = find_regimes(column.seconds[column.warm_up :])
    if found is None:
        return "median"
    at, size = found
    return f"{_UNSAID} of which level: times step by {100 * size:+.1f} % from sample {at + 1} on"


def _part(
    name: str,
    differences: tuple[Difference, ...],
    a: dict[str, tuple[str, str, float]],
    b: dict[str, tuple[str, str, float]],
    *,
    together: Together | None = None,
) -> ForeignPart:
    """Pair rows by label; a, b: label -> unit, estimator (or number of calls), value."""
    rows: list[ForeignRow] = []
    for label in (each for each in a if each in b):
        (unit, how, mine), (their_unit, their_how, theirs) = a[label], b[label]
        other = "" if how == their_how else f"{how}, {their_how}"
        unsaid = any(each.startswith(_UNSAID) for each in (how, their_how))
        why = ("" if unsaid else other) if unit == their_unit else f"{unit}, {their_unit}"
        ratio = theirs / mine if mine > 0 else 0.0
        why = why if mine > 0 else "nothing to divide by"
        doubt = other if unsaid else ""
        rows.append(
            ForeignRow(label=label, unit=unit, a=mine, b=theirs, ratio=ratio, why=why, doubt=doubt)
        )
    return ForeignPart(
        name=name,
        differences=differences,
        rows=tuple(rows),
        only_a=tuple(each for each in a if each not in b),
        only_b=tuple(each for each in b if each not in a),
        together=together or Missing(reason="figures do not add up"),
    )


# --- tables of kernels ---------------------------------------------------------------------------
def _kernels(kind: str, a: KernelTable, b: KernelTable) -> ForeignPart:
    mine, theirs = ({row.name: row for row in table.rows} for table in (a, b))
    steps = steps_between(a, b)
    common = [name for name in mine if name in theirs]
    other = {n for n in common if not same_work(mine[n].calls, theirs[n].calls, steps)}
    sums = [math.fsum(side[n].total for n in common) for side in (mine, theirs)]
    of_other = math.fsum(side[n].total for n in other for side in (mine, theirs))
    together = Together(
        kernels=len(common),
        steps=steps,
        other_calls=len(other),
        other_share=of_other / sum(sums) if sum(sums) else 0.0,
        a=sums[0],
        b=sums[1],
        ratio=sums[1] / sums[0] / steps if sums[0] else 0.0,
        coverage_a=sums[0] / a.total if a.total else 0.0,
        coverage_b=sums[1] / b.total if b.total else 0.0,
        whole=b.total / a.total / steps if a.total else 0.0,
        uniform=_uniform([(mine[n], theirs[n]) for n in common if n not in other]),
    )
    rows = [
        {n: _per_call(row, named=n in other) for n, row in side.items() if row.calls}
        for side in (mine, theirs)
    ]
    return _part(f"{kind}: time per call", (), rows[0], rows[1], together=together)


def _per_call(row: KernelRow, *, named: bool) -> tuple[str, str, float]:
    """Return a row's time per call; how often it ran is named where that is other work."""
    return "s", f"{row.calls} calls" if named else "", row.total / row.calls


def _uniform(pairs: Sequence[tuple[KernelRow, KernelRow]]) -> float | Missing:
    """Return by what all kernels moved, where those that take nearly all time moved alike."""
    total = math.fsum(a.total for a, _ in pairs)
    ratios = [
        (b.total / b.calls) / (a.total / a.calls)
        for a, b in pairs
        if a.total > SMALL * total and a.calls and b.calls
    ]
    if len(ratios) < FEWEST_ALIKE:
        return Missing(reason="too few kernels take a part of the time")
    moved = min(ratios) > 1 + MARGIN or max(ratios) < 1 / (1 + MARGIN)
    if not moved or max(ratios) > min(ratios) * (1 + ALIKE):
        return Missing(reason="the kernels moved by different amounts, or not at all")
    return median(ratios)


# --- figures -------------------------------------------------------------------------------------
def _figures(a: Figures, b: Figures) -> ForeignPart:
    values = [{f.label: (f.unit, f.estimator, f.value) for f in side.figures} for side in (a, b)]
    named = [", ".join(name_of(each)) for each in (a, b)]
    name = named[0] if named[0] == named[1] else " against ".join(n or "all of it" for n in named)
    differences = (*_settings(a, b), *_canary_differs(a, b))
    part = _part(name or "figures", differences, values[0], values[1])
    limits = a.settings | b.settings
    rows = tuple(structs.replace(row, limit=_limit(row, limits)) for row in part.rows)
    return structs.replace(part, rows=rows)


def _against_own_baseline(file: Imported) -> Iterator[ForeignPart]:
    """Yield what a file measured against the baseline that it names itself."""
    figures = [c for c in file.contents if isinstance(c, Figures)]
    for pinned in (each for each in figures if each.settings.get("role") == "baseline"):
        for now in (each for each in figures if each.settings.get("role") == "measured"):
            if all(pinned.settings.get(n) == now.settings.get(n) for n in NAMES if n != "role"):
                yield _figures(pinned, now)


def _limit(row: ForeignRow, settings: dict[str, str]) -> str:
    """Return the threshold that a row is beyond: a rate that fell, an amount that rose."""
    for name, (labels, rate) in _LIMITS.items():
        limit = _number(settings.get(f"threshold {name}", ""))
        if not labels.match(row.label) or row.why or limit is None:
            continue
        worse = 1 - row.ratio if rate else row.ratio - 1
        if 100 * worse > limit:
            return f"beyond the file's own {name}, {limit:g} %"
    return ""


def _number(text: str) -> float | None:
    """Return a setting that is a number."""
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) else None


def _settings(a: Figures, b: Figures) -> Iterator[Difference]:
    for name in dict.fromkeys((*a.settings, *b.settings)):
        mine, theirs = a.settings.get(name, _UNSAID), b.settings.get(name, _UNSAID)
        same = _setting(name, mine) == _setting(name, theirs)
        if same or name in _NO_SETTING or name.startswith("threshold"):
            continue
        said = name in a.settings and name in b.settings
        voids = name in _VOID_UNSAID or (said and name.rpartition(".")[2].lower() in _VOID)
        mend = f"Measure both with one {name}." if voids else ""
        yield Difference(field=name, original=mine, again=theirs, voids=voids, mend=mend)


def setting_differences(a: Imported, b: Imported) -> Iterator[Difference]:
    """Yield in which settings the first figures of two files differ."""
    sides = [[c for c in file.contents if isinstance(c, Figures)] for file in (a, b)]
    if all(sides):
        yield from (
            *_settings(sides[0][0], sides[1][0]),
            *_canary_differs(sides[0][0], sides[1][0]),
        )


def _setting(name: str, value: str) -> str:
    """Return a setting as it is compared: a model's file is one model in whichever folder."""
    if name != "model":
        return value
    return (value.rpartition("/")[2] if value.startswith("/") else value).partition(" (")[0]


def _canary_differs(a: Figures, b: Figures) -> Iterator[Difference]:
    mine, theirs = canary(a), canary(b)
    moved = mean_ratio(mine, theirs)
    if mine and theirs and not 1 / HOST_GAP < moved < HOST_GAP:
        yield Difference(
            field="host",
            original="the reference's own latency",
            again=f"{moved:.2f} times that",
            voids=True,
            mend="Measure both on one host; what is additive cancels in no ratio.",
        )
