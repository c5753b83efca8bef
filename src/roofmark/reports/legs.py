"""What is shown of engines beside their verdict: metrics, legs, kernel tables, the watchdog.

In: a verdict and its bundle. Out: tables of plain strings, unescaped, for every page alike; of a
study of kernels, none. Percentiles are of single requests or gaps, pooled, with how many there
were; everything with an interval comes from process sets, as the verdict does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from statistics import median

from msgspec import UnsetType

from roofmark.analysis.compare import Series, collect_series, estimate_time
from roofmark.analysis.leg_evidence import LegEvidence, collect_legs, unseen
from roofmark.analysis.leg_tables import (
    busy_per_token,
    compare_calls,
    formula_of,
    main_kind,
    quantile,
    rows_of,
    split_time,
    sum_per_token,
)
from roofmark.analysis.verdict import Verdict
from roofmark.bundle import Bundle
from roofmark.legs import Treatment
from roofmark.records import Missing
from roofmark.reports.wording import NOTHING, counted, one_line, percent, shorten
from roofmark.served import LegProfile, Likeness, Look, SmokeAnswer, Stay
from roofmark.study import Study, Tier
from roofmark.units import show

# Chosen: so many kernels make up all but a few percent of a decode step; the bundle has the rest.
_MOST_ROWS = 16
_LONGEST_NAME = 90
_METRICS = ("load", "leg", "tok/s", "all streams", "first token", "p99", "gap", "p99", "memory")
_LOOKS = (
    *("leg", "looks", "host memory", "least left", "device memory", "SM clock", "power"),
    *("temperature", "load"),
)


@dataclass(frozen=True, kw_only=True)
class LegTable:
    """A table with a title and a sentence above it."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def leg_tables(verdict: Verdict, bundle: Bundle) -> list[LegTable]:
    """Return what there is to show; nothing for a study of kernels."""
    study = bundle.study
    if isinstance(study.serving, UnsetType):
        return []
    legs = collect_legs(bundle)
    series = collect_series(study, bundle.traces())
    tables = [_metrics(study, series, legs), _legs(study, legs), *_kernels(study, legs)]
    return [*tables, *_calls(legs), _watchdog(legs)]


# --- metrics -------------------------------------------------------------------------------------
def _metrics(study: Study, series: dict[tuple[str, str], Series], legs: LegEvidence) -> LegTable:
    return LegTable(
        title="What each leg delivered",
        note="tok/s, median first token and median gap with the interval over process sets; p99 of "
        "single requests and gaps. Prefill of loads that generate nothing, decode of the others.",
        head=_METRICS,
        rows=tuple(_metric_row(study, each, legs) for each in series.values() if each.tiers),
    )


def _metric_row(study: Study, series: Series, legs: LegEvidence) -> tuple[str, ...]:
    place = (series.workload, series.solution)
    requests = [r for each in legs.served.get(place, ()) for v in each.visits for r in v.requests]
    firsts = [each.arrivals[0] - each.intended for each in requests if each.arrivals]
    gaps = [
        b - a for each in requests for a, b in zip(each.arrivals, each.arrivals[1:], strict=False)
    ]
    return (
        *place,
        _rate(study, series, "token"),
        _rate(study, series, "output"),
        _cost(study, series, "ttft", "s"),
        _p99(firsts),
        _cost(study, series, "itl", "s"),
        _p99(gaps),
        _cost(study, series, "memory", "B"),
    )


def _rate(study: Study, series: Series, tier: Tier) -> str:
    found = estimate_time(series, tier, study.protocol)
    if isinstance(found, Missing):
        return NOTHING
    return f"{1 / found.value:,.1f} [{1 / found.high:,.1f}, {1 / found.low:,.1f}]"


def _cost(study: Study, series: Series, tier: Tier, unit: str) -> str:
    found = estimate_time(series, tier, study.protocol)
    if isinstance(found, Missing):
        return NOTHING
    low, high = (show(value, unit) for value in (found.low, found.high))
    return f"{show(found.value, unit)} [{low}, {high}]"


def _p99(values: list[float]) -> str:
    return f"{show(quantile(values, 0.99), 's')} of {len(values):,}" if values else NOTHING


# --- legs ----------------------------------------------------------------------------------------
def _legs(study: Study, legs: LegEvidence) -> LegTable:
    return LegTable(
        title="What was seen of each leg",
        note="Variables as the leg's own processes hold them; logits against the baseline's.",
        head=("leg", "started", "ready after", "treatment", "smoke", "likeness", "ended"),
        rows=tuple(_leg_row(study, name, stays, legs) for name, stays in legs.stays.items()),
    )


def _leg_row(
    study: Study, name: str, stays: tuple[Stay, ...], legs: LegEvidence
) -> tuple[str, ...]:
    ready = [stay.ready for stay in stays if isinstance(stay.ready, float)]
    endings = dict.fromkeys(stay.ending for stay in stays)
    return (
        name,
        counted(len(stays), "time") if all(stay.fresh for stay in stays) else "found running",
        show(median(ready), "s") if ready else NOTHING,
        _treatment(study, name, legs),
        _smoke(stays),
        _likeness(stays),
        shorten(one_line("; ".join(endings)), 80),
    )


def _treatment(study: Study, name: str, legs: LegEvidence) -> str:
    solution = study.solution(name)
    if not isinstance(solution.treatment, Treatment):
        return "none declared"
    absent = unseen(solution.treatment, legs, name, solution.name)
    return shorten(one_line("; ".join(absent)), 120) if absent else "visible"


def _smoke(stays: tuple[Stay, ...]) -> str:
    answers = [stay.smoke for stay in stays if isinstance(stay.smoke, SmokeAnswer)]
    right = sum(answer.passed for answer in answers)
    return f"{right} of {len(answers)} right" if answers else NOTHING


def _likeness(stays: tuple[Stay, ...]) -> str:
    found = [stay.likeness for stay in stays if isinstance(stay.likeness, Likeness)]
    if not found:
        return NOTHING
    worst = max(found, key=lambda each: each.peak)
    at = [each.diverges for each in found if each.diverges >= 0]
    tokens = f"first differing token {min(at)}" if at else f"{worst.tokens} tokens alike"
    return f"max {worst.peak:.3g}, rms {worst.rms:.3g} of logits of rms {worst.scale:.3g}; {tokens}"


# --- kernel tables -------------------------------------------------------------------------------
def _kernels(study: Study, legs: LegEvidence) -> Iterator[LegTable]:
    for (workload, leg), profile in sorted(legs.tables.items()):
        if isinstance(profile, LegProfile):
            yield _kernel_table(f"{leg} on {workload}", profile, formula_of(study, leg))


def _kernel_table(where: str, profile: LegProfile, formula: str) -> LegTable:
    kind = main_kind(profile)
    table = rows_of(profile, kind)
    shown = table.rows[:_MOST_ROWS]
    share = sum(row.total for row in shown) / table.total if table.total else 0.0
    split = split_time(profile)
    noun = "kernels" if kind == "kernel" else "operators"
    facts = [
        f"{counted(profile.tokens, 'token')} under {profile.tool}, no timing evidence",
        f"{noun} {percent(split.kernels)}, copies {percent(split.copies)}, gaps "
        f"{percent(split.gaps)} of the pass",
        f"{show(busy_per_token(profile), 's')} of {noun} per token",
        f"these rows are {percent(share)} of it",
        *_per_token(profile, formula),
    ]
    return LegTable(
        title=f"Where the time goes: {where}",
        note="; ".join(facts) + ".",
        head=("name", "calls per token", "mean", "p50", "p95", "per token", "share"),
        rows=tuple(
            (
                shorten(one_line(row.name), _LONGEST_NAME),
                f"{row.calls / profile.tokens:g}",
                *(_time(value) for value in (row.mean, row.median, row.p95)),
                show(row.total / profile.tokens, "s"),
                percent(row.total / table.total),
            )
            for row in shown
        ),
    )


def _per_token(profile: LegProfile, formula: str) -> Iterable[str]:
    for what, count in (("launches", profile.launches), ("graph replays", profile.graph_launches)):
        if isinstance(count, int):
            yield f"{count / profile.tokens:g} {what} per token"
    if formula:
        found = sum_per_token(profile, formula)
        if isinstance(found, Missing):
            yield found.reason
        else:
            doubt = "" if found.agree else ", and its terms disagree about the number of tokens"
            told = formula if len(formula) <= _LONGEST_NAME else f"{len(found.terms)} terms"
            yield (
                f"{told} = {show(found.seconds, 's')} per token, coverage "
                f"{percent(found.coverage)}{doubt}"
            )


def _time(value: float | Missing) -> str:
    return NOTHING if isinstance(value, Missing) else show(value, "s")


def _calls(legs: LegEvidence) -> Iterator[LegTable]:
    """Per load, kernels whose calls per token differ between legs."""
    for workload in dict.fromkeys(at[0] for at in legs.tables):
        profiles = {
            at[1]: found
            for at, found in legs.tables.items()
            if at[0] == workload and isinstance(found, LegProfile)
        }
        rows = compare_calls(profiles) if len(profiles) > 1 else ()
        if rows:
            yield LegTable(
                title=f"Calls per token that differ between legs: {workload}",
                note="A kernel that one leg launches more often, or not at all.",
                head=("name", *profiles),
                rows=tuple(
                    (
                        shorten(one_line(row.name), _LONGEST_NAME),
                        *(f"{row.calls[leg]:g}" for leg in profiles),
                    )
                    for row in rows[: 2 * _MOST_ROWS]
                ),
            )


# --- the watchdog --------------------------------------------------------------------------------
def _watchdog(legs: LegEvidence) -> LegTable:
    looks = {
        name: list(chain.from_iterable(stay.looks for stay in stays))
        for name, stays in legs.stays.items()
    }
    return LegTable(
        title="Beside the run",
        note="From looks at the machine while each leg was up; every one is in the bundle.",
        head=_LOOKS,
        rows=tuple(_look_row(name, found) for name, found in looks.items() if found),
    )


def _look_row(name: str, looks: list[Look]) -> tuple[str, ...]:
    return (
        name,
        f"{len(looks):,}",
        show(max(look.host for look in looks), "B"),
        _span([look.available for look in looks], "B", least=True),
        _span([look.device for look in looks], "B", most=True),
        _span([look.sm_clock for look in looks], "Hz"),
        _span([look.power for look in looks], "W"),
        _span([look.temperature for look in looks], "°C"),
        _span([look.load for look in looks], ""),
    )


def _span(
    values: list[float | Missing] | list[int | Missing],
    unit: str,
    *,
    least: bool = False,
    most: bool = False,
) -> str:
    """Return "1.2 GHz to 1.9 GHz", or one end of it."""
    known = [value for value in values if not isinstance(value, Missing)]
    if not known:
        return NOTHING
    low, high = (_shown(value, unit) for value in (min(known), max(known)))
    return low if least else high if most or low == high else f"{low} to {high}"


def _shown(value: float, unit: str) -> str:
    return show(value, unit) if unit in ("B", "Hz") else f"{value:.1f} {unit}".strip()
