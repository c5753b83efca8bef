"""Going on elsewhere: what a machine lacks ends the loop, not the next candidates."""

from types import SimpleNamespace

import pytest

from roofmark.bench.proof.errors import BuildError
from roofmark.errors import BenchError, BundleError
from roofmark.looping import machine
from roofmark.records import Missing

GPU = SimpleNamespace(name="NVIDIA H200")


def environment(*, gpu=GPU, cpu="Xeon"):
    return SimpleNamespace(gpu=gpu, cpu=SimpleNamespace(model=cpu))


def check(monkeypatch, now, *, device="cuda", missing="", fleet=""):
    def build(loaded, name, version, environment):
        if missing:
            raise BuildError(missing)

    monkeypatch.setattr(machine, "build_binary", build)
    monkeypatch.setattr(machine, "collect_machine", lambda device, folder: now)
    state = SimpleNamespace(
        fleet=fleet, folder="loop", loaded=None, plan=SimpleNamespace(solution="stream"),
        version=lambda number: number,
    )  # fmt: skip
    run = SimpleNamespace(device=device, fleet="")
    machine.check_machine(state, SimpleNamespace(run=run, environment=environment()))


def test_the_same_kind_of_machine_goes_on(monkeypatch):
    check(monkeypatch, environment(cpu="EPYC"))
    check(monkeypatch, environment(gpu=Missing(reason="none")), device="cpu")


def test_another_kind_of_device_is_refused(monkeypatch):
    with pytest.raises(BundleError, match="began on NVIDIA H200, and here is NVIDIA H100"):
        check(monkeypatch, environment(gpu=SimpleNamespace(name="NVIDIA H100")))
    with pytest.raises(BundleError, match="began on Xeon, and here is EPYC"):
        check(monkeypatch, environment(cpu="EPYC"), device="cpu")


def test_a_compiler_that_is_not_there_is_no_candidates_fault(monkeypatch):
    with pytest.raises(BenchError, match="does not here: no nvcc") as caught:
        check(monkeypatch, environment(), missing="no nvcc")
    assert caught.value.code == "RM333"


def test_a_loop_on_a_fleet_is_not_asked(monkeypatch):
    check(monkeypatch, environment(), missing="no nvcc", fleet="local:2")
