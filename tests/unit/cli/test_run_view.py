"""The view of a run: it narrows, it says health once, it is plain where nobody can draw."""

import io
import re

import pytest
from msgspec.structs import replace
from rich.console import Console

from roofmark.analysis.judge import judge_traces
from roofmark.cli import run_view, speak
from roofmark.cli.run_view import Standing, screen, watch_run
from roofmark.evidence import Passed
from roofmark.options import Progress
from roofmark.testing import simulated_traces, small_environment, small_study, write_bundle


@pytest.fixture(scope="module")
def after(tmp_path_factory):
    """Return a function that judges the first sets of a run, on a quiet or a busy machine."""
    study = small_study(("cuda", "naive"), workloads=(1, 127))
    traces = simulated_traces(study, ratios={"cuda": 3.0, "naive": 1.0})
    folder = tmp_path_factory.mktemp("run") / "bundle"
    bundle = write_bundle(folder, study, traces, small_environment())
    builds = {t.outcome.build for t in traces if isinstance(t.outcome, Passed)}
    parts = {name: bundle.build(name) for name in builds}

    def judged(sets, *, busy=False):
        machine = bundle.environment
        if busy:
            machine = replace(machine, gpu=replace(machine.gpu, other_processes=2))
        taken = [each for each in traces if each.process < sets]
        return judge_traces(study, machine, bundle.run, taken, parts, digest="")

    return judged


def progress(sets, verdict):
    return Progress(
        done=sets, total=6, text=f"set {sets}", seconds_left=90.0, standing=lambda: verdict
    )


def drawn(standing, now, width=80):
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(screen(standing, now))
    return out.getvalue()


def test_intervals_narrow_from_set_to_set(after):
    standing = Standing()
    for sets in (2, 4, 6):
        standing.take(after(sets))
    assert len(standing.widths) == 2 * 3, "two solutions and the twin, two workloads"
    for widths in standing.widths.values():
        assert widths == sorted(widths, reverse=True)
    text = drawn(standing, progress(6, standing.verdict))
    assert re.search(r"cuda .*3\.\d+x \[.*→.*→.*faster", text)
    assert "at most 90 s left" in text and "twin" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_health_is_said_when_it_comes_and_once(after, monkeypatch, capsys):
    monkeypatch.setattr(run_view, "is_lively", lambda: False)
    with watch_run() as show:
        show(progress(2, after(2)))
        quiet = capsys.readouterr().err
        show(progress(3, after(3, busy=True)))
        show(progress(4, after(4, busy=True)))
    said = capsys.readouterr().err
    assert "RM308" not in quiet, "that a run is not over is no news"
    assert said.count("RM310 other processes were on the GPU") == 1
    assert "after set 4: 0 of 4 comparisons decided; widest interval" in said
    assert "\x1b" not in quiet + said


@pytest.mark.parametrize(
    ("terminal", "variables", "lively"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_only_a_terminal_that_wants_it_is_drawn_over(monkeypatch, terminal, variables, lively):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(speak.sys.stderr, "isatty", lambda: terminal, raising=False)
    assert speak.is_lively() is lively


def test_a_name_is_shown_and_not_obeyed(after):
    standing = Standing()
    verdict = after(2)
    cells = tuple(replace(c, workload="[bold]x\x1b[2J", solution="[red]y") for c in verdict.cells)
    standing.take(replace(verdict, cells=cells))
    text = drawn(standing, progress(2, verdict), width=200)
    assert "[bold]x" in text and "[red]y" in text and "\x1b" not in text
