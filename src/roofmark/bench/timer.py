"""The one timing loop of each tier, behind one protocol.

In: thunks (bound calls, each on a slot of its own) and a cache state. Out: seconds per call, in
order. Nothing else in roofmark reads a clock around a candidate's code.

    call    host clock from entering the call to the device being idle again (CPU, CUDA)
    graph   one replay of a CUDA graph that holds every thunk, between two events, per call
    kernel  device span from the first kernel's start to the last one's end, by CUPTI (own module)

Launch latency is kept out of the graph tier by a spinning kernel in front of the replay: the start
event is recorded only when everything behind it is already queued. Where that did not work the
sample is discarded, with this reason.
"""

import gc
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from roofmark.bench.cache import Flusher, warm
from roofmark.bench.messages import Go
from roofmark.evidence import Discard
from roofmark.study import CacheState

Thunk = Callable[[], Any]

_EXPOSED = "launch latency was not hidden: the device reached the start mark before all was queued"
# Source: torch.cuda._sleep counts cycles of the SM clock; 2 GHz is above any SM clock so far, so
# the spin lasts at least as long as asked.
_SPIN_HERTZ = 2.0e9
# Chosen: five ticks of a scheduler at 250 Hz.
_SETTLE_SECONDS = 0.02


@dataclass
class Slots:
    """What one visit works on: a thunk and its input tensors for each slot, and the warm-up's."""

    thunks: Sequence[Thunk]
    inputs: Sequence[Sequence[torch.Tensor]]
    warm_up: Thunk


@dataclass
class Taken:
    """Samples of one visit; `results` are what the calls returned, for the referee's eyes."""

    samples: list[float]
    calls: int
    results: list[Any]
    discarded: list[Discard] = field(default_factory=list[Discard])


class Timer(Protocol):
    """Takes one visit's samples."""

    clock: str

    def take(self, slots: Slots, calls: int, cache: CacheState) -> Taken:
        """Time `calls` calls."""
        ...


class CallTimer:
    """Host-inclusive time of each call, on a CPU or (waiting for the device) on CUDA."""

    def __init__(self, flusher: Flusher, *, cuda: bool) -> None:
        """Use `flusher` for the cold state."""
        self.clock = "time.perf_counter_ns"
        self._flusher = flusher
        self._wait: Callable[[], None] = torch.cuda.synchronize if cuda else _nothing

    def take(self, slots: Slots, calls: int, cache: CacheState) -> Taken:
        """Time `calls` calls one by one."""
        samples: list[float] = []
        results: list[Any] = []
        if cache == "cold":
            self._flusher.flush()
        self._warm_up(slots.warm_up)
        clock, wait = time.perf_counter_ns, self._wait
        with _collection_off():
            for thunk, inputs in zip(slots.thunks[:calls], slots.inputs, strict=False):
                if cache == "warm":
                    warm(inputs)
                wait()
                start = clock()
                result = thunk()
                wait()
                samples.append((clock() - start) * 1e-9)
                results.append(result)
        return Taken(samples, 1, results)

    def run(self, slots: Slots, request: Go) -> list[Any]:
        """Call one by one, as `take` does; return the last round's results."""
        results: list[Any] = []
        with _collection_off():
            for _ in range(request.rounds):
                results.clear()
                for thunk, inputs in zip(slots.thunks[: request.calls], slots.inputs, strict=False):
                    if request.cache == "warm":
                        warm(inputs)
                    results.append(None if request.empty else thunk())
                    self._wait()
        if request.empty and self._wait is not _nothing:
            _touch_device()
        return results

    def poise(self, slots: Slots) -> None:
        """Warm up, as `take` does."""
        self._warm_up(slots.warm_up)
        self._wait()

    def _warm_up(self, call: Thunk) -> None:
        """Call on a slot of its own; on a host for long enough that its threads have found cores.

        A pool's thread that wakes on the core of the thread that wakes it stays there until the
        next tick of the scheduler, and both wait for one another meanwhile: calls of 35 us take
        8 ms. A GPU has no such threads, and its warm-up is the spinning kernel's work.
        """
        call()
        if self._wait is _nothing:
            end = time.perf_counter() + _SETTLE_SECONDS
            while time.perf_counter() < end:
                call()


class GraphTimer:
    """Time per call inside one replayed CUDA graph that holds all thunks, one after the other."""

    def __init__(self, flusher: Flusher, slots: Slots) -> None:
        """Capture the thunks. Raises: whatever makes the solution impossible to capture."""
        self.clock = "cudaEvent around a replayed graph"
        self._flusher = flusher
        self._calls = len(slots.thunks)
        self._graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with _collection_off(), torch.cuda.graph(self._graph):
            self._results = [thunk() for thunk in slots.thunks]
        self._start = torch.cuda.Event(enable_timing=True)
        self._end = torch.cuda.Event(enable_timing=True)
        self._spin = self._launch_seconds()

    def _launch_seconds(self) -> float:
        """Return how long to spin so that a launch is hidden.

        The first replay uploads the graph and is not representative; the second is. Chosen: six
        times what it took, for a busy host; it doubles whenever that was not enough.
        """
        self._graph.replay()
        torch.cuda.synchronize()
        start = time.perf_counter()
        self._graph.replay()
        launched = time.perf_counter() - start
        torch.cuda.synchronize()
        return 5e-4 + 6 * launched

    def take(self, slots: Slots, calls: int, cache: CacheState) -> Taken:
        """Replay once; one sample is the mean over all calls of the replay."""
        if cache == "cold":
            self._flusher.flush()
        slots.warm_up()
        if cache == "warm":
            warm(tensor for inputs in slots.inputs for tensor in inputs)
        with _collection_off():
            torch.cuda._sleep(int(self._spin * _SPIN_HERTZ))  # pyright: ignore[reportPrivateUsage]
            self._start.record()
            self._graph.replay()
            self._end.record()
            hidden = not self._start.query()
        self._end.synchronize()
        sample = round(self._start.elapsed_time(self._end) * 1e-3 / self._calls, 12)
        if hidden:
            return Taken([sample], self._calls, self._results)
        self._spin *= 2
        return Taken([sample], self._calls, self._results, [Discard(sample=0, reason=_EXPOSED)])

    def run(self, slots: Slots, request: Go) -> list[Any]:
        """Replay, without the spinning kernel: nothing may run before the calls."""
        if request.empty:
            _touch_device()
        for _ in range(0 if request.empty else request.rounds):
            if request.cache == "warm":
                warm(tensor for inputs in slots.inputs for tensor in inputs)
            self._graph.replay()
        torch.cuda.synchronize()
        return self._results

    def poise(self, slots: Slots) -> None:
        """Warm up, as `take` does; and launch once, over whatever lies in the slots.

        While others were measured, what a launch reads and runs has left the host's caches: that
        takes 0.6 ms where calls take 0.4, and is no part of them nor of an empty batch.
        """
        slots.warm_up()
        self._graph.replay()
        torch.cuda.synchronize()


@contextmanager
def _collection_off() -> Generator[None]:
    """Keep Python's garbage collector out of a timed region."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _touch_device() -> None:
    """Run the smallest kernel: that the device turns from one process to another takes time too."""
    torch.empty(1, device="cuda").zero_()


def _nothing() -> None:
    """Wait for a CPU: a call has ended when it returns."""
