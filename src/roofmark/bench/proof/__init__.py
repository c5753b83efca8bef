"""Prove what a binary holds: the machine code in it, not the flags that were meant to make it.

In: a library (and the compiler's log), or the private cache of a Triton solution. Out: targets and
kernels for the `Build` record, or BuildError when the binary cannot be read, when two readers of
it disagree, or when it lacks what was asked for. A missing target fails closed.
"""

from roofmark.bench.proof.library import Proof, prove
from roofmark.bench.proof.program import program_digest
from roofmark.bench.proof.target import check_runs_on, check_target
from roofmark.bench.proof.triton_cache import prove_triton_cache

__all__ = [
    "Proof",
    "check_runs_on",
    "check_target",
    "program_digest",
    "prove",
    "prove_triton_cache",
]
