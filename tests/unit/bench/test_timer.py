"""The host's timing loop, with thunks that are no kernels."""

import gc
import time
from typing import Any

import pytest
import torch

from roofmark.bench.cache import Flusher, warm
from roofmark.bench.timer import CallTimer, Slots


class _Flusher(Flusher):
    """Says when it is asked."""

    def __init__(self, log: list[str]) -> None:
        super().__init__(4, torch.device("cpu"))
        self._log = log

    def flush(self) -> None:
        self._log.append("flush")


def _slots(log: list[str], count: int, *, seconds: float = 0.0) -> Slots:
    def thunk(name: str) -> Any:
        def call() -> str:
            log.append(f"{name} gc={gc.isenabled()}")
            time.sleep(seconds)
            return name

        return call

    inputs = [[torch.zeros(3)] for _ in range(count)]
    return Slots([thunk(f"t{k}") for k in range(count)], inputs, thunk("warm-up"))


def test_one_flush_then_warm_up_then_each_call_once() -> None:
    log: list[str] = []
    start = time.perf_counter()
    taken = CallTimer(_Flusher(log), cuda=False).take(_slots(log, 5, seconds=0.004), 3, "cold")
    assert log[0] == "flush"
    assert log[-3:] == [f"t{k} gc=False" for k in range(3)]
    assert len(log) > 5 and set(log[1:-3]) == {"warm-up gc=True"}
    assert time.perf_counter() - start > 0.03  # threads had time to find cores
    assert taken.results == ["t0", "t1", "t2"]
    assert len(taken.samples) == 3 and taken.calls == 1 and not taken.discarded
    assert gc.isenabled()


def test_a_warm_cache_is_not_flushed() -> None:
    log: list[str] = []
    CallTimer(_Flusher(log), cuda=False).take(_slots(log, 2), 2, "warm")
    assert "flush" not in log


def test_samples_are_seconds_of_one_call() -> None:
    taken = CallTimer(_Flusher([]), cuda=False).take(_slots([], 3, seconds=0.02), 3, "cold")
    assert all(0.02 <= sample < 0.2 for sample in taken.samples)


def test_the_collector_is_back_after_a_call_that_raises() -> None:
    def fail() -> None:
        raise ValueError("no")

    slots = Slots([fail], [[torch.zeros(1)]], lambda: None)
    with pytest.raises(ValueError, match="no"):
        CallTimer(_Flusher([]), cuda=False).take(slots, 1, "cold")
    assert gc.isenabled()


@pytest.mark.parametrize(
    "tensor",
    [
        torch.empty(0),
        torch.ones(4, 3).t(),
        torch.ones(1).expand(5),
        torch.eye(3).to_sparse(),
        torch.ones((), requires_grad=True),
    ],
    ids=["empty", "strided", "expanded", "sparse", "scalar"],
)
def test_whatever_weights_were_made_into_can_be_read_into_a_cache(tensor: torch.Tensor) -> None:
    warm([tensor])
