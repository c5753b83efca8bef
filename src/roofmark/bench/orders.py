"""What a crew is made of: what all workers have in common, and each one's place.

In: nothing; these are shapes. Out: `Order`, `Post`.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from roofmark.study import Definition, Device, Protocol, Solution


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
