"""Load the very bytes that were proved.

In: a library, the digest that its proof names, and a function's name. Out: the function. The file
is read once; what was read is compared and then loaded from a sealed memory file, which nobody can
write any more. Where the system has none, from a private copy.
"""

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roofmark.bench.proof.elf import parse_elf
from roofmark.bench.proof.errors import BuildError
from roofmark.records import digest

_EXPORT = re.compile(r"^__tvm_ffi_(?!_)(\w+)$")  # Source: TVM_FFI_DLL_EXPORT_TYPED_FUNC
# What everybody maps is of one size for ever: one who cut it short would end all the others.
_SIZE_SEALS = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_ALIVE: list[int] = []
"""Descriptors of loaded memory files: closed with the process, as the code in them is."""


def create_memory(name: str, size: int) -> int:
    """Return a descriptor of shared memory whose size nobody can change any more."""
    handle = os.memfd_create(f"roofmark-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(handle, size)
    fcntl.fcntl(handle, fcntl.F_ADD_SEALS, _SIZE_SEALS)
    return handle


def load_sealed(library: Path, expected: str, name: str) -> Callable[..., Any]:
    """Return function `name` of the library whose bytes have the sha256 `expected`.

    Raises: BuildError when the bytes differ, cannot be loaded, or do not export the function.
    """
    try:
        data = library.read_bytes()
    except OSError as error:
        raise BuildError(f"the built library cannot be read: {error}") from error
    found = digest(data)
    if found != expected:
        raise BuildError(
            f"the library is not the one that was proved: sha256 {found[:12]} instead of "
            f"{expected[:12]}; it was changed after the build"
        )
    module = _load(data)
    if not module.implements_function(name):
        exported = ", ".join(_exports(data)) or "nothing"
        raise BuildError(
            f"the library exports no {name!r}; it exports {exported}. Add "
            f"TVM_FFI_DLL_EXPORT_TYPED_FUNC({name}, YourFunction);"
        )
    return module.get_function(name)


def _load(data: bytes) -> Any:
    import tvm_ffi

    with tempfile.TemporaryDirectory(prefix="roofmark-") as folder:
        # tvm-ffi tells formats apart by suffix, so the memory file needs a name that ends in .so.
        path = Path(folder) / "library.so"
        try:
            path.symlink_to(f"/proc/self/fd/{_seal(data)}")
        except OSError:
            path.write_bytes(data)
            path.chmod(0o400)
        try:
            return tvm_ffi.load_module(str(path))
        except Exception as error:
            raise BuildError(f"the library cannot be loaded: {error}") from error


def _seal(data: bytes) -> int:
    """Return a descriptor of a memory file that holds `data` and cannot be written."""
    handle = os.memfd_create("roofmark-library", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(data)
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, seals)
    except OSError:
        os.close(handle)
        raise
    _ALIVE.append(handle)
    return handle


def _exports(data: bytes) -> list[str]:
    """Return the names that a library exports through tvm-ffi's macro."""
    with contextlib.suppress(ValueError):
        section = parse_elf(data).section(".dynstr")
        names = (section.data if section else b"").decode("utf-8", "replace").split("\0")
        return sorted(match[1] for each in names if (match := _EXPORT.match(each)))
    return []
