"""Exact tests, intervals and power, against closed forms and against enumeration."""

import math

import pytest

from roofmark.analysis.accuracy.counts import (
    detectable,
    difference,
    fewest_flips,
    mcnemar,
    needed,
    power,
    share,
)

Z = 1.959963984540054


def test_mcnemar_is_the_sign_test_of_the_flips():
    assert mcnemar(0, 0) == (1.0, 1.0)
    assert mcnemar(3, 3) == (1.0, 1.0)
    assert mcnemar(0, 5)[0] == pytest.approx(2 / 2**5)
    exact, mid = mcnemar(2, 9)
    tail = sum(math.comb(11, k) for k in range(3)) / 2**11
    assert exact == pytest.approx(2 * tail, rel=1e-5)
    assert mid == pytest.approx(2 * tail - math.comb(11, 2) / 2**11, rel=1e-5)
    assert mcnemar(9, 2) == mcnemar(2, 9)


def test_without_flips_the_interval_has_its_closed_form():
    found = difference(0, 0, 50, 0.95)
    assert found.high == pytest.approx(Z * Z / (50 + Z * Z), rel=1e-4)
    assert found.low == -found.high


def test_the_interval_turns_with_the_legs_and_stays_in_its_bounds():
    for lost, gained, n in ((1, 2, 50), (0, 48, 50), (7, 3, 20), (20, 0, 20)):
        one, other = difference(lost, gained, n, 0.95), difference(gained, lost, n, 0.95)
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-6)
        assert -1 <= one.low <= one.value <= one.high <= 1


def test_the_interval_covers_nearly_as_often_as_it_says():
    """Tango's interval is approximate: its coverage is near its level, here by enumeration."""
    n = 24
    for p_lost, p_gained in ((0.05, 0.05), (0.05, 0.2), (0.15, 0.3), (0.02, 0.1)):
        covered = 0.0
        for lost in range(n + 1):
            for gained in range(n + 1 - lost):
                rest = n - lost - gained
                p = math.comb(n, lost) * math.comb(n - lost, gained)
                p *= p_lost**lost * p_gained**gained * (1 - p_lost - p_gained) ** rest
                if p < 1e-9:
                    continue
                found = difference(lost, gained, n, 0.95)
                covered += p * (found.low <= p_gained - p_lost <= found.high)
        assert 0.93 < covered < 0.995, (p_lost, p_gained)


def test_a_share_has_the_exact_interval():
    found = share(47, 50, 0.95)
    assert (found.low, found.high) == pytest.approx((0.8345, 0.9875), abs=1e-4)
    assert share(0, 10, 0.95).high == pytest.approx(1 - 0.025 ** (1 / 10), rel=1e-4)
    assert (share(0, 10, 0.95).low, share(10, 10, 0.95).high) == (0.0, 1.0)


def test_the_test_keeps_its_level_and_power_is_that_of_enumeration():
    for n, churn in ((50, 0.1), (200, 0.2), (12, 0.5)):
        assert power(n, 0.0, churn, 0.95) <= 0.05
    # No churn: six flips of n decide, so the power is a binomial tail.
    n, change = 50, 0.15
    tail = sum(math.comb(n, k) * change**k * (1 - change) ** (n - k) for k in range(6, n + 1))
    assert power(n, change, 0.0, 0.95) == pytest.approx(tail, rel=1e-9)


def test_what_a_set_could_have_told():
    assert fewest_flips(0.95) == 6
    assert detectable(5, 0.0, 0.95) is None
    assert detectable(50, 0.0, 0.95) == pytest.approx(0.153, abs=0.003)
    assert detectable(50, 0.1, 0.95) > detectable(50, 0.0, 0.95)
    assert detectable(1319, 0.02, 0.95) == pytest.approx(0.0148, abs=0.0005)
    enough = needed(0.02, 0.0, 0.95)
    assert power(enough, 0.02, 0.0, 0.95) >= 0.8
    assert power(enough * 9 // 10, 0.02, 0.0, 0.95) < 0.8
