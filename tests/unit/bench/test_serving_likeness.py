"""How far one engine's logits are from another's."""

import numpy as np
from pytest import approx

from roofmark.bench.serving.handle import Logits
from roofmark.bench.serving.likeness import compare_logits
from roofmark.records import Missing


def test_logits_differ_by_what_was_added():
    theirs = np.linspace(-1, 1, 12, dtype=np.float32)
    reference = Logits(tokens=(1, 2, 3), data=theirs.tobytes(), width=4)
    forced = Logits(tokens=(1, 2, 3), data=(theirs + np.float32(0.5)).tobytes(), width=4)
    free = Logits(tokens=(1, 2, 0), data=b"", width=4)
    found = compare_logits(reference, forced, free)
    assert (found.peak, found.rms, found.diverges) == (approx(0.5), approx(0.5), 2)
    broken = Logits(tokens=(1, 2, 3), data=(theirs * np.float32("nan")).tobytes(), width=4)
    assert isinstance(compare_logits(reference, broken, free), Missing)
