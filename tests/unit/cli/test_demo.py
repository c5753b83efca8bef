"""`roofmark demo`: the study that comes along, and the commands that it calls."""

import subprocess
import sys

import pytest

from roofmark.cli import demo
from roofmark.cli.new import SOLUTIONS
from roofmark.loading import load_study


@pytest.fixture
def runs(monkeypatch):
    """What `run` would be called with, and the exit code that it gives."""
    called, real = [], demo.command
    code = [3]

    def command(arguments):
        if arguments[0] == "new":
            return real(arguments)
        called.append(arguments)
        return code[0]

    monkeypatch.setattr(demo, "command", command)
    return called, code


def test_it_makes_a_study_that_can_be_run_and_says_each_command(call, runs, tmp_path):
    code, out, err = call("demo", tmp_path / "d", "--device", "cpu", "--time-limit", 9)
    assert (code, out) == (0, "")
    ((word, study, *options),) = runs[0]
    assert word == "run" and "eager" in {s.name for s in load_study(study).study.solutions}
    assert options[options.index("--time-limit") + 1] == "9" and "cpu" in options
    assert f"$ roofmark run {study}" in err and "bundle.html" in err


@pytest.mark.parametrize(("given", "told"), [(0, 0), (1, 0), (3, 0), (2, 2), (4, 4), (130, 130)])
def test_a_verdict_is_a_success_and_a_failure_is_none(call, runs, tmp_path, given, told):
    runs[1][0] = given
    assert call("demo", tmp_path / "d")[0] == told


def test_what_is_there_is_not_overwritten(call, runs, tmp_path):
    assert call("demo", tmp_path / "d")[0] == 0
    code, _, err = call("demo", tmp_path / "d")
    assert code == 2 and "RM409" in err and len(runs[0]) == 1
    assert call("demo", tmp_path / "d", "--force")[0] == 0


def test_languages_are_those_that_can_be_built_here(monkeypatch):
    assert set(demo.languages_here()) <= set(SOLUTIONS)
    monkeypatch.setattr(demo.shutil, "which", lambda _: None)
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(demo.Path, "exists", lambda _: False)
    assert demo.languages_here() == ["python"]


def test_the_shell_completes_commands_and_options():
    def complete(words, word):
        done = subprocess.run(
            [sys.executable, "-c", "from roofmark.cli import console; console()"],
            env={"_ROOFMARK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": word},
            check=False,
            capture_output=True,
            text=True,
        )
        return done.stdout.split()

    assert complete("roofmark ju", "1") == ["judge"]
    assert complete("roofmark run --proc", "2") == ["--processes"]
