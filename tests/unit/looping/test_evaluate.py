"""Evaluating without a run: what is built ahead, and which run follows which at which level."""

from types import SimpleNamespace

import pytest
from msgspec import UNSET
from test_standing import a_try, measured

from roofmark.bench.proof.errors import BuildError
from roofmark.errors import BundleError, Problem
from roofmark.looping import evaluate
from roofmark.looping.tries import Candidate, Note, Version
from roofmark.options import RunOptions
from roofmark.records import Missing

START = SimpleNamespace(environment=None)


def state(language="cuda"):
    solution = SimpleNamespace(language=language)
    study = SimpleNamespace(solution=lambda name: solution)
    return SimpleNamespace(
        params=("W",),
        loaded=SimpleNamespace(study=study),
        plan=SimpleNamespace(solution="x"),
        built=set(),
    )


def candidate(*ahead):
    version = Version(files={"a.cu": "text"}, params={"W": 1, "FIXED": 9})
    note = Note(ahead=ahead)
    return Candidate(
        number=1, against=0, version=version, diff="", note=note, seconds=0.0, failure=UNSET
    )


def built(monkeypatch, state, candidate):
    seen = []

    def build(loaded, name, version, environment):
        seen.append(version.params)
        if version.params["W"] == 2:
            raise BuildError("too wide")

    monkeypatch.setattr(evaluate, "build_binary", build)
    evaluate._build_ahead(state, START, candidate)
    return sorted(params["W"] for params in seen)


def test_what_is_to_come_is_built_and_what_fails_is_left_for_its_turn(monkeypatch):
    asked = candidate({"W": 2}, {"W": 3}, {"FIXED": 1})
    assert built(monkeypatch, state(), asked) == [1, 2, 3]


def test_what_was_built_ahead_once_is_not_built_again(monkeypatch):
    loop = state()
    assert built(monkeypatch, loop, candidate({"W": 2}, {"W": 3})) == [1, 2, 3]
    assert built(monkeypatch, loop, candidate({"W": 2}, {"W": 4})) == [4]


def test_nothing_is_built_ahead_of_one_or_of_what_is_interpreted(monkeypatch):
    assert built(monkeypatch, state(), candidate()) == []
    assert built(monkeypatch, state("python"), candidate({"W": 2})) == []


def decided(first, confirmation=None, confirmed=()):
    """Return the try, and (what, level) of each run."""
    runs = []

    def duel(what, level):
        runs.append((what, round(level, 6)))
        ending = first if what == "first" else confirmation
        return ending, f"{what} said so", measured(1.1)

    blank = a_try(1, "undecided")
    done = evaluate.decide(blank, duel, level=0.95, alpha=0.05, confirmed=confirmed)
    return done, runs


def test_only_a_winner_is_confirmed_and_only_a_confirmed_one_is_kept():
    done, runs = decided("hopeless")
    assert (done.ending, done.reason) == ("hopeless", "first said so")
    assert runs == [("first", 0.95)] and isinstance(done.confirmation, Missing)
    done, runs = decided("won", "won")
    assert done.ending == "kept" and runs == [("first", 0.95), ("confirmation", 0.975)]
    assert (done.device_seconds, done.seconds) == (10.0, 22.0)
    done, _ = decided("won", "slower")
    assert (done.ending, done.reason) == ("slower", "not confirmed: confirmation said so")


def test_levels_follow_from_what_earlier_confirmations_came_to():
    assert decided("won", "won", (True,))[1][1] == ("confirmation", 0.966667)
    assert decided("won", "won", (False,))[1][1] == ("confirmation", 0.991667)


@pytest.mark.parametrize(("code", "fleet"), [("RM410", ""), ("RM408", ""), ("RM410", "auto")])
def test_what_another_machine_began_is_set_aside_and_measured_anew(
    monkeypatch, tmp_path, code, fleet
):
    output, asked = tmp_path / "first", []
    output.mkdir()
    (output / "run.json").write_text("begun elsewhere")

    def measure(study, output, options, say, until):
        asked.append(output)
        if output.exists():
            raise BundleError(Problem(code=code, fact="the machine differs"))
        return "measured"

    monkeypatch.setattr(evaluate, "measure", measure)
    options = RunOptions(fleet=fleet)
    if (code, fleet) != ("RM410", ""):
        with pytest.raises(BundleError):
            evaluate._measure(tmp_path, output, options, None, None)
        assert output.exists()
        return
    assert evaluate._measure(tmp_path, output, options, None, None) == "measured"
    assert (tmp_path / "first-left-1" / "run.json").read_text() == "begun elsewhere"
    assert asked == [output, output]
