"""How much memory a run takes, and how much of a cache it must empty: arithmetic over the machine.

In: a study, a device, the environment. Out: slots per workload, the arena's size, bytes to flush.
"""

from collections.abc import Iterable

from roofmark.bench.layout import Layout, plan_layout, plan_slots
from roofmark.evidence import Environment
from roofmark.records import Missing
from roofmark.study import Device, Study, Workload

# Chosen: an eighth of the memory: room for the outputs' references and for the solutions' own work.
_ARENA_SHARE = 8
# Chosen: on a GPU far more than rotating through any last-level cache takes; on a host, where the
# referee fills and compares at memory speed, what it gets through in about a second.
_ARENA_MOST: dict[Device, int] = {"cuda": 16 * 2**30, "cpu": 512 * 2**20}
# Chosen: a batch of so many times the calls of a visit takes several times what surrounds it, and
# so few bytes cost a run nothing to map; calls of larger slots fill the outer clock as they are.
_LONGER, _LONGER_BYTES = 4, 32 * 2**20
# Chosen where the machine does not say: larger than most last-level caches, so that cold is cold.
_CACHE_UNKNOWN = 64 * 2**20


class Sizes:
    """Sizes of one study on one machine."""

    def __init__(self, study: Study, device: Device, environment: Environment) -> None:
        """Take the device's memory and last-level cache from the environment."""
        self._study = study
        self._device = device
        gpu, cpu = environment.gpu, environment.cpu
        if device == "cuda" and not isinstance(gpu, Missing):
            self._cache, memory = gpu.last_level_cache, gpu.memory
        else:
            known = cpu.last_level_cache
            self._cache = _CACHE_UNKNOWN if isinstance(known, Missing) else known
            memory = cpu.memory
        self._budget = min(memory // _ARENA_SHARE, _ARENA_MOST[device])

    @property
    def flush(self) -> int:
        """Bytes to write so that nothing of a slot is left in the last-level cache."""
        return 2 * self._cache

    def layout(self, workload: Workload) -> Layout:
        """Return where the tensors of one slot lie."""
        return plan_layout(self._study.definition, self._study.axes(workload))

    def slots(self, workload: Workload) -> int:
        """Return the timed slots: on a GPU enough for a graph to rotate through its cache."""
        rotate = self._cache if self._device == "cuda" else 0
        calls = self._study.protocol.calls
        return plan_slots(self.layout(workload), calls=calls, cache=rotate, budget=self._budget)

    def spare(self, workload: Workload) -> int:
        """Return how many more slots a longer batch may take: on a CPU, where they cost little.

        None where there are weights: what is prepared of them is prepared for every slot.
        """
        if self._device == "cuda" or self._study.definition.weights:
            return 0
        most = min(self._budget, _LONGER_BYTES) // self.layout(workload).stride
        return max(0, min(_LONGER * self._study.protocol.calls, most) - self.slots(workload))

    def arena(self, workloads: Iterable[Workload], workers: int) -> int:
        """Return the bytes that hold every slot of the largest of these workloads."""
        return max(
            (workers + self.slots(w) + self.spare(w)) * self.layout(w).stride for w in workloads
        )
