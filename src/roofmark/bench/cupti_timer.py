"""The kernel tier: device span of each call, from NVIDIA's CUPTI activity records.

In: thunks. Out: per call, the time from the start of its first kernel, copy or fill to the end of
its last. Host time and launch gaps before the first kernel are not in it. CUPTI is switched on for
this tier's visits alone, never while another tier is timed.
"""

from typing import Any

import torch

from roofmark.bench.cache import Flusher, warm
from roofmark.bench.timer import Slots, Taken
from roofmark.evidence import Discard
from roofmark.study import CacheState

# Chosen: holds the records of some 50,000 kernels; one visit makes a few hundred.
_BUFFER_BYTES = 8 * 1024 * 1024


class KernelTimer:
    """Span of device activity per call."""

    def __init__(self, flusher: Flusher) -> None:
        """Take hold of CUPTI. Raises: ImportError without cupti-python."""
        from cupti import cupti  # pyright: ignore[reportMissingImports]

        self.clock = "CUPTI activity records"
        self._flusher = flusher
        self._cupti: Any = cupti
        kind = cupti.ActivityKind
        self._kinds = (kind.CONCURRENT_KERNEL, kind.MEMCPY, kind.MEMSET)
        self._spans: list[tuple[int, int]] = []
        cupti.activity_register_callbacks(lambda: (_BUFFER_BYTES, 0), self._collect)

    def take(self, slots: Slots, calls: int, cache: CacheState) -> Taken:
        """Time `calls` calls; each is waited for, so its activity falls inside its window."""
        if cache == "cold":
            self._flusher.flush()
        slots.warm_up()
        torch.cuda.synchronize()
        windows, results = self._record(slots, calls, cache)
        samples: list[float] = []
        discarded: list[Discard] = []
        for number, (low, high) in enumerate(windows):
            inside = [span for span in self._spans if low <= span[0] <= high]
            if inside:
                span = max(end for _, end in inside) - min(start for start, _ in inside)
                samples.append(round(span * 1e-9, 12))
            else:
                samples.append(0.0)
                discarded.append(Discard(sample=number, reason="CUPTI saw no device activity"))
        return Taken(samples, 1, results, discarded)

    def _record(
        self, slots: Slots, calls: int, cache: CacheState
    ) -> tuple[list[tuple[int, int]], list[Any]]:
        windows: list[tuple[int, int]] = []
        results: list[Any] = []
        self._spans.clear()
        for kind in self._kinds:
            self._cupti.activity_enable(kind)
        try:
            for thunk, inputs in zip(slots.thunks[:calls], slots.inputs, strict=False):
                if cache == "warm":
                    warm(inputs)
                torch.cuda.synchronize()
                start = self._cupti.get_timestamp()
                results.append(thunk())
                torch.cuda.synchronize()
                windows.append((start, self._cupti.get_timestamp()))
            self._cupti.activity_flush_all(1)
        finally:
            for kind in self._kinds:
                self._cupti.activity_disable(kind)
        return windows, results

    def _collect(self, activities: Any) -> None:
        for activity in activities:
            if activity.kind in self._kinds:
                self._spans.append((activity.start, activity.end))
