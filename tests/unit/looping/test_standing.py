"""What a loop has come to: sums, ratios over the start, budgets, chart."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from roofmark.evidence import Session
from roofmark.looping.budget import spent_budget
from roofmark.looping.journal import missed_by, render_ledger
from roofmark.looping.standing import ratios_over_start, sum_up, trace_progress
from roofmark.looping.tries import Measured, Note, Try
from roofmark.options import LoopOptions
from roofmark.records import Missing
from roofmark.reports.charts.paint import render_svg
from roofmark.reports.charts.progress import Attempt, draw_progress
from roofmark.reports.html import render_sheet
from roofmark.reports.loop_sheet import loop_sheet

ABSENT = Missing(reason="not measured")


def measured(ratio: float) -> Measured:
    return Measured(
        bundle="0" * 64,
        decision="undecided",
        speedup=ABSENT,
        ratio=ratio,
        level=0.95,
        processes=1,
        workloads=1,
        codes=(),
        seconds=5.0,
    )


def a_try(number: int, ending: str, ratio: float | None = None, **changes: object) -> Try:
    first = ABSENT if ratio is None else measured(ratio)
    blank = Try(
        number=number,
        against=0,
        ending=ending,
        reason="",
        note=Note(),
        params={},
        diff="",
        fingerprint=str(number),
        binary=ABSENT,
        same_as=ABSENT,
        first=first,
        confirmation=first if ending == "kept" else ABSENT,
        seconds=12.0,
        device_seconds=0.0 if ratio is None else 10.0,
    )
    return replace(blank, **changes)


TRIES = [
    a_try(1, "slower", 0.5, note=Note(predicted=1.25, tokens=100, usd=0.25)),
    a_try(2, "kept", 1.2, note=Note(predicted=1.1, tokens=50)),
    a_try(3, "build_failed", against=2),
    a_try(4, "hopeless", 0.9, against=2),
    a_try(5, "repeated", against=2, same_as=1),
    a_try(6, "no_change", against=2, same_as=2),
    a_try(7, "kept", 1.5, against=2),
]


def test_ratios_go_over_what_was_kept_and_repeats_are_answered():
    found = ratios_over_start(TRIES)
    assert found == pytest.approx({0: 1, 1: 0.5, 2: 1.2, 4: 1.08, 5: 0.5, 6: 1.2, 7: 1.8})


def test_sums():
    standing = sum_up(TRIES, 30.0, 0.05)
    assert (standing.tries, standing.kept, standing.best) == (7, 2, 7)
    assert standing.over_start == pytest.approx(1.8)
    assert (standing.device_seconds, standing.seconds) == (70.0, 114.0)
    assert (standing.tokens, standing.usd) == (150, 0.25)
    assert standing.next_level == pytest.approx(1 - 0.05 * 3 / 4)
    empty = sum_up([], 30.0, 0.05)
    assert isinstance(empty.tokens, Missing) and isinstance(empty.usd, Missing)
    assert (empty.over_start, empty.next_level) == (1.0, 0.975)


def test_the_predicted_effect_stands_against_the_measured_one():
    assert missed_by(TRIES[0]) == "-60.0%" and missed_by(TRIES[1]) == "+9.1%"
    assert missed_by(TRIES[2]) == ""
    rows = render_ledger(TRIES).splitlines()
    assert any("| 1.25x | 0.5x |  | \\-60.0% | slower | 10 s |" in row for row in rows)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"iterations": 8}, ""),
        ({"iterations": 7}, "7 tries"),
        ({"iterations": 9, "device_time": 71.0}, ""),
        ({"iterations": 9, "device_time": 70.0}, "70 s of 70"),
        ({"iterations": 9, "time_limit": 5.0}, "has run for 5 s"),
        ({"iterations": 9, "patience": 1}, ""),
    ],
)
def test_budgets(options, says):
    spent = spent_budget(LoopOptions(**options), journal_of(TRIES), start(), 6.0)
    assert bool(spent) == bool(says) and says in spent


def test_patience_counts_what_came_after_the_last_gain():
    options = LoopOptions(iterations=9, patience=3)
    assert not spent_budget(options, journal_of(TRIES[:4]), start(), 0.0)
    assert "3 tries in a row" in spent_budget(options, journal_of(TRIES[:5]), start(), 0.0)


def journal_of(tries):
    best = max((t.number for t in tries if t.ending == "kept"), default=0)
    return SimpleNamespace(tries=tries, best=best)


def start():
    session = Session(started=0.0, roofmark="0", ended="complete", seconds=30.0)
    return SimpleNamespace(run=SimpleNamespace(sessions=(session,)))


def test_the_chart_has_a_step_for_each_gain_and_a_mark_for_each_try():
    points = trace_progress(TRIES, 30.0)
    assert [p.device_seconds for p in points] == [40.0, 50.0, 50.0, 60.0, 60.0, 60.0, 70.0]
    assert [p.best for p in points] == pytest.approx([1, 1.2, 1.2, 1.2, 1.2, 1.2, 1.8])
    attempts = [
        Attempt(
            number=p.number,
            seconds=p.device_seconds,
            ratio=None if isinstance(p.over_start, Missing) else p.over_start,
            best=p.best,
            ending=p.ending,
            what="<script>alert(1)</script>",
        )
        for p in points
    ]
    chart = draw_progress(attempts, 30.0)
    assert "<svg" in render_svg(chart) and "seconds that the device was held" in render_svg(chart)
    page = render_sheet(loop_sheet("t", "h", chart, attempts))
    assert "<script>alert" not in page and page.count("build_failed") >= 2
    assert draw_progress([], 30.0).spec is None
