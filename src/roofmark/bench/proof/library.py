"""The proof of one library.

In: the library and the log of its build. Out: `Proof`. Spills are what ptxas reported as spill
stores; where it reported nothing (a library built elsewhere) they are the whole stack frame, their
upper bound. Shared memory is the static part, without what the system reserves.
"""

from dataclasses import dataclass
from pathlib import Path

from roofmark.bench.proof.cubin import RESERVED_SHARED, Kernel, parse_cubin
from roofmark.bench.proof.cuobjdump import Listing, list_with_cuobjdump
from roofmark.bench.proof.elf import parse_elf
from roofmark.bench.proof.errors import BuildError
from roofmark.bench.proof.fatbin import DeviceCode, find_device_code
from roofmark.bench.proof.isa import find_isa
from roofmark.bench.proof.ptxas import Usage, parse_ptxas
from roofmark.bench.proof.target import runs_on
from roofmark.evidence import KernelResources, Target
from roofmark.records import Missing


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a library holds. isa: Missing says why the instruction sets could not be found."""

    targets: tuple[Target, ...]
    kernels: tuple[KernelResources, ...]
    isa: tuple[str, ...] | Missing

    def ptx_only(self, device_capability: str | None) -> bool:
        """Return whether all device code that can run is PTX, compiled by the driver at load."""
        sass = [each.name for each in self.targets if each.kind == "sass"]
        if device_capability is not None:
            sass = [each for each in sass if runs_on(each, device_capability)]
        return not sass and any(each.kind == "ptx" for each in self.targets)


def prove(library: Path, *, log: str = "") -> Proof:
    """Return what is in `library`; `log` is what its compiler said.

    Raises: BuildError when it is no readable library, or its readers disagree.
    """
    try:
        elf = parse_elf(library.read_bytes())
        code = find_device_code(elf)
        cubins = [_Read.of(each) for each in code]
    except (OSError, ValueError) as error:
        raise BuildError(f"the binary cannot be read: {error}") from error
    real = [each for each in cubins if each.has_code]
    listing = list_with_cuobjdump(library) if code else None
    if listing is not None:
        _compare(cubins, listing)
    isa = find_isa(library, elf.machine)
    found = () if isinstance(isa, Missing) else isa
    targets = (
        *_device_targets(real),
        Target(kind="elf", name=elf.machine),
        *(Target(kind="isa", name=name) for name in found),
    )
    return Proof(targets=targets, kernels=_kernels(real, parse_ptxas(log)), isa=isa)


def _device_targets(read: "list[_Read]") -> list[Target]:
    """SASS first, then PTX; each architecture once."""
    found = {Target(kind=each.code.kind, name=each.code.target) for each in read}
    return sorted(found, key=lambda each: (each.kind != "sass", each.name))


@dataclass(frozen=True, kw_only=True)
class _Read:
    """Device code with its kernels, as far as it can be opened."""

    code: DeviceCode
    has_code: bool
    kernels: tuple[Kernel, ...]

    @classmethod
    def of(cls, code: DeviceCode) -> "_Read":
        """Open a cubin; PTX and compressed cubins stay closed and count as code."""
        if code.kind == "ptx" or code.payload is None:
            return cls(code=code, has_code=True, kernels=())
        cubin = parse_cubin(code.payload)
        if cubin.target.rstrip("af") != code.target.rstrip("af"):
            raise ValueError(f"a cubin for {cubin.target} is labelled {code.target}")
        return cls(code=code, has_code=cubin.has_code, kernels=cubin.kernels)


def _compare(ours: list[_Read], listing: Listing) -> None:
    """Fail closed where NVIDIA's reader and ours see different things."""
    targets: set[tuple[str, str]] = {(each.code.kind, each.code.target) for each in ours}
    if targets != set(listing.targets):
        raise _disagreement("targets", targets, listing.targets)
    opened = {each.code.target for each in ours if each.code.payload is not None}
    seen = {
        (each.code.target, kernel.name, kernel.registers, kernel.stack, kernel.shared)
        for each in ours
        for kernel in each.kernels
    }
    theirs = {each for each in listing.kernels if each[0] in opened}
    if not seen <= theirs:
        raise _disagreement("kernels", seen, theirs)


def _disagreement(what: str, ours: object, theirs: object) -> BuildError:
    return BuildError(
        f"two readers of the binary disagree on its {what}: roofmark sees {ours}, cuobjdump sees "
        f"{theirs}; nothing is proved (please report it with the library)"
    )


def _kernels(read: list[_Read], usages: list[Usage]) -> tuple[KernelResources, ...]:
    """Kernels of opened cubins, with the log's spills; of closed ones the log's word alone."""
    closed = {each.code.target for each in read if each.code.payload is None}
    rows = [
        _from_binary(kernel, each.code.target, usages) for each in read for kernel in each.kernels
    ]
    rows += [
        KernelResources(
            name=usage.name,
            registers=usage.registers,
            spill_bytes=usage.spill,
            shared=usage.shared,
            target=usage.target,
        )
        for usage in usages
        if usage.target in closed
    ]
    return tuple(sorted(rows, key=lambda each: (each.target, each.name)))


def _from_binary(kernel: Kernel, target: str, usages: list[Usage]) -> KernelResources:
    told = [each for each in usages if (each.name, each.target) == (kernel.name, target)]
    agreeing = [
        each for each in told if (each.registers, each.stack) == (kernel.registers, kernel.stack)
    ]
    if told and not agreeing:
        raise BuildError(
            f"kernel {kernel.name} takes {kernel.registers} registers and {kernel.stack} bytes of "
            f"stack in the binary, but ptxas said {told[0].registers} and {told[0].stack}; "
            "nothing is proved"
        )
    return KernelResources(
        name=kernel.name,
        registers=kernel.registers,
        spill_bytes=max(each.spill for each in agreeing) if agreeing else kernel.stack,
        shared=static_shared(kernel.shared, target),
        target=target,
    )


def static_shared(size: int, target: str) -> int:
    """Return the author's part of a kernel's static shared memory, without the reserved one."""
    reserved = RESERVED_SHARED if int(target[3:].rstrip("af")) >= 90 else 0
    return max(0, size - reserved)
