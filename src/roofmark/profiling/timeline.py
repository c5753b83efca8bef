"""The trace of one call: its kernels, and many calls on one time line.

In: Chrome traces as torch's profiler exports them, each by a process in which a candidate ran, so
nothing in them is taken for granted. Out: `SeenKernel`s in the order of their launch; one trace for
Perfetto, in which every call has tracks of its own and begins at zero.
"""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from roofmark.profiled import Refused, SeenKernel
from roofmark.units import Seconds

# Chosen: a call of a thousand kernels makes 2 MB; what is larger is no single call.
LARGEST_TRACE = 1 << 26
_COPIES = ("gpu_memcpy", "gpu_memset")
# Source: names of Chrome's trace format: complete, begin and end of an arrow, metadata.
_SPAN, _ARROWS, _METADATA = "X", ("s", "t", "f"), "M"


@dataclass(frozen=True)
class SeenCall:
    """One unprofiled call.

    kernels: by launch. copies: seconds of copies and fills of memory. events: what a time line
    shows.
    """

    kernels: tuple[SeenKernel, ...]
    copies: Seconds
    events: tuple[dict[str, Any], ...]

    @property
    def kernel_time(self) -> Seconds:
        """Seconds of all kernels."""
        return sum(kernel.duration for kernel in self.kernels)


class _Trace(msgspec.Struct):
    events: list[dict[str, Any]] = msgspec.field(name="traceEvents")


def read_call(path: Path) -> SeenCall:
    """Return the call that a trace holds. Raises: Refused "child_failed" when it holds none."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST_TRACE else b""
        events = msgspec.json.decode(data, type=_Trace).events
        kernels = tuple(_kernels(events))
        copies = sum(_seconds(each) for each in events if each.get("cat") in _COPIES)
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        fact = f"torch's trace of the call cannot be read: {type(error).__name__}: {error}"
        raise Refused("child_failed", fact[:500]) from error
    if not kernels or sum(kernel.duration for kernel in kernels) <= 0:
        raise Refused("no_kernel", "torch's profiler saw no kernel in one call")
    return SeenCall(kernels, copies, tuple(each for each in events if _can_be_shown(each)))


def _kernels(events: list[dict[str, Any]]) -> Iterator[SeenKernel]:
    """Yield kernels by launch: correlation ids rise with launches, of one graph all are alike."""
    calls = {
        event["args"]["correlation"]: str(event["name"])
        for event in events
        if event.get("cat") in ("cuda_runtime", "cuda_driver")
        and "correlation" in event.get("args", {})
    }
    found = [event for event in events if event.get("cat") == "kernel"]
    for event in sorted(found, key=lambda each: (each["args"]["correlation"], each["ts"])):
        arguments = event["args"]
        yield SeenKernel(
            name=str(event["name"]),
            grid=_three(arguments["grid"]),
            block=_three(arguments["block"]),
            duration=_seconds(event),
            cooperative="Cooperative" in calls.get(arguments["correlation"], ""),
        )


def _three(sizes: Any) -> tuple[int, ...]:
    x, y, z = (int(size) for size in sizes)
    return x, y, z


def _seconds(event: dict[str, Any]) -> Seconds:
    seconds = round(float(event["dur"]) * 1e-6, 12)
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"a duration of {seconds} s")
    return seconds


# --- one time line -------------------------------------------------------------------------------
def write_timeline(path: Path, calls: Sequence[tuple[str, SeenCall]]) -> None:
    """Write all calls as one Chrome trace; gzip if the name ends in .gz.

    calls: label and call. Raises: OSError.
    """
    events = [each for number, call in enumerate(calls) for each in _tracks(number, *call)]
    data = msgspec.json.encode({"displayTimeUnit": "ns", "traceEvents": events})
    # No time in the head: the same calls make the same file.
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _tracks(number: int, label: str, call: SeenCall) -> Iterator[dict[str, Any]]:
    """Yield a call's events under process numbers of its own, the first of them at zero."""
    timed = call.events
    begin = min((each["ts"] for each in timed), default=0.0)
    on_device = {each.get("pid") for each in timed if each.get("cat") in ("kernel", *_COPIES)}
    numbers = {pid: k for k, pid in enumerate(dict.fromkeys(each.get("pid") for each in timed))}
    first = number * 1000
    for pid, k in numbers.items():
        where = "device" if pid in on_device else "host"
        for name, value in (
            ("process_name", {"name": f"{label}: {where}"}),
            ("process_sort_index", {"sort_index": first + k}),
        ):
            yield {"ph": _METADATA, "name": name, "pid": first + k, "tid": 0, "args": value}
    for event in timed:
        moved = event | {"pid": first + numbers[event.get("pid")], "ts": event["ts"] - begin}
        if "id" in moved:
            moved["id"] = f"{number}.{moved['id']}"
        yield moved


def _can_be_shown(event: dict[str, Any]) -> bool:
    """Whether an event is a span or an arrow with a time and a track."""
    return (
        event.get("ph") in (_SPAN, *_ARROWS)
        and type(event.get("ts")) in (int, float)
        and type(event.get("pid")) in (int, str)
    )
