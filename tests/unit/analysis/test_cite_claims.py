"""Which numbers of a text are claims, in which unit, and what names them."""

import pytest
from test_cite import TABLE

from roofmark.analysis.cite.claims import find_claims
from roofmark.analysis.cite.markdown import mask
from roofmark.analysis.cite.measures import measure_of, unit_of_heading
from roofmark.analysis.cite.words import keys


@pytest.mark.parametrize(
    ("text", "value", "unit", "dimension", "low", "high"),
    [
        ("It takes 13754 µs.", 13754, "us", "time", 13753.5, 13754.5),
        ("It is 8.39x as fast.", 8.39, "x", "ratio", 8.385, 8.395),
        ("reads 8.06 % of it", 8.06, "%", "percent", 8.055, 8.065),
        ("1,052,228 of them", 1052228, "", "number", 1052227.5, 1052228.5),
        ("at 320 ms/token now", 320, "ms/token", "time per token", 319.5, 320.5),
        ("at 1.5 TB/s", 1.5, "TB/s", "rate", 1.45, 1.55),
        ("a change of -15.1 %", -15.1, "%", "percent", -15.15, -15.05),
        ("a change of −15.1 %", -15.1, "%", "percent", -15.15, -15.05),
        ("about ~40 ms", 40, "ms", "time", 39, 41),
        ("5.8e3 tok/s", 5800, "tok/s", "token rate", 5750, 5850),
        ("takes `14 us` each", 14, "us", "time", 13.5, 14.5),
        ("over 50 launches", 50, "", "number", 49.5, 50.5),
    ],
)
def test_a_claim_has_a_value_a_unit_and_what_its_digits_stand_for(
    text, value, unit, dimension, low, high
):
    (claim,) = find_claims(text)
    assert (claim.value, claim.unit, claim.dimension) == (value, unit, dimension)
    assert (claim.low, claim.high) == pytest.approx((low, high))


def test_a_fraction_is_one_claim():
    (claim,) = find_claims("It got 47/50 right.")
    assert (claim.value, claim.of, claim.dimension) == (47, 50, "fraction")


def test_a_range_and_a_row_share_their_unit():
    assert [c.unit for c in find_claims("40.6–40.8 ms, then 1.5 / 2.5 / 3.5 GB/s")] == [
        *["ms"] * 2,
        *["GB/s"] * 3,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "on 2026-05-03 at 12:30:05",
        "with CUDA 13.2 and torch 2.13.0 and v1.2",
        "commit 46ad9bbc578c18",
        "in runs/2026/4cta/t.csv",
        "see [page 4](https://x.org/a/14.5/b) and [12] and PR #36",
        "```\n14 ms\n```",
        "~~~sh\n14 ms\n```\n15 ms\n~~~",
        "## 3.1 What was seen",
        "1. first\n2. second",
        "a 128x96x64 tile of sm_90 in fp8 for 27B",
        "run `--blocks 8` with wo_split=8",
        "---\nnumber: 14.5 ms\n---\n",
        "<!-- 14 ms -->",
        "it has 3 reasons",
        "t.py:14, line 27",
        "the 5h31m run of 14 ms/token/layer",
        "$14.50",
    ],
)
def test_what_claims_nothing_is_no_claim(text):
    assert find_claims(text) == ()


def test_a_cell_is_named_by_its_row_and_column():
    claims = find_claims(TABLE)
    assert [(c.line, c.text, c.unit) for c in claims] == [
        (4, "4", ""),
        (4, "120", "us"),
        (4, "1.00×", "×"),
        (5, "32", ""),
        (5, "60", "us"),
        (5, "2.00", "x"),
    ]
    assert claims[1].column == TABLE.splitlines()[3].index("120") + 1
    assert "Mean elapsed" in claims[1].near
    assert keys(claims[4].near)["cta"] == {"32"}
    assert claims[0].section == "Sweep"


def test_a_wrapped_sentence_keeps_its_places():
    (claim,) = find_claims("It takes, on\nthe whole, **14.5 ms** each.")
    assert (claim.line, claim.column) == (2, 14)


def test_units_of_headings():
    headings = ["total_ms", "p50 [us]", "Rate, GB/s", "Per-token (ms)", "Grid", "share (%)"]
    assert [unit_of_heading(each) for each in headings] == [
        "ms", "us", "GB/s", "ms/token", "", "%",
    ]  # fmt: skip
    assert measure_of("KB").scales == (1000, 1024)


def test_masking_keeps_places():
    text = "on 2026-05-03 `x` in a/b.csv: 14 ms\nand [a](b)"
    assert len(mask(text)) == len(text)
