"""The legs: one model, three ways of not computing the same thing again."""

import torch

from roofmark.engines import HuggingFace

SHAPE = {
    "model_type": "llama", "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512,
    "max_position_embeddings": 256,
}  # fmt: skip


def _make(mode, device):
    # One thread: in a model this small a second one costs more at barriers than it computes.
    torch.set_num_threads(1)
    return HuggingFace(SHAPE, device=device, mode=mode, context=128, dtype="float32")


def uncached(device):
    return _make("uncached", device)


def cached(device):
    return _make("dynamic", device)


def static(device):
    return _make("static", device)
