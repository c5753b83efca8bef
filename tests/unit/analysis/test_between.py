"""Two sides of runs: what may be compared, what decides, and what a run adds by itself."""

import random

import pytest
from msgspec import structs
from sample import make_environment
from small import write_bundle

from roofmark.analysis.between import BETWEEN_HOSTS, BETWEEN_RUNS, compare_sides
from roofmark.analysis.effects import assume_effect, interval_of, measure_effect
from roofmark.analysis.summaries import Level, RunSummary, host_of, summarise_bundle
from roofmark.bundle import open_bundle
from roofmark.records import Missing, decode, encode


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Six runs of one solution: three at a speed-up of 2.0, then three at 2.2."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        summarise_bundle(
            open_bundle(write_bundle(folder / str(i), {"fast": 2.0 if i < 3 else 2.2}, seed=i))
        )
        for i in range(6)
    ]


def moved(run, *, time=0.0, gain=0.0, solution="fast", **changes):
    """Return a run whose solution is slower by `time` and has `gain` more speed-up, in logs."""

    def shift(cell):
        log_gain = cell.log_gain
        if not isinstance(log_gain, Missing):
            log_gain = structs.replace(log_gain, mean=log_gain.mean + gain)
        log_time = structs.replace(cell.log_time, mean=cell.log_time.mean + time)
        return structs.replace(cell, log_time=log_time, log_gain=log_gain)

    held = run.solutions[solution]
    held = structs.replace(
        held,
        overall=shift(held.overall),
        workloads={name: shift(cell) for name, cell in held.workloads.items()},
    )
    return structs.replace(run, solutions=run.solutions | {solution: held}, **changes)


def only(found):
    return found.overall[0]


def test_a_summary_is_a_record_and_says_what_the_bundle_says(runs):
    assert decode(encode(runs[0]), RunSummary, where="summary") == runs[0]
    cell = runs[0].solutions["fast"].workloads["n1"]
    assert cell.speedup.value == pytest.approx(2.0, rel=0.02)
    assert runs[0].solutions["base"].workloads["n1"].time.value == pytest.approx(2e-5, rel=0.02)


def test_ten_percent_is_seen_by_single_runs_and_two_percent_is_not(runs):
    ten = compare_sides(runs[:1], runs[3:4])
    assert (ten.outcome, ten.spread, ten.assumed_at) == ("faster", "assumed", BETWEEN_RUNS)
    assert only(ten).times.value == pytest.approx(1.1, rel=0.01)
    assert only(ten).speedups.value == pytest.approx(1.1, rel=0.01)
    assert compare_sides(runs[3:4], runs[:1]).outcome == "slower"
    assert compare_sides(runs[:1], runs[1:2]).outcome == "undecided"


def test_several_runs_per_side_measure_what_a_run_adds(runs):
    found = compare_sides(runs[:3], runs[3:])
    assert (found.outcome, found.spread, found.unit) == ("faster", "measured", "run")
    single = only(compare_sides(runs[:1], runs[3:4])).times
    assert only(found).times.high - only(found).times.low < (single.high - single.low) / 4
    assert compare_sides(runs[:2], runs[1:3]).outcome == "same"


def test_runs_that_differ_more_than_their_processes_widen_the_interval(runs):
    steady = only(compare_sides(runs[:3], runs[3:])).times
    restless = [moved(r, time=t, gain=-t) for r, t in zip(runs[:3], (-0.05, 0, 0.05), strict=True)]
    wide = compare_sides(restless, runs[3:])
    assert only(wide).times.high - only(wide).times.low > 5 * (steady.high - steady.low)
    assert wide.outcome == "undecided"


def test_six_runs_on_two_hosts_are_two_samples(runs):
    """Three per side look like six; a host of its own for each side makes them one and one."""
    there = [structs.replace(run, host="other") for run in runs[3:]]
    found = compare_sides(runs[:3], there)
    assert (found.unit, found.spread, found.assumed_at) == ("host", "assumed", BETWEEN_HOSTS)
    assert only(found).times.n == 2
    assert found.outcome == "undecided"


def test_a_slow_host_that_makes_speedups_larger_decides_nothing(runs):
    """Times +35 %, speed-ups +25 %: the case of a baseline that waits for its host."""
    slow = moved(runs[1], time=0.30, gain=0.22)
    found = compare_sides(runs[:1], [slow])
    assert found.outcome == "undecided"
    assert only(found).why == "times say slower, speed-ups say faster"


def test_a_changed_baseline_leaves_times_alone_to_decide(runs):
    base = structs.replace(runs[3].solutions["base"], sources="f" * 64)
    other = structs.replace(runs[3], solutions=runs[3].solutions | {"base": base})
    found = compare_sides(runs[:1], [other])
    assert found.changed == ("base",)
    assert isinstance(only(found).speedups, Missing)
    assert (found.outcome, only(found).why[:13]) == ("faster", "by time alone")


def held_with(run, name, **changes):
    solutions = run.solutions | {name: structs.replace(run.solutions[name], **changes)}
    return structs.replace(run, solutions=solutions)


def test_other_sources_that_build_to_the_same_binary_are_told(runs):
    a = held_with(runs[0], "fast", binary="b" * 64)
    b = held_with(runs[3], "fast", binary="b" * 64, sources="f" * 64)
    assert compare_sides([a], [b]).same_binary == ("fast",)
    assert compare_sides([a], [held_with(b, "fast", binary="c" * 64)]).same_binary == ()
    unknown = [held_with(r, "fast", binary=Missing(reason="Python")) for r in (a, b)]
    assert compare_sides(unknown[:1], unknown[1:]).same_binary == ()


def test_a_solution_of_one_side_is_named_and_the_others_compared(runs):
    extra = structs.replace(
        runs[3], solutions=runs[3].solutions | {"new": runs[3].solutions["fast"]}
    )
    found = compare_sides(runs[:1], [extra])
    assert [(d.field, d.again, d.voids) for d in found.differences] == [("solutions", "new", False)]
    assert [c.solution for c in found.overall] == ["fast"]


def test_findings_in_a_run_take_the_decision_back(runs):
    held = runs[3].solutions["fast"]
    held = structs.replace(held, overall=structs.replace(held.overall, codes=("RM301",)))
    found = compare_sides(
        runs[:1], [structs.replace(runs[3], solutions=runs[3].solutions | {"fast": held})]
    )
    assert (found.outcome, only(found).codes) == ("undecided", ("RM301",))


def conditions(run, **changes):
    return structs.replace(run, conditions=structs.replace(run.conditions, **changes))


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("tier", lambda c: {"question": c.question | {"tier": "call"}}),
        ("cache", lambda c: {"question": c.question | {"cache": "warm"}}),
        ("gpu.name", lambda c: {"model": c.model | {"gpu.name": "Other GPU"}}),
        ("definition", lambda c: {"definition": "f" * 64}),
        ("files.reference.py", lambda c: {"files": c.files | {"reference.py": "f" * 64}}),
        ("workloads", lambda c: {"workloads": ("n9",)}),
    ],
)
def test_what_changes_the_question_is_not_comparable_and_says_how_to_mend_it(runs, field, changes):
    other = conditions(runs[3], **changes(runs[3].conditions))
    found = compare_sides(runs[:1], [other])
    assert (found.outcome, found.overall, found.cells) == ("not comparable", (), ())
    assert [(d.field, bool(d.mend)) for d in found.differences if d.voids] == [(field, True)]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("files.fast.py", lambda c: {"files": c.files | {"fast.py": "f" * 64}}),
        ("gpu.driver", lambda c: {"circumstances": c.circumstances | {"gpu.driver": "590"}}),
        ("margin", lambda c: {"question": c.question | {"margin": "0.05"}}),
        ("study", lambda c: {"question": c.question | {"study": "another title"}}),
    ],
)
def test_what_two_commits_may_differ_in_is_named_and_compared(runs, field, changes):
    other = conditions(runs[3], **changes(runs[3].conditions))
    found = compare_sides(runs[:1], [other])
    assert found.outcome == "faster"
    assert [(d.field, d.voids) for d in found.differences] == [(field, False)]


def test_runs_of_one_side_have_one_source(runs):
    other = conditions(runs[1], files=runs[1].conditions.files | {"fast.py": "f" * 64})
    assert compare_sides([runs[0], other], runs[3:]).outcome == "not comparable"


def test_a_ceiling_that_was_measured_lower_is_named(runs):
    here, there = (
        conditions(r, ceilings={"copy": v}) for r, v in ((runs[0], 4e12), (runs[3], 3e12))
    )
    found = compare_sides([here], [there])
    assert [d.field for d in found.differences] == ["ceilings.copy"]
    near = conditions(runs[3], ceilings={"copy": 4.1e12})
    assert compare_sides([here], [near]).differences == ()


def test_two_hosts_of_one_kind_are_told_apart():
    one, same, two = (host_of(make_environment(uuid=u)) for u in ("GPU-0", "GPU-0", "GPU-1"))
    assert one == same != two


def draw(rng, between, error, count):
    return [
        Level(mean=rng.gauss(rng.gauss(0, between), error), error=error, blur=0.0, n=6)
        for _ in range(count)
    ]


def covers(effect):
    low, high = interval_of(effect, 0.95)
    return low <= 0 <= high


@pytest.mark.parametrize("between", [0.0, 0.002, 0.02])
def test_the_interval_over_runs_covers_what_it_says(between):
    """2000 trials of 3 runs per side: 95 % +- 1.5 %, or more where processes are the floor."""
    rng = random.Random(7)
    kept = sum(
        covers(measure_effect(draw(rng, between, 0.002, 3), draw(rng, between, 0.002, 3)))
        for _ in range(2000)
    )
    assert kept / 2000 > 0.935


def test_the_assumed_spread_covers_runs_that_differ_by_it():
    rng = random.Random(8)
    kept = sum(
        covers(assume_effect(draw(rng, 0.015, 0.002, 1), draw(rng, 0.015, 0.002, 1), 0.015))
        for _ in range(2000)
    )
    assert 0.935 < kept / 2000 < 0.975
