"""What ptxas said while it compiled: registers, spills and shared memory of each kernel.

In: the log of `nvcc --resource-usage`. Out: one `Usage` per kernel and architecture. The log alone
tells spills apart from other local memory, and it alone tells of compressed cubins. A source can
print lines like these (`#pragma message`), so where the binary can be read it must agree.
"""

import re
from dataclasses import dataclass

_ENTRY = re.compile(r"Compiling entry function '([^']+)' for '(sm_\d+[af]?)'")
_SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(.*)")
_SHARED = re.compile(r"(\d+)(?:\+\d+)? bytes smem")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """One kernel as ptxas reports it; spill counts bytes stored."""

    name: str
    target: str
    registers: int
    stack: int
    spill: int
    shared: int


def parse_ptxas(log: str) -> list[Usage]:
    """Return every complete report in the order of the log."""
    found: list[Usage] = []
    entry: re.Match[str] | None = None
    spills: re.Match[str] | None = None
    for line in log.splitlines():
        if started := _ENTRY.search(line):
            entry, spills = started, None
        elif told := _SPILLS.search(line):
            spills = spills or told  # device functions that follow report theirs as well
        elif (used := _USED.search(line)) and entry and spills:
            shared = _SHARED.search(used[2])
            found.append(
                Usage(
                    name=entry[1],
                    target=entry[2],
                    registers=int(used[1]),
                    stack=int(spills[1]),
                    spill=int(spills[2]),
                    shared=int(shared[1]) if shared else 0,
                )
            )
            entry = None
    return found
