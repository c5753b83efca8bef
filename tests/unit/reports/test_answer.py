"""The answer comes first, in one sentence, and never says more than the verdict."""

import re

import pytest

from roofmark.analysis.verdict import Estimate
from roofmark.reports import proof, view
from roofmark.reports.headline import headline
from roofmark.reports.visits import visits
from roofmark.reports.wording import counted, decimals_for, interval, joined, one_line, ratio


def estimate(value, low, high):
    return Estimate(value=value, low=low, high=high, level=0.95, method="made up", n=6)


def test_one_solution_is_one_whole_sentence(pages):
    verdict, _ = pages("one")
    (sentence,) = view.answer(verdict)
    assert re.fullmatch(
        r"cuda is 3\.4\d+x as fast as eager \(95 % interval 3\.\d+ to 3\.\d+, 6 processes, "
        r"graph tier, cold cache\) on rmsnorm, faster on 3 of 3 workloads\.",
        sentence,
    )
    assert re.fullmatch(
        r"Against eager, cuda is 3\.4\d+x \(95 % interval 3\.\d+ to 3\.\d+\) as fast on all 3 "
        r"workloads\.",
        headline(verdict),
    )


def test_many_solutions_share_a_headline_that_leaves_none_out(pages):
    verdict, _ = pages("many")
    text = headline(verdict)
    assert text.startswith("Against eager, cuda is 3.4")
    assert "naive is slower at 0.7" in text
    for each in verdict.overall:
        left_out = each.role == "twin" or "more" in text
        assert left_out or each.solution in text
    assert text.count("interval") == 1, "the first interval says of which level all are"
    assert len(view.sentences(verdict)) == 5


def test_faster_stands_only_where_the_verdict_has_it(pages):
    for kind in ("many", "hostile", "unhealthy", "nothing"):
        verdict, _ = pages(kind)
        rows = {row.solution: row for row in view.solution_rows(verdict)}
        for sentence in view.sentences(verdict):
            overall = next(o for o in verdict.overall if sentence.startswith(f"{o.solution} "))
            allowed = overall.counts["faster"] > 0
            assert ("faster" in sentence) <= allowed
            assert ("as fast as" in sentence) <= (overall.decision in ("faster", "same"))
            assert rows[overall.solution].decision == overall.decision


def test_a_health_finding_takes_the_word_away(pages):
    verdict, bundle = pages("unhealthy")
    (sentence,) = view.answer(verdict)
    assert "undecided (RM310, other processes were on the GPU)" in sentence
    assert "faster" not in sentence
    health = next(fact for fact in proof.trust(verdict, bundle) if fact.name == "Health")
    assert "RM310 move a verdict" in health.value


def test_an_accepted_finding_is_said_first(pages):
    verdict, _ = pages("accepted")
    first, second = view.answer(verdict)
    assert "accepts RM310 (other processes were on the GPU)" in first
    assert "as fast as" in second
    row = next(row for row in view.finding_rows(verdict) if row.code == "RM310")
    assert "accepted" in row.effect
    assert not row.moves


def test_findings_that_move_come_first_and_are_told_once(pages):
    verdict, _ = pages("hostile")
    rows = view.finding_rows(verdict)
    assert len(rows) == len({(row.code, row.where, row.message) for row in rows})
    moved = [row.moves for row in rows]
    assert moved == sorted(moved, reverse=True)
    assert any("n1, n127, n4096" in row.where for row in rows)


def test_a_missing_tier_gives_its_reason(pages):
    verdict, _ = pages("hostile")
    lost = next(s for s in view.sentences(verdict) if s.startswith("lost"))
    assert "alert(1)" in lost
    assert all("\n" not in row.why for row in view.cell_rows(verdict))


def test_negative_controls_are_counted(pages):
    facts = {fact.name: fact.value for fact in proof.trust(*pages("one"))}
    assert facts["Negative controls"] == "1 of 1 wrong kernel refused"
    assert facts["A/A twin"].endswith("same on 3 of 3 workloads")
    assert {fact.name: fact.value for fact in proof.trust(*pages("nothing"))}[
        "Negative controls"
    ] == "none ran"


def test_every_visit_is_there(pages):
    verdict, bundle = pages("one")
    taken = list(visits(bundle, verdict.tier))
    assert len(taken) == 3 * 3 * 6 * 4, "solutions and twin, workloads, processes, blocks"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(3.38, 3.46, "3.38 to 3.46"), (0.9951, 1.0112, "0.995 to 1.011"), (1.0, 1.0, "1.00 to 1.00"),
     (0.5, 9.0, "0.50 to 9.00"), (1.00001, 1.00002, "1.0000 to 1.0000")],
)  # fmt: skip
def test_intervals_carry_the_decimals_they_have(low, high, expected):
    assert interval(estimate(1.0, low, high)) == expected
    assert 2 <= decimals_for(low, high) <= 4
    assert ratio(estimate(1.0, low, high)).endswith("x")


def test_texts_from_outside_stay_on_one_line():
    assert one_line("a\u2028b\nc\x1b[31m\u202ed\u200be") == "a b c\ufffd[31m\ufffdd e"


def test_small_words():
    assert [counted(n, "process") for n in (0, 1, 2)] == ["0 processes", "1 process", "2 processes"]
    assert [joined(parts) for parts in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]
