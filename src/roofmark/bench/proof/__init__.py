"""Proof of build: which machine code is really in a binary, read from the binary itself.

In: a library (C++, CUDA) or Triton's cache folder. Out: targets. What a build was asked for proves
nothing: builders drop flags, environment variables are ignored, drivers compile PTX at load. So the
target that a solution names must be found in its binary, and where it cannot be looked for the
build is refused.
"""

import hashlib
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec

from roofmark.bench.proof.errors import BuildError
from roofmark.evidence import Build, KernelResources, Target
from roofmark.records import Missing
from roofmark.study import Solution

# Source: ELF gABI, e_machine; NVIDIA cubins use 190 (EM_CUDA).
_MACHINES = {62: "x86-64", 183: "aarch64", 190: "cuda", 243: "riscv"}
_LISTED = re.compile(r"\.(sm_\d+[a-z]?)\.(cubin|ptx)\s*$", re.MULTILINE)
# Mnemonics and registers that only an extension has. Source: Intel SDM volume 2, opcode tables.
_ISA = {
    "sse2": re.compile(r"%xmm"),
    "avx": re.compile(r"\tv[a-z0-9]+ .*%[xy]mm"),
    "avx2": re.compile(r"\t(vp[a-z0-9]+|v(broadcast|insert|extract)i128) .*%ymm"),
    "fma": re.compile(r"\tvfn?m(add|sub)[a-z0-9]* "),
    "f16c": re.compile(r"\tvcvt(ph2ps|ps2ph) "),
    "avx512f": re.compile(r"%zmm"),
    "avx512bf16": re.compile(r"\t(vdpbf16ps|vcvtne2?ps2bf16)"),
    "avx512vnni": re.compile(r"\tvpdp(busds?|wssds?) .*%zmm"),
    "amx": re.compile(r"\tt(dpb|ile)[a-z0-9]+ "),
}  # fmt: skip
# A microarchitecture level is proved by an extension that it brings. Source: x86-64 psABI, 3.1.1.
_LEVELS = {"x86-64": "sse2", "x86-64-v2": "sse2", "x86-64-v3": "avx", "x86-64-v4": "avx512f"}
_TOOL_SECONDS = 120


@dataclass(frozen=True)
class Proof:
    """What a binary holds."""

    targets: tuple[Target, ...]
    ptx_only: bool


def prove_library(library: Path, solution: Solution) -> Proof:
    """Return what the library holds. Raises: BuildError when the asked-for target is not in it."""
    machine = Target(kind="elf", name=elf_machine(library))
    proof = (
        _prove_cuda(library, machine)
        if solution.language == "cuda"
        else _prove_isa(library, machine)
    )
    if isinstance(solution.target, str):
        _check_found(solution.target, proof, machine)
    return proof


def prove_triton_cache(build: Build, folder: Path) -> Build:
    """Return `build` with what Triton compiled into `folder`; unchanged if it compiled nothing."""
    cubins = sorted(folder.glob("**/*.cubin"))
    if not cubins:
        return build
    kernels = tuple(_read_triton_kernel(path) for path in cubins)
    state = hashlib.sha256()
    for data in sorted(path.read_bytes() for path in cubins):
        state.update(f"{len(data)}:".encode() + data)
    names = sorted({kernel.target for kernel in kernels})
    return msgspec.structs.replace(
        build,
        compiler=_triton_version(),
        seconds=Missing(reason="compiled by Triton at the first call"),
        binary=state.hexdigest(),
        targets=tuple(Target(kind="sass", name=name) for name in names),
        kernels=tuple(sorted(kernels, key=lambda kernel: kernel.name)),
    )


def elf_machine(library: Path) -> str:
    """Return the machine that an ELF file is for. Raises: BuildError if it is none."""
    head = library.read_bytes()[:20]
    if head[:4] != b"\x7fELF":
        raise BuildError(f"{library.name} is not an ELF file")
    (number,) = struct.unpack_from("<H", head, 18)
    return _MACHINES.get(number, f"machine {number}")


def find_cuobjdump() -> str | None:
    """Return cuobjdump from the CUDA toolkit, or the copy in Triton's package."""
    found = shutil.which("cuobjdump") or shutil.which("/usr/local/cuda/bin/cuobjdump")
    if found:
        return found
    from importlib.util import find_spec

    spec = find_spec("triton")
    places = spec.submodule_search_locations if spec else None
    for place in places or ():
        tool = Path(place) / "backends/nvidia/bin/cuobjdump"
        if tool.exists():
            return str(tool)
    return None


def _prove_cuda(library: Path, machine: Target) -> Proof:
    tool = find_cuobjdump()
    if tool is None:
        raise BuildError(
            "the SASS in the binary cannot be read: cuobjdump was not found. Install the CUDA "
            "toolkit's cuobjdump or the triton package, which brings one"
        )
    listed = _tool([tool, "-lelf", "-lptx", str(library)])
    found = sorted(
        {("sass" if kind == "cubin" else "ptx", a) for a, kind in _LISTED.findall(listed)}
    )
    if not found:
        raise BuildError("the binary holds neither SASS nor PTX: no kernel was compiled", listed)
    targets = tuple(Target(kind=kind, name=name) for kind, name in found)  # pyright: ignore[reportArgumentType]
    return Proof((machine, *targets), ptx_only=all(kind == "ptx" for kind, _ in found))


def _prove_isa(library: Path, machine: Target) -> Proof:
    tool = shutil.which("objdump")
    if tool is None or machine.name != "x86-64":
        return Proof((machine,), ptx_only=False)
    text = _tool([tool, "-d", "--no-show-raw-insn", str(library)])
    names = [name for name, pattern in _ISA.items() if pattern.search(text)]
    return Proof((machine, *(Target(kind="isa", name=name) for name in names)), ptx_only=False)


def _check_found(target: str, proof: Proof, machine: Target) -> None:
    wanted = _LEVELS.get(target, target)
    found = [each.name for each in proof.targets if each.kind in ("sass", "isa")]
    # "native" names no extension; the machine of the ELF header is all that it promises.
    if wanted in found or target == "native":
        return
    rest = "PTX alone" if proof.ptx_only else f"no such code ({machine.name})"
    holds = ", ".join(found) or rest
    raise BuildError(f"asked for {target}; the binary holds {holds}")


def _read_triton_kernel(cubin: Path) -> KernelResources:
    """Read one compiled kernel's resources from what Triton keeps beside its cubin."""
    try:
        meta = msgspec.json.decode(cubin.with_suffix(".json").read_bytes())
    except (OSError, msgspec.DecodeError):
        meta = {}
    arch = (meta.get("target") or {}).get("arch", "")
    name = str(meta.get("name", cubin.stem))
    usage = _resource_usage(cubin).get(name, (0, 0))
    return KernelResources(
        name=name,
        registers=usage[0],
        spill_bytes=usage[1],
        shared=int(meta.get("shared", 0)),
        target=_cubin_arch(cubin) or f"sm_{arch}",
    )


def _cubin_arch(cubin: Path) -> str:
    tool = find_cuobjdump()
    if tool is None:
        return ""
    match = re.search(r"arch = (sm_\d+[a-z]?)", _tool([tool, "--dump-elf", str(cubin)])[:4000])
    return match[1] if match else ""


def _resource_usage(cubin: Path) -> dict[str, tuple[int, int]]:
    """Return registers and local bytes of each kernel in a cubin."""
    tool = find_cuobjdump()
    if tool is None:
        return {}
    text = _tool([tool, "--dump-resource-usage", str(cubin)])
    pattern = re.compile(r"Function (\S+):\s+REG:(\d+) STACK:\d+ SHARED:\d+ LOCAL:(\d+)")
    return {name: (int(regs), int(local)) for name, regs, local in pattern.findall(text)}


def _triton_version() -> str:
    from importlib.metadata import version

    return f"triton {version('triton')}"


def _tool(command: list[str]) -> str:
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TOOL_SECONDS,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{Path(command[0]).name} could not read the binary: {error}") from error
    return answer.stdout + answer.stderr
