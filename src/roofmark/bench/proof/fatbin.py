"""Find the device code that nvcc embedded in a library.

In: the bytes of a library's fatbin sections. Out: one `DeviceCode` per embedded cubin (machine
code, SASS) and PTX text. The entry's header alone tells architecture and kind, so compressed
entries are told too; only their contents stay closed.

The container is not documented by NVIDIA. Source: own reading of what nvcc 13.0 writes for known
-gencode options, cross-checked with `cuobjdump` (tests/unit/bench/test_proof_cuda.py does both):

    fatbin   u32 magic 0xBA55ED50, u16 version, u16 header size, u64 size of all entries
    entry    u16 kind (1 PTX, 2 cubin), u16 version, u32 header size, u64 payload size, ...
             at 28: u32 architecture (90), at 40: u64 flags
    flags    0x2000 LZ4, 0x8000 zstd; 0x100000 suffix "a", 0x200000 suffix "f"
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from roofmark.bench.proof.elf import Elf

# What the driver loads. `__nv_relfatbin` beside it (-rdc=true) is the linker's input: no code in it
# ever runs.
SECTION = ".nv_fatbin"
_MAGIC = 0xBA55ED50
_CONTAINER = struct.Struct("<IHHQ")
_ENTRY = struct.Struct("<HHIQ")
_KINDS: dict[int, Literal["ptx", "sass"]] = {1: "ptx", 2: "sass"}
_COMPRESSED = 0x2000 | 0x8000
_SPECIFIC, _FAMILY = 0x100000, 0x200000


@dataclass(frozen=True, kw_only=True)
class DeviceCode:
    """One embedded piece. payload: its bytes, or None when they are compressed."""

    kind: Literal["ptx", "sass"]
    target: str
    payload: bytes | None


def find_device_code(library: Elf) -> list[DeviceCode]:
    """Return all device code in a host library, in the order in which it stands there.

    Raises: ValueError when a fatbin section holds something else: then nothing is proved.
    """
    section = library.section(SECTION)
    return list(parse_fatbins(section.data)) if section else []


def parse_fatbins(data: bytes) -> Iterator[DeviceCode]:
    """Yield the entries of all containers in `data`. Raises: ValueError when it is damaged."""
    place = 0
    while place < len(data):
        if data[place : place + 8].count(0) == len(data[place : place + 8]):
            place += 8  # padding between containers, which are aligned to eight bytes
            continue
        try:
            magic, _, header, size = _CONTAINER.unpack_from(data, place)
        except struct.error as error:
            raise ValueError("a fatbin that is cut short") from error
        if magic != _MAGIC or header < _CONTAINER.size or place + header + size > len(data):
            raise ValueError(f"no fatbin at offset {place} of its section")
        yield from _entries(data[place + header : place + header + size])
        place += header + size


def _entries(data: bytes) -> Iterator[DeviceCode]:
    place = 0
    while place < len(data):
        try:
            kind, _, header, size = _ENTRY.unpack_from(data, place)
            (architecture,) = struct.unpack_from("<I", data, place + 28)
            (flags,) = struct.unpack_from("<Q", data, place + 40)
        except struct.error as error:
            raise ValueError("a fatbin entry that is cut short") from error
        if kind not in _KINDS or header < 48 or place + header + size > len(data):
            raise ValueError(f"a fatbin entry of kind {kind} that roofmark does not know")
        payload = data[place + header : place + header + size]
        yield DeviceCode(
            kind=_KINDS[kind],
            target=f"sm_{architecture}{_suffix(flags)}",
            payload=None if flags & _COMPRESSED else payload,
        )
        place += header + size


def _suffix(flags: int) -> str:
    return "a" if flags & _SPECIFIC else "f" if flags & _FAMILY else ""
