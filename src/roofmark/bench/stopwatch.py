"""Seconds per call of something short, on a CPU or a GPU, by one control flow.

In: a sequence of calls that together touch more memory than the last-level cache holds. Out:
seconds per call, one per try. A GPU's calls are captured in a CUDA graph and replayed between two
events, so that neither Python nor the launch queue is in the figure; a CPU's run in a loop under
`perf_counter`. This is not the bench's timer: it measures ceilings, never solutions.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from roofmark.units import Seconds

Call = Callable[[], object]

# Chosen: a try lasts long enough that event resolution (0.5 µs) and the start of a replay (a few
# µs) are below 0.5 %.
_TRY_SECONDS = 2e-3
# Chosen: 20 tries make a median that one disturbed try cannot move; 5 when a call is slow, so that
# all ceilings together stay below six seconds.
_TRIES = (5, 20)
_BUDGET_SECONDS = 0.08


class Stopwatch(Protocol):
    """How one kind of device is timed."""

    graphs: bool

    def prepare(self, calls: Sequence[Call]) -> Callable[[int], Seconds]:
        """Return a function that runs all calls so many times and tells the seconds it took."""
        ...

    def single(self, call: Call) -> Seconds:
        """Return the seconds of one call, issued by the host and waited for."""
        ...


def measure(stopwatch: Stopwatch, calls: Sequence[Call]) -> list[Seconds]:
    """Return seconds per call, one figure per try. Runs every call at least eight times."""
    run = stopwatch.prepare(calls)
    run(1)  # first touch of pages, caches and instructions
    once = max(run(1), 1e-9)
    passes = max(1, math.ceil(_TRY_SECONDS / once))
    fewest, most = _TRIES
    tries = min(most, max(fewest, int(_BUDGET_SECONDS / (passes * once))))
    return [run(passes) / (passes * len(calls)) for _ in range(tries)]


class CpuStopwatch:
    """Times calls on the host."""

    graphs = False

    def prepare(self, calls: Sequence[Call]) -> Callable[[int], Seconds]:
        """Return the loop over all calls."""

        def run(passes: int) -> Seconds:
            start = time.perf_counter()
            for _ in range(passes):
                for call in calls:
                    call()
            return time.perf_counter() - start

        return run

    def single(self, call: Call) -> Seconds:
        """Return the seconds of one call."""
        start = time.perf_counter()
        call()
        return time.perf_counter() - start


class CudaStopwatch:
    """Times calls on the current CUDA device."""

    graphs = True

    def prepare(self, calls: Sequence[Call]) -> Callable[[int], Seconds]:
        """Capture all calls in one graph and return the function that replays it."""
        # Every call runs once outside the capture: libraries set themselves up in their first call,
        # which a capture does not allow, and an unsupported one fails here, harmlessly.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for call in calls:
                call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            for call in calls:
                call()
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

        def run(passes: int) -> Seconds:
            start.record()
            for _ in range(passes):
                graph.replay()
            end.record()
            end.synchronize()
            return start.elapsed_time(end) * 1e-3

        return run

    def single(self, call: Call) -> Seconds:
        """Return the seconds between two events around one eager call."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) * 1e-3
