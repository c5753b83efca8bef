"""Measure the claims that roofmark makes about its own verdicts, and print them as a table.

    python benchmarks/statistics.py [--studies 2000]           simulated noise, known truth
    python benchmarks/statistics.py --bundles DIR [DIR ...]    recorded A/A noise, resampled

Simulated: every study goes through the real stopping rule (a look after each process, from the
fewest to the most) and ends with the decision that the verdict would give.
Recorded: the baseline and its twin are the same program, so every process of a bundle is one draw
of what equal programs differ by; studies are drawn from those with random signs.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Python puts this folder first, where this very file would hide the standard library's statistics.
sys.path[:1] = [
    str(ROOT / "src"),
    str(ROOT / "tests/statistics"),
    str(ROOT / "tests/unit/analysis"),
]

import argparse  # noqa: E402
import math  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402

import numpy as np  # noqa: E402
from noise import MODELS, ONE_SIDED, REALISTIC, SECONDS, iid, simulate  # noqa: E402
from replay import blurs_of, covers_at_every_look, ratios_of, replay  # noqa: E402
from sample import (  # noqa: E402
    BUILD,
    make_build,
    make_environment,
    make_run,
    make_study,
)
from test_replay import traces_of  # noqa: E402

from roofmark.analysis.compare import collect_series, tier_that_decides, twin_pairs  # noqa: E402
from roofmark.analysis.judge import judge_traces  # noqa: E402
from roofmark.analysis.rules.bimodal import separation  # noqa: E402
from roofmark.analysis.stats import split_in_two  # noqa: E402
from roofmark.bundle import open_bundle  # noqa: E402
from roofmark.study import Protocol  # noqa: E402

SLOW = 1 / 1.05
FAMILY = 5
FALSE_ALARM, POWER, COVERAGE = 0.01, 0.95, 0.95


class Table:
    """Prints rows as they come and remembers whether a claim failed."""

    failed = 0

    def row(self, name, claim, value, holds, more=""):
        self.failed += not holds
        print(f"{'ok  ' if holds else 'FAIL'} {name:34s} {claim:28s} {100 * value:7.2f} %  {more}")


def share(outcomes, *zones):
    return sum(any(c.decision in zones for c in study) for study in outcomes) / len(outcomes)


def length(outcomes):
    cells = [cell.processes for study in outcomes for cell in study]
    return f"{sum(cells) / len(cells):.1f} processes"


def measure_false_alarms(table, studies, protocol):
    print(f"\nEqual programs called faster or slower ({studies} studies each; at most 1 %)")
    for name, model in MODELS.items():
        outcomes = replay(ratios_of(simulate(model, studies=studies, seed=1)), protocol)
        false = share(outcomes, "faster", "slower")
        more = f"same {100 * share(outcomes, 'same'):5.1f} %, {length(outcomes)}"
        table.row(name, "one cell", false, false <= FALSE_ALARM, more)
    for name, model in MODELS.items():
        ratios = np.concatenate(
            [ratios_of(simulate(model, studies=studies, seed=100 + part)) for part in range(FAMILY)]
        )
        false = share(replay(ratios, protocol, cells=FAMILY), "faster", "slower")
        table.row(name, f"any of {FAMILY} cells", false, false <= FALSE_ALARM)


def measure_power(table, studies, protocol):
    print("\nA slow-down of 5 % found as slower (at least 95 % where process sd <= 1 %)")
    for name, model in MODELS.items():
        ratios = ratios_of(simulate(model, studies=studies, ratio=SLOW, seed=2))
        outcomes = replay(ratios, protocol)
        found = share(outcomes, "slower")
        claimed = name in REALISTIC
        claim = "found" if claimed else "found (no claim)"
        table.row(name, claim, found, found >= POWER or not claimed, length(outcomes))


def measure_coverage(table, studies, protocol):
    print("\nIntervals that hold the truth: when the run stops, and at every look at once")
    # A measured share scatters: a claim fails when it is missed by more than two standard errors.
    least = COVERAGE - 2 * math.sqrt(COVERAGE * (1 - COVERAGE) / studies)
    for name, model in (MODELS | ONE_SIDED).items():
        ratios = ratios_of(simulate(model, studies=studies, ratio=1.3, seed=3))
        outcomes = replay(ratios, protocol)
        truth = math.log(1.3)
        stop = sum(o.low <= truth <= o.high for (o,) in outcomes) / studies
        every = float(np.mean(covers_at_every_look(ratios, protocol, truth)))
        holds = min(stop, every) >= least
        table.row(name, "covered at the stop", stop, holds, f"at every look {100 * every:6.2f} %")


def measure_one_sided(studies):
    print("\nOnly the solution has two modes, its mean equals the baseline's (no claim: nothing")
    print("shows the other mode when all processes land in one; fewest processes 4 and 6)")
    for name, model in ONE_SIDED.items():
        for fewest in (4, 6):
            protocol = Protocol(processes=(fewest, 12))
            outcomes = replay(ratios_of(simulate(model, studies=studies, seed=4)), protocol)
            false = share(outcomes, "faster", "slower")
            cover = sum(o.low <= 0 <= o.high for (o,) in outcomes) / studies
            print(
                f"     {name:34s} fewest {fewest}: called faster or slower {100 * false:5.2f} %, "
                f"covered {100 * cover:.2f} %"
            )


def measure_floor(studies):
    print("\nWhat the twin's floor is for: equal bimodal programs called faster or slower")
    for name in ("bimodal processes 2.5 %", "bimodal processes 5 %", "bimodal processes 10 %"):
        ratios = ratios_of(simulate(MODELS[name], studies=studies, seed=1))
        blind = ratios.copy()
        blind[:, 1] = 0.0
        for fewest in (4, 6):
            protocol = Protocol(processes=(fewest, 12))
            with_floor, without = (
                100 * share(replay(each, protocol), "faster", "slower") for each in (ratios, blind)
            )
            print(
                f"     {name:34s} fewest {fewest}: with {with_floor:.2f} %, without {without:.2f} %"
            )


def measure_clock(table, studies, protocol):
    print("\nA coarse clock (true ratio 1.01, any phase; never faster or slower, covered)")
    for tick in (0.001, 0.005, 0.01, 0.02, 0.05):
        for noise in (0.01, 0.25, 0.5, 1.0):

            def model(rng, shape, sd=noise * tick):
                return iid(rng, shape, sd) + rng.uniform(-0.1, 0.1, (shape[0], 1, 1, 1, 1))

            times = simulate(model, studies=studies, ratio=1.01, tick=tick * SECONDS, seed=5)
            blurs = blurs_of(times, tick * SECONDS)
            outcomes = replay(ratios_of(times), protocol, blurs=blurs)
            false = share(outcomes, "faster", "slower")
            cover = sum(o.low <= math.log(1.01) <= o.high for (o,) in outcomes) / studies
            table.row(
                f"tick {100 * tick:g} % of the time",
                f"noise {noise:g} ticks, covered",
                cover,
                cover >= COVERAGE and false <= FALSE_ALARM,
                f"false {100 * false:.2f} %, same {100 * share(outcomes, 'same'):.0f} %",
            )


def measure_health(studies):
    print("\nHealth findings that move a cell of the solution (8 processes; full judge)")
    study = make_study()
    for name, model in MODELS.items():
        fired: Counter[str] = Counter()
        for times in simulate(model, studies=studies, seed=6, design=(8, 4, 8)):
            verdict = judge_traces(
                study,
                make_environment(),
                make_run(),
                traces_of(study, times[None], [8]),
                {BUILD: make_build("x")},
                digest="0" * 64,
            )
            fired.update(verdict.cells[0].codes)
        told = ", ".join(f"{code} {100 * n / studies:.1f} %" for code, n in sorted(fired.items()))
        print(f"     {name:34s} {told or 'none'}")


def measure_groups(table, studies):
    print("\nProcesses of one kind that pass for two groups (RM306; at most 2 in 10,000)")
    rng = np.random.default_rng(8)
    for n in range(6, 13):
        for name, draw in (
            ("normal", rng.standard_normal),
            ("t3", lambda size: rng.standard_t(3, size)),
        ):
            splits = [split_in_two(row) for row in draw((studies, n)).tolist()]
            share = sum(gap > separation(n) * scatter for gap, scatter, _ in splits) / studies
            table.row(f"{name}, {n} processes", "pass for two groups", share, share <= 2e-4)


# --- recorded noise ------------------------------------------------------------------------------
def recorded(path):
    """Return the block log ratios of baseline and twin, one list of processes per workload."""
    bundle = open_bundle(path)
    study, run = bundle.study, bundle.run
    series = collect_series(study, bundle.traces())
    tier = tier_that_decides(study.protocol, run.device)
    found = (twin_pairs(series, w.id, study, tier, 0.0) for w in study.workloads)
    return study.protocol, [list(pairs.ratios.values()) for pairs in found if pairs]


def resample(processes, *, studies, most, ratio, seed):
    """Draw studies: each process is a recorded one with a random sign, the twin another."""
    rng = np.random.default_rng(seed)
    shift = math.log(ratio)
    draw = rng.integers(0, len(processes), (studies, 2, most))
    sign = rng.choice((-1, 1), (studies, 2, most))
    return [
        [
            [
                [s * value + (shift if kind == 0 else 0) for value in processes[d]]
                for d, s in zip(draw[i, kind], sign[i, kind], strict=True)
            ]
            for kind in (0, 1)
        ]
        for i in range(studies)
    ]


def measure_bundles(table, folders, studies):
    for folder in folders:
        for manifest in sorted(Path(folder).rglob("manifest.json")):
            protocol, workloads = recorded(manifest.parent)
            print(f"\n{manifest.parent.name}: {len(workloads)} workloads with a twin")
            for ratio, claim, zones in (
                (1.0, "equal, called otherwise", ("faster", "slower")),
                (SLOW, "5 % slower, found", ("slower",)),
            ):
                each = max(20, studies // max(1, len(workloads)))
                drawn = [
                    study
                    for seed, processes in enumerate(workloads)
                    for study in resample(
                        processes, studies=each, most=protocol.processes[1], ratio=ratio, seed=seed
                    )
                ]
                if not drawn:
                    continue
                outcomes = replay(drawn, protocol)
                value = share(outcomes, *zones)
                holds = value <= FALSE_ALARM if ratio == 1.0 else value >= POWER
                table.row(manifest.parent.name[:34], claim, value, holds, length(outcomes))


def main():
    """Parse, measure, and exit with 1 when a claim failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--bundles", nargs="*", default=[])
    options = parser.parse_args()
    table, start, protocol = Table(), time.perf_counter(), Protocol()
    if options.bundles:
        measure_bundles(table, options.bundles, options.studies)
    else:
        measure_false_alarms(table, options.studies, protocol)
        measure_power(table, options.studies, protocol)
        measure_coverage(table, options.studies, protocol)
        measure_one_sided(options.studies)
        measure_floor(options.studies)
        measure_clock(table, max(100, options.studies // 4), protocol)
        measure_groups(table, 20 * options.studies)
        measure_health(max(50, options.studies // 10))
    print(f"\n{table.failed} claims failed; {time.perf_counter() - start:.0f} s")
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
