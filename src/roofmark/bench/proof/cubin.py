"""What one cubin says of itself: its architecture and what each kernel takes.

In: the bytes of a cubin (from a fatbin, or from Triton's cache). Out: `Cubin`.

Registers and stack stand in `.nv.info` (attributes 0x2f and 0x11), static shared memory is the
size of `.nv.shared.<kernel>`; from sm_90 on that includes 1,024 bytes that the system reserves.
Source: own reading of ptxas 13.0 output; tests compare with `cuobjdump --dump-resource-usage`.
Architecture: e_flags, bits 0-7 up to ABI version 7, bits 8-15 from version 8 on. Source: LLVM's
EF_CUDA_SM. The suffix "a" is not always in e_flags, so ptxas' own note of its options decides.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from roofmark.bench.proof.elf import EXECUTABLE, Elf, parse_elf

RESERVED_SHARED = 1024  # Source: CUDA programming guide, shared memory of compute capability 9.0
_REGISTERS, _FRAME = 0x2F, 0x11
_WITH_VALUE = 4  # format byte of an attribute that carries bytes
_ACCELERATED = {7: 0x800, 8: 0x8}  # Source: LLVM's EF_CUDA_ACCELERATORS, by ABI version
_ARCH_OPTION = re.compile(rb"-arch[ =]+sm_(\d+)([af]?)\b")


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """One kernel. stack: bytes of local memory per thread (spills, local arrays, call frames)."""

    name: str
    registers: int
    stack: int
    shared: int


@dataclass(frozen=True, kw_only=True)
class Cubin:
    """A cubin. has_code: false for the empty stubs that nvcc links in."""

    target: str
    has_code: bool
    kernels: tuple[Kernel, ...]


def parse_cubin(data: bytes) -> Cubin:
    """Return what a cubin says. Raises: ValueError when it is none."""
    elf = parse_elf(data)
    if elf.machine != "cuda":
        raise ValueError(f"not a cubin but code for {elf.machine}")
    code = [each.name[6:] for each in elf.sections if each.name.startswith(".text.")]
    registers, frames = _attribute(elf, _REGISTERS), _attribute(elf, _FRAME)
    kernels = tuple(
        Kernel(
            name=name,
            registers=registers[name],
            stack=frames.get(name, 0),
            shared=_shared(elf, name),
        )
        for name in sorted(registers)
        if name in code and elf.section(f".nv.info.{name}") is not None
    )
    return Cubin(target=_target(elf), has_code=_has_code(elf), kernels=kernels)


def _has_code(elf: Elf) -> bool:
    return any(each.flags & EXECUTABLE and each.size for each in elf.sections)


def _target(elf: Elf) -> str:
    number = (elf.flags >> 8 if elf.abi_version >= 8 else elf.flags) & 0xFF
    note = elf.section(".note.nv.tkinfo")
    said = _ARCH_OPTION.search(note.data) if note else None
    if said and int(said[1]) == number:
        return f"sm_{number}{said[2].decode()}"
    accelerated = elf.flags & _ACCELERATED.get(elf.abi_version, 0)
    return f"sm_{number}{'a' if accelerated else ''}"


def _shared(elf: Elf, kernel: str) -> int:
    section = elf.section(f".nv.shared.{kernel}")
    return section.size if section else 0


def _attribute(elf: Elf, wanted: int) -> dict[str, int]:
    """Return symbol name -> value for one kind of attribute in `.nv.info`."""
    info = elf.section(".nv.info")
    if info is None:
        return {}
    found: dict[str, int] = {}
    for attribute, value in _attributes(info.data):
        if attribute == wanted and len(value) == 8:
            symbol, number = struct.unpack("<II", value)
            found[elf.symbols.get(symbol, f"symbol {symbol}")] = number
    return found


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each is u8 format, u8 attribute, u16 value; format 4 has that many bytes behind it."""
    place = 0
    while place + 4 <= len(data):
        form, attribute, length = struct.unpack_from("<BBH", data, place)
        place += 4
        if form == _WITH_VALUE:
            yield attribute, data[place : place + length]
            place += length
