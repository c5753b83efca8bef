"""Questions to server legs, and the answers paired by the code that judges accuracy."""

import json

import pytest

from roofmark.analysis.accuracy import compare_answers
from roofmark.answering import read_legs
from roofmark.asking import AskOptions, ask_leg, read_questions
from roofmark.errors import BenchError, StudyError
from roofmark.loading import load_study
from tiny import children_left

STUDY = """
import roofmark as rm

def server(name, *extra, **more):
    run = ("{python}", "-m", "roofmark.testing.server", "--port", "{port}", *extra)
    return rm.Solution(name, leg=rm.Server(run=run, first_limit=5.0, gap_limit=0.5, **more))

study = rm.Study(
    definition=rm.engine("asked"),
    workloads=[rm.load(prompt=4, generate=6)],
    solutions=[server("good"), server("mute", "--fault", "stall", "--after", "3"),
               server("dead", "--no-such-option"),
               rm.Solution("printed", leg=rm.Command(run=("true",)))],
    baseline="good",
    serving=rm.Serving(),
    protocol=rm.Protocol(tier="token", cache="warm"),
)
"""
QUESTIONS = [{"question": f"What comes {n}th?", "answer": "word word"} for n in range(4)]


@pytest.fixture
def asked(tmp_path):
    (tmp_path / "study.py").write_text(STUDY)
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(map(json.dumps, QUESTIONS)))
    return load_study(tmp_path), read_questions(file)


def test_time_outs_are_told_apart_from_answers(asked, tmp_path):
    loaded, questions = asked
    rows = [
        row for name in ("good", "mute")
        for row in ask_leg(loaded, name, questions, AskOptions(tokens=2, streams=2))
    ]  # fmt: skip
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    good, mute = read_legs([file], rule="exact/1").legs
    assert (good.label, good.count("right")) == ("good", 4)
    assert (mute.count("timed out"), mute.count("wrong", "right")) == (1, 3)
    # The request that stalls is not counted among the wrong ones.
    assert [each.id for each in good.answers] == [each.id for each in mute.answers]
    assert compare_answers(good, mute).decision == "undecided"
    assert children_left(patience=5) == []


def test_what_cannot_be_asked_says_so(asked, tmp_path):
    loaded, questions = asked
    with pytest.raises(StudyError, match=r"RM138\]: 'printed' is no server"):
        list(ask_leg(loaded, "printed", questions, AskOptions()))
    with pytest.raises(BenchError, match=r"RM139\]: dead: "):
        list(ask_leg(loaded, "dead", questions, AskOptions()))
    for text in ("", "{}", "[1]", '{"question": 1, "answer": "2"}', "\0"):
        (tmp_path / "bad.jsonl").write_text(text)
        with pytest.raises(StudyError, match="RM138"):
            read_questions(tmp_path / "bad.jsonl")
