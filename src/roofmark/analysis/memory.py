"""Memory: what the processes of one cell took, from their traces.

In: a series. Out: observer -> bytes per process: the peak less what the process held before the
workload was bound, so weights prepared, workspaces and returned outputs count, the arena does not.
An engine serves every load from one start, so of a leg it is the whole peak (its `memory` tier).
"""

from roofmark.analysis.compare import Series
from roofmark.evidence import MemoryUse
from roofmark.units import Bytes


def memory_of(series: Series) -> dict[str, tuple[Bytes, ...]]:
    """Return observer -> what each process took, in order; nothing of one that saw nothing."""
    found: dict[str, tuple[Bytes, ...]] = {}
    for _, outcome in series.passed():
        for observer in outcome.memory.__struct_fields__:
            use = getattr(outcome.memory, observer)
            if isinstance(use, MemoryUse):
                taken = max(0, use.peak - use.before)
                found[observer] = (*found.get(observer, ()), taken)
        peaks = [
            max(v.samples) for m in outcome.measurements if m.tier == "memory" for v in m.visits
        ]
        if peaks:
            found["leg"] = (*found.get("leg", ()), int(max(peaks)))
    return found
