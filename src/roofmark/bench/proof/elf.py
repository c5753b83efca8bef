"""Read an ELF file's header, sections and symbols: host libraries and CUDA cubins alike.

In: bytes that may be damaged or hostile. Out: `Elf`, or ValueError; nothing is executed and no
offset is believed before it is checked.

Source: System V ABI, "Object Files" (Elf64_Ehdr, Elf64_Shdr, Elf64_Sym); 64-bit little-endian only,
which is what every CUDA host and cubin is.
"""

import struct
from dataclasses import dataclass

MAPPED, EXECUTABLE = 0x2, 0x4  # Source: SHF_ALLOC, SHF_EXECINSTR
_NOBITS = 8  # Source: SHT_NOBITS
_SYMTAB = 2  # Source: SHT_SYMTAB
_FILE_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")

# Source: e_machine values of the System V ABI registry.
MACHINES = {62: "x86-64", 183: "aarch64", 190: "cuda", 243: "riscv64", 21: "ppc64"}
# Chosen: far more sections than a large library has (one per kernel and table), few enough to read.
_MAX_SECTIONS = 65536


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section; data is empty for sections that take no room in the file."""

    name: str
    flags: int
    size: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Elf:
    """The parts of an ELF file that a proof needs. symbols: index -> name."""

    machine: str
    flags: int
    abi_version: int
    kind: int
    sections: tuple[Section, ...]
    symbols: dict[int, str]

    def section(self, name: str) -> Section | None:
        """Return the section of that name, if there is one."""
        return next((each for each in self.sections if each.name == name), None)


def parse_elf(data: bytes) -> Elf:
    """Return what the bytes of an ELF file say. Raises: ValueError when they are none."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    try:
        return _parse(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"a damaged ELF file: {error}") from error


def _parse(data: bytes) -> Elf:
    (ident, kind, machine, _, _, segments, table, flags, _, length, number, size, count, names) = (
        _FILE_HEADER.unpack_from(data)
    )
    if count > _MAX_SECTIONS or (count and size != _SECTION.size) or (count and names >= count):
        raise ValueError("a damaged ELF file: its section table makes no sense")
    if segments + length * number > len(data):
        raise ValueError("a damaged ELF file: it is cut short")
    rows = [_SECTION.unpack_from(data, table + i * size) for i in range(count)]
    contents = [_content(data, row) for row in rows]
    sections = tuple(
        Section(name=_string(contents[names], row[0]), flags=row[2], size=row[5], data=content)
        for row, content in zip(rows, contents, strict=True)
    )
    return Elf(
        machine=MACHINES.get(machine, f"machine {machine}"),
        flags=flags,
        abi_version=ident[8],
        kind=kind,
        sections=sections,
        symbols=_symbols(rows, contents),
    )


def _content(data: bytes, row: tuple[int, ...]) -> bytes:
    kind, offset, size = row[1], row[4], row[5]
    if kind in (0, _NOBITS):
        return b""
    if offset + size > len(data):
        raise ValueError("a damaged ELF file: a section lies outside of it")
    return data[offset : offset + size]


def _symbols(rows: list[tuple[int, ...]], contents: list[bytes]) -> dict[int, str]:
    for row, content in zip(rows, contents, strict=True):
        if row[1] == _SYMTAB:
            whole = content[: len(content) // _SYMBOL.size * _SYMBOL.size]
            names = [_string(contents[row[6]], each[0]) for each in _SYMBOL.iter_unpack(whole)]
            return dict(enumerate(names))
    return {}


def _string(table: bytes, offset: int) -> str:
    end = table.find(b"\0", offset)
    if offset > len(table) or end < 0:
        raise ValueError("a damaged ELF file: a name lies outside of its table")
    return table[offset:end].decode("utf-8", "replace")
