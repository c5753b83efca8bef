"""What follows from the evidence of engines: treatments, kernel tables, predicted gains."""

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from roofmark.analysis.amdahl import predict_gains
from roofmark.analysis.judge import judge_bundle
from roofmark.analysis.leg_evidence import LegEvidence, unseen
from roofmark.analysis.leg_tables import (
    compare_calls,
    formula_of,
    rows_of,
    split_time,
    sum_per_token,
)
from roofmark.analysis.verdict import Estimate
from roofmark.bundle import BundleWriter, open_bundle
from roofmark.evidence import Build, Measurement, Passed, Run, Session, Trace, Visit
from roofmark.legs import Engine, Serving, Treatment
from roofmark.records import Missing
from roofmark.reports.amdahl import gains_text
from roofmark.reports.legs import leg_tables
from roofmark.served import LegProfile, LegProfiled, Spans, Stay
from roofmark.serving import engine, load
from roofmark.study import Protocol, Solution, Study
from roofmark.testing import small_environment

UNSET_THERE = Missing(reason="not set in this process")


def stay(*values, lines=("worker",), process=0):
    return Stay(
        solution="leg", process=process, started=0.0, ready=1.0, fresh=True,
        environment={"FAST": values}, processes=lines, smoke=UNSET_THERE, likeness=UNSET_THERE,
        looks=(), ending="stopped",
    )  # fmt: skip


def spans(name, kind, *times):
    return Spans(
        name=name, kind=kind, starts=tuple(t[0] for t in times),
        durations=tuple(t[1] for t in times),
    )  # fmt: skip


def profile(*found, tokens=2, wall=10.0, graphs=0):
    return LegProfile(
        tokens=tokens, wall=wall, spans=found, launches=8, graph_launches=graphs, tool="test"
    )


PROFILE = profile(
    spans("gemm_big", "kernel", (0.0, 2.0), (4.0, 1.0)),
    spans("rms_norm_kernel", "kernel", (1.0, 2.0), (6.0, 0.5)),
    spans("Memcpy HtoD", "copy", (2.5, 1.0)),
)


# --- treatments ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("stays", "treatment", "says"),
    [
        ([stay("1"), stay("1", process=1)], Treatment(environment={"FAST": "1"}), ""),
        ([stay("0")], Treatment(environment={"FAST": "1"}), "it is '0'"),
        ([stay("1"), stay(UNSET_THERE, process=1)], Treatment(environment={"FAST": "1"}), "set 2"),
        ([stay()], Treatment(environment={"FAST": "1"}), "no process of the leg"),
        (
            [stay("0", "1", lines=("server", "EngineCore"))],
            Treatment(environment={"FAST": "1"}, process="EngineCore"),
            "",
        ),
        (
            [stay("1", "0", lines=("server", "EngineCore"))],
            Treatment(environment={"FAST": "1"}, process="EngineCore"),
            "1 of 1 processes it is '0'",
        ),
        (
            [stay("1", lines=("server",))],
            Treatment(environment={"FAST": "1"}, process="EngineCore"),
            "no process of the leg",
        ),
    ],
)
def test_a_variable_counts_where_the_worker_holds_it(stays, treatment, says):
    found = unseen(treatment, LegEvidence(stays={"leg": tuple(stays)}), "leg", "leg")
    assert (says in " ".join(found)) if says else found == ()


@pytest.mark.parametrize(
    ("table", "treatment", "says"),
    [
        (PROFILE, Treatment(kernels=("rms_norm",), without=("flash",)), ""),
        (PROFILE, Treatment(kernels=("flash",)), "no kernel's name holds 'flash'"),
        (PROFILE, Treatment(without=("gemm",)), "'gemm' is still in the kernel table"),
        (PROFILE, Treatment(graph_replays=1.0), "0 graph replays per token, 1 must be seen"),
        (profile(graphs=2), Treatment(graph_replays=1.0), ""),
        (profile(graphs=2), Treatment(graph_replays=0.0), "1 graph replays per token, 0 must"),
        (profile(graphs=0), Treatment(graph_replays=0.0), ""),
        (profile(graphs=UNSET_THERE), Treatment(graph_replays=1.0), "were not counted"),
        (Missing(reason="CUPTI is held"), Treatment(kernels=("x",)), "CUPTI is held"),
    ],
)
def test_kernels_and_graphs_count_where_the_profile_shows_them(table, treatment, says):
    found = unseen(treatment, LegEvidence(tables={("tg", "leg"): table}), "leg", "leg")
    assert (says in " ".join(found)) if says else found == ()


def test_a_profile_that_was_never_taken_proves_nothing():
    assert unseen(Treatment(kernels=("x",)), LegEvidence(), "leg", "leg")


# --- tables --------------------------------------------------------------------------------------
def test_rows_have_calls_and_quantiles():
    first, second = rows_of(PROFILE, "kernel").rows
    assert (first.name, first.calls, first.total, first.median, first.p95) == (
        "gemm_big", 2, 3.0, 1.0, 2.0,
    )  # fmt: skip
    assert second.total == 2.5


def test_overlapping_kernels_count_once():
    # Kernels run in [0, 3], [4, 5], [6, 6.5]; the copy alone in [3, 3.5]; of 10 seconds.
    split = split_time(PROFILE)
    assert (split.kernels, split.copies, split.gaps) == pytest.approx((0.45, 0.05, 0.5))


def test_a_formula_sums_with_its_coverage():
    found = sum_per_token(PROFILE, "1*gemm")
    assert (found.seconds, found.coverage) == pytest.approx((1.5, 3 / 5.5))
    assert isinstance(sum_per_token(PROFILE, "3*flash"), Missing)


def test_a_leg_may_have_a_formula_of_its_own():
    own = replace(STUDY.solutions[1], leg=Engine(vocabulary=9, formula="2*ours"))
    study = replace(STUDY, serving=Serving(formula="1*gemm"), solutions=(STUDY.solutions[0], own))
    assert [formula_of(study, leg) for leg in ("before", "after")] == ["1*gemm", "2*ours"]
    assert formula_of(STUDY, "before") == ""


def test_calls_that_differ_are_shown_alone():
    other = profile(spans("gemm_big", "kernel", (0.0, 1.0), (1.0, 1.0)))
    rows = compare_calls({"a": PROFILE, "b": other})
    assert [(row.name, row.calls) for row in rows] == [("rms_norm_kernel", {"a": 1.0, "b": 0.0})]


# --- predicted gains -----------------------------------------------------------------------------
STUDY = Study(
    definition=engine("made-up"),
    workloads=(load(generate=8),),
    solutions=tuple(
        Solution(n, "e.py::make", leg=Engine(vocabulary=9)) for n in ("before", "after")
    ),
    baseline="before",
    serving=Serving(),
    protocol=Protocol(tier="token", cache="warm", processes=(2, 4)),
)


def trace(name, seconds, process, build):
    visits = tuple(
        Visit(block=b, position=0, start=0.0, samples=(seconds, seconds), calls=7, elapsed=99.0)
        for b in (0, 1)
    )
    measured = Measurement(tier="token", cache="warm", clock="test", visits=visits)
    outcome = Passed(build=build, checks=(), measurements=(measured,), absent={}, readings=())
    role = "baseline" if name == "before" else "twin" if name.endswith("twin") else "solution"
    return Trace(workload="tg8", solution=name, role=role, process=process, outcome=outcome)


@pytest.fixture
def bundle(tmp_path):
    """A token takes 10 s before and 12 s after; the kernel takes 2 s of it, and 4 s after."""
    session = Session(started=0.0, roofmark="0", ended="complete", seconds=1.0)
    build = Build(
        solution="e", language="python", compiler=UNSET_THERE, command=(), seconds=UNSET_THERE,
        source="0", binary=UNSET_THERE, targets=(), kernels=(),
    )  # fmt: skip
    taken = profile(spans("swapped_kernel", "kernel", (0.0, 2.0), (3.0, 2.0)))
    with BundleWriter(tmp_path / "bundle") as writer:
        writer.write("study.json", STUDY)
        writer.write("environment.json", small_environment("cpu"))
        writer.write(
            "run.json",
            Run(device="cpu", entropy="00", confirmation=False, skipped=(), sessions=(session,)),
        )
        digest = writer.write_build(build)
        for process in range(3):
            for name, seconds in (("after", 12.0), ("before~twin", 10.0), ("before", 10.0)):
                writer.append(trace(name, seconds + 0.001 * process, process, digest))
        writer.write_served(LegProfiled(workload="tg8", solution="before", outcome=taken))
        writer.seal({})
    return open_bundle(tmp_path / "bundle")  # fmt: skip


def slowdown(value):
    return Estimate(value=value, low=0.99 * value, high=1.01 * value, level=0.95, method="", n=6)


def test_a_prediction_stands_beside_what_was_measured(bundle):
    found = predict_gains(bundle, slowdown(0.5), leg="before", kernel="swapped", against="after")
    gain = found["tg8"]
    assert gain.share == pytest.approx(0.2, rel=1e-3)
    assert gain.predicted.value == pytest.approx(1 / 1.2, rel=1e-3)
    assert gain.predicted.low < gain.predicted.value < gain.predicted.high
    assert gain.off == pytest.approx(1.0, abs=0.01)
    assert gain.agrees is True
    assert "predicted 0.83" in gains_text(slowdown(0.5), found, "graph")


def test_a_wrong_prediction_does_not_agree(bundle):
    found = predict_gains(bundle, slowdown(0.05), leg="before", kernel="swapped", against="after")
    assert found["tg8"].agrees is False


def test_a_kernel_that_is_not_there_has_no_prediction(bundle):
    found = predict_gains(bundle, slowdown(0.5), leg="before", kernel="absent")
    assert isinstance(found["tg8"], Missing)
    assert predict_gains(bundle, slowdown(0.5), leg="nobody", kernel="swapped") == {}


def test_pages_of_engines_hold_what_the_bundle_holds(bundle):
    titles = [table.title for table in leg_tables(judge_bundle(bundle), bundle)]
    assert "Where the time goes: before on tg8" in titles
    metrics = leg_tables(judge_bundle(bundle), bundle)[0]
    assert any(row[1] == "after" and row[2].startswith("0.1 [") for row in metrics.rows)


def test_a_treatment_of_graphs_has_no_default():
    assert Treatment().graph_replays is UNSET
