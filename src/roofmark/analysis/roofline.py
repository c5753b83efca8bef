"""Where a time stands under its device's ceilings.

In: compulsory bytes, flop, seconds, an `Environment`. Out: `Roof`, `Floor`, or Missing with the
reason. Pure arithmetic over one bundle.

    floor = max(launch, bytes / bandwidth, flop / peak)          headroom = seconds / floor

Three floors, three questions:

- `roof`: what has this device been seen to do? Measured ceilings first, a datasheet's only where
  nothing was measured. Headroom below 1 means better than a plain copy or a library's matrix
  product, which a good kernel may well be. It is no proof of anything wrong.
- `hard_floor`: what can no honest kernel beat? The highest figure there is, datasheet or measured,
  any dtype (float32 inputs may be multiplied in bfloat16), no launch. A time below it cannot be.
- `copy_seconds`: what does copying the same bytes take? The practical floor at that size.

Cache. All bandwidths here are main memory's. With a cold cache every compulsory byte crosses it
(written bytes too once visits repeat: only the last cache-full may stay behind). With a warm cache
up to one last-level cache of the bytes need not, so only the rest counts; a working set that fits
has no ceiling here, and is Missing rather than compared with the wrong roof.

Source: Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from roofmark.analysis.devices import datasheet_ceilings
from roofmark.analysis.verdict import Roof
from roofmark.evidence import Ceiling, Environment
from roofmark.records import Missing, Record
from roofmark.study import CacheState
from roofmark.units import Bytes, BytesPerSecond, Flops, Seconds, show

Limit = Literal["memory", "arithmetic", "launch"]

_BANDWIDTHS = ("copy", "read", "memory")
_ARITHMETIC = "arithmetic:"


class Floor(Record, tag="floor"):
    """The least time, what sets it, and the ceiling it comes from."""

    seconds: Seconds
    limit: Limit
    source: str


def ceilings_for(environment: Environment) -> tuple[Ceiling, ...]:
    """Return every ceiling known for the device of this environment, the measured ones first."""
    if isinstance(environment.gpu, Missing) or environment.device != "cuda":
        return environment.ceilings
    published = datasheet_ceilings(environment.gpu)
    return environment.ceilings + (() if isinstance(published, Missing) else published)


def roof(
    traffic: Bytes,
    flops: Flops,
    seconds: Seconds,
    environment: Environment,
    *,
    dtype: str | None = None,
    cache: CacheState = "cold",
) -> Roof | Missing:
    """Return where `seconds` stands under the ceilings that this device was seen to reach.

    dtype: what the arithmetic is done in; without it, or without a peak for it, the highest peak.
    Raises: ValueError if a time or an amount is not positive.
    """
    if not seconds > 0 or traffic < 0 or flops < 0:
        raise ValueError(f"no roof over {traffic} bytes and {flops} flop in {seconds} s")
    known = ceilings_for(environment)
    moved = uncached_bytes(traffic, environment, cache)
    if isinstance(moved, Missing):
        return moved
    bandwidth = _best(_prefer_measured(_of(known, *_BANDWIDTHS)))
    if bandwidth is None:
        return Missing(reason=f"no bandwidth was measured, and {_why_none(environment)}")
    peak = _best(_prefer_measured(_peaks(known, dtype)))
    launch = _best(_of(known, "launch"), lowest=True)
    floor = _highest_floor(_over(moved, bandwidth), _over(flops, peak), _launch(launch))
    if floor.seconds <= 0:
        return Missing(reason="neither bytes nor flop: nothing bounds the time")
    return Roof(
        traffic=traffic,
        flops=flops,
        floor=_six(floor.seconds),
        limit=floor.limit,
        headroom=_six(seconds / floor.seconds),
        rate=_six(traffic / seconds),
        source=floor.source,
    )


def hard_floor(
    traffic: Bytes, flops: Flops, environment: Environment, *, cache: CacheState = "cold"
) -> Floor | Missing:
    """Return the time that nothing on this device can beat, by the most permissive ceilings.

    traffic: leave out written bytes when single calls are timed and the outputs fit in the cache:
    they may still be there when the clock stops. Missing when no datasheet states the bandwidth:
    what was measured here is what some kernel reached, not what none can pass.
    """
    known = ceilings_for(environment)
    moved = uncached_bytes(traffic, environment, cache)
    if isinstance(moved, Missing):
        return moved
    published = _best(_of(known, "memory"))
    if published is None:
        return Missing(reason=f"no hard limit is known: {_why_none(environment)}")
    bandwidth = _best(_of(known, *_BANDWIDTHS)) or published
    return _highest_floor(_over(moved, bandwidth), _over(flops, _best(_peaks(known, None))))


def uncached_bytes(traffic: Bytes, environment: Environment, cache: CacheState) -> Bytes | Missing:
    """Return how many of the bytes must come from or go to main memory."""
    if cache == "cold":
        return traffic
    chip = environment.cpu if environment.device == "cpu" else environment.gpu
    size = chip if isinstance(chip, Missing) else chip.last_level_cache
    if isinstance(size, Missing):
        return Missing(reason=f"warm cache of unknown size: {size.reason}")
    if traffic <= size:
        return Missing(
            reason=f"warm cache: {show(traffic, 'B')} fit in its {show(size, 'B')}, and no ceiling "
            "of the cache itself is measured"
        )
    return traffic - size


def peak_shares(
    traffic: Bytes,
    flops: Flops,
    seconds: Seconds,
    environment: Environment,
    *,
    dtype: str | None,
    cache: CacheState,
) -> dict[str, Any]:
    """Return launch, copied, memory, math (1.0 at the peak, or Missing) and resident.

    A peak is the best that was measured here, a datasheet's where nothing was measured.
    """
    if not seconds > 0:
        return {}
    known = ceilings_for(environment)
    moved = uncached_bytes(traffic, environment, cache)
    bandwidth = _best(_prefer_measured(_of(known, *_BANDWIDTHS)))
    peak = _fitting_peak(_prefer_measured(_peaks(known, dtype)), flops / seconds)
    launch = _best(_of(known, "launch"), lowest=True)
    copy = moved if isinstance(moved, Missing) else copy_seconds(moved, known)
    none = Missing(reason="no such ceiling was measured")
    memory = moved if isinstance(moved, Missing) or bandwidth is None else moved / bandwidth.value
    times: dict[str, float | Missing] = {
        "launch": launch.value if launch else none,
        "copied": copy,
        "memory": memory if bandwidth else none,
        "math": flops / peak.value if peak else none,
    }
    shares = {name: t if isinstance(t, Missing) else _six(t / seconds) for name, t in times.items()}
    return shares | {"resident": cache == "warm" and isinstance(moved, Missing)}


def _fitting_peak(peaks: list[Ceiling], rate: float) -> Ceiling | None:
    """Return the lowest peak that the rate does not pass by more than a library misses its own.

    float32 values may go through FMA units or, as tf32, through tensor cores: who is not faster
    than the first did not need the second. Chosen: a third, by which the best matrix product that
    was measured in float32 stays below the datasheet of an H200 (51 of 67 Tflop/s).
    """
    reachable = [each for each in peaks if each.value * 4 / 3 >= rate]
    return _best(reachable, lowest=True) or _best(peaks)


def copy_seconds(size: Bytes, ceilings: Iterable[Ceiling]) -> Seconds | Missing:
    """Return how long a copy that moves `size` bytes (read plus written) takes on this device.

    Between two measured sizes time is linear in bytes (t0 + bytes / rate holds on each piece);
    above the largest the rate stays; below the smallest the line goes to the launch floor.
    """
    every = tuple(ceilings)
    copies = sorted(
        (each.size, each.size / each.value)
        for each in _of(every, "copy")
        if each.measured and isinstance(each.size, int)
    )
    if not copies or size <= 0:
        return Missing(reason="no copy was measured" if size > 0 else "no bytes, no copy")
    largest, slowest = copies[-1]
    if size >= largest:
        return slowest * size / largest
    launch = _best(_of(every, "launch"), lowest=True)
    points = [(0, launch.value), *copies] if launch else copies
    if size < points[0][0]:
        return Missing(reason=f"no copy below {show(points[0][0], 'B')} was measured")
    right = next(k for k, point in enumerate(points) if point[0] > size)
    (x0, y0), (x1, y1) = points[right - 1], points[right]
    return y0 + (y1 - y0) * (size - x0) / (x1 - x0)


def bandwidth_at(size: Bytes, ceilings: Iterable[Ceiling]) -> BytesPerSecond | Missing:
    """Return the rate of a copy moving `size` bytes: what a kernel of its size may hope for."""
    seconds = copy_seconds(size, ceilings)
    return seconds if isinstance(seconds, Missing) else size / seconds


# --- choosing ceilings ---------------------------------------------------------------------------
def _of(ceilings: Iterable[Ceiling], *quantities: str) -> list[Ceiling]:
    return [each for each in ceilings if each.quantity in quantities]


def _peaks(ceilings: Sequence[Ceiling], dtype: str | None) -> list[Ceiling]:
    """Return the peaks for that dtype; all of them when there is none for it."""
    every = [each for each in ceilings if each.quantity.startswith(_ARITHMETIC)]
    fitting = [each for each in every if each.quantity.removeprefix(_ARITHMETIC) in _kinds(dtype)]
    return fitting or every


def _kinds(dtype: str | None) -> tuple[str, ...]:
    """Return the kinds of arithmetic that values of a dtype go through without losing range."""
    if dtype is None:
        return ()
    if dtype == "float32":
        return ("float32", "tf32")
    narrow = [kind for kind in ("float8", "float4") if dtype.startswith(kind)]
    return tuple(narrow) or (dtype,)


def _prefer_measured(ceilings: list[Ceiling]) -> list[Ceiling]:
    return [each for each in ceilings if each.measured] or ceilings


def _best(ceilings: list[Ceiling], *, lowest: bool = False) -> Ceiling | None:
    if not ceilings:
        return None
    return (min if lowest else max)(ceilings, key=lambda each: each.value)


# --- floors --------------------------------------------------------------------------------------
def _over(amount: int, ceiling: Ceiling | None) -> Floor | None:
    if ceiling is None:
        return None
    arithmetic = ceiling.quantity.startswith(_ARITHMETIC)
    value = show(ceiling.value, "flop/s" if arithmetic else "B/s")
    return Floor(
        seconds=amount / ceiling.value,
        limit="arithmetic" if arithmetic else "memory",
        source=f"{ceiling.quantity} {value}, {ceiling.source}",
    )


def _launch(ceiling: Ceiling | None) -> Floor | None:
    if ceiling is None:
        return None
    source = f"launch {show(ceiling.value, 's')}, {ceiling.source}"
    return Floor(seconds=ceiling.value, limit="launch", source=source)


def _highest_floor(*floors: Floor | None) -> Floor:
    return max((each for each in floors if each is not None), key=lambda each: each.seconds)


def _why_none(environment: Environment) -> str:
    if environment.device == "cpu":
        return "no datasheets of processors are kept"
    if isinstance(environment.gpu, Missing):
        return environment.gpu.reason
    published = datasheet_ceilings(environment.gpu)
    return published.reason if isinstance(published, Missing) else "no figure for it"


def _six(value: float) -> float:
    """Round to six significant digits, so that every machine writes the same verdict."""
    return float(f"{value:.6g}")
