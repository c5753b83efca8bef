"""What a crew is made of: what all workers have in common, and each one's place.

In: nothing; these are shapes. Out: `Order`, `Post`, and the cage that a worker gets.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from roofmark.bench.cage import Cage, shares_out_gpus, writable_places
from roofmark.study import Definition, Device, Protocol, Solution

# Memory that a process once had stays with it. glibc gives large blocks back to the kernel and
# takes them again one page fault at a time, or keeps them, depending on what else was ever
# allocated; the same torch expression then takes 1.5 ms in one process and 7 ms in the next.
# (Source: mallopt(3).)
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**62)}
# The referee's threads must sleep when it is done: spinning, they would take the cores of the
# worker that is visited next. Workers keep their runtime's own way of waiting.
SLEEP = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Post:
    """One worker's place in a crew: under which name it is recorded, and what it loads.

    control: one of the study's wrong solutions, which share a worker.
    """

    name: str
    solution: Solution
    folder: Path
    library: str = ""
    binary: str = ""
    control: bool = False


@dataclass(frozen=True)
class Order:
    """What every crew of a run has in common. hidden: folders that no worker may look into."""

    definition: Definition
    protocol: Protocol
    device: Device
    reference_folder: Path
    scratch: Path
    entropy: str
    flush: int
    hidden: tuple[Path, ...] = ()
    cores: tuple[int, ...] = field(default_factory=lambda: tuple(sorted(os.sched_getaffinity(0))))


def cage_of(order: Order, post: Post, arena: int) -> Cage:
    """Return what the worker of a post may do. arena: bytes of the memory that all share."""
    # Controls are the study's own, and one worker tries them all.
    built = order.scratch / "built" if post.control else Path(post.library).parent
    return Cage(
        own=str(post.folder.parent if post.control else post.folder),
        readable=(str(built),) if post.library or post.control else (),
        hidden=(str(order.scratch), *map(str, order.hidden)),
        writable=writable_places(),
        shared_memory=order.device == "cuda",
        connects=order.device == "cuda" and shares_out_gpus(),
        file_bytes=max(order.protocol.memory_limit, arena),
    )
