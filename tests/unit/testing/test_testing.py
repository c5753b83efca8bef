"""The made-up bundles are sealed, seeded, and hold the outcomes that were asked for."""

from collections import Counter

import pytest

from roofmark.analysis.judge import judge_bundle
from roofmark.evidence import Crashed, Incorrect, Passed
from roofmark.records import Missing, digest
from roofmark.study import Protocol, Solution
from roofmark.testing import (
    FAILURES,
    simulated_traces,
    small_environment,
    small_study,
    write_bundle,
)

LOST = Missing(reason="capture failed: the solution synchronises")


def make(tmp_path, study, device="cuda", **options):
    traces = simulated_traces(study, device=device, **options)
    return write_bundle(tmp_path / "bundle", study, traces, small_environment(device))


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_the_judge_finds_what_was_drawn(tmp_path, device):
    study = small_study(("fast", "same", "broken", "lost"))
    ratios = {"fast": 2.0, "broken": FAILURES["crashed"], "lost": LOST}
    verdict = judge_bundle(make(tmp_path, study, device, ratios=ratios))
    decisions = {each.solution: each.decision for each in verdict.overall}
    assert decisions == {
        "fast": "faster",
        "same": "same",
        "broken": "invalid",
        "lost": "undecided",
        "eager~twin": "same",
    }
    fires = {finding.code for finding in verdict.findings if finding.state == "fires"}
    assert fires == {"RM505"}, "nothing but the crash is wrong with these traces"
    (fast,) = [each for each in verdict.overall if each.solution == "fast"]
    assert fast.speedup.low < 2.0 < fast.speedup.high


def test_the_same_seed_gives_the_same_bytes():
    study = small_study()
    digests = [
        [digest(trace) for trace in simulated_traces(study, seed=seed)] for seed in (3, 3, 4)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_every_role_is_there_in_every_process():
    study = small_study(workloads=(1, 3), wrong=("zeros", "no_weight"))
    counts = Counter(trace.role for trace in simulated_traces(study, processes=5))
    assert counts == {"baseline": 10, "solution": 10, "twin": 10, "wrong": 20}


def test_wrong_controls_are_incorrect_unless_told_otherwise():
    study = small_study(wrong=("zeros", "sneaky"))
    traces = simulated_traces(study, ratios={"sneaky": 1.0}, processes=2)
    kinds = {t.solution: type(t.outcome) for t in traces if t.role == "wrong"}
    assert kinds == {"zeros": Incorrect, "sneaky": Passed}


def test_a_missing_tier_keeps_its_reason():
    traces = simulated_traces(small_study(("lost",)), ratios={"lost": LOST}, processes=2)
    lost = next(t.outcome for t in traces if t.solution == "lost")
    assert lost.absent["graph"] == LOST.reason
    assert [m.tier for m in lost.measurements] == ["call"]


def test_the_kernel_tier_is_drawn_when_it_decides():
    study = small_study(protocol=Protocol(tier="kernel"))
    passed = simulated_traces(study, processes=2)[0].outcome
    assert {m.tier for m in passed.measurements} == {"kernel", "graph", "call"}
    assert passed.absent == {}


def test_blocks_are_visited_by_all_in_random_order():
    traces = simulated_traces(small_study(("a", "b", "c"), workloads=(1,)), processes=2)
    places = {
        (t.process, visit.block, visit.position)
        for t in traces
        if isinstance(t.outcome, Passed)
        for visit in t.outcome.measurements[0].visits
    }
    assert len(places) == 2 * 4 * 5, "four solutions and the twin, each once a block"
    orders = {
        tuple(v.position for v in t.outcome.measurements[0].visits)
        for t in traces
        if isinstance(t.outcome, Passed)
    }
    assert len(orders) > 1


def test_languages_have_their_proofs(tmp_path):
    solutions = (Solution("cuda", "cuda.cu::run"), Solution("native", "native.cpp::run"))
    study = small_study(solutions)
    bundle = make(tmp_path, study, ratios={"native": FAILURES["build_failed"]})
    build = next(t.outcome.build for t in bundle.traces() if t.solution == "cuda")
    assert bundle.build(build).targets[0].name == "sm_90a"
    assert bundle.source(bundle.study.files["cuda.cu"]).startswith(b"# cuda.cu")
    assert any("native" in path for path in bundle.logs())


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="'fats'"):
        simulated_traces(small_study(), ratios={"fats": 2.0})


def test_heavy_noise_stays_positive():
    traces = simulated_traces(small_study(), noise=5.0, processes=2)
    samples = [
        s
        for t in traces
        if isinstance(t.outcome, Passed)
        for m in t.outcome.measurements
        for v in m.visits
        for s in v.samples
    ]
    assert min(samples) > 0
    assert not any(isinstance(t.outcome, Crashed) for t in traces)
