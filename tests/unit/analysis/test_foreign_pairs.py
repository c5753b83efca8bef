"""Files of other tools side by side: ratios that are reported, and no verdict from any of them."""

import os
from pathlib import Path

import pytest

from roofmark.analysis.foreign_pairs import compare_foreign
from roofmark.errors import BundleError
from roofmark.importers import read_foreign

ROOT = Path(__file__).resolve().parents[3]
CASES = Path(os.environ.get("ROOFMARK_CASES", ROOT.parent / "shared/cases"))
KERNELS = "config_id,kernel_symbol,n_calls,mean_us,p50_us,p95_us,total_ms\n"
PIN = """{{"model": "m.gguf", "gpu": "{gpu}", "reps": 5{method},
 "metrics": {{"decode_tps": {{"tg128": {rate}}}}}}}"""
METHOD = ', "methodology": "median of 5 trials"'
RUNS = "run,workload,status,latency_us,speedup_vs_python_reference\n"


def kernels(*rows):
    return KERNELS + "".join(
        f"x,{n},{calls},{us},{us},{us},{calls * us / 1e3}\n" for n, calls, us in rows
    )


def pin(rate, gpu="RTX", method=METHOD):
    return PIN.format(rate=rate, gpu=gpu, method=method)


def test_kernel_tables_give_ratios_per_call_and_a_sum_with_its_coverage(read):
    a = read(kernels(("gemm", 10, 100.0), ("norm", 10, 10.0), ("old", 1, 100.0)))
    b = read(kernels(("gemm", 10, 99.0), ("norm", 10, 11.0), ("new", 1, 5.0)), "b")
    found = compare_foreign(a, b)
    (part,) = found.parts
    assert found.outcome == "reported"
    assert {r.label: round(r.ratio, 4) for r in part.rows} == {"gemm": 0.99, "norm": 1.1}
    assert part.together.ratio == pytest.approx(1100 / 1100)
    assert part.together.coverage_a == pytest.approx(1100 / 1200)
    assert (part.only_a, part.only_b) == (("old",), ("new",))


def test_another_number_of_calls_makes_sums_of_different_work(read):
    a = read(kernels(("gemm", 10, 100.0), ("norm", 10, 10.0)))
    b = read(kernels(("gemm", 20, 100.0), ("norm", 10, 10.0)), "b")
    (part,) = compare_foreign(a, b).parts
    assert (part.together.other_calls, round(part.together.other_share, 2)) == (1, 0.94)
    assert [r.why for r in part.rows] == ["10 calls, 20 calls", ""]


def test_pins_of_one_method_are_reported_without_a_verdict(read):
    found = compare_foreign(read(pin(100.0)), read(pin(97.0), "b"))
    assert found.outcome == "reported"
    assert found.parts[0].rows[0].ratio == pytest.approx(0.97)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (pin(189.0, method=""), "methodology"),
        (pin(189.0, method=', "methodology": "mean of 3"'), "methodology"),
        (pin(189.0, gpu="B200"), "gpu"),
        (pin(189.0).replace("m.gguf", "n.gguf"), "model"),
    ],
)
def test_pins_of_other_method_host_or_model_are_not_comparable(read, text, field):
    found = compare_foreign(read(pin(100.0)), read(text, "b"))
    assert found.outcome == "not comparable"
    assert [d.field for d in found.parts[0].differences if d.voids] == [field]
    assert all(d.mend for d in found.parts[0].differences if d.voids)


def test_a_model_is_one_model_in_any_folder(read):
    moved = pin(97.0).replace("m.gguf", "/models/m.gguf (GGUF)")
    assert compare_foreign(read(pin(100.0)), read(moved, "b")).outcome == "reported"


def runs(*scales):
    """Runs of two workloads; scale: of latency, and of the reference's own."""
    return RUNS + "".join(
        f"{i},{w},PASSED,{base * own},{100 * reference / own}\n"
        for i, (own, reference) in enumerate(scales, 1)
        for w, base in (("x", 10.0), ("y", 20.0))
    )


def test_runs_on_two_hosts_are_two_groups(read):
    text = runs((1.0, 1.0), (1.02, 1.05), (0.98, 0.94), (1.4, 1.7), (1.41, 1.75), (1.39, 1.68))
    file = read(text)
    found = compare_foreign(file, file)
    assert found.outcome == "not comparable"
    assert [g.runs for g in found.groups] == [
        ("run 1", "run 2", "run 3"),
        ("run 4", "run 5", "run 6"),
    ]
    slow = found.groups[1]
    assert slow.latency == pytest.approx(1.4, rel=0.01)
    assert slow.canary == pytest.approx(1.7, rel=0.01)
    assert slow.speedup == pytest.approx(1.7 / 1.4, rel=0.02)


def test_runs_on_one_host_are_one_group(read):
    file = read(runs((1.0, 1.0), (1.02, 1.05), (0.98, 0.94)))
    found = compare_foreign(file, file)
    assert (found.outcome, len(found.groups)) == ("reported", 1)


def test_two_files_from_two_hosts_are_void_by_their_canary(read):
    found = compare_foreign(read(runs((1.0, 1.0))), read(runs((1.4, 1.7)), "b"))
    assert found.outcome == "not comparable"
    assert [d.field for d in found.parts[0].differences] == ["host"]


def test_files_of_two_kinds_are_an_error(read):
    with pytest.raises(BundleError, match="RM425"):
        compare_foreign(read(pin(1.0)), read(kernels(("gemm", 1, 1.0)), "b"))
    file = read(pin(1.0))
    with pytest.raises(BundleError, match="no runs"):
        compare_foreign(file, file)


# --- evidence of other teams, where it is at hand ------------------------------------------------
field = pytest.mark.skipif(not CASES.is_dir(), reason="the field's files are not here")


@field
def test_full_and_piecewise_graphs_are_the_same():
    folder = CASES / "full-vs-piecewise"
    a, b = (read_foreign(folder / f"{name}_kernels.csv") for name in ("piecewise", "full"))
    (part,) = compare_foreign(a, b).parts
    assert (part.together.kernels, part.together.other_calls) == (77, 1)
    assert part.together.ratio - 1 == pytest.approx(-0.0027, abs=5e-5)
    assert (len(part.only_a), len(part.only_b)) == (4, 3)


@field
def test_the_fourth_run_was_on_another_host():
    file = read_foreign(CASES / "gdn-modal" / "b200_flashinfer_bench_runs.csv")
    found = compare_foreign(file, file)
    assert [g.runs for g in found.groups] == [("run 1", "run 2", "run 3", "run 5"), ("run 4",)]
    assert found.groups[1].latency > 1.3
    assert found.groups[1].speedup > 1.1


@field
def test_pins_ten_weeks_apart_are_not_comparable():
    pins = sorted((CASES / "imp").glob("perf_baseline@*.json"))
    found = compare_foreign(*(read_foreign(each) for each in reversed(pins)))
    assert found.outcome == "not comparable"
    assert [d.field for d in found.parts[0].differences if d.voids] == ["methodology"]
