"""Every rule does what its own examples say, is explained, and is unknown without its facts."""

import pytest
from msgspec.structs import replace
from sample import (
    BUILD,
    make_build,
    make_environment,
    make_passed,
    make_run,
    make_study,
    make_trace,
    make_traces,
    reading,
)

from roofmark.analysis.judge import judge_traces
from roofmark.analysis.rules import Note, all_rules, engine, explain, rule
from roofmark.errors import StudyError
from roofmark.evidence import Crashed, Discard, Incorrect, Skipped, TimedOut
from roofmark.records import Missing

RULES = {each.code: each for each in all_rules()}


def judge(study, traces, *, device="cuda", environment=None, run=None, builds=None):
    return judge_traces(
        study,
        environment or make_environment(device),
        run or make_run(device),
        traces,
        builds or {BUILD: make_build("x")},
        digest="0" * 64,
    )


def finding(verdict, code, solution=None):
    found = [f for f in verdict.findings if f.code == code and solution in (None, f.solution)]
    assert found, code
    return found[0]


@pytest.mark.parametrize("code", RULES)
def test_a_rule_fires_on_its_own_example(code):
    each = RULES[code]
    answer = each.ask(**each.fires)
    assert isinstance(answer, str) and answer
    assert not (each.moves and isinstance(answer, Note))


@pytest.mark.parametrize("code", RULES)
def test_a_rule_is_silent_on_its_own_example(code):
    each = RULES[code]
    assert each.ask(**each.silent) == ""


@pytest.mark.parametrize("code", RULES)
def test_a_rule_explains_itself(code):
    text = explain(code)
    assert text.startswith(f"{code}: ")
    last = "What would confirm it:" if RULES[code].per == "bound" else "ccept"
    for part in ("Why it matters:", "What to do:", last):
        assert part in text, part


@pytest.mark.parametrize("code", RULES)
def test_only_health_can_be_accepted(code):
    words = explain(code)
    accepted = f'accept=("{code}",)' in words
    assert accepted == (code.startswith("RM3") and RULES[code].moves != "")


def test_an_unknown_code_names_the_known_ones():
    with pytest.raises(StudyError, match="RM301"):
        explain("RM999")


def test_a_rule_that_needs_an_unknown_fact_is_refused():
    with pytest.raises(StudyError, match="horoscope"):

        @rule("RM399", "stars", per="study", moves="", fires={}, silent={})
        def stars(horoscope):
            """Look up."""


def test_a_code_cannot_be_taken_twice():
    with pytest.raises(StudyError, match="RM301"):

        @rule("RM301", "mine", per="study", moves="", fires={}, silent={})
        def mine(margin):
            """Mine."""


def test_plugins_are_loaded_and_named_with_their_version(monkeypatch):
    class Dist:
        name, version = "roofmark-extra", "1.2"

    class Point:
        name, dist, loaded = "extra", Dist, False

        def load(self):
            Point.loaded = True

    monkeypatch.setattr(engine, "entry_points", lambda group: [Point()])
    assert dict(engine.loaded_plugins_cached.__wrapped__()) == {"roofmark-extra": "1.2"}
    assert Point.loaded


def test_a_quiet_study_has_no_moving_finding():
    verdict = judge(make_study(), make_traces(make_study()))
    assert [f for f in verdict.findings if f.state == "fires" and f.moves] == []
    assert {f.code for f in verdict.findings} == {
        code
        for code, each in RULES.items()
        if each.per not in ("bound", "output")
        if not each.fleet
        if each.subject != "engines"
    } - {"RM311"}


def test_missing_readings_are_unknown_never_silent():
    study = make_study()
    traces = [
        make_trace(t.workload, t.solution, t.process, make_passed([[2e-5, 2.01e-5]] * 4), t.role)
        for t in make_traces(study)
    ]
    verdict = judge(study, traces)
    for code in ("RM301", "RM302", "RM303", "RM502"):
        assert finding(verdict, code).state == "unknown"


def test_throttling_moves_the_cell_and_acceptance_gives_it_back():
    for accept, decision in (((), "undecided"), (("RM301",), "faster")):
        study = make_study(accept=accept)
        traces = make_traces(study, {"fast": 2.0})
        hot = [reading(throttle=0x20)]
        traces = [
            make_trace(
                t.workload,
                t.solution,
                t.process,
                make_passed([v.samples for v in t.outcome.measurements[0].visits], readings=hot),
                t.role,
            )
            if t.solution == "base"
            else t
            for t in traces
        ]
        verdict = judge(study, traces)
        assert verdict.cells[0].decision == decision
        assert verdict.overall[0].decision == decision
        assert verdict.accepted == accept
        assert verdict.cells[0].codes == (() if accept else ("RM301",))


def test_a_worker_clock_that_outruns_ours_is_invalid_and_cannot_be_accepted():
    study = make_study(accept=("RM501",))
    verdict = judge(study, make_traces(study, {"fast": 2.0}, elapsed=1e-6))
    assert verdict.decision == "invalid"
    assert "RM501" in verdict.cells[0].codes
    assert verdict.accepted == ()


def wrong_traces(study, outcomes):
    return make_traces(study) + [
        make_trace(w.id, "bad", 0, outcome, "wrong")
        for w, outcome in zip(study.workloads, outcomes, strict=True)
    ]


REFUSED = Incorrect(build=BUILD, checks=(), reason="y is wrong")
PASSES = make_passed([[2e-5] * 4])


def test_a_control_that_passes_everywhere_makes_the_study_invalid():
    study = make_study(wrong=("bad",), workloads=(1, 2))
    verdict = judge(study, wrong_traces(study, (PASSES, PASSES)))
    assert verdict.decision == "invalid"
    assert all(cell.decision == "invalid" for cell in verdict.cells)
    assert "bad passes on n1, n2" in finding(verdict, "RM110").message


def test_a_control_refused_somewhere_is_noted_with_the_blind_workloads():
    study = make_study(wrong=("bad",), workloads=(1, 2))
    verdict = judge(study, wrong_traces(study, (PASSES, REFUSED)))
    noted = finding(verdict, "RM110")
    assert (noted.state, noted.moves) == ("fires", "")
    assert "not on n1" in noted.message
    assert verdict.decision == "same"


def test_a_control_that_never_reached_the_gate_is_unknown():
    study = make_study(wrong=("bad",))
    crashed = Crashed(stage="load", reason="no", log="")
    assert finding(judge(study, make_traces(study)), "RM110").state == "unknown"
    assert finding(judge(study, wrong_traces(study, [crashed])), "RM110").state == "unknown"


def test_no_control_at_all_informs():
    noted = finding(judge(make_study(), make_traces(make_study())), "RM111")
    assert (noted.state, noted.moves) == ("fires", "")


def test_one_timeout_is_noted_two_are_invalid():
    study = make_study()
    late = TimedOut(stage="measure", limit=60.0)
    traces = make_traces(study, {"fast": 2.0}, processes=8)
    for processes, decision, code in (((0,), "faster", "RM316"), ((0, 1), "invalid", "RM506")):
        changed = [
            make_trace(t.workload, t.solution, t.process, late, t.role)
            if t.solution == "fast" and t.process in processes
            else t
            for t in traces
        ]
        verdict = judge(study, changed)
        assert verdict.cells[0].decision == decision
        assert finding(verdict, code).state == "fires"


def test_a_baseline_that_fails_invalidates_every_cell_of_its_workload():
    study = make_study(workloads=(1, 2))
    traces = [
        make_trace(t.workload, t.solution, t.process, REFUSED, t.role)
        if t.solution == "base" and t.workload == "n1"
        else t
        for t in make_traces(study)
    ]
    verdict = judge(study, traces)
    decisions = {(c.workload, c.solution): c.decision for c in verdict.cells}
    assert decisions["n1", "fast"] == decisions["n1", "base~twin"] == "invalid"
    assert decisions["n2", "fast"] == "same"
    assert "RM507" in verdict.overall[0].codes


def test_discards_do_not_count_and_too_many_move():
    study = make_study()
    out = tuple(Discard(sample=i, reason="launch not hidden") for i in range(3))
    verdict = judge(study, make_traces(study, {"fast": 2.0}, discarded=out))
    assert verdict.cells[0].decision == "undecided"
    assert "RM314" in verdict.cells[0].codes
    assert "launch not hidden" in finding(verdict, "RM314").message


def test_an_occupied_gpu_moves_everything():
    study = make_study()
    environment = make_environment(other_processes=2)
    verdict = judge(study, make_traces(study, {"fast": 2.0}), environment=environment)
    assert verdict.decision == "undecided"
    assert verdict.overall[0].codes == ("RM310",)


def test_unread_other_processes_are_unknown():
    environment = make_environment(other_processes=Missing(reason="no permission"))
    study = make_study()
    verdict = judge(study, make_traces(study), environment=environment)
    assert finding(verdict, "RM310").state == "unknown"
    assert "no permission" in finding(verdict, "RM310").message


def test_a_cpu_run_asks_the_host_and_not_the_gpu():
    study = make_study()
    verdict = judge(study, make_traces(study, device="cpu"), device="cpu")
    codes = {f.code for f in verdict.findings}
    assert "RM311" in codes and "RM301" not in codes
    assert verdict.tier == "call"


@pytest.mark.parametrize(("online", "state"), [(8, "fires"), (64, "silent"), (None, "fires")])
def test_load_is_held_against_all_cores_of_the_host(online, state):
    """A run that may use 8 of 64 cores is not disturbed by what the other 56 do."""
    study, environment = make_study(), make_environment("cpu")
    if online:
        environment = replace(environment, cpu=replace(environment.cpu, online=online))
    busy = (reading("cpu", load=40.0),) * 4
    traces = [
        replace(trace, outcome=replace(trace.outcome, readings=busy))
        for trace in make_traces(study, device="cpu")
    ]
    verdict = judge(study, traces, device="cpu", environment=environment)
    assert finding(verdict, "RM311").state == state


def test_skipped_solutions_are_told():
    study = make_study(("fast", "hopper"))
    traces = [t for t in make_traces(study) if t.solution != "hopper"]
    run = make_run(skipped=(Skipped(solution="hopper", reason="needs sm_90a"),))
    verdict = judge(study, traces, run=run)
    assert "sm_90a" in finding(verdict, "RM315").message
    assert {c.solution for c in verdict.cells} == {"fast", "base~twin"}


def test_a_ptx_only_build_informs():
    study = make_study()
    builds = {BUILD: make_build("fast", ptx_only=True)}
    verdict = judge(study, make_traces(study, {"fast": 2.0}), builds=builds)
    assert finding(verdict, "RM320").state == "fires"
    assert verdict.decision == "faster"
