"""A pass over a bundle: what is counted, what is refused and why, what is written."""

import json
import math
import time

import pytest
from made_up import DEVICE, MACHINE, make_bundle
from msgspec.structs import replace
from sample import make_build

from roofmark.analysis.bounds import METRICS
from roofmark.bench.profile_run import start_child
from roofmark.bundle import open_bundle, verify_bundle
from roofmark.errors import BenchError, BundleError, StudyError
from roofmark.importers import read_foreign
from roofmark.options import ProfileOptions
from roofmark.profiled import MENDS, NotProfiled, Profiled, Refused
from roofmark.profiling import Machine, passes, profile
from roofmark.profiling.timeline import read_call
from roofmark.records import Missing


def outcome(bundle):
    (pair,) = bundle.profiles()
    assert (pair.workload, pair.solution) == ("n1", "fast")
    return pair.outcome


def refused(bundle, kind):
    found = outcome(bundle)
    assert isinstance(found, NotProfiled), found
    assert (found.kind, found.mend) == (kind, MENDS[kind])
    return found.reason


def asked(tmp_path):
    """Return the command lines that ncu was given."""
    path = tmp_path / "asked"
    return path.read_text().splitlines() if path.exists() else []


# --- counted -------------------------------------------------------------------------------------
def test_a_call_is_counted_and_bound_to_what_was_measured(run, ncu, measured):
    found = outcome(run())
    assert isinstance(found, Profiled)
    assert [each.profile.kernel.split("(")[0] for each in found.launches] == [
        "void <unnamed>::scale<float, ",
        "reduce_sum",
    ]
    assert [each.seen for each in found.launches] == pytest.approx([12e-6, 5.5e-6])
    assert [each.share for each in found.launches] == pytest.approx([12 / 17.5, 5.5 / 17.5])
    assert found.coverage == pytest.approx(1.0)
    assert (found.kernels, found.replay, found.cache_control) == (2, "kernel", "all")
    assert found.measured == pytest.approx(20e-6, rel=0.05)
    assert (found.measured_tier, found.build) == ("graph", "same sources")
    assert found.tool == "Version 2025.3.1.0 (fake)"
    assert set(found.launches[0].profile.metrics) == set(METRICS)
    assert found.launches[0].profile.duration == pytest.approx(14.016e-6)


def test_ncu_is_asked_for_one_call_and_for_the_rules_metrics_alone(run, ncu, tmp_path):
    run()
    (command,) = asked(tmp_path)
    assert f"--metrics {','.join(METRICS)} " in command
    for words in ("--profile-from-start off", "--clock-control none", "--cache-control all",
                  "--replay-mode kernel", "--launch-count 16", "--page raw"):  # fmt: skip
        assert words in command
    assert "--kernel-name " not in command


def test_the_longest_kernels_are_counted_where_there_are_too_many(run, ncu, tmp_path):
    found = outcome(run(launches=1))
    assert "--kernel-name-base function --kernel-name regex:^(scale)$" in asked(tmp_path)[0]
    assert [each.profile.kernel.count("scale") for each in found.launches] == [1]
    assert (found.kernels, found.coverage) == (2, pytest.approx(12 / 17.5))


def test_the_new_bundle_holds_the_old_one_and_the_old_one_is_as_it_was(run, ncu, measured):
    before = measured.digest
    new = run(workloads=(), solutions=())
    assert verify_bundle(measured.path) == verify_bundle(new.path) == []
    assert open_bundle(measured.path).digest == before != new.digest
    old, files = measured.files(), new.files()
    assert {name: files[name] for name in old} == old
    pairs = ("n1/base", "n1/fast", "n127/base", "n127/fast")
    assert set(files) - set(old) == {f"profiles/{pair}.json" for pair in pairs} | {
        f"logs/{name}/profile-{workload}.txt" for workload, name in (p.split("/") for p in pairs)
    }
    assert {each.bundle for each in new.profiles()} == {before}
    log = files["logs/fast/profile-n1.txt"].decode()
    assert "loading fast" in log and "==PROF== Connected" in log and '"ID"' not in log
    assert list(measured.profiles()) == []


def test_a_profiled_bundle_can_be_profiled_again(run, ncu, tmp_path):
    first = run()
    (tmp_path / "new").rename(tmp_path / "first")
    ncu("permission")
    again = run(open_bundle(tmp_path / "first"), solutions=("base",))
    kinds = {each.solution: type(each.outcome) for each in again.profiles()}
    assert kinds == {"fast": Profiled, "base": NotProfiled}
    assert first.digest in {each.bundle for each in again.profiles()}


# --- refused -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("scenario", "kind", "reason"),
    [
        ("permission", "not_permitted", "ERR_NVGPUCTRPERM"),
        ("held", "counters_held", "driver resource was unavailable"),
        ("metric", "unknown_metric", "Failed to find metric"),
        ("unmatched", "nothing_matched", "No kernels were profiled"),
        ("empty", "no_rows", "no launch"),
        ("nan", "no_values", "'nan' is no number"),
        ("short", "cut_short", "1 of 2 launches"),
        ("cut", "cut_short", "1 of 2 launches"),
        ("broken", "ncu_failed", "LaunchFailed"),
        ("silent", "ncu_failed", "no log"),
        ("renamed", "other_kernels", "reduce_max with grid 8x1x1"),
        ("regridded", "other_kernels", "reduce_sum with grid 16x1x1"),
        ("more", "other_kernels", "reduce_sum"),
        ("slow", "other_times", "12.00 µs alone and 604.9 µs under ncu"),
    ],
)
def test_every_failure_of_ncu_has_a_kind(run, ncu, scenario, kind, reason):
    ncu(scenario)
    assert reason in refused(run(), kind)


@pytest.mark.parametrize(
    ("child", "kind", "reason"),
    [
        ("raises", "child_failed", "no such kernel image"),
        ("raises to count", "child_failed", "no such kernel image"),
        ("dies", "child_failed", "no answer"),
        ("idle", "no_kernel", "saw no kernel"),
        ("long", "other_times", "905.5 µs together"),
    ],
)
def test_every_failure_of_the_child_has_a_kind(run, ncu, child, kind, reason):
    ncu("good", child)
    assert reason in refused(run(), kind)


def test_one_absent_counter_is_missing_and_no_zero(run, ncu):
    ncu("one nan")
    metrics = outcome(run()).launches[1].profile.metrics
    assert metrics[METRICS[2]].value == Missing(reason="'n/a' is no number")
    assert metrics[METRICS[1]].value == 8.0


def test_what_refuses_one_refuses_all_and_is_tried_once(run, ncu, tmp_path):
    ncu("held")
    pairs = list(run(workloads=(), solutions=()).profiles())
    assert len(pairs) == 4 and {each.outcome.kind for each in pairs} == {"counters_held"}
    assert len(asked(tmp_path)) == 1


def test_without_ncu_nothing_is_started(run, ncu, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    never = replace_machine(start=lambda *_: pytest.fail("a child was started"))
    if (path := never.host().find("ncu")) and not isinstance(path, Missing):
        pytest.skip("ncu is installed where CUDA puts it")
    refused(run(machine=never), "no_ncu")


def replace_machine(**changes):
    fields = {"start": MACHINE.start, "device": MACHINE.device, "host": MACHINE.host}
    return Machine(**(fields | changes))


def test_no_device_and_another_device_are_told_apart(run, ncu, tmp_path):
    none = replace_machine(device=lambda: Missing(reason="CUDA_ERROR_NO_DEVICE"))
    assert "CUDA_ERROR_NO_DEVICE" in refused(run(machine=none), "no_cuda")
    (tmp_path / "new").rename(tmp_path / "first")
    other = replace_machine(device=lambda: replace(DEVICE, name="Other GPU"))
    reason = refused(run(machine=other), "other_device")
    assert "Test GPU" in reason and "Other GPU" in reason


def test_another_build_is_refused_with_what_differs(run, ncu, monkeypatch):
    there = make_build("fast", command=("CPython 3.12.3", "torch 2.11.0"))
    monkeypatch.setenv("FAKE_BUILD", json.dumps(built(there)))
    assert "CPython 3.12.3 torch 2.11.0" in refused(run(), "other_build")


def built(build):
    from roofmark.records import encode

    return json.loads(encode(build))


def test_the_call_has_to_take_what_was_measured(run, ncu, tmp_path):
    slow = open_bundle(make_bundle(tmp_path / "slow", speedups={"fast": 0.1}))
    assert "200" in refused(run(slow), "other_times")


# --- time ----------------------------------------------------------------------------------------
def test_what_hangs_is_ended_with_all_that_it_started(run, ncu, monkeypatch, tmp_path):
    monkeypatch.setattr(passes, "CHILD_LIMIT", 0.6)
    monkeypatch.setenv("FAKE_NCU_CHILD", str(tmp_path / "pid"))
    ncu("hang")
    start = time.monotonic()
    assert "did not end within" in refused(run(), "timed_out")
    assert time.monotonic() - start < 6
    assert gone(int((tmp_path / "pid").read_text()))


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_a_kernel_that_stands_no_replay_is_counted_by_the_whole_program(
    run, ncu, monkeypatch, tmp_path
):
    monkeypatch.setattr(passes, "CHILD_LIMIT", 0.6)
    monkeypatch.setenv("FAKE_NCU_CHILD", str(tmp_path / "pid"))
    ncu("hangs alone")
    bundle = run()
    assert outcome(bundle).replay == "application"
    assert "the program is replayed" in bundle.logs()["logs/fast/profile-n1.txt"].decode()


def test_a_cooperative_launch_is_never_replayed_alone(run, ncu, tmp_path):
    ncu("good", "cooperative")
    assert outcome(run()).replay == "application"
    assert len(asked(tmp_path)) == 1


def test_the_pass_ends_at_its_limit_and_says_what_it_did_not_reach(run, ncu):
    def slow(prefix, mode, folder, limit):
        time.sleep(0.3)
        return MACHINE.start(prefix, mode, folder, limit)

    machine = replace_machine(start=slow)
    pairs = list(run(machine=machine, workloads=(), solutions=(), time_limit=0.9).profiles())
    assert len(pairs) == 4
    assert isinstance(pairs[0].outcome, Profiled)
    assert pairs[-1].outcome.kind == "not_reached"


# --- what is in the way --------------------------------------------------------------------------
def test_filters_that_match_nothing_are_errors(run, ncu):
    with pytest.raises(StudyError, match="no workload matches 'n9'"):
        run(workloads=("n9",))
    with pytest.raises(StudyError, match="no solution matches 'quick'"):
        run(solutions=("quick",))


def test_nothing_that_exists_is_changed(run, ncu, tmp_path):
    (tmp_path / "t.json").write_text("mine")
    with pytest.raises(BundleError, match="RM409"):
        run(timeline=tmp_path / "t.json")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("mine")
    with pytest.raises(BundleError, match="RM409"):
        run()


def test_nothing_is_put_into_the_sealed_original(run, ncu, measured):
    for options in ({"timeline": measured.path / "t.json"}, {"output": measured.path / "new"}):
        with pytest.raises(BundleError, match="RM407"):
            run(**options)
    assert verify_bundle(measured.path) == []


def test_a_time_line_needs_a_folder_before_the_pass_begins(run, ncu, tmp_path):
    with pytest.raises(BundleError, match="RM408"):
        run(timeline=tmp_path / "nowhere" / "t.json")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("options", [{"launches": 0}, {"time_limit": 0}, {"time_limit": math.nan}])
def test_options_that_no_pass_could_follow(run, ncu, options):
    with pytest.raises(StudyError, match="RM124"):
        run(**options)


def test_a_study_is_measured_beside_and_then_profiled(ncu, tmp_path, monkeypatch):
    asked = []

    def measure(study, output, *, options, progress):
        asked.append((study, options.device, options.workloads, options.solutions))
        return open_bundle(make_bundle(output))

    monkeypatch.setattr("roofmark.api.run", measure)
    options = ProfileOptions(workloads=("n1",), solutions=("fast",))
    new = profile(tmp_path / "study", tmp_path / "new", options=options, machine=MACHINE)
    assert asked == [(tmp_path / "study", "cuda", ("n1",), ("fast",))]
    assert verify_bundle(tmp_path / "new-measured") == []
    assert isinstance(outcome(new), Profiled)


def test_a_run_on_the_cpu_has_no_counters(run, ncu, tmp_path):
    cpu = open_bundle(make_bundle(tmp_path / "cpu", device="cpu"))
    with pytest.raises(BenchError, match="RM332"):
        run(cpu)


# --- the real child ------------------------------------------------------------------------------
def test_the_real_child_answers_why_it_cannot_call(run, ncu, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    bundle = run(machine=replace_machine(start=start_child))
    assert "the call failed" in refused(bundle, "child_failed")
    assert "Traceback" in bundle.logs()["logs/fast/profile-n1.txt"].decode()


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"traceEvents": [{"cat": "kernel", "name": 1}]}',
     '{"traceEvents": [{"cat": "kernel", "name": "k", "ts": 1, "dur": -5, "args": '
     '{"correlation": 1, "grid": [1, 1, 1], "block": [1, 1, 1]}}]}',
     '{"traceEvents": [{"cat": "kernel", "name": "k", "ts": 1, "dur": 5, "args": '
     '{"correlation": 1, "grid": [1, 1], "block": [1, 1, 1]}}]}'],
)  # fmt: skip
def test_a_trace_that_is_none_fails_the_child(tmp_path, text):
    (tmp_path / "trace.json").write_text(text)
    with pytest.raises(Refused) as caught:
        read_call(tmp_path / "trace.json")
    assert caught.value.kind == "child_failed"


# --- the time line -------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["t.json", "t.json.gz"])
def test_the_time_line_holds_every_call_on_tracks_of_its_own(run, ncu, tmp_path, name):
    ncu("held")
    run(workloads=(), solutions=(), timeline=tmp_path / name)
    imported = read_foreign(tmp_path / name)
    assert imported.source.format == "torch_trace"
    tables = {table.kind: table for table in imported.contents}
    assert {row.calls for row in tables["gpu"].rows} == {4}
    assert tables["gpu"].total == pytest.approx(4 * 17.5e-6)
    assert tables["api"].rows[0].calls == 8


def test_calls_on_the_time_line_begin_together_and_share_no_track(run, ncu, tmp_path):
    run(workloads=(), timeline=tmp_path / "t.json")
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert set(names.values()) == {
        "fast on n1: device", "fast on n1: host", "fast on n127: device", "fast on n127: host",
    }  # fmt: skip
    spans = [e for e in events if e["ph"] == "X"]
    assert {e["pid"] for e in spans} == set(names)
    assert min(e["ts"] for e in spans) == 0
    arrows = [e["id"] for e in events if e["ph"] == "s"]
    assert len(set(arrows)) == len(arrows) == 2
