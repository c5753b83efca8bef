"""What a profile does to a verdict (the bound, never the decision) and to its pages."""

import json

import pytest
from made_up import make_bundle
from msgspec.structs import replace
from sample import make_build

from roofmark import api
from roofmark.analysis.bounds import METRICS, Loads, classify, loads_of_launches
from roofmark.bundle import open_bundle
from roofmark.cli import main
from roofmark.foreign import Metric, Profile
from roofmark.profiling import profile
from roofmark.records import Missing, decode, encode
from roofmark.reports.html import render_html
from roofmark.reports.markdown import render_markdown
from roofmark.reports.terminal import render_terminal


def bounds(verdict):
    return {(cell.workload, cell.solution): cell.bound for cell in verdict.cells}


def findings(verdict, code):
    return [each for each in verdict.findings if each.code == code]


def pages(bundle):
    verdict = api.judge(bundle)
    return {
        "terminal": " ".join(render_terminal(verdict, bundle, width=200, colour=False).split()),
        "markdown": render_markdown(verdict, bundle).replace("\\", ""),
        "html": render_html(verdict, bundle),
    }


def test_counters_name_the_bound_and_move_no_decision(run, ncu, measured):
    before, after = api.judge(measured), api.judge(run(workloads=("n1",), solutions=()))
    assert [c.decision for c in before.cells] == [c.decision for c in after.cells]
    assert {b.evidence for b in bounds(before).values()} == {"timing"}
    found = bounds(after)
    assert found["n1", "fast"].evidence == "both"
    # Main memory alone is busy, with the chip through which its bytes go.
    assert found["n1", "fast"].kind == "memory"
    assert found["n1", "fast"].headroom == pytest.approx(1 / 0.58, 0.01)
    # The twin is the baseline again.
    assert found["n1", "base~twin"].evidence == "both"
    assert found["n127", "fast"].evidence == "timing"


def test_rm209_tells_where_times_say_otherwise(run, ncu, measured):
    (without,) = findings(api.judge(measured), "RM209")
    assert (without.state, "no profile was taken" in without.message) == ("unknown", True)
    told = [f for f in findings(api.judge(run()), "RM209") if f.state == "fires"]
    assert [(f.workload, f.solution, f.moves) for f in told] == [("n1", "fast", "")]
    said = told[0].message
    assert said.startswith("latency by times (launch 5 %, memory 0 %), memory by counters")
    assert "memory 58 %, on-chip 59 %, arithmetic 11 %" in said


def test_launches_that_hold_too_little_of_the_time_name_no_bound(run, ncu):
    verdict = api.judge(run(launches=1))
    assert bounds(verdict)["n1", "fast"].evidence == "timing"
    unknown = [f for f in findings(verdict, "RM209") if f.state == "unknown"]
    assert "of the kernel time" in unknown[0].message or "more reasons" in unknown[0].message


def test_every_page_says_what_bounds_rest_on(run, ncu):
    shown = pages(run(workloads=("n1",), solutions=()))
    assert "bounds by counters and times on 2 and times on 2" in shown["terminal"]
    for page in ("markdown", "html"):
        assert "(by counters and times)" in shown[page] and "(by times)" in shown[page]
    for text in shown.values():
        assert "2 of 2 pairs of workload and solution profiled" in text
        assert "caches flushed, clocks not locked" in text


def test_a_reason_for_no_counters_stands_once_in_every_page(run, ncu):
    ncu("held")
    for text in pages(run(workloads=(), solutions=())).values():
        assert text.count("another tool holds the counters") == 1
        assert "0 of 4 pairs" in text and "dcgmi profile --pause" in text


def test_a_bundle_without_profiles_says_nothing_of_them(measured):
    for text in pages(measured).values():
        assert "profiled" not in text


def launch(values, seconds):
    metrics = {
        name: Metric(value=value, unit="%")
        for name, value in zip(METRICS[1:], values, strict=True)
        if value is not None
    }
    return Profile(kernel="k", launch=0, grid=(1, 1, 1), block=(1, 1, 1), duration=seconds,
                   metrics=metrics), seconds  # fmt: skip


def test_loads_of_several_launches_are_their_mean_by_time():
    found = loads_of_launches(
        [launch((80.0, 10.0, 20.0, 0.0), 3e-6), launch((0.0, 90.0, 90.0, 0.0), 1e-6)]
    )
    assert isinstance(found, Loads)
    assert (found.math, found.memory, found.chip) == pytest.approx((0.6, 0.3, 0.375))
    one = loads_of_launches(
        [launch((80.0, 10.0, 20.0, 0.0), 3e-6), launch((50.0, None, 90.0, 0.0), 1e-6)]
    )
    assert isinstance(one, Loads) and isinstance(one.memory, Missing)
    assert one.math == pytest.approx(0.725)
    assert isinstance(loads_of_launches([]), Missing)


def test_bounds_by_one_long_kernel_are_those_of_that_kernel():
    both = loads_of_launches(
        [launch((90.0, 20.0, 30.0, 80.0), 1e-3), launch((5.0, 75.0, 75.0, 0.0), 5e-5)]
    )
    assert classify(both).kind == "compute"


# --- the command ---------------------------------------------------------------------------------
@pytest.fixture
def command(monkeypatch, measured, tmp_path, capfd):
    from made_up import MACHINE

    def patched(target, output, *, options, progress):
        return profile(target, output, options=options, progress=progress, machine=MACHINE)

    monkeypatch.setattr("roofmark.profiling.profile", patched)

    def call(*arguments):
        code = main(["profile", str(measured.path), "-o", str(tmp_path / "new"), *arguments])
        return code, *capfd.readouterr()

    return call


def test_the_command_tells_the_bound_and_what_was_counted(command, ncu, tmp_path):
    code, out, err = command("-w", "n1", "--timeline", str(tmp_path / "t.json.gz"))
    assert code == 0
    assert (
        "n1 base: " in out
        and "memory by counters and times\n   main memory 58 %, on-chip 59 %" in out
    )
    assert "2 of 2 launches, 100 % of the kernel time\n     69 % void" in out
    assert max(map(len, out.splitlines())) <= 80
    assert err.rstrip().endswith(f"Wrote {tmp_path / 'new'}")
    assert f"Wrote {tmp_path / 't.json.gz'}" in err


def test_the_command_is_undecided_where_counters_are_not_to_be_had(command, ncu):
    ncu("permission")
    code, out, _ = command()
    assert code == 3
    assert out.startswith("not profiled: base on n1, fast on n1, base on n127, fast on n127: ")
    assert out.count("ERR_NVGPUCTRPERM") == 1 and out.count("CAP_SYS_ADMIN") == 1


def test_the_command_gives_json(command, ncu, tmp_path):
    code, out, _ = command("--json", "-s", "fast")
    found = json.loads(out)
    assert code == 0
    assert found["bundle"] == open_bundle(tmp_path / "new").digest
    assert [each["workload"] for each in found["profiles"]] == ["n1", "n127"]
    assert {each["outcome"]["type"] for each in found["profiles"]} == {"profiled"}


def test_a_filter_that_matches_nothing_is_usage(command, ncu):
    code, out, err = command("-s", "nobody")
    assert (code, out) == (2, "")
    assert "RM130" in err


# --- builds --------------------------------------------------------------------------------------
def compiled(**changes):
    from roofmark.evidence import KernelResources, Target

    kernel = KernelResources(
        name="_ZN39_GLOBAL__N__d1ee1b40_7_work_cu_53b1710414Kernel", registers=10, spill_bytes=0,
        shared=0, target="sm_90",
    )  # fmt: skip
    fields = {
        "language": "cuda", "compiler": "nvcc 13.0", "command": ("nvcc", "work.cu"),
        "targets": (Target(kind="sass", name="sm_90"),), "kernels": (kernel,), "binary": "a" * 64,
    }  # fmt: skip
    return make_build("fast", **(fields | changes))


def test_a_rebuild_is_the_same_only_with_the_same_compiler_and_machine_code(tmp_path):
    from roofmark.options import ProfileOptions
    from roofmark.profiled import Refused
    from roofmark.profiling.pairs import check_build, choose_pairs

    bundle = open_bundle(make_bundle(tmp_path / "b", build=compiled(seconds=3.2)))
    pair = choose_pairs(bundle, ProfileOptions())[0]
    assert check_build(pair, compiled(seconds=9.9)) == "same binary"
    (kernel,) = compiled().kernels
    moved = replace(kernel, name=kernel.name.replace("d1ee1b40", "ffff0000"))
    assert check_build(pair, compiled(binary="b" * 64, kernels=(moved,))) == "rebuilt"
    for change in (
        {"compiler": "nvcc 12.8"},
        {"command": ("nvcc", "-O0", "work.cu")},
        {"source": "1" * 64},
        {"binary": "b" * 64, "kernels": (replace(kernel, registers=64),)},
    ):
        with pytest.raises(Refused) as caught:
            check_build(pair, compiled(**change))
        assert caught.value.kind == "other_build"


def test_profiles_are_records_that_come_back(run, ncu):
    for each in run(solutions=()).profiles():
        assert decode(encode(each), type(each), where="memory") == each
