"""The short cut through which the claims are measured says what the full judge says."""

import pytest
from noise import MODELS, ROLES, SECONDS, simulate
from replay import ratios_of, replay
from sample import (
    BUILD,
    make_build,
    make_environment,
    make_passed,
    make_run,
    make_study,
    make_trace,
    reading,
    role_of,
)

from roofmark.analysis.judge import judge_traces, undecided_workloads


def traces_of(study, times, processes):
    """times: [workload, role, process, block, sample]."""
    return [
        make_trace(
            workload.id,
            name,
            process,
            make_passed(
                times[w, r, process].tolist(), readings=[reading()] * 4, start=10.0 * process
            ),
            role_of(study, name),
        )
        for w, workload in enumerate(study.workloads)
        for r, name in enumerate(ROLES)
        for process in range(processes[w])
    ]


@pytest.mark.parametrize("model", ["process sd 0.5 %", "process sd 1 %", "t3 processes"])
@pytest.mark.parametrize("ratio", [1.0, 1 / 1.05, 1.02])
def test_the_full_judge_agrees(model, ratio):
    study = make_study(workloads=(1, 2, 3))
    times = simulate(MODELS[model], studies=3, ratio=ratio, seed=7)
    expected = replay(ratios_of(times), study.protocol, cells=3)[0]
    traces = traces_of(study, times, [outcome.processes for outcome in expected])
    verdict = judge_traces(
        study,
        make_environment(),
        make_run(),
        traces,
        {BUILD: make_build("x")},
        digest="0" * 64,
    )
    cells = [cell for cell in verdict.cells if cell.solution == "fast"]
    assert [cell.p for cell in cells] == pytest.approx([o.p for o in expected], rel=1e-4)
    moved = {f.workload for f in verdict.findings if f.state == "fires" and f.moves}
    for cell, outcome in zip(cells, expected, strict=True):
        if cell.workload not in moved:
            assert cell.decision == outcome.decision
        assert cell.speedup.n == outcome.processes


@pytest.mark.parametrize("ratio", [1.0, 1 / 1.05])
def test_the_bench_would_stop_where_the_replay_stops(ratio):
    study = make_study(workloads=(1, 2))
    fewest, most = study.protocol.processes
    times = simulate(MODELS["process sd 1 %"], studies=2, ratio=ratio, seed=11)
    expected = [o.processes for o in replay(ratios_of(times), study.protocol, cells=2)[0]]
    lengths = [fewest, fewest]
    while True:
        open_ = undecided_workloads(study, "cuda", traces_of(study, times, lengths))
        going = [i for i, w in enumerate(study.workloads) if w.id in open_ and lengths[i] < most]
        if not going:
            break
        for i in going:
            lengths[i] += 1
    assert lengths == expected


def test_the_tick_is_rediscovered_from_the_readings():
    from roofmark.analysis.decide import set_scene

    study = make_study()
    times = simulate(MODELS["process sd 0.5 %"], studies=1, tick=0.002 * SECONDS)
    scene = set_scene(study, "cuda", traces_of(study, times, [12]))
    assert scene.resolution == pytest.approx(0.002 * SECONDS)
