"""Study tables: what the READMEs of the studies show, made from the evidence.

In: nothing but the bundles under evidence/. Out: `TABLES`, the name in a README's marker to the
function that returns its Markdown. Ratios carry 95 % intervals, paired by process and
block as the judge pairs them.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from statistics import geometric_mean, median
from typing import TypeVar

import roofmark as rm
from roofmark.analysis.compare import Series, collect_series, estimate_ratio, pair
from roofmark.analysis.leg_tables import (
    busy_per_token,
    formula_of,
    main_kind,
    rows_of,
    sum_per_token,
)
from roofmark.analysis.roofline import ceilings_for, copy_seconds
from roofmark.analysis.verdict import Cell, Estimate, Overall, Verdict
from roofmark.bundle import open_bundle
from roofmark.loading import load_study
from roofmark.records import Missing
from roofmark.served import LegProfile
from roofmark.study import Protocol, Tier
from roofmark.units import show

EVIDENCE = Path(__file__).resolve().parents[1] / "evidence"
ENGINES = EVIDENCE.with_name("studies") / "decode_engine_8b"
TIERS: tuple[Tier, ...] = ("graph", "kernel", "call")
W4A16, HOST = "2026-11-30-w4a16-gemm-h200", "2026-11-21-w4a16-gemm-call-tier-h200"
TRITON = "2026-11-21-w4a16-gemm-h200"  # the wrapper on every tier
NVFP4_STREAM = "2026-11-30-nvfp4-wo-stream-h200"
GDN = "2026-11-30-gdn-decode-h200"
GDN_NOW = "2026-11-30-gdn-decode-fleet-h200"  # the present launch
LEGS = "2026-11-30-decode-engine-8b-legs-h200"
NVFP4, LAUNCHES = "2026-11-21-nvfp4-wo-h200", "2026-11-21-launch-overhead-h200"

Known = TypeVar("Known")


def known(value: Known | Missing) -> Known:
    """Return what the evidence has. Raises: ValueError with the reason why it has not."""
    if isinstance(value, Missing):
        raise ValueError(f"a table needs what its bundle has not: {value.reason}")
    return value


@cache
def judged(bundle: str) -> Verdict:
    """Return the verdict of one bundle of the evidence."""
    return rm.judge(EVIDENCE / bundle)


@cache
def cells(bundle: str) -> dict[tuple[str, str], Cell]:
    """Return the verdict's cells by workload and solution."""
    return {(each.workload, each.solution): each for each in judged(bundle).cells}


@cache
def samples(bundle: str) -> tuple[Protocol, dict[tuple[str, str], Series]]:
    """Return what was measured on every tier, by workload and solution."""
    opened = open_bundle(EVIDENCE / bundle)
    return opened.study.protocol, collect_series(opened.study, opened.traces())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def ratio(found: Estimate | Missing) -> str:
    """Return a ratio and its interval with about three figures. Raises: ValueError if missing."""
    estimate = known(found)
    digits = 2 if estimate.value >= 1.05 else 3 if estimate.value >= 0.0995 else 4
    value, low, high = (f"{x:.{digits}f}" for x in (estimate.value, estimate.low, estimate.high))
    return f"{value}x ({low}-{high})"


def time_of(bundle: str, workload: str, solution: str, tier: Tier) -> str:
    """Return the geometric mean of the processes' medians."""
    return show(geometric_mean(samples(bundle)[1][workload, solution].process_medians(tier)), "s")


def paired(bundle: str, workload: str, sides: tuple[str, str], tier: Tier) -> str:
    """Return the second solution's speed-up over the first, paired by process and block."""
    protocol, series = samples(bundle)
    pairs = pair(series[workload, sides[0]], series[workload, sides[1]], tier)
    return ratio(estimate_ratio(list(pairs.ratios.values()), protocol))


def w4a16_workloads() -> str:
    """One row for each workload: library, cuda, and how far each is from the int4 bytes."""
    rows = []
    for (workload, name), own in cells(W4A16).items():
        if name != "cuda":
            continue
        rows.append(
            [
                workload,
                show(known(own.baseline_time).value, "s"),
                show(known(own.time).value, "s"),
                ratio(own.speedup),
                own.decision,
                f"{known(own.baseline_time).value / known(own.roof).floor:.1f}x",
                f"{known(own.roof).headroom:.2f}x",
            ]
        )
    head = "workload, library, cuda, cuda against library, verdict, library over floor"
    return table([*head.split(", "), "cuda over floor"], rows)


def w4a16_tiers() -> str:
    """The wrapper on every tier, beside the kernel that it wraps."""
    rows = [
        [
            workload,
            tier,
            *(
                time_of(TRITON, workload, name, tier)
                for name in ("library", "triton", "host_heavy")
            ),
            paired(TRITON, workload, ("triton", "host_heavy"), tier),
        ]
        for workload in ("8b-b1", "70b-tp2-b1")
        for tier in TIERS
    ]
    head = ["workload", "tier", "library", "triton", "host_heavy", "host_heavy against triton"]
    return table(head, rows)


def w4a16_host() -> str:
    """What a caller without a graph sees: the bundle whose deciding tier is `call`."""
    rows = [
        [
            workload,
            name,
            show(known(own.baseline_time).value, "s"),
            show(known(own.time).value, "s"),
            ratio(own.speedup),
            known(own.bound).kind,
            own.decision,
        ]
        for (workload, name), own in cells(HOST).items()
        if not name.endswith("~twin")
    ]
    return table(
        ["workload", "solution", "library", "time", "against library", "bound", "verdict"], rows
    )


def launch_tiers() -> str:
    """Every solution on every tier, and the two contrasts."""
    names = ("separate", "packed", "workspace_kept", "workspace_fresh")
    rows = [
        [
            workload,
            tier,
            *(time_of(LAUNCHES, workload, name, tier) for name in names),
            paired(LAUNCHES, workload, ("separate", "packed"), tier),
            paired(LAUNCHES, workload, ("workspace_fresh", "workspace_kept"), tier),
        ]
        for workload in ("D2048", "D5120")
        for tier in TIERS
    ]
    return table(["workload", "tier", *names, "packing", "workspace kept"], rows)


def nvfp4_solutions() -> str:
    """The audit's bundle: one row for each solution."""
    return nvfp4_rows(NVFP4)


def nvfp4_streaming() -> str:
    """The present streaming kernel's bundle, likewise."""
    return nvfp4_rows(NVFP4_STREAM)


def nvfp4_rows(bundle: str) -> str:
    """One row for each solution of one bundle."""
    rows = [
        [
            name,
            show(known(own.time).value, "s"),
            ratio(own.speedup),
            f"{known(own.roof).headroom:.1f}x",
            own.decision,
        ]
        for (_, name), own in cells(bundle).items()
    ]
    return table(["solution", "time", "against torch", "over floor", "verdict"], rows)


def nvfp4_contrasts() -> str:
    """One row for each contrast, with what differs."""
    rows = [
        [
            each.name,
            f"{each.of} against {each.against}",
            "; ".join(each.changed) + (" (confounded)" if each.confounded else ""),
            ratio(each.speedup),
            each.decision,
        ]
        for each in judged(NVFP4).contrasts
    ]
    return table(["contrast", "of", "differs", "ratio", "verdict"], rows)


def engine_legs() -> str:
    """One row for each leg of both runs: what its kernel table has, and its measured decode."""
    rows = []
    for name, bundle in (("first", LEGS), ("again", f"{LEGS}-again")):
        for each in open_bundle(EVIDENCE / bundle).tables():
            profile = each.outcome
            if not isinstance(profile, LegProfile):
                raise ValueError(f"{each.solution} has no table in {bundle}")
            rows.append([name, each.solution, *leg_row(bundle, each.solution, profile)])
    head = (
        "run, leg, launches, kernels, kernels' time, by formula, covered, of the measured, decode, "
        "over graphs"
    )
    return table([*head.split(", "), "verdict"], rows)


def leg_row(bundle: str, leg: str, profile: LegProfile) -> list[str]:
    """Return one leg's figures per token of tg128, and how it compares with the baseline."""
    kernels = sum(row.calls for row in rows_of(profile, main_kind(profile)).rows)
    busy = busy_per_token(profile)
    summed = known(sum_per_token(profile, formula_of(load_study(ENGINES).study, leg)))
    own = cells(bundle).get(("tg128", leg))
    time = known(own.time if own else cells(bundle)["tg128", "static"].baseline_time).value
    return [
        f"{profile.launches / profile.tokens:.0f}",
        f"{kernels / profile.tokens:.0f}",
        show(busy, "s"),
        show(summed.seconds, "s"),
        f"{100 * summed.coverage:.1f} %",
        f"{100 * busy / time:.0f} %",
        f"{1 / time:.1f} tok/s",
        ratio(own.speedup) if own else "",
        own.decision if own else "baseline",
    ]


def gdn_near_copy() -> str:
    """One row for each batch size: our kernel beside a copy of the same bytes and beside FLA."""
    ceilings = ceilings_for(open_bundle(EVIDENCE / GDN_NOW).environment)
    protocol, series = samples(GDN_NOW)
    rows = []
    for batch in (1, 4, 8, 16, 32, 48, 64):
        own = {w: c for (w, name), c in cells(GDN_NOW).items() if name == "cuda" and of(w, batch)}
        copy = known(copy_seconds(known(own[f"B{batch}"].roof).traffic, ceilings))
        time = median(known(each.time).value for each in own.values())
        against = [
            estimate_ratio(
                list(pair(series[w, "fla"], series[w, "cuda"], "graph").ratios.values()), protocol
            )
            for w in own
        ]
        ratios = [known(each).value for each in against]
        rows.append(
            [
                str(batch),
                show(time, "s"),
                show(copy, "s"),
                f"{time / copy:.2f}x",
                show(median(known(cells(GDN_NOW)[w, "fla"].time).value for w in own), "s"),
                f"{geometric_mean(ratios):.3f}x ({min(ratios):.3f}-{max(ratios):.3f})",
            ]
        )
    head = "B, cuda, copy of the same bytes, cuda over copy, FLA, cuda against FLA"
    return table(head.split(", "), rows)


def of(workload: str, batch: int) -> bool:
    """Whether a workload of gdn_decode has this batch size."""
    return workload.split("-")[0] == f"B{batch}"


def all_studies() -> str:
    """One row for each bundle: its fastest and its slowest solution, and the baseline's twin."""
    rows = []
    for folder in sorted(each.parent for each in EVIDENCE.glob("*/manifest.json")):
        verdict = judged(folder.name)
        ranked = sorted(
            (each for each in verdict.overall if each.role == "solution"),
            key=speed,
        )
        twin = next(each for each in verdict.overall if each.role == "twin")
        link = f"[{folder.name}](../evidence/{folder.name})"
        ends = [f"{each.solution} {ratio(each.speedup)}: {fell(each)}" for each in ranked[::-1]]
        rows.append([link, verdict.tier, verdict.baseline, ends[0], ends[-1], fell(twin)])
    return table(["bundle", "tier", "baseline", "fastest", "slowest", "twin"], rows)


def speed(overall: Overall) -> float:
    """Return one solution's speed-up over all workloads."""
    return known(overall.speedup).value


def fell(overall: Overall) -> str:
    """Return how one solution's workloads were decided."""
    return ", ".join(f"{count} {name}" for name, count in overall.counts.items() if count)


TABLES: dict[str, Callable[[], str]] = {
    "decode-engine-8b-legs": engine_legs,
    "gdn-decode-near-copy": gdn_near_copy,
    "w4a16-gemm-workloads": w4a16_workloads,
    "w4a16-gemm-tiers": w4a16_tiers,
    "w4a16-gemm-call-tier": w4a16_host,
    "launch-overhead-tiers": launch_tiers,
    "nvfp4-wo-solutions": nvfp4_solutions,
    "nvfp4-wo-streaming": nvfp4_streaming,
    "nvfp4-wo-contrasts": nvfp4_contrasts,
    "studies": all_studies,
}
