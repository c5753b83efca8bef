"""Hostile solutions, with real processes: each ends as it should, and nobody else is touched."""

import tempfile
import time
from pathlib import Path

import pytest
from hostile import DEATHS, FAULTS, FORKS, FORKS_AND_DIES, LATE, REFUSED

from roofmark import api
from roofmark.bundle import Bundle
from roofmark.evidence import Crashed, TimedOut
from tiny import children_left, is_whole, open_descriptors, outcomes, reopened, run_study


def _sleepers() -> set[str]:
    """Processes that sleep for the time that only the forking solutions ask for."""
    found: set[str] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if b"1000000" in (entry / "cmdline").read_bytes():
                    found.add(entry.name)
            except OSError:
                continue
    return found


def _check_honest(bundle: Bundle, *names: str) -> None:
    """The others of the same run: every process, every block, every call."""
    for name in ("honest", "honest~twin", *names):
        traces = [trace for trace in bundle.traces() if trace.solution == name]
        assert [trace.process for trace in traces] == [0, 1], name
        assert all(is_whole(trace) for trace in traces), (name, traces)


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Whatever the test does, nothing is left: no process, no file, no descriptor."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before, asleep = open_descriptors(), _sleepers()
    yield
    assert children_left() == []
    assert _sleepers() <= asleep
    assert list(scratch.iterdir()) == []
    assert open_descriptors() <= before


@pytest.mark.slow
def test_what_dies_or_answers_wrongly_ends_alone(clean: None, tmp_path: Path) -> None:
    hostile = DEATHS | FAULTS
    sources = {name: source for name, (source, _, _) in (hostile | REFUSED).items()}
    # The first call is the same for a control, and all controls share one process.
    wrong = {name: sources.pop(name) for name in REFUSED}
    bundle = run_study(tmp_path, sources | FORKS, wrong=wrong)
    _check_honest(bundle, "forks")
    for name, (_, kind, words) in (hostile | REFUSED).items():
        found = outcomes(bundle, name)
        assert found and all(isinstance(each, kind) for each in found), (name, found)
        assert all(words in getattr(each, "reason", "") for each in found), (name, found)
    reopened(bundle)
    assert {c.decision for c in api.judge(bundle).cells if c.solution in hostile} == {"invalid"}


@pytest.mark.slow
def test_what_never_ends_is_ended(clean: None, tmp_path: Path) -> None:
    began = time.monotonic()
    sources = {name: source for name, (source, _, _) in LATE.items()} | FORKS_AND_DIES
    bundle = run_study(tmp_path, sources, build_limit=4.0)
    took = time.monotonic() - began
    _check_honest(bundle)
    for name in LATE:
        found = outcomes(bundle, name)
        assert len(found) == 2, name
        assert all(isinstance(each, TimedOut) and each.limit == 4.0 for each in found), found
    for each in outcomes(bundle, "forks_and_dies"):
        # Its children hold the channel open; it is its own end that tells.
        assert isinstance(each, Crashed) and "exit code 9" in each.reason
    # All that hang in one process set are waited for at once.
    assert took < 60
    said = [text for path, text in bundle.logs().items() if path.startswith("logs/prints/")]
    assert len(said) == 2 and all(1_000 < len(text) < 100_000 for text in said)
    reopened(bundle)
