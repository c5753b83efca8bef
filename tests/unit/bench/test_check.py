"""Comparison with the reference: scaled, strict about what is not finite, never NaN itself."""

import math

import pytest
import torch

from roofmark.bench.check import compare_outputs
from roofmark.bench.messages import OutputError
from roofmark.study import Exact, Tolerance

TIGHT = Tolerance(rms=1e-3)


def _compare(
    out: object,
    ref: object,
    tolerance: Tolerance | Exact = TIGHT,
    dtype: torch.dtype = torch.float32,
) -> OutputError:
    """One slot of each."""
    return compare_outputs(
        "y",
        torch.tensor([out], dtype=dtype),
        torch.tensor([ref], dtype=torch.float64),
        tolerance,
    )


def test_errors_are_relative_to_the_reference() -> None:
    ref = [3.0, -4.0]
    for scale in (1.0, 1e-20, 1e20):
        found = _compare([3.3 * scale, -4.0 * scale], [each * scale for each in ref])
        assert found.rms == pytest.approx(0.3 / 5, rel=1e-5)
        # The element's own size, and the root mean square of all: 5 / sqrt(2).
        assert found.peak == pytest.approx(0.3 / (3 + 5 / math.sqrt(2)), rel=1e-5)
        assert not found.passed and found.nonfinite == 0


def test_zeros_do_not_pass_for_a_small_output() -> None:
    assert not _compare([0.0] * 64, [1e-30] * 64).passed
    assert not _compare([0.0] * 64, [1e-30] * 64, Tolerance(rms=0.5, peak=0.9)).passed


def test_a_zero_reference_takes_zeros_alone() -> None:
    assert _compare([0.0, -0.0], [0.0, 0.0]).passed
    found = _compare([0.0, 1e-30], [0.0, 0.0])
    assert not found.passed and math.isfinite(found.rms) and math.isfinite(found.peak)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_counted(value: float) -> None:
    found = _compare([1.0, value, 1.0], [1.0, 1.0, 1.0])
    assert (found.nonfinite, found.passed) == (1, False)
    assert found.rms == found.peak == 0.0


def test_a_reference_that_is_not_finite_is_matched() -> None:
    ref = [math.nan, math.inf, -math.inf, 1.0]
    assert _compare(ref, ref).passed
    assert _compare([0.0, math.inf, -math.inf, 1.0], ref).nonfinite == 1
    assert _compare([math.nan, -math.inf, math.inf, 1.0], ref).nonfinite == 2
    assert not _compare([math.nan, math.inf, 1.0, 1.0], ref).passed


def test_one_wrong_slot_is_not_averaged_away() -> None:
    ref = torch.ones(100, 8, dtype=torch.float64)
    out = ref.float()
    out[57] = 1.1
    found = compare_outputs("y", out, ref, TIGHT)
    assert found.rms == pytest.approx(0.1, rel=1e-5) and not found.passed


def test_one_wrong_element_shows_in_the_peak() -> None:
    ref = torch.ones(1, 10**6, dtype=torch.float64)
    out = ref.float()
    out[0, 5] = 1.5
    found = compare_outputs("y", out, ref, TIGHT)
    assert found.rms < TIGHT.rms and found.peak == pytest.approx(0.25) and not found.passed


def test_numbers_that_overflow_never_pass_or_become_nan() -> None:
    huge = 1.7e308
    for out, ref in (([-huge, 0.0], [huge, huge]), ([1.0, 2.0], [1e200, 1e200])):
        found = _compare(out, ref, Tolerance(rms=0.5, peak=0.5), torch.float64)
        assert not found.passed and math.isfinite(found.rms) and math.isfinite(found.peak)


def test_exact_means_equal_in_the_outputs_dtype() -> None:
    assert _compare([1, 2], [1.0, 2.0], Exact(), torch.int32).passed
    assert not _compare([1, 3], [1.0, 2.0], Exact(), torch.int32).passed
    third = torch.tensor(1 / 3, dtype=torch.bfloat16).item()
    assert _compare([third], [1 / 3], Exact(), torch.bfloat16).passed
    assert not _compare([1 / 3], [1 / 3 + 1e-6], Exact(), torch.float32).passed
