"""Ask NVIDIA's own reader the same question, where it is installed.

In: a library. Out: the targets and registers that `cuobjdump` finds, or None where there is no
cuobjdump or it cannot read the file (an older one meets newer code).
"""

import importlib.util
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from roofmark.bench.tool import run_tool

_LIMIT = 60.0  # Chosen: it takes milliseconds for a library of one kernel.
_PART = re.compile(r"^Fatbin (elf|ptx) code:")
_ARCHITECTURE = re.compile(r"^arch = (sm_\d+[af]?)")
_FUNCTION = re.compile(r"^ *Function ([^:]+):")
_USAGE = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:(\d+)")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """targets: (kind, target). kernels: (target, kernel, registers, stack, shared)."""

    targets: frozenset[tuple[str, str]]
    kernels: frozenset[tuple[str, str, int, int, int]]


def find_cuobjdump() -> str | None:
    """Return cuobjdump of the CUDA toolkit, or else the copy that Triton brings."""
    home = os.environ.get("CUDA_HOME") or "/usr/local/cuda"
    found = shutil.which("cuobjdump") or shutil.which(str(Path(home) / "bin" / "cuobjdump"))
    if found:
        return found
    triton = importlib.util.find_spec("triton")
    for place in (triton.submodule_search_locations or []) if triton else []:
        found = shutil.which(str(Path(place) / "backends" / "nvidia" / "bin" / "cuobjdump"))
        if found:
            return found
    return None


def list_with_cuobjdump(library: Path) -> Listing | None:
    """Return what cuobjdump finds in `library`, or None when it cannot answer."""
    program = find_cuobjdump()
    if program is None:
        return None
    try:
        told = run_tool(
            (program, "--dump-resource-usage", str(library)),
            folder=library.parent,
            environment={"LC_ALL": "C"},
            limit=_LIMIT,
        )
    except OSError:
        return None
    return None if told.status != 0 or told.timed_out else parse_listing(told.output)


def parse_listing(output: str) -> Listing:
    """Return what the output of `cuobjdump --dump-resource-usage` lists."""
    targets: set[tuple[str, str]] = set()
    kernels: set[tuple[str, str, int, int, int]] = set()
    kind = target = name = ""
    for line in output.splitlines():
        if found := _PART.match(line):
            kind = {"elf": "sass", "ptx": "ptx"}[found[1]]
        elif found := _ARCHITECTURE.match(line):
            target = found[1]
            targets.add((kind, target))
        elif found := _FUNCTION.match(line):
            name = found[1]
        elif found := _USAGE.search(line):
            numbers = (int(found[1]), int(found[2]), int(found[3]))
            if name:
                kernels.add((target, name, *numbers))
    return Listing(targets=frozenset(targets), kernels=frozenset(kernels))
