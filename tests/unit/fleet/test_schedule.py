"""The schedule over pretended stations: what is kept, what is measured again, when it looks."""

import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from inline import Device, Inline
from msgspec.structs import replace

from roofmark.analysis.judge import judge_bundle, judge_traces, undecided_workloads
from roofmark.bench.agenda import Agenda
from roofmark.bench.run import Job, never
from roofmark.bundle import BundleWriter, open_bundle
from roofmark.errors import BenchError
from roofmark.evidence import Passed, Run, Session
from roofmark.fleet.find import Found
from roofmark.fleet.fleet import Fleet
from roofmark.fleet.keep import ARRIVING, keep, recover
from roofmark.fleet.rounds import plan_round
from roofmark.fleet.words import Harvest, Measure
from roofmark.records import Missing
from roofmark.study import Protocol
from roofmark.testing import simulated_build, simulated_traces, small_environment, small_study

PLAN = Protocol(processes=(6, 12))
RUN = Run(
    device="cuda",
    entropy="00" * 16,
    confirmation=False,
    skipped=(),
    sessions=(
        Session(started=0.0, roofmark="1", ended="complete", seconds=Missing(reason="simulated")),
    ),
    fleet="local:2",
)


@pytest.fixture
def study():
    return small_study(workloads=(1, 127), protocol=PLAN)


def run_over(executor, study, folder: Path, *, undecided=undecided_workloads, hopeless=never):
    """Measure over pretended stations; return the writer's traces."""
    said = []
    with BundleWriter(folder) as writer, ExitStack() as stack:
        stack.callback(executor.close)
        fleet = Fleet(Found(executor, "cuda", "local:2"), study, folder, None)
        if not writer.has("study.json"):
            writer.write("environment.json", fleet.environment)
            writer.write("run.json", RUN)
            writer.write("study.json", study)
        job = Job(
            study=study,
            contents={},
            run=RUN,
            environment=fleet.environment,
            writer=writer,
            undecided=undecided,
            hopeless=hopeless,
            say=said.append,
            cache=folder,
        )
        fleet.measure(job, writer)
        return writer.traces()


def sets_of(traces, workload="n1"):
    return sorted(t.process for t in traces if t.role == "baseline" and t.workload == workload)


def check_nothing_twice(traces):
    keys = Counter((t.role, t.workload, t.solution, t.process) for t in traces)
    assert max(keys.values()) == 1


def test_sets_are_shared_out_and_kept_once(study, tmp_path):
    executor = Inline(study, [Device(0), Device(1)])
    traces = run_over(executor, study, tmp_path / "b", undecided=lambda *_: set())
    assert sets_of(traces) == [0, 1, 2, 3, 4, 5]
    check_nothing_twice(traces)
    by = Counter(t.station for t in traces if t.role == "baseline")
    assert by == {"h.0": 6, "h.1": 6}  # three sets of two workloads each
    of_set = {(t.process, t.station) for t in traces if t.role != "wrong"}
    assert len(of_set) == 6, "every set belongs to one station"
    assert {t.solution for t in traces if t.role == "wrong"} == {"no_weight"}


def test_a_lost_station_loses_its_set_and_nothing_else(study, tmp_path):
    dying = Device(0, dies=(1,))
    executor = Inline(study, [dying, Device(1)])
    traces = run_over(executor, study, tmp_path / "b", undecided=lambda *_: set())
    assert len(sets_of(traces)) == 6 and sets_of(traces) == sets_of(traces, "n127")
    check_nothing_twice(traces)
    asked = [r.process for _, r in executor.requests if isinstance(r, Measure)]
    (lost,) = set(asked) - set(sets_of(traces))
    assert max(asked) == 6 and asked.count(lost) == 1, "measured again under a number of its own"
    with BundleWriter(tmp_path / "b") as writer:
        losses = {s.id: s.losses for s in writer.stations()}
    assert losses == {"h.0": ("it was killed",), "h.1": ()}


def test_what_cannot_win_begins_no_further_set_of_its_round(study, tmp_path):
    def hopeless(_study, _device, traces):
        return "it is slower" if sets_of(traces) else ""

    executor = Inline(study, [Device(0), Device(1, dies=(0,))])
    traces = run_over(executor, study, tmp_path / "b", hopeless=hopeless)
    # One set tells; the lost one is not made up for, and no other is begun.
    assert sets_of(traces) == sets_of(traces, "n127") and len(sets_of(traces)) == 1
    assert {t.solution for t in traces if t.role == "wrong"} == {"no_weight"}


def test_what_loses_every_station_ends_the_run(study, tmp_path):
    devices = [Device(n, dies=range(99)) for n in range(2)]
    with pytest.raises(BenchError, match=r"RM342.*one after the other.*it was killed"):
        run_over(Inline(study, devices), study, tmp_path / "b")
    with pytest.raises(BenchError, match=r"RM341.*roofmark 9"):
        other = Device(0)
        other.version = "9"
        run_over(Inline(study, [other]), study, tmp_path / "c")


def test_another_model_is_refused_and_told(study, tmp_path):
    odd = Device(2, name="NVIDIA H100")
    slow = Device(3, power_limit=500.0)
    same = Device(1)
    executor = Inline(study, [odd, Device(0), same, slow, Device(1)])
    traces = run_over(executor, study, tmp_path / "b", undecided=lambda *_: set())
    assert {t.station for t in traces if t.station} == {"h.0", "h.1"}
    with BundleWriter(tmp_path / "b") as writer:
        refused = {s.id: s.refused for s in writer.stations() if s.refused}
        environment = (tmp_path / "b" / "environment.json").read_text()
    assert refused.keys() == {"h.2", "h.3"}
    assert "gpu.name is NVIDIA H100, not NVIDIA H200" in refused["h.2"]
    assert "gpu.power_limit is 500.0, not 700.0" in refused["h.3"]
    assert "H200" in environment and len(executor.dismissed) == 3


def test_a_station_that_builds_less_than_the_others_is_refused(study, tmp_path):
    poor = Device(0)
    poor.unbuilt = ("fast",)
    executor = Inline(study, [poor, Device(1)])
    traces = run_over(executor, study, tmp_path / "b", undecided=lambda *_: set())
    assert {t.station for t in traces if t.role == "baseline"} == {"h.1"}
    assert all(isinstance(t.outcome, Passed) for t in traces if t.solution == "fast")


@pytest.mark.parametrize("backwards", [False, True])
def test_every_look_sees_all_sets_that_were_begun(study, tmp_path, backwards):
    """In whatever order sets arrive: no look in the middle of a round, none at an unplanned n."""
    seen = []

    def undecided(study, device, traces):
        numbers = sets_of(traces)
        assert numbers == sets_of(traces, "n127") == list(range(len(numbers)))
        seen.append(len(numbers))
        return {"n1", "n127"}

    executor = Inline(study, [Device(0), Device(1)], backwards=backwards)
    traces = run_over(executor, study, tmp_path / "b", undecided=undecided)
    assert sets_of(traces) == list(range(12))
    assert sorted(set(seen)) == [6, 8, 10]


def test_rounds_fill_their_last_row_and_end_at_the_most(study):
    agenda = Agenda(study, "cuda", False, lambda *_: {"n1"}, [])
    assert [len(plan_round(agenda, n, 0)) for n in (1, 2, 4, 5, 8, 20)] == [6, 6, 8, 10, 8, 12]
    agenda.traces = simulated_traces(study, processes=7)
    (later,) = plan_round(agenda, 1, 7)
    assert (later.process, later.workloads) == (7, ("n1",))
    agenda.traces = simulated_traces(study, processes=12)
    assert plan_round(agenda, 2, 12) == []


# --- kept once, whatever happens -----------------------------------------------------------------
def test_a_kill_while_keeping_neither_loses_nor_doubles(study, tmp_path):
    traces = tuple(replace(t, station="h.0") for t in simulated_traces(study, processes=1))
    harvest = Harvest(builds=(simulated_build(study, "eager"),), logs=(), traces=traces)
    for killed_after in range(len(traces)):
        folder = tmp_path / str(killed_after)
        with BundleWriter(folder) as writer:
            writer.write(ARRIVING, harvest)
            for trace in traces[:killed_after]:
                writer.append(trace)
        with BundleWriter(folder) as writer:
            recover(writer)
            recover(writer)
            check_nothing_twice(writer.traces())
            assert len(writer.traces()) == len(traces)
            assert not writer.has(ARRIVING)


def test_a_run_that_was_killed_goes_on(study, tmp_path):
    class Killed(Exception):
        pass

    class Cut(Inline):
        def wait(self, limit):
            if len(self.measured) > 3:
                raise Killed
            return super().wait(limit)

    with pytest.raises(Killed):
        run_over(Cut(study, [Device(0), Device(1, dies=(0,))]), study, tmp_path / "b")
    with BundleWriter(tmp_path / "b") as writer:
        before = sets_of(writer.traces())
    assert 0 < len(before) < 6
    again = Inline(study, [Device(1), Device(2)])
    traces = run_over(again, study, tmp_path / "b", undecided=lambda *_: set())
    check_nothing_twice(traces)
    missing = 6 - len(before)
    assert len(sets_of(traces)) == len(before) + missing + missing % 2, "two stations, whole rows"
    assert set(before) <= set(sets_of(traces))
    assert {t.station for t in traces if t.station} == {"h.0", "h.1", "h.2"}
    with BundleWriter(tmp_path / "b") as writer:
        kept = {s.id: s.losses for s in writer.stations()}
    assert kept == {"h.0": (), "h.1": ("it was killed",), "h.2": ()}


def test_a_device_that_measured_is_not_forgotten_when_it_is_refused_later(study, tmp_path):
    run_over(
        Inline(study, [Device(0), Device(1)]), study, tmp_path / "b", undecided=lambda *_: set()
    )
    later = Inline(study, [Device(1, driver="new"), Device(0), Device(0)])
    run_over(later, study, tmp_path / "b", undecided=lambda *_: set())
    with BundleWriter(tmp_path / "b") as writer:
        assert {s.id: s.refused for s in writer.stations()} == {"h.0": "", "h.1": ""}


def test_a_run_that_is_out_of_time_ends(study, tmp_path):
    short = replace(study, protocol=replace(PLAN, time_limit=1e-9))
    began = time.monotonic()
    traces = run_over(Inline(short, [Device(0)]), short, tmp_path / "b")
    assert sets_of(traces) == [] and time.monotonic() - began < 20


# --- what follows --------------------------------------------------------------------------------
def sealed(executor, study, folder):
    run_over(executor, study, folder)
    with BundleWriter(folder) as writer:
        for solution in (*study.solutions, *study.wrong):
            writer.write_build(simulated_build(study, solution.name))
        writer.seal({})
    return open_bundle(folder)


def firing(verdict):
    return {f.code: f for f in verdict.findings if f.state == "fires"}


def test_a_fleet_says_what_one_machine_says(study, tmp_path):
    verdict = judge_bundle(sealed(Inline(study, [Device(0), Device(1)]), study, tmp_path / "b"))
    alone = judge_traces(
        study,
        small_environment(),
        RUN,
        simulated_traces(study, ratios={"fast": 1.5}),
        {b: simulated_build(study, "fast") for b in ()},
        digest="",
    )
    one, other = verdict.overall[0].speedup, alone.overall[0].speedup
    assert verdict.decision == alone.decision == "faster"
    assert one.low < other.value < one.high and other.low < one.value < other.high
    assert not alone.stations and {f.code for f in alone.findings}.isdisjoint({"RM345", "RM346"})
    assert [s.station for s in verdict.stations] == ["h.0", "h.1"]
    assert [s.processes for s in verdict.stations] == [3, 3]
    for each in verdict.stations:
        assert each.speedups["fast"].low < 1.5 < each.speedups["fast"].high
    assert {"RM345", "RM346", "RM347"}.isdisjoint(firing(verdict))
    assert "2 stations" in one.method


def test_devices_that_disagree_are_told_and_decide_nothing(study, tmp_path):
    devices = [Device(0, ratio=1.5), Device(1, ratio=0.8, dies=(0,))]
    verdict = judge_bundle(sealed(Inline(study, devices), study, tmp_path / "b"))
    found = firing(verdict)
    assert verdict.decision == "undecided"
    assert found["RM345"].moves == "undecided" and "on h.1" in found["RM345"].message
    assert "fast by" in found["RM346"].message
    assert "h.1 lost 1 time" in found["RM347"].message
    a, b = (each.speedups["fast"].value for each in verdict.stations)
    assert a == pytest.approx(1.5, rel=0.02) and b == pytest.approx(0.8, rel=0.02)


def test_only_a_fleet_needs_the_new_format(study, tmp_path):
    bundle = sealed(Inline(study, [Device(0)]), study, tmp_path / "b")
    assert b'"format": 2' in (bundle.path / "manifest.json").read_bytes()
    assert [s.id for s in bundle.stations()] == ["h.0"]


def test_a_harvest_is_kept_as_it_is(study, tmp_path):
    with BundleWriter(tmp_path / "b") as writer:
        traces = tuple(simulated_traces(study, processes=1))
        keep(writer, Harvest(builds=(), logs=(), traces=traces))
        assert sorted(map(repr, writer.traces())) == sorted(map(repr, traces))
