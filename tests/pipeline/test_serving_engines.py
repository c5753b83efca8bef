"""Engines in workers of ours and behind HTTP: one whose tokens are known, to a bundle."""

import pytest

from roofmark import api
from roofmark.evidence import Passed
from roofmark.options import RunOptions
from roofmark.served import LegProfile, Likeness

ENGINES = """
import torch

class Engine:
    # The next token follows from the sum of all so far, by one matrix product.
    def __init__(self):
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.weights = torch.randn(64, 101)

    def prefill(self, ids):
        self.state = torch.zeros(64)
        return self._next(sum(ids))

    def step(self):
        return self._next(self.token)

    def force(self, token):
        self.token = token

    def _next(self, value):
        self.state[value % 64] += 1
        self.logits = self.state @ self.weights
        self.token = int(self.logits.argmax())
        return self.token

def plain(device):
    return Engine()
"""
STUDY = """
import roofmark as rm

ENGINE = rm.Engine(vocabulary=101)
RUN = "{python} -m roofmark.engines.serve {folder}/engines.py::plain --port {port}".split()
SERVER = rm.Server(run=tuple(RUN), vocabulary=101)
study = rm.Study(
    definition=rm.engine("known-tokens"),
    workloads=[rm.load(prompt=7), rm.load(prompt=7, generate=9)],
    solutions=[
        rm.Solution("plain", "engines.py::plain", leg=ENGINE),
        rm.Solution("served", sources=("engines.py",), leg=SERVER),
    ],
    baseline="plain",
    serving=rm.Serving(profile=5, compare=6),
    protocol=rm.Protocol(
        tier="token", cache="warm", processes=(2, 2), blocks=2, calls=2, time_limit=100,
    ),
)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    (folder / "engines.py").write_text(ENGINES)
    (folder / "study.py").write_text(STUDY)
    return api.run(folder, folder / "bundle", options=RunOptions(device="cpu"))


def outputs(bundle, name):
    return [
        request.output
        for served in bundle.served()
        if (served.solution, served.workload) == (name, "pp7-tg9")
        for visit in served.visits
        for request in visit.requests
    ]


def test_every_leg_serves_every_load(bundle):
    found = {(t.workload, t.solution): t.outcome for t in bundle.traces()}
    assert len(found) == 6
    assert all(isinstance(outcome, Passed) for outcome in found.values())


def test_the_server_gives_the_tokens_of_the_worker(bundle):
    # Every leg is asked the same prompts in a block; a server's text of a token is its id.
    workers = [" ".join(map(str, ids)) for ids in outputs(bundle, "plain")]
    served = [text.strip() for text in outputs(bundle, "served")]
    assert len(served) == 8
    assert served == workers
    assert len(set(served)) > 1


def test_logits_are_compared_with_the_baselines(bundle):
    found = {(s.solution, s.process): s.likeness for s in bundle.stays()}
    twins = [found["plain~twin", each] for each in (0, 1)]
    assert all(isinstance(each, Likeness) for each in twins)
    assert all((each.peak, each.diverges) == (0.0, -1) for each in twins)
    assert not isinstance(found["served", 0], Likeness)


def test_the_profiled_pass_sees_the_engine(bundle):
    tables = {each.solution: each.outcome for each in bundle.tables()}
    assert isinstance(tables["plain"], LegProfile)
    calls = {spans.name: len(spans.durations) for spans in tables["plain"].spans}
    assert calls["aten::argmax"] == tables["plain"].tokens == 5
    assert not isinstance(tables["served"], LegProfile)
