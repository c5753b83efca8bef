"""The arithmetic, against numbers from tables and from scipy's own tests."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from roofmark.analysis.stats import (
    Summary,
    classify,
    deviation,
    hidden_by_clock,
    holm,
    interval,
    line_p,
    rms,
    sig,
    split_in_two,
    spread_within,
    summarise,
)

finite = st.floats(-1, 1, allow_nan=False)


def test_interval_is_students_t_with_the_level_split_over_looks():
    values = [0.01, 0.03, 0.02, 0.05, 0.04]
    summary = summarise([[v] for v in values])
    for looks in (1, 7):
        expected = reference.t.interval(
            1 - 0.05 / looks, 4, loc=sum(values) / 5, scale=reference.sem(values)
        )
        assert interval(summary, level=0.95, looks=looks) == pytest.approx(expected)


def test_an_interval_needs_two_processes():
    with pytest.raises(ValueError, match="two"):
        interval(summarise([[0.1, 0.2]]), level=0.95, looks=1)
    with pytest.raises(ValueError, match="no process"):
        summarise([])


@given(st.floats(-0.3, 0.3), st.floats(1e-5, 0.1), st.integers(2, 12), st.floats(0, 0.02))
def test_p_is_the_smallest_level_at_which_the_interval_fits_its_zone(mean, error, n, blur):
    summary = Summary(mean, error, blur, n, n - 1)
    zone, p = classify(summary, margin=0.02, looks=7)
    border = math.log1p(0.02)
    if p >= 0.5:
        return
    for level, fits in ((1 - p * 1.001, True), (1 - p * 0.999, False)):
        low, high = interval(summary, level=level, looks=7)
        inside = {
            "faster": low > border,
            "slower": high < -border,
            "same": low > -border and high < border,
        }
        assert p < 1e-9 or inside[zone] == fits


def test_two_equal_quantised_series_never_give_a_zero_width():
    tick, spans = 1e-7, [1e-5] * 8
    blur = 2 * hidden_by_clock(spans, tick)
    low, high = interval(summarise([[0.0] * 4] * 6, blur=blur), level=0.95, looks=7)
    assert high - low == pytest.approx(2 * 0.01)
    assert classify(summarise([[0.0] * 4] * 6, blur=0.03), margin=0.02, looks=7)[1] == 1.0


def test_noise_wider_than_half_a_tick_is_seen_through():
    assert hidden_by_clock([1.0, 1.2, 0.9, 1.1], 0.1) == 0.0


def test_the_floor_and_the_blocks_keep_a_chance_agreement_wide():
    agreeing = [[-0.02, 0.02, -0.01, 0.01]] * 4
    assert deviation([0.0] * 4) == 0.0
    assert summarise(agreeing).error == pytest.approx(spread_within(agreeing) / 2)
    assert summarise(agreeing, floor=0.5).error == 0.25


def test_spread_within_is_that_of_a_median():
    rng = random.Random(1)
    groups = [[rng.gauss(0, 1) for _ in range(25)] for _ in range(400)]
    seen = deviation([sorted(group)[12] for group in groups])
    assert spread_within(groups) == pytest.approx(seen, rel=0.1)


def test_one_wild_block_does_not_widen_the_floor():
    calm = [[0.01, 0.02, 0.03, 0.02]] * 6
    wild = [*calm[:5], [0.01, 0.9, 0.03, 0.02]]
    assert spread_within(wild) == pytest.approx(spread_within(calm), rel=0.5)


@pytest.mark.parametrize(
    ("raw", "corrected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([], []),
        ([0.5, 0.9], [1.0, 1.0]),
    ],
)
def test_holm(raw, corrected):
    assert holm(raw) == pytest.approx(corrected)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_never_lowers_and_keeps_the_order(raw):
    corrected = holm(raw)
    assert all(c >= p for c, p in zip(corrected, raw, strict=True))
    ranked = [c for _, c in sorted(zip(raw, corrected, strict=True))]
    assert ranked == sorted(ranked)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-300, max_value=1e300))
def test_six_digits_and_no_more(value):
    assert sig(value) == pytest.approx(value, rel=1e-5)
    assert sig(sig(value)) == sig(value)


def test_no_negative_zero():
    assert str(sig(-0.0)) == "0.0"


@given(st.lists(finite, min_size=4, max_size=12).filter(lambda v: max(v) - min(v) > 1e-3))
def test_line_agrees_with_scipy(values):
    expected = reference.linregress(range(len(values)), values)
    slope, p = line_p(values)
    assert slope == pytest.approx(expected.slope, abs=1e-9)
    assert p == pytest.approx(expected.pvalue, abs=1e-6)


def test_a_perfect_line_and_a_flat_one():
    assert line_p([1.0, 2.0, 3.0])[1] == pytest.approx(0.0, abs=1e-6)
    assert line_p([1.0, 1.0, 1.0]) == (0.0, 1.0)


def test_split_finds_the_two_groups():
    gap, scatter, low = split_in_two([5.0, 1.0, 5.1, 1.1, 0.9, 5.05])
    assert (low, round(gap, 2)) == (3, 4.05)
    assert scatter < 0.1


def test_rms_is_about_zero():
    assert rms([3.0, -4.0]) == pytest.approx(math.sqrt(12.5))
    assert rms([]) == 0.0
