"""Units: prefixes are chosen for people and never change the size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofmark.units import show, show_percent

SCALE = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9, "s": 1}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.234e-05, "s", "12.34 µs"),
        (4.8e12, "B/s", "4.80 TB/s"),
        (1.5, "1", "1.500x"),
        (0.0, "s", "0.00 ns"),
        (999.0, "B", "999.0 B"),
        (1000.0, "B", "1.00 kB"),
        (5e15, "flop", "5000 Tflop"),
        (60.0, "s", "60.00 s"),
    ],
)
def test_what_people_read(value, unit, text):
    assert show(value, unit) == text


@given(st.floats(min_value=1, max_value=1e15), st.sampled_from(["s", "B", "Hz"]))
def test_what_is_shown_is_what_is_meant(value, unit):
    value *= 1e-9 if unit == "s" else 1.0
    number, symbol = show(value, unit).split()
    prefix = symbol if unit == "s" else symbol.removesuffix(unit)
    assert float(number) * SCALE[prefix] == pytest.approx(value, rel=0.01, abs=1e-12)


@pytest.mark.parametrize(("ratio", "text"), [(1.052, "+5.2 %"), (0.9, "-10.0 %"), (1.0, "+0.0 %")])
def test_percent_has_its_sign(ratio, text):
    assert show_percent(ratio) == text
