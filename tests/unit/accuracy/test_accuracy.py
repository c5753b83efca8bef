"""Answers compared: flips are named, time-outs are no wrong answers, gates say what decides."""

import os
from pathlib import Path

import pytest
from answering import answer, leg
from msgspec import structs

from roofmark.analysis.accuracy import compare_answers, judge_answers
from roofmark.answers import Answers
from roofmark.errors import BundleError
from roofmark.importers import read_foreign
from roofmark.records import Missing, decode, encode
from roofmark.reports.answers import compared_answers_text, judged_text, markdown

CASES = Path(
    os.environ.get("ROOFMARK_CASES", Path(__file__).resolve().parents[3].parent / "shared/cases")
)


def test_46_against_47_hides_three_flips_and_decides_nothing():
    a = leg("right*46", "wrong*4")
    b = leg("wrong", "right*45", "right*2", "wrong*2")
    found = compare_answers(a, b)
    assert found.decision == "undecided"
    assert ([f.id for f in found.lost], [f.id for f in found.gained]) == (["0"], ["46", "47"])
    assert (found.answered.lost, found.answered.gained, found.answered.p) == (1, 2, 1.0)
    assert found.told.flips == 6
    assert found.told.smallest > 0.15
    text = compared_answers_text(found)
    assert "  0: 7 -> 8, expected 7" in text
    assert "6 flips, all one way, are the fewest that decide, 12.0 % of them" in text


def test_enough_flips_one_way_decide():
    a, b = leg("right*50"), leg("wrong*6", "right*44")
    assert compare_answers(a, b).decision == "worse"
    assert compare_answers(b, a).decision == "better"
    assert compare_answers(a, leg("wrong*5", "right*45")).decision == "undecided"


def test_same_needs_a_margin_that_the_set_can_tell():
    a = leg("right*450", "wrong*50")
    assert compare_answers(a, a).decision == "same"
    assert compare_answers(leg("right*50"), leg("right*50")).decision == "undecided"
    assert compare_answers(leg("right*50"), leg("right*50"), ship=0.1).decision == "same"


def test_time_outs_are_no_wrong_answers():
    """48 of 50 time-outs, and what was answered is right: the clock decides, not the answers."""
    found = compare_answers(leg("right*50"), leg("right*2", "timed out*48"), floor=0.9, ship=0.05)
    assert found.decision == "undecided"
    assert "it says nothing of answers" in found.because
    assert (found.answered.n, found.answered.lost) == (2, 0)
    assert (found.asked.n, found.asked.lost) == (50, 48)
    assert (found.lost, len(found.unanswered)) == ((), 48)
    assert found.b.counts == {"right": 2, "timed out": 48}
    assert (found.floor.decision, found.ship.decision) == ("undecided", "undecided")
    assert "between 4.0 % and 100.0 %" in found.floor.because


def test_wrong_answers_are_wrong_whatever_timed_out():
    a, b = leg("right*50"), leg("wrong*20", "right*28", "timed out*2")
    found = compare_answers(a, b, floor=0.9, ship=0.05)
    assert found.decision == "worse"
    assert (found.floor.decision, found.ship.decision) == ("fails", "fails")


@pytest.mark.parametrize(
    ("outcomes", "floor", "decision"),
    [
        (("right*9", "wrong"), 0.9, "holds"),
        (("right*9", "wrong"), 0.91, "fails"),
        (("right*9", "timed out"), 0.9, "holds"),
        (("right*9", "timed out"), 0.95, "undecided"),
        (("right*8", "errored", "not asked"), 0.85, "undecided"),
        (("not judged*3",), 0.5, "undecided"),
    ],
)
def test_a_floor_counts_what_was_not_answered_both_ways(outcomes, floor, decision):
    found = judge_answers(leg(*outcomes), floor=floor)
    assert found.floor.decision == decision
    assert decision in judged_text(found)


def test_ship_needs_a_set_that_can_tell_the_loss():
    few, many = leg("right*50"), leg("right*500")
    assert compare_answers(few, few, ship=0.05).ship.decision == "undecided"
    assert compare_answers(many, many, ship=0.05).ship.decision == "holds"
    assert isinstance(compare_answers(few, few).ship, Missing)


def test_a_question_that_one_leg_lacks_was_not_asked_there():
    a, b = leg("right*60"), leg("right*40")
    found = compare_answers(a, b)
    assert found.only_a == tuple(map(str, range(40, 60)))
    assert found.b.counts == {"right": 40, "not asked": 20}
    assert found.decision == "undecided"
    assert "unequal sets: 20 only in A" in compared_answers_text(found)
    common = compare_answers(a, b, common=True)
    assert (common.a.counts, common.asked.n) == ({"right": 40}, 40)
    assert common.only_a == found.only_a


def test_other_questions_rules_and_seeds_void():
    a = leg("right*50", seed="1")
    other = structs.replace(a, answers=(answer(0, expected="9"), *a.answers[1:]))
    for b, field in (
        (other, "questions"),
        (structs.replace(a, rule="exact/1"), "rule"),
        (structs.replace(a, settings={"seed": "2"}), "seed"),
    ):
        found = compare_answers(a, b, ship=0.2)
        assert found.decision == "not comparable"
        assert [d.field for d in found.differences if d.voids] == [field]
        assert found.ship.decision == "undecided"
        assert "voids" in compared_answers_text(found)
    named = compare_answers(a, structs.replace(a, settings={"seed": "1", "model": "m"}))
    assert named.decision != "not comparable"
    assert [d.field for d in named.differences] == ["model"]


def test_nothing_in_common_is_an_error():
    b = Answers(label="b", rule="gsm8k/1", settings={}, answers=(answer("x"),))
    with pytest.raises(BundleError, match="RM425"):
        compare_answers(leg("right"), b)


def test_both_wrong_but_otherwise_is_named():
    a, b = leg("wrong*3"), leg("wrong*3")
    changed = structs.replace(b.answers[1], extracted="9")
    b = structs.replace(b, answers=(b.answers[0], changed, b.answers[2]))
    assert [flip.id for flip in compare_answers(a, b).changed] == ["1"]


def test_records_survive_the_way_through_json():
    found = compare_answers(leg("right*3"), leg("right*2", "errored"), floor=0.5, ship=0.1)
    assert decode(encode(found), type(found), where="here") == found


def test_a_summary_cannot_leave_its_fence():
    text = markdown("accuracy", "first\n```\n# a heading\x1b[31m\n")
    assert text.count("```") == 2
    assert "\x1b" not in text


# --- evidence of another team, where it is at hand -----------------------------------------------
@pytest.mark.skipif(not CASES.is_dir(), reason="the field's files are not here")
def test_three_legs_of_another_team():
    names = ("lower8", "phaseE-off", "all-beta")
    legs = [read_foreign(CASES / "three-leg" / n / "gsm8k.json").contents[0] for n in names]
    assert [each.count("right") for each in legs] == [47, 2, 47]
    assert [each.count("timed out") for each in legs] == [2, 48, 2]
    assert [each.count("wrong") for each in legs] == [1, 0, 1]
    off, all_beta = (compare_answers(legs[0], each, floor=0.9) for each in legs[1:])
    assert off.decision == all_beta.decision == "undecided"
    assert (off.lost, off.gained, all_beta.lost, all_beta.gained) == ((), (), (), ())
    assert (off.floor.decision, all_beta.floor.decision) == ("undecided", "holds")
