"""Answers of other tools: harness JSON, JSON lines with any keys, lm-eval samples, plain text."""

import json

import pytest
from foreign_files import case, never_breaks, read_as, write

from roofmark.answers import Answers
from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Partial
from roofmark.importers import answers as module
from roofmark.importers import read_foreign
from roofmark.importers.source import Declared
from roofmark.records import Missing

LATE = "ERROR: HTTPConnectionPool(host='h'): Read timed out. (read timeout=180)"
ROWS = [
    {"i": 0, "expected": "7", "got": "7", "status": "OK", "elapsed": 2.0, "raw_tail": "it is 7"},
    {"i": 1, "expected": "7", "got": "8", "status": "WRONG", "elapsed": 2.0, "raw_tail": "so 8"},
    {"i": 2, "expected": "7", "got": "", "status": "ERROR", "elapsed": 180.1, "raw_tail": LATE},
    {"i": 3, "expected": "7", "got": "", "status": "ERROR", "raw_tail": "ERROR: HTTP 500"},
]
TOP = {"label": "leg", "seed": 42, "n": 4, "correct": 1, "errors": 2}


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def legs(found):
    return [each for each in found.contents if isinstance(each, Answers)]


def outcomes(leg):
    return [each.outcome for each in leg.answers]


def read(folder, text, **declared):
    fields = tuple(declared.pop("fields", {}).items())
    path = write(folder, text)
    return read_foreign(path, format="answers", declared=Declared(fields=fields, **declared))


def test_a_harness_file(tmp_path):
    found = read_as("answers", write(tmp_path, json.dumps(TOP | {"results": ROWS})))
    (leg,) = legs(found)
    assert isinstance(found.completeness, Complete)
    assert outcomes(leg) == ["right", "wrong", "timed out", "errored"]
    assert (leg.label, leg.settings, leg.whole) == ("leg", {"seed": "42"}, False)
    # The message of an error is no text of the model.
    assert isinstance(leg.answers[2].text, Missing)
    assert leg.answers[0].seconds == 2.0


def test_marks_and_counts_of_a_file_are_checked(tmp_path):
    lies = [ROWS[0] | {"got": "9"}, ROWS[1] | {"got": "7.0"}]
    found = read_as("answers", write(tmp_path, json.dumps(TOP | {"results": lies})))
    assert outcomes(legs(found)[0]) == ["wrong", "right"]
    told = " ".join(found.completeness.reasons)
    assert "the file says right, but '9' was answered and '7' expected" in told
    assert "the file says n 4; its rows give 2" in told
    assert "the file says errors 2; its rows give 0" in told


def test_lines_with_usual_keys_and_arms(tmp_path):
    rows = [
        {"id": i, "arm": arm, "question": "q", "target": "x\n#### 1,007", "output": text,
         "finish_reason": "length" if arm == "b" else "stop", "token_ids": [1, 2, 3]}
        for arm, text in (("a", "#### 1007"), ("b", "!!!!"))
        for i in range(2)
    ]  # fmt: skip
    one, other = legs(read_as("answers", write(tmp_path, lines(*rows))))
    assert (one.label, other.label) == ("a", "b")
    assert (outcomes(one), outcomes(other)) == (["right"] * 2, ["wrong"] * 2)
    assert one.rule == "gsm8k/1"
    assert other.answers[0].finish == "length"
    assert one.answers[0].tokens == (1, 2, 3)
    assert isinstance(other.answers[0].extracted, Missing)


def test_keys_and_rule_can_be_declared(tmp_path):
    text = lines({"k": "a", "reply": "Paris", "gold": "paris", "late": 3.5})
    fields = {"id": "k", "text": "reply", "expected": "gold", "seconds": "late"}
    (leg,) = legs(read(tmp_path, text, fields=fields, rule="exact/1"))
    assert (leg.rule, outcomes(leg), leg.answers[0].seconds) == ("exact/1", ["right"], 3.5)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"fields": {"nothing": "k"}}, "no field"),
        ({"fields": {"text": "other"}}, "no row has 'other'"),
        ({}, "no key is known to hold an answer"),
        ({"fields": {"text": "reply", "id": "same"}}, "stands twice"),
        ({"fields": {"text": "reply"}, "rule": "mine/1"}, "no rule"),
    ],
)
def test_what_is_unclear_is_refused(tmp_path, declared, told):
    text = lines({"reply": "1", "same": 1}, {"reply": "2", "same": 1})
    with pytest.raises(ImportFailed, match=f"RM419.*{told}"):
        read(tmp_path, text, **declared)


def test_without_a_gold_answer_nothing_is_right_or_wrong(tmp_path):
    (leg,) = legs(read_as("answers", write(tmp_path, lines({"id": 1, "output": "7"}))))
    assert outcomes(leg) == ["not judged"]


def test_errors_and_time_outs_of_rows(tmp_path):
    rows = [
        {"id": 1, "expected": "7", "output": None, "error": "ReadTimeout: timed out"},
        {"id": 2, "expected": "7", "output": None, "error": "CUDA out of memory"},
        {"id": 3, "expected": "7", "output": "7", "status": "timeout"},
        {"id": 4, "expected": "7", "output": "the request timed out 7 times", "status": "ok"},
        {"id": 5, "expected": "7", "output": None, "status": "skipped"},
        {"id": 6, "expected": "7", "output": None},
        {"id": 7, "expected": "7", "output": ""},
    ]
    (leg,) = legs(read_as("answers", write(tmp_path, lines(*rows))))
    assert outcomes(leg) == [
        "timed out", "errored", "timed out", "right", "not asked", "errored", "wrong",
    ]  # fmt: skip


def test_no_row_is_no_result(tmp_path):
    with pytest.raises(ImportFailed, match="RM418"):
        read(tmp_path, "[]")


def test_a_file_that_was_cut_is_partial(tmp_path):
    text = lines({"id": 1, "output": "7"}, {"id": 2, "output": "8"})[:-10]
    found = read_as("answers", write(tmp_path, text))
    assert isinstance(found.completeness, Partial)
    assert len(legs(found)[0].answers) == 1


def sample(doc, name, answer, metric, text="so #### 7"):
    return {
        "doc_id": doc, "doc": {"question": f"q{doc}"}, "target": "x #### 7", "filter": name,
        "resps": [[text]], "filtered_resps": [answer], "metrics": ["exact_match"],
        "exact_match": metric,
    }  # fmt: skip


def test_lm_eval_samples_are_a_leg_per_filter(tmp_path):
    rows = [
        sample(doc, name, answer, metric)
        for name, answers in (
            ("strict-match", (("7", 1.0), ("[invalid]", 0.0))),
            ("flexible-extract", (("7", 1.0), ("7", 0.0))),
        )
        for doc, (answer, metric) in enumerate(answers)
    ]
    found = read_as("lm_eval_samples", write(tmp_path, lines(*rows)))
    strict, flexible = legs(found)
    assert strict.rule == "lm-eval filter strict-match"
    assert (outcomes(strict), outcomes(flexible)) == (["right", "wrong"], ["right", "right"])
    assert strict.answers[0].question == "q0"
    # The last metric contradicts the answer beside it.
    assert len(found.completeness.reasons) == 1


def test_scored_choices_have_no_text(tmp_path):
    row = sample(0, "none", ["-1.2", "False"], 1.0) | {"resps": [[["-1.2", "False"]]], "target": 3}
    (leg,) = legs(read_as("lm_eval_samples", write(tmp_path, lines(row))))
    assert outcomes(leg) == ["right"]
    assert isinstance(leg.answers[0].text, Missing)


def test_plain_text_is_parted_by_rules(tmp_path):
    path = write(tmp_path, "The first.\n---\n!!!!\n----\n---\n\n---\n")
    (leg,) = legs(read_foreign(path, format="answers_text"))
    assert [each.text for each in leg.answers] == ["The first.", "!!!!\n----", ""]
    with pytest.raises(ImportFailed, match="RM415"):
        read_foreign(path)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b'[{"id": 1}]', b'{"results": [], "output": 1, "id": 2}',
        b'{"id": [1], "output": {"a": 1}, "token_ids": [1, "x"], "expected": []}',
        b'{"id": 1, "output": "\\ud800", "expected": 1e999}',
        b'{"id": null, "text": "a", "arm": {"x": 1}, "elapsed": -1, "status": []}',
        b'{"output": "a", "id": 1, "results": [{"output": "b"}]}',
    ],
)  # fmt: skip
def test_nothing_breaks_it(tmp_path, content):
    never_breaks(module, tmp_path / "f", content)


@pytest.mark.parametrize("name", ["lower8", "phaseE-off", "all-beta"])
def test_files_of_another_team(name):
    found = read_as("answers", case(f"three-leg/{name}/gsm8k.json"))
    assert isinstance(found.completeness, Complete)
    assert len(legs(found)[0].answers) == 50
