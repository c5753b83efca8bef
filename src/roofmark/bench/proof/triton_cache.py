"""The proof of a Triton solution, read from its private cache after the first call.

In: the folder that TRITON_CACHE_DIR named. Out: a `Build` with targets, kernels and digest of the
cubins themselves; dynamic shared memory comes from Triton's metadata beside each. Triton's
interpreter (CPU) and a solution without Triton leave none. Spills are the kernel's stack frame,
their upper bound: Triton's own `n_spills` is the same figure.
"""

import hashlib
from importlib import metadata
from pathlib import Path

import msgspec

from roofmark.bench.proof.cubin import Cubin, parse_cubin
from roofmark.bench.proof.errors import BuildError
from roofmark.bench.proof.library import static_shared
from roofmark.evidence import Build, KernelResources, Target
from roofmark.records import Missing, encode


def prove_triton_cache(build: Build, folder: Path) -> Build:
    """Return `build` with all that Triton compiled into `folder`; unchanged if it compiled nothing.

    Raises: BuildError when a cubin or its metadata cannot be read.
    """
    paths = sorted(folder.rglob("*.cubin"))
    if not paths:
        return build
    try:
        read = [(path.read_bytes(), _dynamic_shared(path.with_suffix(".json"))) for path in paths]
        cubins = [(parse_cubin(data), dynamic) for data, dynamic in read]
    except (OSError, ValueError) as error:
        raise BuildError(f"what Triton compiled cannot be read: {error}") from error
    names = sorted({cubin.target for cubin, _ in cubins})
    kernels = {each for cubin, dynamic in cubins for each in _kernels(cubin, dynamic)}
    return msgspec.structs.replace(
        build,
        compiler=f"triton {metadata.version('triton')}",
        seconds=Missing(reason="compiled by Triton at the first call"),
        binary=_digest(sorted(data for data, _ in read)),
        targets=tuple(Target(kind="sass", name=name) for name in names),
        kernels=tuple(sorted(kernels, key=encode)),
    )


def _kernels(cubin: Cubin, dynamic: int) -> list[KernelResources]:
    return [
        KernelResources(
            name=each.name,
            registers=each.registers,
            spill_bytes=each.stack,
            shared=static_shared(each.shared, cubin.target) + dynamic,
            target=cubin.target,
        )
        for each in cubin.kernels
    ]


def _digest(cubins: list[bytes]) -> str:
    total = hashlib.sha256()
    for data in cubins:
        total.update(len(data).to_bytes(8, "little"))
        total.update(data)
    return total.hexdigest()


class _Metadata(msgspec.Struct):
    """What is read of Triton's metadata; the rest differs between its versions."""

    shared: int


def _dynamic_shared(path: Path) -> int:
    """Raises: ValueError (msgspec's is one) when the metadata does not say it."""
    return msgspec.json.decode(path.read_bytes(), type=_Metadata).shared
