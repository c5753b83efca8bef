"""Likeness: how far one engine's logits and greedy tokens are from another's.

In: what both gave on the same prompt. Out: a `Likeness`. The engine never judges itself: it hands
over its logits, and the orchestrator subtracts.
"""

from itertools import zip_longest

import numpy as np

from roofmark.bench.serving.handle import Logits
from roofmark.records import Missing
from roofmark.served import Likeness


def compare_logits(reference: Logits, forced: Logits, free: Logits) -> Likeness | Missing:
    """Return the difference.

    reference: the baseline's greedy run. forced: this engine fed the baseline's tokens. free: its
    own greedy run.
    """
    ours, theirs = (np.frombuffer(each.data, dtype=np.float32) for each in (forced, reference))
    if ours.shape != theirs.shape or not ours.size:
        return Missing(reason=f"logits of other shapes: {ours.shape} against {theirs.shape}")
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return Missing(reason="some logits are not finite")
    difference = ours.astype(np.float64) - theirs
    return Likeness(
        peak=float(np.abs(difference).max()),
        rms=float(np.sqrt(np.mean(difference**2))),
        scale=float(np.sqrt(np.mean(theirs.astype(np.float64) ** 2))),
        tokens=len(reference.tokens),
        diverges=first_difference(reference.tokens, free.tokens),
    )


def first_difference(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Return the index of the first token that differs, -1 where none does.

    >>> first_difference((1, 2, 3), (1, 2, 4)), first_difference((1,), (1,))
    (2, -1)
    """
    pairs = enumerate(zip_longest(one, other))
    return next((at for at, (a, b) in pairs if a != b), -1)
