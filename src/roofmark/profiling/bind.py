"""Bind a profiler's launches to the kernels of a call: by name, grid and order, then by time.

In: the kernels of one unprofiled call as CUPTI recorded them, and the launches of the same call
under ncu. Out: each launch with the kernel that it repeats, or `Refused`. Without this the last
kernel of a table passes for the one that was timed.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from roofmark.foreign import Profile
from roofmark.profiled import Launch, Refused, SeenKernel
from roofmark.records import Missing
from roofmark.units import Seconds, show

# Chosen: under ncu a launch runs alone, with flushed caches and clocks that have sunk between
# passes; up to twice the time is seen. Another kernel, or another problem size, is further off.
FACTOR = 3.0
# Chosen: below this a difference is the start of a kernel, not its work: an empty kernel takes 1 µs
# in a graph, and 2 to 5 µs under ncu. A ratio of two such times says nothing.
FLOOR: Seconds = 10e-6


@dataclass(frozen=True)
class Chosen:
    """Which kernels are to be counted, in order. names: what to filter by; empty for all."""

    kernels: tuple[SeenKernel, ...]
    names: tuple[str, ...]


def choose_kernels(seen: Sequence[SeenKernel], most: int) -> Chosen:
    """Return all kernels if they are few enough, else those names that take most of the time.

    Whole names are taken while there is room, the longest first; of the very first name `most`
    launches are taken even if it has more.
    """
    if len(seen) <= most:
        return Chosen(tuple(seen), ())
    spent: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for kernel in seen:
        spent[base_name(kernel.name)] += kernel.duration
        counts[base_name(kernel.name)] += 1
    names: list[str] = []
    room = most
    for name in sorted(spent, key=lambda each: -spent[each]):
        if counts[name] <= room or not names:
            names.append(name)
            room -= counts[name]
    kept = [kernel for kernel in seen if base_name(kernel.name) in names]
    return Chosen(tuple(kept[:most]), tuple(names))


def bind_launches(
    launches: Sequence[Profile], chosen: Sequence[SeenKernel], kernel_time: Seconds
) -> tuple[Launch, ...]:
    """Return every launch with the kernel it repeats.

    kernel_time: seconds of all kernels of the call.
    Raises: Refused "other_kernels" where names or grids differ, "other_times" where times do.
    """
    waiting: defaultdict[object, list[SeenKernel]] = defaultdict(list)
    for kernel in chosen:
        waiting[base_name(kernel.name), kernel.grid, kernel.block].append(kernel)
    bound: list[Launch] = []
    for launch in launches:
        same = waiting[base_name(launch.kernel), launch.grid, launch.block]
        if not same:
            told = f"{base_name(launch.kernel)} with grid {_sizes(launch.grid)}"
            raise Refused("other_kernels", f"ncu saw {told}, which the unprofiled call had not")
        kernel = same.pop(0)
        _check_time(launch, kernel)
        bound.append(
            Launch(profile=launch, seen=kernel.duration, share=kernel.duration / kernel_time)
        )
    left = [kernel for kernels in waiting.values() for kernel in kernels]
    if left:
        told = f"{base_name(left[0].name)} with grid {_sizes(left[0].grid)}"
        raise Refused("other_kernels", f"ncu did not see {told}, which the unprofiled call had")
    return tuple(bound)


def check_call(call: Seconds, measured: Seconds | Missing, tier: str) -> None:
    """Compare the unprofiled call with what the bundle's own samples say that a call takes.

    call: seconds of its kernels and copies. Raises: Refused "other_times".
    """
    if not isinstance(measured, Missing) and _differ(call, measured):
        raise Refused(
            "other_times",
            f"the kernels of the call take {show(call, 's')} together; measured were "
            f"{show(measured, 's')} per call on the {tier} tier",
        )


def base_name(name: str) -> str:
    """Return a kernel's bare function name, which every tool spells alike.

    >>> base_name("void at::(anonymous namespace)::scale<float, (int)4>(float const*, int)")
    'scale'
    """
    plain = name.replace("(anonymous namespace)", "").replace("<unnamed>", "")
    kept: list[str] = []
    inside: list[str] = []
    for character in plain:
        if character == "(" and not inside:
            break
        if character in "<(":
            inside.append(character)
        elif character in ">)":
            # A ">" within parentheses compares; it closes nothing.
            if inside and inside[-1] == {">": "<", ")": "("}[character]:
                inside.pop()
        elif not inside:
            kept.append(character)
    words = "".join(kept).split()
    return (words[-1].rsplit("::", 1)[-1] if words else "") or name


def _check_time(launch: Profile, kernel: SeenKernel) -> None:
    if isinstance(launch.duration, Missing):
        raise Refused("no_values", f"launch {launch.launch} has no duration in ncu's table")
    if _differ(launch.duration, kernel.duration):
        raise Refused(
            "other_times",
            f"{base_name(kernel.name)} takes {show(kernel.duration, 's')} alone and "
            f"{show(launch.duration, 's')} under ncu",
        )


def _differ(one: Seconds, two: Seconds) -> bool:
    low, high = sorted((one, two))
    return high - low > FLOOR and high > FACTOR * low


def _sizes(sizes: tuple[int, ...] | Missing) -> str:
    return "unknown" if isinstance(sizes, Missing) else "x".join(map(str, sizes))
