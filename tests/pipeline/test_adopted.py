"""A study from FlashInfer-Trace runs: their order of arguments, their files, their outputs."""

import json

from msgspec.structs import replace

from roofmark import api
from roofmark.adopting import adopt
from roofmark.evidence import Incorrect, Passed
from roofmark.exporting import export
from roofmark.loading import load_study
from roofmark.narrowing import narrow_study
from roofmark.options import RunOptions
from roofmark.text_files import write_files

REFERENCE = """
import torch

def run(hidden, epsilon, weight):
    wide = hidden.to(torch.float32)
    scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + epsilon)
    return (wide * scale * weight).to(torch.float32)
"""
DEFINITION = {
    "name": "norm_d64",
    "op_type": "norm",
    "axes": {"n": {"type": "var"}, "d": {"type": "const", "value": 64}},
    "inputs": {
        "x": {"shape": ["n", "d"], "dtype": "float32"},
        "eps": {"shape": None, "dtype": "float32"},
        "w": {"shape": ["d"], "dtype": "float32"},
    },
    "outputs": {"y": {"shape": ["n", "d"], "dtype": "float32"}},
    "reference": REFERENCE,
}
# Relative imports and an order of their own, as FlashInfer-Bench takes them.
WRITES = {
    "main.py": "from .helper import norm\n\ndef run(a, b, c, out):\n    out.copy_(norm(a, b, c))\n",
    "helper.py": "import torch\n\ndef norm(a, b, c):\n"
    "    return a * torch.rsqrt(a.pow(2).mean(-1, keepdim=True) + b) * c\n",
}
FORGETS = {"main.py": "def run(a, b, c):\n    return a * c\n"}


def solution(name, sources, *, writes):
    spec = {
        "language": "python",
        "target_hardware": ["cpu"],
        "entry_point": "main.py::run",
        "destination_passing_style": writes,
    }
    listed = [{"path": path, "content": text} for path, text in sources.items()]
    return {"name": name, "definition": "norm_d64", "author": "me", "spec": spec, "sources": listed}


def files(tmp_path):
    inputs = {"x": {"type": "random"}, "w": {"type": "random"}}
    inputs["eps"] = {"type": "scalar", "value": 1e-6}
    workload = {"uuid": "n127", "axes": {"n": 127}, "inputs": inputs}
    trace = {"definition": "norm_d64", "workload": workload, "solution": None, "evaluation": None}
    written = {
        "definition.json": DEFINITION,
        "workloads.jsonl": trace,
        "writes.json": solution("writes", WRITES, writes=True),
        "forgets.json": solution("forgets", FORGETS, writes=False),
    }
    for name, values in written.items():
        (tmp_path / name).write_text(json.dumps(values) + "\n")
    return [tmp_path / name for name in written]


def test_it_runs_and_what_it_gives_goes_back(tmp_path):
    definition, workloads, *solutions = files(tmp_path)
    found = adopt(definition, workloads=workloads, solutions=solutions)
    write_files(tmp_path / "study", found.files)
    loaded = load_study(tmp_path / "study")
    assert replace(loaded.study, files={}) == found.study
    options = RunOptions(device="cpu", processes=(2, 2), blocks=2)
    assert narrow_study(loaded.study, options).protocol.processes == (2, 2)
    bundle = api.run(tmp_path / "study", tmp_path / "bundle", options=options)
    outcomes = {(t.solution, type(t.outcome)) for t in bundle.traces()}
    assert outcomes == {
        ("reference", Passed),
        ("reference~twin", Passed),
        ("writes", Passed),
        ("forgets", Incorrect),
    }

    export(tmp_path / "bundle", tmp_path / "back")
    again = adopt(
        tmp_path / "back/definitions/norm_d64/norm_d64.json",
        workloads=tmp_path / "back/workloads/norm_d64/norm_d64.jsonl",
        solutions=[tmp_path / "back/solutions/norm_d64/writes.json"],
    )
    first, second = found.study.definition, again.study.definition
    assert replace(second, scalars={}) == replace(first, scalars={})
    assert second.scalars == first.scalars
    assert [w.axes for w in again.study.workloads] == [w.axes for w in found.study.workloads]
    lines = (tmp_path / "back/traces/norm_d64/norm_d64.jsonl").read_text().splitlines()
    status = {t["solution"]: t["evaluation"]["status"] for t in map(json.loads, lines)}
    assert status == {
        "norm_d64_reference": "PASSED",
        "norm_d64_writes": "PASSED",
        "norm_d64_forgets": "INCORRECT_NUMERICAL",
    }
