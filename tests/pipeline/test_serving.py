"""A whole run of engines: servers with known timing and commands, from a study to a verdict.

One run serves most tests: what is slow is to start processes, and each set starts all of them.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from msgspec.structs import replace

from roofmark import api
from roofmark.bundle import open_bundle
from roofmark.errors import StudyError
from roofmark.evidence import Crashed, Passed, TimedOut
from roofmark.loading import load_study
from roofmark.options import RunOptions
from roofmark.records import decode, encode
from roofmark.served import Served
from tiny import children_left

STUDY = """
import roofmark as rm

def server(name, *extra, treatment=None, **more):
    run = ("{python}", "-m", "roofmark.testing.server", "--port", "{port}", *extra)
    proof = {"treatment": treatment} if treatment else {}
    return rm.Solution(name, leg=rm.Server(run=run, **more), **proof)

proof = rm.Treatment(environment={"FAST": "1"})
study = rm.Study(
    definition=rm.engine("known-timing"),
    workloads=[rm.load(prompt=4, generate=6, concurrency=2)],
    solutions=[LEGS],
    baseline="plain",
    serving=rm.Serving(watch=0.1, smoke=rm.Smoke(prompt="say word", expect="word", tokens=2)),
    protocol=rm.Protocol(
        tier="token", cache="warm", processes=(2, 2), blocks=2, calls=2, time_limit=100,
        call_limit=5,
    ),
)
"""
PRINTS = """
import json, os, sys, time
time.sleep(0.3)
rows = [{"n_prompt": 0, "n_gen": int(sys.argv[1]), "samples_ns": [6e6, 6e6 + int(sys.argv[2])]}]
print(json.dumps(rows))
"""
CPU = RunOptions(device="cpu")
PLAIN = 'server("plain", "--gap", "0.006")'


def write(folder, legs, text=STUDY):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prints.py").write_text(PRINTS)
    (folder / "study.py").write_text(text.replace("LEGS", ", ".join(legs)))
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving")
    legs = [
        PLAIN,
        'server("quick", "--gap", "0.002", environment={"FAST": "1"}, treatment=proof)',
        'server("claims", treatment=proof)',
        'server("cut", "--fault", "cut", "--after", "6")',
        'server("dead", "--no-such-option")',
        'server("never", "--slow", "60", ready_limit=0.5)',
    ]  # fmt: skip
    return api.run(write(folder / "study", legs), folder / "bundle", options=CPU)


def outcomes(bundle, name):
    return [t.outcome for t in bundle.traces() if t.solution == name]


def test_every_request_and_every_chunk_is_kept(bundle):
    served = [each for each in bundle.served() if each.solution == "plain"]
    assert [each.process for each in served] == [0, 1]
    for each in served:
        assert [len(visit.requests) for visit in each.visits] == [4, 4]
        assert all(len(r.arrivals) == 6 for visit in each.visits for r in visit.requests)


def test_metrics_are_tiers_of_the_same_visits(bundle):
    for outcome in outcomes(bundle, "plain"):
        assert isinstance(outcome, Passed)
        tiers = {m.tier: m.visits for m in outcome.measurements}
        assert set(tiers) == {"token", "output", "ttft", "itl", "request", "memory"}
        assert [len(v.samples) for v in tiers["itl"]] == [20, 20]
        assert [len(v.samples) for v in tiers["ttft"]] == [4, 4]


def test_the_judge_compares_legs(bundle):
    verdict = api.judge(bundle)
    assert verdict.tier == "token"
    cell = next(c for c in verdict.cells if c.solution == "quick")
    assert cell.speedup.value > 1.3
    assert set(cell.other_tiers) == {"itl", "memory", "output", "request", "ttft"}
    twin = next(c for c in verdict.cells if c.solution == "plain~twin")
    assert twin.outcome == "passed"


def test_a_leg_that_fails_ends_alone_and_says_how(bundle):
    cut, dead, never = (outcomes(bundle, name) for name in ("cut", "dead", "never"))
    assert all(isinstance(o, Crashed) and o.reason.startswith("cut:") for o in cut)
    assert all(isinstance(o, Crashed) and "exit code 2" in o.reason for o in dead)
    assert "unrecognized arguments" in dead[0].log
    assert all(isinstance(o, TimedOut) and o.stage == "start" for o in never)
    assert len(outcomes(bundle, "plain")) == 2


def test_a_treatment_is_read_from_the_process_itself(bundle):
    verdict = api.judge(bundle)
    found = [f for f in verdict.findings if f.code == "RM521" and f.state == "fires"]
    assert [f.solution for f in found] == ["claims"]
    assert "FAST should be '1'" in found[0].message
    cells = {c.solution: c.decision for c in verdict.cells}
    assert cells["claims"] == "invalid"
    assert cells["quick"] != "invalid"


def test_stays_hold_what_was_seen_beside_the_run(bundle):
    stay = next(s for s in bundle.stays() if s.solution == "quick")
    assert stay.environment == {"FAST": ("1",)}
    assert "roofmark.testing.server" in stay.processes[0]
    assert stay.ending == "stopped"
    assert stay.smoke.passed and "word" in stay.smoke.answer
    assert stay.looks and all(look.host > 0 for look in stay.looks)


def test_nothing_is_left_running(bundle):
    assert children_left(patience=5) == []


def test_samples_that_requests_do_not_give_make_a_bundle_invalid(bundle, tmp_path, monkeypatch):
    real = type(bundle).served

    def changed(self):
        for each in real(self):
            yield each if each.solution != "quick" else _later(each)

    monkeypatch.setattr(type(bundle), "served", changed)
    fired = {
        f.solution for f in api.judge(bundle).findings if f.code == "RM522" and f.state == "fires"
    }
    assert fired == {"quick"}


def _later(served: Served) -> Served:
    values = json.loads(encode(served))
    for visit in values["visits"]:
        for request in visit["requests"]:
            request["arrivals"][-1] += 0.001
    return decode(json.dumps(values).encode(), Served, where="changed")


def test_a_bundle_of_engines_reports(bundle, tmp_path):
    page = api.report(bundle, path=tmp_path / "report.md")
    assert "quick" in page.read_text()
    assert api.report(bundle, path=tmp_path / "report.html").stat().st_size > 1000


# --- commands ------------------------------------------------------------------------------------
def command(name, *words):
    run = ", ".join(f'"{word}"' for word in ("{python}", "{folder}/prints.py", *words))
    return (
        f'rm.Solution("{name}", sources=("prints.py",), leg=rm.Command(run=({run}), '
        'environment={"FAST": "1"}), treatment=proof)'
    )


def test_commands_are_legs_too(tmp_path):
    text = STUDY.replace("rm.load(prompt=4, generate=6, concurrency=2)", "rm.load(generate=6)")
    legs = [command("plain", "{generate}", "1000"), command("other", "7", "2000")]
    bundle = api.run(write(tmp_path / "study", legs, text), tmp_path / "bundle", options=CPU)
    plain, other = outcomes(bundle, "plain"), outcomes(bundle, "other")
    visit = plain[0].measurements[0].visits[0]
    assert visit.samples == (0.001, 0.001000166666667)
    assert visit.calls == 6
    assert all("0 tests with n_prompt 0 and n_gen 6" in o.reason for o in other)
    stay = next(s for s in bundle.stays() if s.solution == "plain")
    assert stay.environment == {"FAST": ("1",)}
    fired = {f.code for f in api.judge(bundle).findings if f.state == "fires"}
    assert "RM521" not in fired


# --- interruptions -------------------------------------------------------------------------------
def test_a_killed_run_resumes_and_leaves_no_server(tmp_path):
    study = write(tmp_path / "study", [PLAIN])
    program = "import sys; from roofmark import api, RunOptions as O; "
    program += "api.run(sys.argv[1], sys.argv[2], options=O(device='cpu'))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, study, tmp_path / "out"], start_new_session=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(tmp_path.glob("out/traces/*/plain.jsonl")):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert children_left(process.pid, patience=10) == []
    api.resume(tmp_path / "out")
    sealed = open_bundle(tmp_path / "out")
    assert sorted({t.process for t in sealed.traces() if t.solution == "plain"}) == [0, 1]


# --- validation ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('tier="token"', 'tier="graph"', "tier 'graph'"),
        ('cache="warm"', 'cache="cold"', "a cold cache"),
        ("server(\"plain\")", 'rm.Solution("plain")', "without a leg"),
        ("server(\"plain\")", 'rm.Solution("plain", leg=rm.Engine(vocabulary=9))', "RM117"),
        ("server(\"plain\")", 'server("plain", url="http://127.0.0.1:80")', "keep {port}"),
        ("server(\"plain\")", 'rm.Solution("plain", leg=rm.Command(run=()))', "no words"),
        ("rm.engine(\"known-timing\")", 'rm.engine("known-timing", traffic="banana")', "RM109"),
        ("serving=rm.Serving", "wrong=[server(\"bad\")], serving=rm.Serving", "negative"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_before_anything_starts(tmp_path, old, new, says):
    folder = write(tmp_path, ['server("plain")'])
    file = folder / "study.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(StudyError) as raised:
        load_study(folder)
    assert says.lower() in str(raised.value).lower()


# --- outputs -------------------------------------------------------------------------------------
@pytest.mark.parametrize("trained", [True, False])
def test_a_trained_model_that_writes_nonsense_is_invalid(bundle, monkeypatch, trained):
    real, study = type(bundle).served, bundle.study
    asked = replace(study, serving=replace(study.serving, trained=trained))

    def changed(self):
        for each in real(self):
            text = "!" * 40 if each.solution == "quick" else "Paris, the capital."
            yield _saying(each, text)

    monkeypatch.setattr(type(bundle), "served", changed)
    monkeypatch.setitem(bundle.__dict__, "study", asked)
    verdict = api.judge(bundle)
    found = [f for f in verdict.findings if f.code == "RM523" and f.state == "fires"]
    assert [f.solution for f in found] == (["quick"] if trained else [])
    assert all("block 1, request 1: RM605" in f.message for f in found)
    cells = {c.solution: c.decision for c in verdict.cells}
    assert (cells["quick"] == "invalid") == trained


def _saying(served: Served, text: str) -> Served:
    visits = [
        replace(visit, requests=tuple(replace(r, output=text) for r in visit.requests))
        for visit in served.visits
    ]
    return replace(served, visits=tuple(visits))
