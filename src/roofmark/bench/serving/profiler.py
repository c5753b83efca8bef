"""The profiled pass of an in-process leg: which kernels ran, when, how long, how often launched.

In: a function that makes one token. Out: a `LegProfile`. torch's profiler (CUPTI activity records)
sees kernels inside a replayed CUDA graph, too. On a CPU the outermost operators stand in for
kernels. Times under a profiler are no timing evidence: calls, shares and gaps are what it is for.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from roofmark.records import Missing
from roofmark.served import LegProfile, SpanKind, Spans

_LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")
_GRAPHS = ("cudaGraphLaunch", "cuGraphLaunch")
# Chosen: 32 layers of 20 kernels over 64 tokens stay below it; a record beyond it is no table.
_MOST_EVENTS = 200_000
_NANO = 1e-9


def profile_decode(step: Callable[[], Any], *, tokens: int, cuda: bool) -> LegProfile:
    """Run `tokens` steps under the profiler and return what it saw.

    Raises: RuntimeError when the profiler saw nothing, which never passes for an empty table.
    """
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if cuda else [])
    with profile(activities=activities) as session:
        if cuda:
            torch.cuda.synchronize()
        begun, at = time.perf_counter(), time.time_ns()
        for _ in range(tokens):
            step()
        if cuda:
            torch.cuda.synchronize()
        wall = time.perf_counter() - begun
    events = session.profiler.kineto_results.events()  # pyright: ignore[reportOptionalMemberAccess]
    spans = _device_spans(events, at) if cuda else _host_spans(events, at)
    if not spans:
        raise RuntimeError("the profiler saw no kernel; CUPTI may be held by another tool")
    none = Missing(reason="nothing is launched on a CPU")
    return LegProfile(
        tokens=tokens,
        wall=round(wall, 9),
        spans=spans,
        launches=_count(events, _LAUNCHES) if cuda else none,
        graph_launches=_count(events, _GRAPHS) if cuda else none,
        tool=f"torch {torch.__version__} profiler",
    )


def _device_spans(events: Any, at: int) -> tuple[Spans, ...]:
    found: list[tuple[str, SpanKind, int, int]] = []
    for event in events:
        if str(event.device_type()).endswith("CUDA") and event.duration_ns() > 0:
            name = event.name()
            kind: SpanKind = "copy" if name.startswith(("Memcpy", "Memset")) else "kernel"
            # Ranges that the profiler draws on the device are no work of it.
            if not _is_range(event):
                found.append((name, kind, event.start_ns(), event.duration_ns()))
    return _gather(found, at)


def _is_range(event: Any) -> bool:
    activity = getattr(event, "activity_type", None)
    return activity is not None and "annotation" in str(activity()).lower()


def _host_spans(events: Any, at: int) -> tuple[Spans, ...]:
    """Return the outermost operators: those that no other operator of their thread contains."""
    ops = [e for e in events if "::" in e.name() and str(e.device_type()).endswith("CPU")]
    ops.sort(key=lambda e: (e.start_thread_id(), e.start_ns(), -e.duration_ns()))
    found: list[tuple[str, SpanKind, int, int]] = []
    end, thread = 0, -1
    for op in ops:
        if op.start_thread_id() != thread or op.start_ns() >= end:
            thread, end = op.start_thread_id(), op.start_ns() + op.duration_ns()
            found.append((op.name(), "op", op.start_ns(), op.duration_ns()))
    return _gather(found, at)


def _gather(found: list[tuple[str, SpanKind, int, int]], at: int) -> tuple[Spans, ...]:
    """Group by name, in the order of first appearance; times relative to the begin."""
    if len(found) > _MOST_EVENTS:
        raise RuntimeError(f"{len(found)} events; profile fewer tokens with Serving(profile=...)")
    groups: dict[tuple[str, SpanKind], list[tuple[int, int]]] = {}
    for name, kind, start, duration in sorted(found, key=lambda each: each[2]):
        groups.setdefault((name, kind), []).append((start, duration))
    return tuple(
        Spans(
            name=name,
            kind=kind,
            starts=tuple(round(max(0, start - at) * _NANO, 9) for start, _ in times),
            durations=tuple(round(duration * _NANO, 9) for _, duration in times),
        )
        for (name, kind), times in groups.items()
    )


def _count(events: Any, names: tuple[str, ...]) -> int:
    return sum(event.name() in names for event in events)
