"""The study of a small model: real tokens, in a worker and behind HTTP, and where the time goes."""

from pathlib import Path

import pytest
import torch

from roofmark import api
from roofmark.evidence import Passed
from roofmark.loading import load_study
from roofmark.options import RunOptions
from roofmark.served import LegProfile, Likeness

pytest.importorskip("transformers")
STUDY = Path(__file__).parents[2] / "studies" / "decode_engine"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    options = RunOptions(
        device="cpu", solutions=("served",), processes=(2, 2), blocks=2, time_limit=240.0
    )
    return api.run(STUDY, tmp_path_factory.mktemp("engine") / "bundle", options=options)


def outputs(bundle, name):
    return [
        request.output
        for served in bundle.served()
        if served.solution == name and served.workload == "pp64-tg16"
        for visit in served.visits
        for request in visit.requests
    ]


def test_every_leg_serves_every_load(bundle):
    found = {(t.workload, t.solution): t.outcome for t in bundle.traces()}
    assert len(found) == 6
    assert all(isinstance(outcome, Passed) for outcome in found.values())


def test_the_server_gives_the_tokens_of_the_worker(bundle):
    # Every leg is asked the same prompts in a block; a server's text of a token is its id.
    workers = [" ".join(map(str, ids)) for ids in outputs(bundle, "uncached")]
    served = [text.strip() for text in outputs(bundle, "served")]
    assert len(served) == 16
    assert served == workers
    assert len(set(served)) > 1


def test_the_twin_is_the_same_model(bundle):
    found = [stay.likeness for stay in bundle.stays() if stay.solution == "uncached~twin"]
    assert all(isinstance(each, Likeness) for each in found)
    assert all((each.peak, each.diverges) == (0.0, -1) for each in found)


def test_the_profiled_pass_sees_the_model(bundle):
    tables = {each.solution: each.outcome for each in bundle.tables()}
    assert isinstance(tables["uncached"], LegProfile)
    calls = {spans.name: len(spans.durations) for spans in tables["uncached"].spans}
    assert calls["aten::scaled_dot_product_attention"] == 2 * tables["uncached"].tokens
    assert not isinstance(tables["served"], LegProfile)


class FakeGraph:
    """What a replayed graph does: one step, whose logits always land in the same place."""

    def __init__(self, engine):
        self.engine = engine
        self.engine._captured = torch.empty(1, 97)

    def replay(self):
        with torch.inference_mode():
            self.engine._captured.copy_(self.engine._decode())


def test_a_cache_changes_no_token():
    from roofmark.engines import HuggingFace

    shape = {
        "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 97,
    }  # fmt: skip
    found = {}
    for mode in ("uncached", "dynamic", "static", "graphs"):
        own = "static" if mode == "graphs" else mode
        engine = HuggingFace(shape, device="cpu", mode=own, context=40, dtype="float32")
        if mode == "graphs":
            engine._mode, engine._graph = mode, FakeGraph(engine)
        for prompt in (range(5), range(7, 30)):
            engine.reset()
            first = engine.prefill(list(prompt))
            answer = (first, *(engine.step() for _ in range(9)))
            found.setdefault(tuple(prompt), set()).add(answer)
    assert [len(answers) for answers in found.values()] == [1, 1]
    with pytest.raises(ValueError, match="does not fit in context 40"):
        engine.prefill([1] * 40)
    with pytest.raises(ValueError, match="mode 'graphs' on cpu"):
        HuggingFace(shape, device="cpu", mode="graphs")


def test_the_large_study_asks_what_its_readme_says():
    folder = STUDY.with_name("decode_engine_8b")
    study = load_study(folder).study
    assert [s.name for s in study.solutions] == [
        "eager", "static", "graphs", "graphs-rms", "graphs-slowed",
    ]  # fmt: skip
    text = (folder / "README.md").read_text()
    assert all(f"`{s.name}`" in text for s in study.solutions)
    assert load_study(folder / "kernel.py").study.baseline == "rms"
