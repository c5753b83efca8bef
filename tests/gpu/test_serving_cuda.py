"""Engines on a GPU: the same tokens in every mode, a replay per token, kernels inside a graph."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.gpu

SHAPE = {
    "model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 997,
}  # fmt: skip


def answer(engine, prompt):
    engine.reset()
    return (engine.prefill(prompt), *(engine.step() for _ in range(20)))


@pytest.mark.parametrize("mode", ["dynamic", "static", "compile", "graphs"])
def test_every_mode_gives_the_tokens_of_no_cache(mode):
    from roofmark.engines import HuggingFace

    plain = HuggingFace(SHAPE, device="cuda", mode="uncached", context=128, dtype="float32")
    engine = HuggingFace(SHAPE, device="cuda", mode=mode, context=128, dtype="float32")
    for prompt in (list(range(5)), list(range(40, 80))):
        assert answer(engine, prompt) == answer(plain, prompt)


def test_a_graph_is_replayed_once_a_token_and_its_kernels_are_seen():
    from roofmark.bench.serving.profiler import profile_decode
    from roofmark.engines import HuggingFace

    found = {}
    for mode in ("static", "graphs"):
        engine = HuggingFace(SHAPE, device="cuda", mode=mode, context=128)
        answer(engine, [1, 2, 3])
        found[mode] = profile_decode(engine.step, tokens=8, cuda=True)
    assert (found["static"].graph_launches, found["graphs"].graph_launches) == (0, 8)
    assert found["graphs"].launches < found["static"].launches / 4
    kernels = {
        mode: {s.name for s in each.spans if s.kind == "kernel"} for mode, each in found.items()
    }
    assert len(kernels["static"] & kernels["graphs"]) > 5
