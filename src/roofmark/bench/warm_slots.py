"""The warm-up slots of all workers, of which each may touch its own alone.

In: the arena's bytes. Out: whether a visit changed the slot of another worker. All workers map the
whole arena; without this, one could make another's warm-up fail, or read past its own tensors.
"""

import torch


class WarmSlots:
    """A copy of the first slots of an arena, one for each worker."""

    def __init__(self, data: torch.Tensor, stride: int, count: int) -> None:
        """Copy `count` slots of `stride` bytes."""
        self._slots = data[: count * stride].view(count, stride)
        self._copy = self._slots.clone()

    def restore(self) -> None:
        """Put every slot back, whoever changed it."""
        self._slots.copy_(self._copy)

    def check(self, own: int, looked_at: tuple[int, ...]) -> str:
        """Put back what was changed outside of slot `own`, and say what; then take `own` as it is.

        own: -1 if several workers ran: what belongs to whom is not known, and the slots that the
        referee has just looked at are taken as it left them.
        """
        if own < 0:
            for slot in looked_at:
                if slot < len(self._slots):
                    self._copy[slot] = self._slots[slot]
            return ""
        others = [slot for slot in range(len(self._slots)) if slot != own]
        spoiled = [s for s in others if not torch.equal(self._slots[s], self._copy[s])]
        for slot in spoiled:
            self._slots[slot] = self._copy[slot]
        self._copy[own] = self._slots[own]
        return f"the memory of {len(spoiled)} other workers" if spoiled else ""
