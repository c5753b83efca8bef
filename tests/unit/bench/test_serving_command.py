"""What commands print: llama-bench's JSON, and declared patterns."""

import json
from itertools import pairwise

import pytest

from roofmark.bench.serving.command import read_llama_bench, read_pattern
from roofmark.bench.serving.plan import draw_questions, plan_steps
from roofmark.legs import Engine, Pattern, Server
from roofmark.serving import Load, load

PP = {"n_prompt": 512, "n_gen": 0, "samples_ns": [512_000_000, 1_024_000_000]}
TG = {"n_prompt": 0, "n_gen": 128, "samples_ns": [1_280_000_000]}


@pytest.mark.parametrize(
    "text", [json.dumps([PP, TG]), f"warming up [x]\n{json.dumps([PP, TG])}\n"]
)
def test_llama_bench_gives_seconds_per_token(text):
    assert read_llama_bench(text, Load(prompt=512)) == ((0.001, 0.002), 512)
    assert read_llama_bench(text, Load(generate=128)) == ((0.01,), 128)


@pytest.mark.parametrize(
    ("rows", "asked", "says"),
    [
        ([TG], Load(prompt=512), "0 tests with n_prompt 512"),
        ([PP, PP], Load(prompt=512), "2 tests"),
        ([{"n_prompt": 512, "n_gen": 0, "avg_ns": 5}], Load(prompt=512), "samples_ns"),
        ([PP | {"samples_ns": [0]}], Load(prompt=512), "no measured amount"),
        ([PP], Load(prompt=512, generate=8), "not both"),
    ],
)
def test_llama_bench_that_answers_something_else_is_refused(rows, asked, says):
    with pytest.raises(ValueError, match=says):
        read_llama_bench(json.dumps(rows), asked)


@pytest.mark.parametrize(
    ("unit", "line", "seconds"),
    [
        ("tok/s", "decode 200.0 tok/s", 0.005),
        ("ms/token", "decode 5.0 ms", 0.005),
        ("s/token", "decode 0.005 s", 0.005),
        ("us/token", "decode 5000 us", 0.005),
    ],
)
def test_a_pattern_has_a_unit(unit, line, seconds):
    pattern = Pattern(expression=r"^decode (?P<value>[\d.]+)", unit=unit)
    assert read_pattern(f"{line}\nother 1\n{line}\n", pattern) == (seconds, seconds)


def test_a_pattern_that_finds_nothing_is_no_measurement():
    with pytest.raises(ValueError, match="nothing in it matches"):
        read_pattern("", Pattern(expression=r"(?P<value>\d+)", unit="tok/s"))
    with pytest.raises(ValueError, match="no measured amount"):
        read_pattern("v 0", Pattern(expression=r"v (?P<value>\d+)", unit="tok/s"))


# --- the plan ------------------------------------------------------------------------------------
LOADS = (load(prompt=8), load(generate=4))


@pytest.mark.parametrize("together", [True, False])
def test_everybody_is_visited_in_every_block(together):
    steps = plan_steps(LOADS, ["a", "b", "a~twin"], blocks=3, together=together, seed="s")
    seen = {(s.workload.id, s.name, s.block) for s in steps}
    assert len(steps) == len(seen) == 2 * 3 * 3
    again = plan_steps(LOADS, ["a", "b", "a~twin"], blocks=3, together=together, seed="s")
    assert steps == again


def test_in_turn_a_leg_is_visited_without_others_in_between():
    steps = plan_steps(LOADS, ["a", "b", "c"], blocks=3, together=False, seed="s")
    changes = sum(a.name != b.name for a, b in pairwise(steps))
    assert changes == 2


def test_prompts_are_new_in_every_block_and_the_same_for_all_legs():
    asked = Load(prompt=32)
    one = draw_questions(Engine(vocabulary=50), asked, 3, "s/b0")
    same = draw_questions(Server(vocabulary=50), asked, 3, "s/b0")
    other = draw_questions(Engine(vocabulary=50), asked, 3, "s/b1")
    assert one.prompts == same.prompts
    assert not set(one.prompts) & set(other.prompts)
    assert all(len(prompt) == 32 and max(prompt) < 50 for prompt in one.prompts)
    words = draw_questions(Server(prompts="text"), asked, 1, "s/b0").prompts[0]
    assert isinstance(words, str) and len(words.split()) == 32
