"""The study of a small model: real tokens, the same in every mode, and where the time goes."""

import os
from pathlib import Path

import pytest
import torch

from roofmark.analysis.leg_tables import formula_of, sum_per_token
from roofmark.bench.serving.engine_worker import EngineWorker
from roofmark.bench.serving.messages import AskEngine, ForceEngine, ProfileEngine, StartEngine
from roofmark.bundle import open_bundle
from roofmark.loading import load_study
from roofmark.records import Missing
from roofmark.served import LegProfile

pytest.importorskip("transformers")
STUDY = Path(__file__).parents[2] / "studies" / "decode_engine"


@pytest.fixture(scope="module")
def worker():
    """The study's own leg, made as in a run, but in this process."""
    found = EngineWorker()
    cores = tuple(sorted(os.sched_getaffinity(0)))
    solution = load_study(STUDY).study.solution("cached")
    request = StartEngine(solution=solution, folder=str(STUDY), device="cpu", cores=cores)
    threads = torch.get_num_threads()
    found.answer(request)
    yield found
    torch.set_num_threads(threads)


def test_the_small_study_decodes(worker):
    prompts = (tuple(range(64)), tuple(range(100, 164)), tuple(range(64)))
    found = worker.answer(AskEngine(prompts=prompts, tokens=16)).answers
    assert [len(each.tokens) for each in found] == [16, 16, 16]
    assert found[0].tokens == found[2].tokens != found[1].tokens
    assert all(each.sent <= each.arrivals[0] <= each.arrivals[-1] for each in found)


def test_forced_tokens_bring_the_logits_of_the_free_ones(worker):
    prompt = tuple(range(16))
    free = worker.answer(ForceEngine(prompt=prompt, forced=(), tokens=8))
    forced = worker.answer(ForceEngine(prompt=prompt, forced=free.tokens, tokens=8))
    assert (forced.tokens, forced.data) == (free.tokens, free.data)
    other = worker.answer(ForceEngine(prompt=prompt, forced=(1,) * 8, tokens=8))
    assert other.data != free.data


def test_the_profiled_pass_sees_the_model(worker):
    profile = worker.answer(ProfileEngine(prompt=tuple(range(64)), tokens=4)).profile
    calls = {spans.name: len(spans.durations) for spans in profile.spans}
    assert calls["aten::scaled_dot_product_attention"] == 2 * profile.tokens == 8


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


def test_the_formulas_of_the_8b_legs_cover_their_kernels():
    folder = STUDY.with_name("decode_engine_8b")
    study = load_study(folder).study
    evidence = STUDY.parents[1] / "evidence"
    bundles = [open_bundle(each) for each in sorted(evidence.glob("*-decode-engine-8b-*h200*"))]
    tables = [t for b in bundles for t in b.tables() if isinstance(t.outcome, LegProfile)]
    assert len(tables) == 4 + 3 + 3
    for each in tables:
        found = sum_per_token(each.outcome, formula_of(study, each.solution))
        assert not isinstance(found, Missing), found
        assert found.coverage > 0.97 and found.agree
