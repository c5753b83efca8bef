"""A loop that dies anywhere goes on as if nothing had been: everything real but the processes.

Whatever a loop leaves on disk passes through fsync, git or a bundle's seal; a kill is raised there,
before or after it, again and again, until the loop ends. Runs are simulated: what a kill does to
real ones, `benchmarks/loop_kills.py` and test_loop.py try.
"""

import os
import random
import subprocess
import sys

import pytest

pytest.importorskip("optuna")

import roofmark as rm
from roofmark.bundle import open_bundle
from roofmark.loading import load_study
from roofmark.looping import commit, from_search, loop
from roofmark.looping.journal import Journal
from roofmark.looping.tries import Interrupted
from roofmark.testing import FAILURES, simulated_traces, small_environment, write_bundle
from tiny import write_study

SOURCE = "def line(x, ROUNDS, MODE):\n    return 2 * x + 1\n"
# The package gives the function that name, not the module.
LOOP = sys.modules["roofmark.looping.loop"]
SPACE = {"ROUNDS": (20, 40, 80), "MODE": (0, 1)}
KINDS = {"kept", "slower", "incorrect"}


class Killed(BaseException):
    """No handler of ours may catch it, as none catches SIGKILL."""


class Fate:
    """Lets so many steps pass, then kills."""

    def __init__(self):
        self.left, self.kills = float("inf"), 0

    def step(self):
        self.left -= 1
        if self.left < 0:
            self.left = float("inf")
            self.kills += 1
            raise Killed

    def around(self, function):
        def mortal(*args, **options):
            self.step()
            result = function(*args, **options)
            self.step()
            return result

        return mortal


@pytest.fixture
def fate(monkeypatch):
    fate = Fate()
    monkeypatch.setattr(os, "fsync", fate.around(os.fsync))
    monkeypatch.setattr("roofmark.looping.commit._git", fate.around(commit._git))
    simulate(monkeypatch)
    monkeypatch.setattr(LOOP, "write_charts", lambda folder: [])
    return fate


def simulate(monkeypatch):
    """Put simulated runs, of one machine that is always the same, in place of real ones."""
    monkeypatch.setattr("roofmark.looping.evaluate.measure", simulated)
    there = "roofmark.looping.machine.collect_machine"
    monkeypatch.setattr(there, lambda device, folder: small_environment(device))
    monkeypatch.setattr(LOOP, "measure", simulated)


def simulated(study, output, options, say, until):
    """Stand in for a run: the time goes with ROUNDS, and MODE 1 is wrong."""
    if (output / "manifest.json").exists():
        return open_bundle(output)
    asked = load_study(study).study
    rounds = {s.name: s.params.get("ROUNDS", 40) for s in asked.solutions}
    ratios = {
        s.name: FAILURES["incorrect"]
        if s.params.get("MODE")
        else rounds[asked.baseline] / rounds[s.name]
        for s in asked.solutions
    }
    traces = simulated_traces(asked, ratios=ratios, processes=6, device="cpu")
    return write_bundle(output, asked, traces, small_environment("cpu"))


def git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def lay_out(folder):
    study = write_study(folder / "study", {"own": SOURCE}, processes=(6, 12), sizes=(16384, 32768))
    path = study / "study.py"
    path.write_text(
        path.read_text().replace(
            '"own.py::line"', '"own.py::line", params={"ROUNDS": 40, "MODE": 0}'
        )
    )
    for words in (
        ("init", "--quiet"), ("config", "user.name", "a test"), ("add", "."),
        ("config", "user.email", "test@localhost"), ("commit", "--quiet", "-m", "begin"),
    ):  # fmt: skip
        git(study, *words)
    return study


def session(folder):
    # One of two workloads: what it commits is still the whole study.py.
    options = rm.LoopOptions(
        device="cpu", margin=0.1, iterations=20, commit=True, workloads=("*16384",)
    )
    propose = from_search(SPACE, folder / "loop/search.log", seed=1)
    return loop(folder / "study", "own", propose, folder / "loop", options=options)


def told(folder):
    tries = Journal(folder / "loop").tries
    return [(t.number, t.against, t.params, t.ending, t.fingerprint) for t in tries]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    lay_out(folder)
    with pytest.MonkeyPatch.context() as patch:
        simulate(patch)
        session(folder)
    return folder


def test_undisturbed_it_searches_all_and_commits_study_py_alone(undisturbed):
    found = told(undisturbed)
    assert {ending for *_, ending, _ in found} >= KINDS
    assert (undisturbed / "loop/progress.svg").exists()
    check_branch(undisturbed)


def check_branch(folder):
    study = folder / "study"
    kept = [t for t in Journal(folder / "loop").tries if t.ending == "kept"]
    commits = git(study, "log", "--format=%H", "--reverse").split()[1:]
    assert len(commits) == len(kept) >= 1
    for made, one in zip(commits, kept, strict=True):
        assert git(study, "show", "--name-only", "--format=", made).split() == ["study.py"]
        diff = git(study, "show", "--unified=0", "--format=", made).splitlines()
        changed = [line for line in diff if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        assert len(changed) == 2 and f'"ROUNDS": {one.params["ROUNDS"]}' in changed[1]
        assert "only study.py may change" in git(study, "log", "-1", "--format=%B", made)
    assert git(study, "status", "--porcelain") == ""
    best = (folder / "loop/best/study.py").read_bytes()
    assert best == (study / "study.py").read_bytes()


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_it_ends_the_same(tmp_path, fate, undisturbed, seed):
    lay_out(tmp_path)
    rng = random.Random(seed)
    while True:
        fate.left = rng.randrange(1, 200)
        try:
            session(tmp_path)
            break
        except Killed:
            continue
    assert fate.kills >= 3
    assert told(tmp_path) == told(undisturbed)
    fate.left = float("inf")
    check_branch(tmp_path)
    cut = [e for e in Journal(tmp_path / "loop").entries if isinstance(e, Interrupted)]
    assert len(cut) <= fate.kills
    assert f"{cut[0].number}" in (tmp_path / "loop/ledger.md").read_text() if cut else True
    assert not list((tmp_path / "loop").rglob("*.partial"))
