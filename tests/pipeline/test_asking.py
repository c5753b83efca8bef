"""Questions to servers and engines, and the answers paired by the code that judges accuracy."""

import json

import pytest

from roofmark.analysis.accuracy import compare_answers
from roofmark.answering import read_legs
from roofmark.asking import ask_leg, read_questions
from roofmark.errors import BenchError, StudyError
from roofmark.loading import load_study
from roofmark.options import AskOptions
from tiny import children_left

STUDY = """
import roofmark as rm

def server(name, *extra, **more):
    run = ("{python}", "-m", "roofmark.testing.server", "--port", "{port}", *extra)
    return rm.Solution(name, leg=rm.Server(run=run, first_limit=5.0, gap_limit=0.5, **more))

ENGINE = rm.Engine(vocabulary=128)
study = rm.Study(
    definition=rm.engine("asked"),
    workloads=[rm.load(prompt=4, generate=6)],
    solutions=[server("good"), server("mute", "--fault", "stall", "--after", "3"),
               server("dead", "--no-such-option"),
               *[rm.Solution(n, f"engines.py::{n}", leg=ENGINE) for n in ("words", "dumb")],
               rm.Solution("printed", leg=rm.Command(run=("true",)))],
    baseline="good",
    serving=rm.Serving(),
    protocol=rm.Protocol(tier="token", cache="warm", call_limit=1.5),
)
"""
ENGINES = """
import os, time

class Tokenizer:
    def encode(self, text):
        return [ord(c) for c in text]

    def decode(self, ids):
        return "".join(map(chr, ids))

class Engine:
    ends = {0}
    tokenizer = Tokenizer()

    def prefill(self, ids):
        # It says the last word of the question again, one letter a token.
        word = self.tokenizer.decode(ids).split()[-1]
        if word == "dies":
            os._exit(3)
        if word == "slow":
            time.sleep(60)
        self.left = [*word.encode(), 0]
        return self.step()

    def step(self):
        time.sleep(1 if self.left[:1] == [ord("z")] else 0)
        return self.left.pop(0)

def words(device):
    return Engine()

def dumb(device):
    engine = Engine()
    engine.tokenizer = None
    return engine
"""
QUESTIONS = [{"question": f"What comes {n}th?", "answer": "word word"} for n in range(4)]


@pytest.fixture
def asked(tmp_path):
    (tmp_path / "study.py").write_text(STUDY)
    (tmp_path / "engines.py").write_text(ENGINES)
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


def test_an_engine_of_ours_answers_in_words_and_is_made_again_when_it_dies(asked):
    loaded, _ = asked
    options = AskOptions(device="cpu", tokens=5, template="Say {question}")
    words = ("yes", "a-long-one", "dies", "fine", "slow", "azzz")
    questions = [(str(n), word, word) for n, word in enumerate(words)]
    rows = list(ask_leg(loaded, "words", questions, options))
    assert [row["output"] for row in rows[:5]] == ["yes", "a-lon", "", "fine", ""]
    assert [rows[at]["finish_reason"] for at in (0, 1, 3)] == ["stop", "length", "stop"]
    assert "exit code 3" in rows[2]["error"]
    # A step that hangs is ended with its engine; an answer that is late is kept as far as it came.
    assert all(row["error"].startswith("timed out: ") for row in rows[4:])
    assert rows[5]["output"].startswith("az")
    assert children_left(patience=5) == []


def test_what_cannot_be_asked_says_so(asked, tmp_path):
    loaded, questions = asked
    with pytest.raises(StudyError, match=r"RM138\]: 'printed' is no server or engine"):
        list(ask_leg(loaded, "printed", questions, AskOptions()))
    with pytest.raises(BenchError, match=r"RM139\]: dumb: .*`tokenizer`"):
        list(ask_leg(loaded, "dumb", questions, AskOptions(device="cpu")))
    with pytest.raises(BenchError, match=r"RM139\]: dead: "):
        list(ask_leg(loaded, "dead", questions, AskOptions()))
    for text in ("", "{}", "[1]", '{"question": 1, "answer": "2"}', "\0"):
        (tmp_path / "bad.jsonl").write_text(text)
        with pytest.raises(StudyError, match="RM138"):
            read_questions(tmp_path / "bad.jsonl")
