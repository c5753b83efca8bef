"""Ratio gates: demands as text, and how the whole interval decides them."""

import pytest

from roofmark import gating
from roofmark.analysis.ratio_gate import Demand, parse_demand
from roofmark.cli import main
from roofmark.errors import StudyError
from roofmark.testing import (
    FAILURES,
    simulated_traces,
    small_environment,
    small_study,
    write_bundle,
)

STUDY = small_study(("on", "off"))


def run(folder, **ratios):
    wanted = {"on": 3.0, "off": 2.0} | ratios
    traces = simulated_traces(STUDY, ratios=wanted, noise=0.01, seed=4)
    return write_bundle(folder, STUDY, traces, small_environment())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return run(tmp_path_factory.mktemp("ratios") / "bundle")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on/off>=1.3", Demand(of="on", over="off", sense=">=", bound=1.3)),
        (" on / off <= 1.05x ", Demand(of="on", over="off", sense="<=", bound=1.05)),
        ("a.b-c/d_e>=2@8b*", Demand(of="a.b-c", over="d_e", sense=">=", bound=2, workloads="8b*")),
    ],
)
def test_demands_are_read(text, expected):
    assert parse_demand(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "on", "on/off", "on/off>1.3", "on/off>=", "on/off>=1.2.3", "on/off>=0", "on/off>=-1",
     "on/off>=nan", "on/off>=1e3", "on/on>=1", "a b/c>=1", "on/off>=1.3@", "on/off>=1.3@a b",
     "on/off>=1.3; rm"],
)  # fmt: skip
def test_what_is_no_demand_is_refused_with_the_form(text):
    with pytest.raises(StudyError, match=r"RM103(.|\n)*NAME/NAME>=BOUND"):
        parse_demand(text)


@pytest.mark.parametrize(
    ("demand", "expected"),
    [
        ("on/off>=1.3", "pass"),
        ("on/off>=1.5", "undecided"),
        ("on/off>=1.7", "fail"),
        ("on/off<=1.7", "pass"),
        ("on/off<=1.5", "undecided"),
        ("on/off<=1.3", "fail"),
        ("off/on>=0.6", "pass"),
        ("on/eager>=2.5", "pass"),
        ("eager/on>=0.5", "fail"),
    ],
)
def test_the_whole_interval_decides(bundle, demand, expected):
    gate = gating.gate_ratios(bundle, [demand])
    assert {cell.decision for cell in gate.cells} == {expected} == {gate.decision}
    assert len(gate.cells) == 3


def test_each_workload_may_have_its_own_bound(bundle):
    gate = gating.gate_ratios(bundle, ["on/off>=1.3@n4096", "on/off>=1.9@n1*"], alarm=0.06)
    found = {(cell.workload, cell.bound): cell.decision for cell in gate.cells}
    assert found == {("n4096", 1.3): "pass", ("n1", 1.9): "fail", ("n127", 1.9): "fail"}
    assert gate.each == pytest.approx(0.06 / 3 / 7, rel=1e-5)


@pytest.mark.parametrize("demand", ["on/of>=1", "of/on>=1", "on/off>=1@x*", "on/no_weight>=1"])
def test_what_matches_nothing_is_an_error(bundle, demand):
    with pytest.raises(StudyError, match="RM130"):
        gating.gate_ratios(bundle, [demand])
    with pytest.raises(StudyError, match="RM103"):
        gating.gate_ratios(bundle, [])


@pytest.mark.parametrize("kind", sorted(FAILURES))
def test_nothing_measured_fails_whichever_side_it_is(tmp_path, kind):
    bundle = run(tmp_path / "bundle", off=FAILURES[kind])
    for demand in ("on/off>=0.1", "off/on<=9"):
        gate = gating.gate_ratios(bundle, [demand])
        assert gate.decision == "fail" and kind.replace("_", " ") in gate.cells[0].because


def test_the_command_and_what_it_refuses(bundle, capsys):
    path = str(bundle.path)
    assert main(["gate", path, "--ratio", "on/off>=1.3", "--ratio", "off/eager>=1.7"]) == 0
    assert "pass       n4096/off/eager" in capsys.readouterr().out
    assert main(["gate", path, "--ratio", "on/off>=1.3", "--ratio", "on/off>=1.5"]) == 3
    assert main(["gate", path, "--ratio", "on/off>=1.3@n1", "--ratio", "on/off>=1.7@n127"]) == 1
    assert main(["gate", path, "--ratio", "on/off>=1.3", "-w", "n1"]) == 2
    assert main(["gate", path]) == 2
    assert "--baseline" in capsys.readouterr().err
    assert main(["gate", path, "--ratio", "on/off>=1.3", "--rev", "HEAD"]) == 2
    assert main(["gate", path, "--against", "HEAD", "--ratio", "on/off>=1.3"]) == 2
