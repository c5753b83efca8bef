"""The answer in a text, by the rule that is written down."""

import json
import os
from pathlib import Path

import pytest

from roofmark.extraction import RULES, extract_exact, extract_number, same_answer
from roofmark.records import Missing

CASES = Path(
    os.environ.get("ROOFMARK_CASES", Path(__file__).resolve().parents[3].parent / "shared/cases")
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 * 6 = 18\n#### 18", "18"),
        ("#### 1,018.50 dollars, not 7", "1018.5"),
        ("####$5", "5"),
        ("#### **-3**", "-3"),
        ("#### 12\n\nQuestion: how many?\n#### 40", "12"),
        ("#### Step 1\nx = 3\n#### Answer\nIt is 18.", "18"),
        ("#### 1. First\nadd\n#### 2. Second\nso 7", "7"),
        (r"\boxed{60}, checked on 3 cases", "60"),
        (r"\boxed{\text{$2{,}180$ in all}} of 9", "2180"),
        (r"first \boxed{1}, no: \boxed{2}. Done in 5 steps", "2"),
        ("The answer is $2,180.", "2180"),
        ("1,234,567.50 in all", "1234567.5"),
        ("that is 60 minutes", "60"),
        ("5kg", "5"),
        ("18%.", "18"),
        ("£ 3 and €4.50", "4.5"),
        ("10-5", "5"),
        ("5 - 10 = -5", "-5"),
        ("x = \N{MINUS SIGN}7", "-7"),
        ("-$5", "-5"),
        ("(12)", "12"),
        ("007.00", "7"),
        ("-0", "0"),
        ("$.50", "0.5"),
        ("10,20,30", "30"),
        ("I take 2, 3 and 14", "14"),
    ],
)
def test_a_number_is_found_and_has_one_spelling(text, found):
    assert extract_number(text) == found


@pytest.mark.parametrize("text", ["", "none", "on an H100", "x_1", "#### none", "9" * 41])
def test_what_is_no_number_is_missing(text):
    assert isinstance(extract_number(text), Missing)


def test_long_texts_take_no_long_time():
    for text in ("9" * 10**6, "1," * 10**6, "####" * 10**4, "\\boxed{" * 10**5):
        extract_number(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2,280", "2280.0", True),
        ("$18", "18.", True),
        ("-5", "5", False),
        ("B", " b ", True),
        ("1", "one", False),
        ("12 apples", "12", False),
        ("", "", True),
    ],
)
def test_answers_are_compared_by_value(one, other, same):
    assert same_answer(one, other) is same
    assert same_answer(other, one) is same


def test_exact_is_the_text_itself():
    assert extract_exact("  New \n York ") == "new york"
    assert isinstance(extract_exact(" \n"), Missing)
    assert set(RULES) == {"gsm8k/1", "exact/1"}


@pytest.mark.skipif(not CASES.is_dir(), reason="the field's files are not here")
def test_the_rule_finds_what_another_harness_found():
    compared = 0
    for path in sorted((CASES / "three-leg").glob("*/gsm8k.json")):
        for row in json.loads(path.read_text())["results"]:
            if row["status"] != "ERROR":
                assert extract_number(row["raw_tail"]) == row["got"], (path, row["i"])
                compared += 1
    assert compared == 98
