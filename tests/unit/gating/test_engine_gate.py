"""Pins and gates of serving engines: seconds a token and memory of a leg, in made-up bundles."""

import random

import pytest

from roofmark import gating
from roofmark.analysis.gate import Ask
from roofmark.cli import main
from roofmark.evidence import Measurement, Passed, Trace, Visit
from roofmark.legs import Command, Serving
from roofmark.records import digest, encode
from roofmark.serving import engine, load
from roofmark.study import Protocol, Solution, Study
from roofmark.testing import simulated_build, small_environment, write_bundle

STUDY = Study(
    definition=engine("gated"),
    workloads=(load(prompt=512), load(generate=128)),
    solutions=tuple(
        Solution(name, leg=Command(run=("bench", name))) for name in ("plain", "graphs")
    ),
    baseline="plain",
    serving=Serving(profile=0, compare=0),
    protocol=Protocol(tier="token", cache="warm", margin=0.03),
)
GIB = 2**30


def passed(build, tokens, memory, chance):
    """tokens: seconds of one; a part in a thousand of noise between visits and processes."""

    def visits(value, noise):
        return tuple(
            Visit(
                block=block, position=0, start=float(block), samples=(value * noise(),) * 2,
                calls=1, elapsed=1.0,
            )
            for block in range(2)
        )  # fmt: skip

    process = chance.gauss(1, 0.001)
    times = visits(tokens * process, lambda: chance.gauss(1, 0.001))
    held = visits(memory, lambda: 1)
    found = [("token", times), ("memory", held)]
    return Passed(
        build=build, checks=(), absent={}, readings=(),
        measurements=tuple(
            Measurement(tier=tier, cache="warm", clock="made up", visits=each)
            for tier, each in found
        ),
    )  # fmt: skip


def make(folder, *, seed, graphs=0.007, memory=16 * GIB):
    chance = random.Random(seed)
    legs = {
        "graphs": ("solution", graphs),
        "plain~twin": ("twin", 0.02),
        "plain": ("baseline", 0.02),
    }
    builds = {n: digest(encode(simulated_build(STUDY, n, "cpu"))) for n in legs}
    traces = [
        Trace(
            workload=workload.id, solution=name, role=role, process=process,
            outcome=passed(builds[name], seconds, memory if name == "graphs" else 16 * GIB, chance),
        )
        for process in range(6) for workload in STUDY.workloads
        for name, (role, seconds) in legs.items()
    ]  # fmt: skip
    return write_bundle(folder, STUDY, traces, small_environment("cpu"))


@pytest.fixture(scope="module")
def pin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pinned")
    gating.pin(make(folder / "bundle", seed=1), folder / "pin.json")
    return folder / "pin.json"


@pytest.mark.parametrize(("metric", "slower"), [("speedup", 1.1), ("time", 1.4)])
def test_a_leg_that_got_slower_fails_and_the_same_again_passes(pin, tmp_path, metric, slower):
    same = make(tmp_path / "same", seed=2)
    assert gating.gate(same, pin, ask=Ask(metric=metric)).decision == "pass"
    late = make(tmp_path / "late", seed=3, graphs=0.007 * slower)
    found = gating.gate(late, pin, ask=Ask(metric=metric))
    assert found.decision == "fail"
    decided = {(c.workload, c.solution): c.decision for c in found.cells}
    assert decided["tg128", "graphs"] == decided["pp512", "graphs"] == "fail"


def test_a_leg_that_holds_more_memory_fails(pin, tmp_path):
    grown = make(tmp_path / "grown", seed=4, memory=18 * GIB)
    found = gating.gate_memory(grown, pin)
    decided = {(c.solution, c.observer): c.decision for c in found.cells}
    assert decided == {("graphs", "leg"): "fail", ("plain", "leg"): "pass"}
    assert gating.gate_memory(make(tmp_path / "same", seed=5), pin).decision == "pass"
    words = ["gate", str(tmp_path / "grown"), "--baseline", str(pin)]
    assert (main(words), main([*words, "--no-memory"])) == (1, 0)
