"""A server that is not ours, with a model made on the spot: started, asked, measured, stopped.

`transformers serve` counts tokens and names the reason of the end, and sends no [DONE]: what a
stream ends with is not the same everywhere.
"""

import pytest

from roofmark import api
from roofmark.bench.serving.server import ServerHandle
from roofmark.evidence import Passed
from roofmark.loading import load_study
from roofmark.options import RunOptions
from tiny import children_left

pytest.importorskip("transformers")
for name in ("accelerate", "fastapi", "openai", "uvicorn"):
    pytest.importorskip(name)

STUDY = """
import roofmark as rm

MODEL = MODEL_HERE
SET = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
RUN = "{python} -m transformers.cli.transformers serve MODEL --port {port} --device cpu"
LEG = dict(model=MODEL, prompts="text", environment=SET, ready_limit=120.0)
run = tuple(part.replace("MODEL", MODEL) for part in RUN.split())
legs = [rm.Solution("started", leg=rm.Server(run=run, **LEG))]
if URL_HERE:
    legs = [rm.Solution("found", leg=rm.Server(url=URL_HERE, **LEG))]
study = rm.Study(
    definition=rm.engine("transformers-serve"),
    workloads=[rm.load(prompt=5, generate=6, concurrency=2)],
    solutions=legs,
    baseline=legs[0].name,
    serving=rm.Serving(),
    protocol=rm.Protocol(
        tier="token", cache="warm", processes=(2, 2), blocks=2, calls=2, time_limit=60,
    ),
)
"""


def make_model(folder):
    """Save a Llama of two layers whose every token is a word."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({f"w{n}": n for n in range(97)}, unk_token="w0"))
    words.pre_tokenizer = WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder)
    config = AutoConfig.for_model(
        "llama", hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=97, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def write_study(folder, model, url=""):
    text = STUDY.replace("MODEL_HERE", repr(str(model))).replace("URL_HERE", repr(url))
    folder.mkdir()
    (folder / "study.py").write_text(text)
    return folder


def test_transformers_serve_is_started_measured_and_stopped(tmp_path):
    model = tmp_path / "model"
    make_model(model)
    loaded = load_study(write_study(tmp_path / "started", model))
    solution = loaded.study.solution("started")
    handle = ServerHandle(solution, tmp_path / "started", loaded.study.protocol)
    try:
        handle.start()
        found = write_study(tmp_path / "found", model, handle.url)
        bundle = api.run(found, tmp_path / "bundle", options=RunOptions(device="cpu"))
    finally:
        assert handle.stop() == "stopped"
    assert children_left(patience=5) == []
    assert all(isinstance(trace.outcome, Passed) for trace in bundle.traces())
    requests = [one for served in bundle.served() for v in served.visits for one in v.requests]
    assert {(one.prompt_tokens, one.tokens) for one in requests} == {(5, 6)}
    assert all(len(one.arrivals) == 6 and one.output.startswith("w") for one in requests)
    verdict = api.judge(bundle)
    assert not [f for f in verdict.findings if f.code == "RM522" and f.state == "fires"]
    assert any(f.code == "RM318" and f.state == "fires" for f in verdict.findings)
