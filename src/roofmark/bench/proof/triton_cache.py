"""The proof of a Triton solution, read from its private cache after the first call.

In: the folder that TRITON_CACHE_DIR named. Out: targets and kernels from the cubins themselves;
dynamic shared memory from Triton's metadata beside each. Triton's interpreter (CPU) and a solution
without Triton leave none. Spills are the kernel's stack frame, their upper bound: Triton's own
`n_spills` is the same figure.
"""

import json
from pathlib import Path

from roofmark.bench.proof.cubin import parse_cubin
from roofmark.bench.proof.library import static_shared
from roofmark.bench.refusals import BuildError
from roofmark.evidence import KernelResources, Target


def prove_triton_cache(folder: Path) -> tuple[tuple[Target, ...], tuple[KernelResources, ...]]:
    """Return (targets, kernels) of all kernels that Triton compiled into `folder`.

    Raises: BuildError when a cubin or its metadata cannot be read.
    """
    kernels: set[KernelResources] = set()
    targets: set[str] = set()
    for path in sorted(folder.rglob("*.cubin")):
        try:
            cubin = parse_cubin(path.read_bytes())
            dynamic = _dynamic_shared(path.with_suffix(".json"))
        except (OSError, ValueError) as error:
            raise BuildError(f"Triton's {path.name} cannot be read: {error}") from error
        targets.add(cubin.target)
        kernels |= {
            KernelResources(
                name=each.name,
                registers=each.registers,
                spill_bytes=each.stack,
                shared=static_shared(each.shared, cubin.target) + dynamic,
                target=cubin.target,
            )
            for each in cubin.kernels
        }
    found = tuple(Target(kind="sass", name=name) for name in sorted(targets))
    return found, tuple(sorted(kernels, key=lambda each: (each.target, each.name, str(each))))


def _dynamic_shared(metadata: Path) -> int:
    """Raises: ValueError when the metadata does not say it."""
    shared = json.loads(metadata.read_bytes()).get("shared")
    if not isinstance(shared, int):
        raise ValueError(f"{metadata.name} does not say how much shared memory it takes")
    return shared
