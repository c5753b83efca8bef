"""From traces to a verdict: pairing, tiers, families, overall, and the stopping rule."""

import math
import time

import pytest
from msgspec import structs
from sample import (
    BUILD,
    make_build,
    make_environment,
    make_passed,
    make_run,
    make_study,
    make_trace,
    make_traces,
    reading,
    role_of,
)

from roofmark.analysis.compare import collect_series, find_resolution, pair
from roofmark.analysis.decide import compare_cells, set_scene, undecided_workloads
from roofmark.analysis.judge import judge_bundle, judge_traces
from roofmark.analysis.verdict import Estimate, Fit, Verdict
from roofmark.bundle import BundleWriter, open_bundle
from roofmark.evidence import BuildFailed, Crashed, Discard, Incorrect, Reported, TimedOut
from roofmark.records import Missing, decode, encode
from roofmark.study import Contrast, Workload

WRONG = Incorrect(build=BUILD, checks=(), reason="y is wrong")


def judge(study, traces, device="cuda"):
    builds = {BUILD: make_build("x")}
    return judge_traces(
        study, make_environment(device), make_run(device), traces, builds, digest="0" * 64
    )


def cell(verdict, solution, workload="n1"):
    return next(c for c in verdict.cells if c.solution == solution and c.workload == workload)


def swap(traces, change):
    """Replace the outcome of traces for which `change(trace)` gives one."""
    return [
        make_trace(t.workload, t.solution, t.process, change(t) or t.outcome, t.role)
        for t in traces
    ]


# --- cells ---------------------------------------------------------------------------------------
def test_the_four_zones():
    study = make_study(("fast", "slow", "equal"))
    verdict = judge(study, make_traces(study, {"fast": 2.0, "slow": 0.9}))
    assert {c.solution: c.decision for c in verdict.cells} == {
        "fast": "faster",
        "slow": "slower",
        "equal": "same",
        "base~twin": "same",
    }
    assert verdict.settled
    assert verdict.decision == "undecided"
    fast = cell(verdict, "fast")
    assert isinstance(fast.speedup, Estimate)
    assert fast.speedup.low < 2.0 < fast.speedup.high
    assert fast.speedup.n == 6


def test_few_processes_stay_undecided_however_clear():
    study = make_study()
    traces = make_traces(study, {"fast": 8.0}, processes=5)
    verdict = judge(study, traces)
    assert cell(verdict, "fast").decision == "undecided"
    assert cell(verdict, "fast").p == 1.0
    assert isinstance(cell(verdict, "fast").speedup, Estimate)
    assert "RM308" in cell(verdict, "fast").codes
    assert undecided_workloads(study, "cuda", traces) == {"n1"}


def test_processes_beyond_the_plan_do_not_count():
    study = make_study(processes=(4, 6))
    verdict = judge(study, make_traces(study, processes=9))
    assert cell(verdict, "fast").speedup.n == 6


def test_a_process_set_that_a_kill_cut_takes_no_place_of_a_whole_one():
    study = make_study(processes=(4, 4))
    # The baseline's trace comes last: without it the set was cut, and has no pair.
    traces = [t for t in make_traces(study, processes=5) if (t.process, t.solution) != (1, "base")]
    series = collect_series(study, traces)
    for name in ("fast", "base", "base~twin"):
        assert sorted(series["n1", name].tiers["graph"]) == [0, 2, 3, 4]
    assert [process for process, _ in series["n1", "fast"].passed()] == [0, 1, 2, 3, 4]
    assert cell(judge(study, traces), "fast").speedup.n == 4


def test_pairs_are_made_by_process_and_block():
    study = make_study()
    traces = [
        make_trace("n1", "base", 0, make_passed([[8.0], [4.0]]), "baseline"),
        make_trace("n1", "fast", 0, make_passed([[2.0], [2.0]])),
        make_trace("n1", "fast", 1, make_passed([[1.0], [1.0]])),
    ]
    series = collect_series(study, traces)
    pairs = pair(series["n1", "base"], series["n1", "fast"], "graph")
    assert pairs.ratios == {0: [math.log(4), math.log(2)]}


def test_discarded_samples_and_dead_ticks_do_not_count():
    study = make_study()
    late = make_passed([[1.0, 99.0, 0.0]], discarded=(Discard(sample=1, reason="late"),))
    traces = [
        make_trace("n1", "base", 0, make_passed([[2.0]]), "baseline"),
        make_trace("n1", "fast", 0, late),
    ]
    series = collect_series(study, traces)
    assert pair(series["n1", "base"], series["n1", "fast"], "graph").ratios == {0: [math.log(2)]}


def test_another_cache_state_or_tier_never_decides():
    study = make_study(cache="warm")
    verdict = judge(study, make_traces(study))
    assert cell(verdict, "fast").speedup == Missing(
        reason="no pair with the baseline on the graph tier"
    )
    study = make_study(tier="kernel")
    traces = make_traces(make_study(), {"fast": 2.0})
    other = cell(judge(study, traces), "fast")
    assert other.decision == "undecided"
    assert set(other.other_tiers) == {"graph"}
    assert undecided_workloads(study, "cuda", traces) == set()


def test_a_cpu_has_the_call_tier_alone():
    study = make_study(tier="graph")
    verdict = judge(study, make_traces(study, {"fast": 2.0}, device="cpu"), "cpu")
    assert (verdict.tier, verdict.decision) == ("call", "faster")


def test_reported_numbers_are_shown_and_decide_nothing():
    study = make_study()
    said = Reported(tier="graph", statistic="mean", seconds=1e-6, tool="othertool")
    traces = swap(make_traces(study), lambda t: said if t.solution == "fast" else None)
    shown = cell(judge(study, traces), "fast")
    assert (shown.decision, shown.outcome) == ("undecided", "reported")
    assert "othertool reported 1e-06 s" in shown.time.reason


def test_the_twin_is_outside_the_family():
    study = make_study(workloads=range(1, 21))
    traces = make_traces(study, sd=0.004)
    cells = compare_cells(set_scene(study, "cuda", traces))
    one = make_study(workloads=(1,))
    alone = compare_cells(set_scene(one, "cuda", [t for t in traces if t.workload == "n1"]))
    assert cells["n1", "base~twin"].p == pytest.approx(alone["n1", "base~twin"].p, rel=1e-6)
    assert cells["n1", "fast"].p > alone["n1", "fast"].p


def test_a_constant_clock_decides_nothing_finer_than_its_tick():
    study = make_study()
    flat = make_passed([[2e-5] * 4] * 4)
    verdict = judge(study, swap(make_traces(study), lambda t: flat))
    assert cell(verdict, "fast").decision == "undecided"
    width = cell(verdict, "fast").speedup
    assert width.low < 0.5 < 2 < width.high


def test_the_tick_is_the_least_gap_between_readings():
    study = make_study()
    traces = [
        make_trace("n1", "base", p, make_passed([[2e-6 + 5e-8 * p]] * 2, calls=20), "baseline")
        for p in range(3)
    ]
    series = collect_series(study, traces)
    assert find_resolution(series.values(), "graph") == pytest.approx(1e-6)


# --- overall -------------------------------------------------------------------------------------
def uneven(study, ratios, processes=6):
    """A speed-up per workload."""
    parts = [
        [
            t
            for t in make_traces(study, {"fast": r}, processes=processes, seed=i)
            if t.workload == w.id
        ]
        for i, (w, r) in enumerate(zip(study.workloads, ratios, strict=True))
    ]
    return [trace for part in parts for trace in part]


def compared_with_base(study):
    """A contrast of the same pair as the comparison, which has to say the same."""
    return structs.replace(study, contrasts=(Contrast("gain", of="fast", against="base"),))


def test_overall_is_the_geometric_mean():
    study = make_study(workloads=(1, 2))
    overall = judge(study, uneven(study, (1.1, 1.6))).overall[0]
    assert overall.decision == "faster"
    assert overall.speedup.value == pytest.approx(math.sqrt(1.1 * 1.6), rel=5e-3)
    assert overall.counts["faster"] == 2


def test_a_workload_decided_the_opposite_way_makes_it_mixed():
    study = compared_with_base(make_study(workloads=(1, 2, 3)))
    verdict = judge(study, uneven(study, (2.0, 2.0, 0.8)))
    overall = verdict.overall[0]
    assert (overall.mixed, overall.decision) == (True, "undecided")
    assert verdict.contrasts[0].decision == "undecided"


def test_one_incorrect_workload_makes_the_solution_invalid():
    study = make_study(workloads=(1, 2))
    traces = swap(
        make_traces(study, {"fast": 2.0}),
        lambda t: WRONG if (t.solution, t.workload) == ("fast", "n2") else None,
    )
    verdict = judge(study, traces)
    overall = verdict.overall[0]
    assert (overall.decision, overall.codes) == ("invalid", ("RM503",))
    assert cell(verdict, "fast", "n1").decision == "faster"
    assert cell(verdict, "fast", "n2").time == Missing(reason="incorrect")
    assert isinstance(overall.speedup, Missing)


def test_only_balanced_processes_count_overall():
    study = make_study(workloads=(1, 2))
    traces = [t for t in make_traces(study, processes=9) if t.workload == "n1" or t.process < 7]
    assert judge(study, traces).overall[0].speedup.n == 7


def test_one_unhealthy_workload_of_many_neither_silences_nor_carries():
    hot = [reading(throttle=0x8)]

    def heat(which):
        def change(t):
            if t.workload in which and t.solution == "fast":
                blocks = [v.samples for v in t.outcome.measurements[0].visits]
                return make_passed(blocks, readings=hot)
            return None

        return change

    study = compared_with_base(make_study(workloads=(1, 2, 3)))
    kept = judge(study, swap(uneven(study, (2.0, 2.0, 2.0)), heat({"n3"})))
    assert kept.overall[0].decision == kept.contrasts[0].decision == "faster"
    assert cell(kept, "fast", "n3").decision == "undecided"
    carried = judge(study, swap(uneven(study, (1.0, 1.0, 2.0)), heat({"n3"})))
    assert (carried.overall[0].decision, carried.overall[0].codes) == ("undecided", ("RM301",))
    everywhere = judge(study, swap(uneven(study, (2.0, 2.0, 2.0)), heat({"n1", "n2", "n3"})))
    for each in (carried, everywhere):
        assert each.contrasts[0].decision == each.overall[0].decision == "undecided"


def test_held_out_workloads_appear_only_if_measured():
    study = make_study(workloads=(1, Workload(axes={"n": 2}, held_out=True)))
    traces = make_traces(study)
    assert {c.workload for c in judge(study, traces).cells} == {"n1", "n2"}
    seen = [t for t in traces if t.workload == "n1"]
    assert {c.workload for c in judge(study, seen).cells} == {"n1"}
    assert undecided_workloads(study, "cuda", []) == {"n1"}


def test_the_fit_finds_its_line():
    t0, rate = 3e-6, 2e12
    study = make_study(workloads=(64, 512, 2048, 8192))
    traces = []
    for workload in study.workloads:
        bytes_moved = 8 * 1024 * workload.axes["n"]
        for process in range(6):
            for name in ("base", "fast", "base~twin"):
                seconds = (t0 + bytes_moved / rate) * (1 + 0.001 * ((process * 7) % 5 - 2))
                passed = make_passed([[seconds * (1 + 1e-4 * i) for i in range(-2, 3)]] * 4)
                traces.append(make_trace(workload.id, name, process, passed, role_of(study, name)))
    fit = judge(study, traces).overall[0].fit
    assert isinstance(fit, Fit)
    assert fit.t0.low < t0 < fit.t0.high
    assert fit.rate.low < rate < fit.rate.high
    assert fit.rate.value == pytest.approx(rate, rel=0.01)


def test_two_traffics_make_no_line():
    study = make_study(workloads=(64, 512))
    fit = judge(study, make_traces(study)).overall[0].fit
    assert fit == Missing(reason="2 different traffics; a line needs 3")


# --- the stopping rule ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("outcome", "processes", "open_"),
    [
        (WRONG, 1, set()),
        (BuildFailed(reason="no", log=""), 1, set()),
        (Crashed(stage="run", reason="no", log=""), 1, set()),
        (TimedOut(stage="run", limit=1.0), 2, set()),
        (TimedOut(stage="run", limit=1.0), 1, {"n1"}),
    ],
)
def test_what_can_never_be_decided_does_not_hold_a_run_up(outcome, processes, open_):
    study = make_study()
    base = [t for t in make_traces(study) if t.solution != "fast"]
    failed = [make_trace("n1", "fast", p, outcome) for p in range(processes)]
    assert undecided_workloads(study, "cuda", base + failed) == open_


def test_a_noisy_twin_holds_its_workload_open():
    study = make_study()
    wild = swap(
        make_traces(study, {"fast": 5.0}),
        lambda t: (
            make_passed([[2e-5 * (1 + 0.05 * ((-1) ** t.process))] * 4] * 4)
            if t.solution == "base~twin"
            else None
        ),
    )
    assert undecided_workloads(study, "cuda", wild) == {"n1"}
    assert judge(study, wild).settled


def test_the_stopping_rule_agrees_with_the_verdict():
    study = make_study(("fast", "equal"), workloads=(1, 2, 3))
    for processes in (1, 5, 6, 8):
        traces = make_traces(study, {"fast": 1.03}, processes=processes, sd=0.005)
        verdict = judge(study, traces)
        undecided = {c.workload for c in verdict.cells if c.decision == "undecided"}
        assert undecided_workloads(study, "cuda", traces) == undecided


# --- the bytes -----------------------------------------------------------------------------------
def test_a_verdict_survives_its_own_json_and_the_order_of_traces():
    study = make_study(("fast", "slow"), workloads=(1, 2, 3))
    traces = make_traces(study, {"fast": 2.0, "slow": 0.8})
    verdict = judge(study, traces)
    assert decode(encode(verdict), Verdict, where="verdict") == verdict
    assert encode(judge(study, reversed(traces))) == encode(verdict)


def test_floats_have_six_digits():
    def walk(value):
        if isinstance(value, float):
            assert float(f"{value:.5e}") == value
        elif isinstance(value, dict):
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    study = make_study(workloads=(1, 30, 900))
    import json

    walk(json.loads(encode(judge(study, make_traces(study, {"fast": 1.7})))))


def test_judging_a_bundle_cites_its_digest(tmp_path):
    study = make_study()
    with BundleWriter(tmp_path / "b") as writer:
        writer.write("study.json", study)
        writer.write("environment.json", make_environment())
        writer.write("run.json", make_run())
        name = writer.write_build(make_build("fast"))
        for trace in make_traces(study, {"fast": 2.0}, build=name):
            writer.append(trace)
        seal = writer.seal({})
    verdict = judge_bundle(open_bundle(tmp_path / "b"))
    assert (verdict.bundle, verdict.decision) == (seal, "faster")


def test_no_trace_at_all_is_undecided_not_an_error():
    verdict = judge(make_study(), [])
    assert (verdict.decision, verdict.settled, verdict.cells) == ("undecided", False, ())


def test_time_to_judge_grows_with_the_workloads_and_no_faster():
    def seconds(count):
        study = make_study(("a", "b"), workloads=range(1, count + 1))
        traces = make_traces(study, {"a": 2.0, "b": 0.9}, processes=8)
        judge(study, traces)
        taken = []
        for _ in range(3):
            start = time.process_time()
            judge(study, traces)
            taken.append(time.process_time() - start)
        return min(taken)

    # Were it the square, nine times the workloads would take 81 times as long.
    assert seconds(54) < 9 * 3 * seconds(6)
