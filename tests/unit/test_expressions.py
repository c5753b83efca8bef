"""Cost expressions: integer arithmetic, and nothing that could run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofmark.expressions import evaluate

AXES = {"n": 3, "d": 4}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2*(2*n*d + d)", 56),
        (" n ", 3),
        ("d//n", 1),
        ("n-d", -1),
        ("7", 7),
        ("(n+1)*(d-1)//2", 6),
    ],
)
def test_values(text, value):
    assert evaluate(text, AXES) == value


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from(["+", "-", "*", "//"]))
def test_agrees_with_python(n, d, sign):
    assert evaluate(f"n {sign} d", {"n": n, "d": d}) == eval(f"n {sign} d", {"n": n, "d": d})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("q", "axis 'q' is not defined"),
        ("n/d", "not allowed"),
        ("n**d", "not allowed"),
        ("2.5", "not allowed"),
        ("True", "not allowed"),
        ("-n", "not allowed"),
        ("'a'*9", "not allowed"),
        ("__import__('os')", "not allowed"),
        ("n.real", "not allowed"),
        ("[n][0]", "not allowed"),
        ("n if d else n", "not allowed"),
        ("n//0", "division by zero"),
        ("n//(d-4)", "division by zero"),
        ("9"[:1] + "*999999999" * 3, "a value beyond"),
        ("n+", "not an arithmetic"),
        ("", "not an arithmetic"),
        ("n;d", "not an arithmetic"),
        ("n\0", "not an arithmetic"),
        ("(" * 400, "not an arithmetic"),
        ("n" + "+n" * 300, "longer than"),
        ("-" * 400 + "n", "not allowed|nested too deeply"),
        ("9" * 30, "a value beyond"),
    ],
)
def test_everything_else_is_refused_by_name(text, why):
    with pytest.raises(ValueError, match=why):
        evaluate(text, AXES)


@given(st.text(max_size=40) | st.text("nd0123+-*/()[]., \n", max_size=40))
def test_a_hostile_string_gives_an_int_or_a_reason(text):
    try:
        value = evaluate(text, AXES)
    except ValueError as error:
        assert str(error)
    else:
        assert type(value) is int
