"""Pins and gates, from made-up bundles: what is refused, what passes, fails or stays open."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from msgspec.structs import replace

from roofmark import gating
from roofmark.analysis.gate import Ask, depressions
from roofmark.analysis.pinning import make_baseline, sealed
from roofmark.analysis.shift import derive_margin, run_spread, shift_between
from roofmark.cli import main
from roofmark.errors import BundleError, StudyError
from roofmark.evidence import Gpu, Passed
from roofmark.records import encode_pretty
from roofmark.study import Protocol
from roofmark.testing import (
    FAILURES,
    simulated_traces,
    small_environment,
    small_study,
    write_bundle,
)

STUDY = small_study(("fast", "slow"))
THROTTLED = 0x20


def make(folder, *, study=STUDY, environment=None, touch=None, device="cuda", **options):
    """Write a bundle; touch: changes each outcome that passed."""
    options = {"ratios": {"fast": 2.0, "slow": 0.5}, "seed": 1} | options
    traces = simulated_traces(study, device=device, **options)
    if touch:
        traces = [
            replace(t, outcome=touch(t)) if isinstance(t.outcome, Passed) else t for t in traces
        ]
    return write_bundle(folder, study, traces, environment or small_environment(device))


def throttle(trace):
    return replace(
        trace.outcome,
        readings=tuple(replace(r, throttle=THROTTLED) for r in trace.outcome.readings),
    )


def slow_memory(share):
    environment = small_environment()
    scaled = tuple(
        replace(c, value=c.value * share) if c.quantity == "copy" else c
        for c in environment.ceilings
    )
    return replace(environment, ceilings=scaled)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make(tmp_path_factory.mktemp("pinned") / "bundle")


@pytest.fixture(scope="module")
def pinned(bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("pin") / "pin.json"
    gating.pin(bundle, path)
    return path


def decisions(gate):
    return {f"{c.workload}/{c.solution}": c.decision for c in gate.cells}


def codes_of(error):
    return [each.code for each in error.value.problems]


# --- pin -----------------------------------------------------------------------------------------
def test_a_pin_carries_the_noise_between_processes_and_reads_back(bundle, pinned):
    pin = gating.read_pin(pinned)
    assert pin == make_baseline(bundle, date=pin.date)
    assert len(pin.cells) == 9 and pin.bundle == bundle.digest and pin.forced == ()
    cell = next(c for c in pin.cells if (c.workload, c.solution) == ("n127", "fast"))
    assert len(cell.time.values) == len(cell.speedup.values) == 6
    assert cell.speedup.estimate.low < 2.0 < cell.speedup.estimate.high
    assert cell.samples == 6 * STUDY.protocol.blocks * STUDY.protocol.calls
    assert 0 < cell.time.spread < 0.02
    base = next(c for c in pin.cells if c.solution == "eager")
    assert base.speedup.reason == "it is the study's baseline"
    assert pin.host.sm_clock == (1.98e9, 1.98e9, 1.98e9) and pin.host.throttled == 0


def test_other_samples_have_another_digest(bundle, tmp_path):
    again = make_baseline(make(tmp_path / "b", seed=2))
    first = make_baseline(bundle)
    assert {c.sha256 for c in first.cells}.isdisjoint(c.sha256 for c in again.cells)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ({"touch": throttle}, "RM430", "RM301 moves n1/fast"),
        ({"processes": 4}, "RM430", "4 processes measured n1/eager"),
        ({"environment": slow_memory(0.7)}, "RM431", "62 % of its datasheet"),
        ({"noise": 0.03}, "RM430", "hides a slow-down of"),
    ],
)
def test_what_is_unfit_is_refused_and_can_be_forced_with_a_reason(tmp_path, options, code, said):
    bundle, path = make(tmp_path / "b", **options), tmp_path / "pin.json"
    with pytest.raises(BundleError) as error:
        gating.pin(bundle, path)
    assert code in codes_of(error) and said in str(error.value)
    with pytest.raises(BundleError) as error:
        gating.pin(bundle, path, force=True)
    assert codes_of(error) == ["RM432"] and not path.exists()
    made = gating.pin(bundle, path, force=True, reason="the only host there is")
    assert any(said in each for each in made.forced)
    assert gating.read_pin(path).reason == "the only host there is"


def test_nothing_that_passed_cannot_be_pinned_even_by_force(tmp_path):
    bundle = make(
        tmp_path / "b", ratios=dict.fromkeys(("eager", "fast", "slow"), FAILURES["crashed"])
    )
    with pytest.raises(BundleError, match="nothing passed"):
        gating.pin(bundle, tmp_path / "pin.json", force=True, reason="no")


def test_pinning_again_needs_a_reason_and_keeps_what_it_changed(bundle, tmp_path):
    path = tmp_path / "pin.json"
    gating.pin(bundle, path)
    before = path.read_bytes()
    other = make(tmp_path / "b", ratios={"fast": 1.8, "slow": 0.5}, seed=3)
    with pytest.raises(BundleError) as error:
        gating.pin(other, path)
    assert codes_of(error) == ["RM432"] and path.read_bytes() == before
    made = gating.pin(other, path, reason="the new compiler is slower")
    (last,) = gating.read_pin(path).history
    assert (last.bundle, last.reason) == (bundle.digest, "the new compiler is slower")
    assert last.date == made.date
    moved = {(c.cell, c.metric): c.share for c in last.changes}
    assert moved["n1/fast", "speedup"] == pytest.approx(-0.1, abs=0.01)
    gating.pin(bundle, path, reason="and back")
    assert [each.reason for each in gating.read_pin(path).history][1:] == ["and back"]


def test_another_file_is_no_pin_and_is_left(bundle, tmp_path):
    path = tmp_path / "pin.json"
    path.write_text('{"metrics": {"decode_tps": {"tg128": 287.19}}}')
    with pytest.raises(BundleError) as error:
        gating.pin(bundle, path)
    assert codes_of(error) == ["RM409"]
    with pytest.raises(BundleError) as error:
        gating.gate(bundle, path)
    assert codes_of(error) == ["RM433"]


def test_a_pin_that_was_edited_is_refused(bundle, pinned, tmp_path):
    pin = gating.read_pin(pinned)
    cells = [replace(pin.cells[0], samples=1), *pin.cells[1:]]
    path = tmp_path / "pin.json"
    path.write_bytes(encode_pretty(replace(pin, cells=tuple(cells))))
    with pytest.raises(BundleError, match="changed after it was pinned"):
        gating.gate(bundle, path)


# --- gate ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("metric", ["speedup", "time"])
def test_unchanged_code_passes_and_says_what_that_is_worth(tmp_path, pinned, metric):
    gate = gating.gate(make(tmp_path / "b", seed=7), pinned, ask=Ask(metric=metric))
    assert gate.decision == "pass" and set(decisions(gate).values()) == {"pass"}
    assert len(gate.cells) == (6 if metric == "speedup" else 9)
    assert gate.each == pytest.approx(0.02 / len(gate.cells), rel=1e-5)
    assert gate.margins == "derived" and all(c.margin >= 0.02 for c in gate.cells)


@pytest.mark.parametrize("metric", ["speedup", "time"])
def test_a_slow_down_of_5_percent_fails_where_it_is_and_nowhere_else(tmp_path, pinned, metric):
    slower = make(tmp_path / "b", ratios={"fast": 2.0 / 1.05, "slow": 0.5}, seed=7)
    gate = gating.gate(slower, pinned, ask=Ask(metric=metric, margin=0.03))
    assert gate.decision == "fail" and gate.margins == "given"
    fell = {place for place, decision in decisions(gate).items() if decision == "fail"}
    assert fell == {"n1/fast", "n127/fast", "n4096/fast"}
    cell = next(c for c in gate.cells if c.decision == "fail")
    assert cell.ratio.low > 1 and cell.ratio.value == pytest.approx(1.05, abs=0.01)
    assert cell.p <= gate.each


def test_a_faster_solution_passes(tmp_path, pinned):
    gate = gating.gate(make(tmp_path / "b", ratios={"fast": 2.4, "slow": 0.5}), pinned)
    assert gate.decision == "pass"


def test_noise_that_could_hide_the_margin_is_undecided(tmp_path, pinned):
    gate = gating.gate(make(tmp_path / "b", noise=0.02, seed=5), pinned, ask=Ask(margin=0.01))
    assert gate.decision == "undecided" and "too noisy" in gate.cells[0].because


def test_what_was_pinned_and_is_gone_fails(tmp_path, pinned):
    one = small_study(("fast",), workloads=(1, 127))
    gate = gating.gate(make(tmp_path / "b", study=one, ratios={"fast": 2.0}), pinned)
    found = decisions(gate)
    assert gate.decision == "fail"
    assert [p for p, d in found.items() if d == "pass"] == ["n1/fast", "n127/fast"]
    assert all("nothing measured" in c.because for c in gate.cells if c.decision == "fail")


@pytest.mark.parametrize("kind", ["incorrect", "build_failed", "crashed", "timed_out"])
def test_a_solution_that_has_no_speed_fails(tmp_path, pinned, kind):
    bundle = make(tmp_path / "b", ratios={"fast": FAILURES[kind], "slow": 0.5})
    gate = gating.gate(bundle, pinned, ask=Ask(solutions=("fast",)))
    assert set(decisions(gate).values()) == {"fail"}


def test_a_bundle_with_nothing_measured_fails(tmp_path, pinned):
    bundle = make(
        tmp_path / "b", ratios=dict.fromkeys(("eager", "fast", "slow"), FAILURES["crashed"])
    )
    assert set(decisions(gating.gate(bundle, pinned)).values()) == {"fail"}


def test_a_throttled_host_turns_fail_into_undecided(tmp_path, pinned):
    ratios = {"fast": 2.0 / 1.1, "slow": 0.5}
    gate = gating.gate(make(tmp_path / "b", ratios=ratios, touch=throttle), pinned)
    cell = next(c for c in gate.cells if c.solution == "fast")
    assert (gate.decision, cell.decision) == ("undecided", "undecided")
    assert "RM301" in cell.codes and "slower beyond chance" in cell.because


def test_lower_ceilings_or_clocks_turn_fail_into_undecided_and_leave_a_pass(tmp_path, pinned):
    ratios = {"fast": 2.0 / 1.1, "slow": 0.5}
    slow = make(tmp_path / "b", ratios=ratios, environment=slow_memory(0.9))
    gate = gating.gate(slow, pinned)
    assert gate.decision == "undecided" and "memory bandwidth" in gate.host[0]
    assert decisions(gate)["n1/slow"] == "pass"
    near = gating.gate(make(tmp_path / "c", ratios=ratios, environment=slow_memory(0.97)), pinned)
    assert near.decision == "fail" and near.host == ()
    pin = gating.read_pin(pinned)
    slack = replace(pin, host=replace(pin.host, sm_clock=(1.9e9, 1.9e9, 1.98e9)))
    assert "clock" in next(depressions(pin, slack))


def test_what_was_not_measured_fails_on_a_depressed_host_too(tmp_path, pinned):
    ratios = {"fast": FAILURES["incorrect"], "slow": 0.5}
    gate = gating.gate(make(tmp_path / "b", ratios=ratios, environment=slow_memory(0.8)), pinned)
    assert gate.decision == "fail"


# --- comparable, filters -------------------------------------------------------------------------
def other_gpu():
    environment = small_environment()
    assert isinstance(environment.gpu, Gpu)
    return replace(environment, gpu=replace(environment.gpu, name="NVIDIA H200 NVL"))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"environment": other_gpu()}, "gpu.name"),
        ({"study": small_study(("fast", "slow"), protocol=Protocol(tier="call"))}, "tier"),
        ({"study": small_study(("fast", "slow"), protocol=Protocol(cache="warm"))}, "cache"),
        (
            {"study": replace(STUDY, definition=replace(STUDY.definition, flops="8*n*d"))},
            "definition",
        ),
        ({"device": "cpu"}, "device"),
    ],
)
def test_what_answers_another_question_is_refused_with_what_to_do(tmp_path, pinned, options, field):
    with pytest.raises(BundleError) as error:
        gating.gate(make(tmp_path / "b", **options), pinned)
    assert set(codes_of(error)) == {"RM434"}
    assert any(each.fact.startswith(f"{field} was") and each.mend for each in error.value.problems)


def test_a_workload_that_kept_its_name_and_not_its_size_is_refused(tmp_path, bundle):
    pin = make_baseline(bundle)
    moved = sealed(replace(pin, workloads=pin.workloads | {"n1": "0" * 64}))
    with pytest.raises(BundleError, match="workload n1"):
        gating.gate(bundle, moved)
    assert gating.gate(bundle, moved, ask=Ask(workloads=("n127",))).decision == "pass"


def test_another_baseline_voids_speed_ups_and_leaves_times(bundle):
    other = sealed(replace(make_baseline(bundle), baseline_source="0" * 64))
    with pytest.raises(BundleError, match="baseline_source"):
        gating.gate(bundle, other)
    assert gating.gate(bundle, other, ask=Ask(metric="time")).decision == "pass"


@pytest.mark.parametrize(
    "ask", [Ask(workloads=("n9*",)), Ask(solutions=("fsat",)), Ask(solutions=("eager",))]
)
def test_a_filter_that_matches_nothing_is_an_error(bundle, pinned, ask):
    with pytest.raises(StudyError) as error:
        gating.gate(bundle, pinned, ask=ask)
    assert codes_of(error) == ["RM130"]


@pytest.mark.parametrize("ask", [Ask(margin=0.0), Ask(margin=3.0), Ask(alarm=0.5)])
def test_a_margin_that_cannot_be_is_an_error(bundle, pinned, ask):
    with pytest.raises(StudyError) as error:
        gating.gate(bundle, pinned, ask=ask)
    assert codes_of(error) == ["RM103"]


# --- numbers -------------------------------------------------------------------------------------
def test_a_derived_margin_grows_with_noise_with_runs_and_with_cells(bundle):
    old = make_baseline(bundle).cells[1].speedup
    least = derive_margin(old, 0.002, 0.02, least=0.0)
    assert derive_margin(replace(old, spread=2 * old.spread), 0.002, 0.02, least=0.0) > least
    assert derive_margin(old, 0.01, 0.02, least=0.0) > least
    assert derive_margin(old, 0.002, 0.0002, least=0.0) > least
    assert derive_margin(old, 0.002, 0.02, least=0.5) == 0.5


def test_a_shift_has_the_variance_of_both_and_of_the_runs(bundle):
    old = replace(make_baseline(bundle).cells[1].speedup, spread=0.01)
    new = replace(old, values=tuple(v / 1.05 for v in old.values), spread=0.02)
    shift = shift_between(old, new, "speedup", 0.003)
    assert shift.mean == pytest.approx(0.04879, abs=1e-5)
    assert shift.error**2 == pytest.approx((0.01**2 + 0.02**2) / 6 + 2 * 0.003**2)
    assert shift_between(old, new, "time", 0.003).mean == pytest.approx(-shift.mean)
    assert 5 < shift.df < 12 and shift.chance() < 0.002


def test_a_host_whose_unchanged_baseline_moved_widens_times_and_leaves_speed_ups(bundle, tmp_path):
    pin, fresh = make_baseline(bundle), make_baseline(make(tmp_path / "b", seed=4))
    assert run_spread(pin, "time", fresh) == pytest.approx(0.005)
    moved = replace(
        fresh,
        cells=tuple(
            replace(c, time=replace(c.time, estimate=replace(c.time.estimate, value=v * 1.04)))
            for c in fresh.cells
            for v in [c.time.estimate.value]
        ),
    )
    assert run_spread(pin, "time", moved) == pytest.approx(0.04, abs=0.004)
    assert run_spread(pin, "speedup", moved) == run_spread(pin, "speedup", fresh)
    assert run_spread(pin, "time", replace(moved, baseline_source="0" * 64)) == 0.005


# --- the command line ----------------------------------------------------------------------------
def call(capfd, *arguments):
    capfd.readouterr()
    code = main([str(each) for each in arguments])
    return code, *capfd.readouterr()


def test_the_commands_their_exit_codes_and_their_pages(capfd, tmp_path, bundle):
    pin, xml, page = (tmp_path / name for name in ("pin.json", "gate.xml", "summary.md"))
    code, out, err = call(capfd, "pin", bundle.path, "-o", pin)
    assert code == 0 and "tells slow-downs of" in out and err.endswith(f"Wrote {pin}\n")
    code, _, err = call(capfd, "pin", bundle.path, "-o", pin)
    assert code == 2 and "RM432" in err and "+0.00 %" in err
    page.write_text("before\n")
    pages = ("--junit", xml, "--summary", page)
    code, out, _ = call(capfd, "gate", bundle.path, "--baseline", pin, *pages)
    assert code == 0 and "at most 2 %" in out
    slower = make(tmp_path / "b", ratios={"fast": 1.8, "slow": 0.5})
    code, out, _ = call(capfd, "gate", slower.path, "--baseline", pin, "--json", *pages)
    assert code == 1 and json.loads(out)["decision"] == "fail"
    suite = ET.parse(xml).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("6", "3")
    assert [c.get("name") for c in suite.iter("testcase") if c.find("failure") is not None] == [
        "fast"
    ] * 3
    text = page.read_text()
    assert text.startswith("before\n") and "gate passed" in text and "| fail | n1 | fast |" in text
    held = make(tmp_path / "c", ratios={"fast": 1.8, "slow": 0.5}, environment=slow_memory(0.8))
    code, out, _ = call(capfd, "gate", held.path, "--baseline", pin, "--junit", xml)
    assert code == 3 and "depressed host" in out
    assert ET.parse(xml).getroot().get("skipped") == "3"
    assert call(capfd, "gate", bundle.path, "--baseline", pin, "--metric", "speed")[0] == 2
    assert call(capfd, "gate", bundle.path, "--baseline", tmp_path / "none.json")[0] == 2


def test_another_team_s_pin_is_named_as_such(capfd, bundle, tmp_path):
    foreign = Path(tmp_path / "perf_baseline.json")
    foreign.write_text('{"schema_version": "legacy-v1", "gpu": "X", "metrics": {}}')
    code, _, err = call(capfd, "gate", bundle.path, "--baseline", foreign)
    assert code == 2 and "RM433" in err and "roofmark import" in err
