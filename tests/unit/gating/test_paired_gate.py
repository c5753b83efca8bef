"""Paired bundles, made up: what passes, fails or stays open, and what the host may do to it."""

import json
import random

import pytest
from msgspec.structs import replace

from roofmark.analysis.decide import set_scene
from roofmark.analysis.paired_gate import gate_pairs, is_paired, pair_cells, undecided_pairs
from roofmark.cli import main
from roofmark.evidence import CpuReading, Passed
from roofmark.study import Contrast, Protocol, Solution
from roofmark.testing import (
    FAILURES,
    simulated_traces,
    small_environment,
    small_study,
    stretched,
    write_bundle,
)

PLAN = Protocol(margin=0.05, level=0.98)


def paired(names=("fast",), plan=PLAN):
    """Return a study in which each name stands as it was and as it is."""
    study = small_study((), workloads=(1, 4096), protocol=plan)
    sides = [
        Solution(f"{n}.{side}", f"{side}.py::rmsnorm") for n in names for side in ("was", "now")
    ]
    contrasts = tuple(Contrast(name=n, of=f"{n}.now", against=f"{n}.was") for n in names)
    return replace(
        study, solutions=tuple(sides), baseline=f"{names[0]}.was", contrasts=contrasts, title="a b"
    )


STUDY = paired()


def run(tmp_path, ratios, *, study=STUDY, touch=None, **options):
    options = {"seed": 2, "device": "cpu"} | options
    traces = simulated_traces(study, ratios=ratios, **options)
    if touch:
        traces = [touch(trace) if isinstance(trace.outcome, Passed) else trace for trace in traces]
    environment = small_environment(options["device"])
    return write_bundle(tmp_path / "bundle", study, traces, environment)


def decisions(gate):
    return {f"{c.workload}/{c.solution}": c.decision for c in gate.cells}


@pytest.mark.parametrize(
    ("ratio", "expected"), [(1.0, "pass"), (1.1, "pass"), (0.97, "pass"), (0.9, "fail")]
)
def test_a_slow_down_beyond_the_margin_fails(tmp_path, ratio, expected):
    gate = gate_pairs(run(tmp_path, {"fast.now": ratio}))
    assert (gate.decision, set(decisions(gate).values())) == (expected, {expected})
    for cell in gate.cells:
        assert cell.ratio.low < 1 / ratio < cell.ratio.high
        assert cell.ratio.n == 6


def test_the_alarm_is_split_over_cells_and_looks(tmp_path):
    study = paired(("fast", "other"))
    gate = gate_pairs(run(tmp_path, {}, study=study))
    assert (gate.alarm, gate.looks, len(gate.cells)) == (0.02, 7, 4)
    assert gate.each == pytest.approx(0.02 / 28, rel=1e-5)
    assert all(cell.ratio.level == pytest.approx(1 - 2 * gate.each) for cell in gate.cells)


def test_noise_that_could_hide_the_margin_is_undecided_and_goes_on(tmp_path):
    bundle = run(tmp_path, {}, noise=0.15)
    assert gate_pairs(bundle).decision == "undecided"
    assert undecided_pairs(STUDY, "cpu", list(bundle.traces())) <= {"n1", "n4096"} != set()


def test_the_run_stops_when_the_gate_is_decided_and_not_before(tmp_path):
    few = simulated_traces(STUDY, processes=5, device="cpu")
    assert undecided_pairs(STUDY, "cpu", few) == {"n1", "n4096"}
    assert undecided_pairs(STUDY, "cpu", simulated_traces(STUDY, device="cpu")) == set()
    assert undecided_pairs(STUDY, "cpu", []) == {"n1", "n4096"}


@pytest.mark.parametrize("kind", sorted(FAILURES))
def test_what_is_wrong_now_fails_and_what_was_wrong_does_not(tmp_path, kind):
    now = gate_pairs(run(tmp_path / "now", {"fast.now": FAILURES[kind]}))
    assert now.decision == "fail"
    assert all(kind.replace("_", " ") in cell.because for cell in now.cells)
    was = gate_pairs(run(tmp_path / "was", {"fast.was": FAILURES[kind]}))
    assert was.decision == "pass" and "right now" in was.cells[0].because
    both = dict.fromkeys(("fast.was", "fast.now"), FAILURES[kind])
    assert gate_pairs(run(tmp_path / "both", both)).decision == "fail"


def test_nothing_measured_fails(tmp_path):
    def nothing(trace):
        return replace(trace, outcome=replace(trace.outcome, measurements=()))

    gate = gate_pairs(run(tmp_path, {}, touch=nothing))
    assert gate.decision == "fail" and "nothing measured" in gate.cells[0].because


def test_a_host_that_drifts_and_is_busy_moves_nothing(tmp_path):
    """Every process set runs at another speed, and every reading says that the host was busy."""
    speeds = random.Random(1)
    of = [speeds.uniform(0.7, 1.4) for _ in range(12)]

    def drift(trace):
        outcome = stretched(trace, of[trace.process]).outcome
        busy = tuple(
            CpuReading(at=r.at, stolen=0.4, preempted=9, load=99.0) for r in outcome.readings
        )
        return replace(trace, outcome=replace(outcome, readings=busy))

    calm = gate_pairs(run(tmp_path / "same", {}, touch=drift))
    assert calm.decision == "pass" and any("RM311" in each for each in calm.host)
    slow = gate_pairs(run(tmp_path / "slow", {"fast.now": 0.9}, touch=drift))
    assert slow.decision == "fail" and slow.host == calm.host


def test_a_twin_that_differs_takes_both_decisions_back(tmp_path):
    twin = {"fast.was~twin": 1.2}
    for ratio in (1.0, 0.9):
        gate = gate_pairs(run(tmp_path / str(ratio), {"fast.now": ratio} | twin))
        assert gate.decision == "undecided"
        assert all("RM307" in cell.codes for cell in gate.cells)


def test_processes_in_two_groups_are_undecided(tmp_path):
    def split(trace):
        slow = trace.solution == "fast.now" and trace.process % 2
        return stretched(trace, 1.3) if slow else trace

    gate = gate_pairs(run(tmp_path, {}, touch=split))
    assert gate.decision == "undecided" and "split 3 to 3" in gate.cells[0].because


def test_a_wrong_kernel_that_passes_makes_the_gate_fail(tmp_path):
    gate = gate_pairs(run(tmp_path, {"no_weight": 1.0}))
    assert gate.decision == "fail" and "RM110" in gate.cells[0].codes


def test_pairs_alone_have_the_alarm_they_state():
    """A/A on a host whose sets differ by 20 % and whose processes do by 2 %: numbers alone."""
    alarms, study = 0, paired(plan=replace(PLAN, processes=(6, 6)))
    trials = 300
    for seed in range(trials):
        traces = simulated_traces(study, device="cpu", noise=0.02, seed=seed)
        cells = pair_cells(set_scene(study, "cpu", traces))
        alarms += any(cell.decision == "fail" for cell in cells)
    # 2 % of 300 are 6; three standard deviations above are 13.
    assert alarms <= 13


def test_the_bundle_is_gated_again_by_its_own_command(tmp_path, capsys):
    bundle = run(tmp_path, {"fast.now": 0.9})
    assert is_paired(STUDY) and not is_paired(small_study())
    pages = [str(tmp_path / name) for name in ("gate.xml", "gate.md")]
    assert main(["gate", str(bundle.path), "--junit", pages[0], "--summary", pages[1]]) == 1
    assert "fail       n1/fast" in capsys.readouterr().out
    assert 'failures="2"' in (tmp_path / "gate.xml").read_text()
    assert main(["gate", str(bundle.path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["decision"] == "fail" and told["gates"][0]["bundle"] == bundle.digest
    assert told["gates"][0]["type"] == "revision"
    assert main(["judge", str(bundle.path)]) == 1
