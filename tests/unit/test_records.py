"""Records: what is written is read back, and nothing else is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roofmark.errors import BundleError, Problem, RoofmarkError
from roofmark.evidence import Discard, Visit
from roofmark.records import MAX_RECORD_BYTES, Missing, decode, digest, encode, encode_pretty
from roofmark.study import Normal, Tensor


def visit(samples=(1e-6,), **changes):
    fields = {"block": 0, "position": 0, "start": 0.0, "calls": 1, "elapsed": 1.0}
    return Visit(samples=samples, **(fields | changes))


@given(st.lists(st.floats(min_value=0, max_value=1e9), max_size=20))
def test_samples_come_back_to_the_last_bit(samples):
    given_ = visit(tuple(samples))
    assert decode(encode(given_), Visit, where="t") == given_
    assert decode(encode_pretty(given_), Visit, where="t") == given_


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_is_refused_wherever_it_hides(bad):
    with pytest.raises(ValueError, match="record holds"):
        encode(visit((1.0, bad)))
    with pytest.raises(ValueError, match="record holds"):
        encode({"a": [{"b": bad}]})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nul",
        b"{}",
        b'{"type":"missing","reason":"x","more":1}',
        b'{"type":"missing","reason":1}',
        b'{"type":"other","reason":"x"}',
        b'{"type":"missing","reason":"x"} tail',
        b'{"type":"missing","reason":"\xff"}',
        b"[" * 100_000,
    ],
)
def test_anything_else_is_refused_with_its_place(text):
    with pytest.raises(BundleError, match="RM402") as caught:
        decode(text, Missing, where="here.json:3")
    assert caught.value.problems[0].where == "here.json:3"


def test_a_file_beyond_the_limit_is_not_parsed():
    with pytest.raises(BundleError, match=str(MAX_RECORD_BYTES)):
        decode(b" " * (MAX_RECORD_BYTES + 1), Missing, where="t")


def test_a_negative_duration_is_no_duration():
    with pytest.raises(BundleError, match="RM402"):
        decode(encode(visit((1.0,))).replace(b"[1.0]", b"[-1.0]"), Visit, where="t")


def test_a_record_cannot_be_changed():
    with pytest.raises(AttributeError):
        Missing(reason="a").reason = "b"


def test_the_order_of_inputs_is_part_of_the_digest():
    a, b = Tensor("n", "float32"), Tensor("m", "float32")
    assert encode({"a": a, "b": b}) != encode({"b": b, "a": a})
    assert digest(a) == digest(Tensor("n", "float32")) != digest(b)


def test_defaults_are_written_so_that_changing_one_changes_no_old_digest():
    assert encode(Normal()) == b'{"type":"normal","std":1.0,"mean":0.0,"unit":false}'
    assert encode(Discard(sample=3, reason="late")) == b'[3,"late"]'


def test_a_problem_reads_as_four_parts():
    problem = Problem(code="RM107", fact="f", where="w", meaning="m", mend="d")
    assert str(problem) == "error[RM107]: f\n  w\n  m\n  d"
    assert RoofmarkError(problem, problem).code == "RM107"
    with pytest.raises(ValueError, match="at least one"):
        RoofmarkError()
