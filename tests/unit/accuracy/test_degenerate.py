"""Rules about degenerate outputs: what they have to find, and honest text that they must not."""

import pytest
from answering import NONE, answer

from roofmark.analysis.degenerate import find_degenerate, look_at
from roofmark.analysis.rules.output import Output
from roofmark.answers import Answers
from roofmark.records import Missing
from roofmark.reports.answers import degenerate_text

CODE = '''def mean(values):
    """Return the mean."""
    if not values:
        raise ValueError("no values")
            # deeper
    total = 0.0
    for value in values:
        total += value
    return total / len(values)
'''
TABLE = "| model | right | wrong |\n|-------|-------|-------|\n" + "".join(
    f"| leg {i} | {40 + i} | {10 - i} |\n" for i in range(9)
)
POEM = "".join(
    f"{verse}\nThe river runs, the river runs,\nthe river runs down to the sea.\n\n"
    for verse in (
        "At dawn the boats go out alone",
        "At noon the nets are heavy, full",
        "At dusk the lamps are lit on shore",
        "At night the harbour sleeps in rain",
    )
)
HONEST = {
    "code": CODE,
    "a table": TABLE,
    "a list of numbers": ", ".join(str(n) for n in range(1, 200)),
    "squares, one a line": "\n".join(str(n * n) for n in range(80)),
    "a matrix of zeros": "\n".join("[" + ", ".join(["0"] * 16) + "]," for _ in range(16)),
    "a number": "1000000",
    "binary": "0b" + "0" * 60 + "1",
    "a marked answer": "#### 7",
    "a heading": "#### A\n---\nb",
    "one word": "Yes.",
    "one mark": "?",
    "Chinese": "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"
    "床前明月光，疑是地上霜。举头望明月，低头思故乡。",
    "Japanese": "古池や蛙飛びこむ水の音。閑さや岩にしみ入る蝉の声。夏草や兵どもが夢の跡。",
    "Thai": "สวัสดีครับ วันนี้อากาศดีมาก เราไปเดินเล่นที่สวนสาธารณะกันเถอะ",
    "a poem with a refrain": POEM,
    "JSON": "["
    + ", ".join(f'{{"id": {i}, "name": "n{i * 7}", "ok": true}}' for i in range(30))
    + "]",
    "a contents page": "\n".join(f"Chapter {i} {'.' * 60} {i * 13}" for i in range(1, 12)),
    "a drawn line": "Result\n" + "=" * 79 + "\nnone\n" + "─" * 79 + "\nend",
    "excitement": "We won!!! Really?! Nooooooo way...",
    "emoji": "Well done 👩‍🔬👍🏽 — see you 😀😀😀",
    "a cut character": "The end is here \ufffd",
    "steps": "".join(f"Step {i}: add {i} to {i * 3}, which gives {i * 4}.\n" for i in range(1, 30)),
    "LaTeX": r"\begin{aligned} 48 + 18 &= 66 \\ 66 \times 2 &= 132 \end{aligned} so \boxed{132}.",
}
BROKEN = {
    "!!!!": {"RM605"},
    "The answer is" + "!" * 64: {"RM605"},
    "! ! ! ! ! ! ! !": {"RM605"},
    "So we have 12 apples and we take 3 of them away." + "!" * 13: {"RM605"},
    "-" * 60 + "\nThe answer" + "!" * 20 + "\nmore words behind it, and more of them": {"RM605"},
    "": {"RM601"},
    " \n\t\u3000": {"RM601"},
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": {"RM605"},
    "It is 5. " + "the " * 100: {"RM606"},
    "Let me think. " + "I am not sure about that. " * 10: {"RM606"},
    "我不知道。" * 60: {"RM606"},
    "0, " * 500: {"RM606"},
    "def f():\n" + "    return 1\n" * 40: {"RM606"},
    ("So the sum is four and the rest is five, then\n" * 12) + "The end.": {"RM606"},
    "\ufffd\ufffd\x00\x01\ufffdab\ufffd": {"RM607"},
}


@pytest.mark.parametrize("kind", HONEST)
def test_honest_text_is_silent(kind):
    assert look_at(Output(text=HONEST[kind])) == ()


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: repr(text[:20]))
def test_broken_text_is_found(text):
    assert {f.code for f in look_at(Output(text=text))} & BROKEN[text]


@pytest.mark.parametrize(
    ("tokens", "codes"),
    [
        ((5, 5, 5, 5, 6), set()),
        ((5, 5, 5, 5, 5), {"RM602"}),
        (tuple(range(100)), set()),
        (tuple(range(8)) * 3, set()),
        (tuple(range(20)) + (1, 2) * 16, {"RM603"}),
        (tuple(range(8)) * 8, {"RM604"}),
        ((1, 2) * 6, {"RM603", "RM604"}),
        ((1, 2) * 5, set()),
        ((1,), set()),
        ((), {"RM601"}),
    ],
)
def test_token_ids_are_judged_as_the_field_judges_them(tokens, codes):
    assert {f.code for f in look_at(Output(tokens=tokens))} == codes


def test_a_run_of_tokens_that_the_text_explains_is_forgiven():
    indented = (1, 2, 220, 220, 220, 220, 220, 220, 220, 9)
    assert {f.code for f in look_at(Output(tokens=indented))} == {"RM602"}
    assert look_at(Output(tokens=indented, text="if x:\n        return")) == ()
    # Marks explain nothing, and a short indentation no long run.
    assert look_at(Output(tokens=(0,) * 8, text="!" * 8))
    assert look_at(Output(tokens=(220,) * 40, text="if x:\n        return"))


def test_numbers_and_lists_are_forgiven_where_the_text_was_kept():
    zeros = Output(tokens=(15, 11) * 20, text="0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,")
    assert look_at(zeros) == ()
    assert look_at(Output(tokens=(1, *((15,) * 9)), text="cpu 0 0 0 0 0 0 0 0 0")) == ()
    listed = tuple(range(10)) * 9
    assert {f.code for f in look_at(Output(tokens=listed))} == {"RM604"}
    assert look_at(Output(tokens=listed, text=HONEST["JSON"])) == ()


def test_long_outputs_take_no_long_time():
    for text in ("ab" * 50_000, "!" * 100_000, "a phrase of words again " * 4_000):
        assert look_at(Output(text=text))


def test_what_was_not_kept_is_counted_and_not_called_clean():
    answers = (
        answer(0, text="!!!!"),
        answer(1, text="The answer is 7."),
        answer(2, "timed out"),
        answer(3, tokens=(3,) * 9),
    )
    found = find_degenerate(Answers(label="arm", rule="none", settings={}, answers=answers))
    assert (found.looked, found.unseen, found.share) == (3, 1, pytest.approx(2 / 3))
    assert [each.id for each in found.bad] == ["0", "3"]
    assert found.counts == {"RM602": 1, "RM605": 1}
    assert "2 (66.7 %)" in degenerate_text([found])
    nothing = find_degenerate(
        Answers(label="arm", rule="none", settings={}, answers=(answer(0, text=NONE),))
    )
    assert isinstance(nothing.share, Missing)
