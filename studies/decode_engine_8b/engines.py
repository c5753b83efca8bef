"""The legs: Llama 3 8B's shape with random weights, bfloat16, batch 1."""

from rms_norm import swap

from roofmark.engines import HuggingFace

# Source: config.json of meta-llama/Meta-Llama-3-8B.
SHAPE = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    "max_position_embeddings": 8192, "rope_theta": 500000.0, "rms_norm_eps": 1e-5,
}  # fmt: skip


def _make(mode, device, repeat=0):
    engine = HuggingFace(SHAPE, device=device, mode=mode, context=1024)
    if repeat:
        swap(engine.model, repeat)
    return engine


def eager(device):
    return _make("dynamic", device)


def static(device):
    return _make("static", device)


def graphs(device):
    return _make("graphs", device)


def graphs_rms(device):
    return _make("graphs", device, repeat=1)


def graphs_slowed(device):
    return _make("graphs", device, repeat=32)
