"""Compile a solution, prove what came out, and never serve stale code.

In: a solution's own files in a folder of their own. Out: a `Build` and the path of its library. The
compiler is run here rather than by a library, because the exact command, its version, its log and
its binary are the evidence. An entry is exported with apache-tvm-ffi and writes its outputs:

    #include <tvm/ffi/container/tensor.h>
    #include <tvm/ffi/function.h>

    void Scale(tvm::ffi::TensorView x, double factor, tvm::ffi::TensorView y) { ... }

    TVM_FFI_DLL_EXPORT_TYPED_FUNC(scale, Scale);
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from roofmark.bench.proof import prove_library
from roofmark.bench.proof.errors import BuildError
from roofmark.bench.store import LibraryStore
from roofmark.evidence import Build, KernelResources
from roofmark.study import Solution

__all__ = ["BuildError", "build_library", "source_digest"]

# Chosen: the end of a compiler's log, where it says how many errors there were; enough to mend one.
_LOG_CHARACTERS = 20_000
# What a compiler reads from its environment and would change the binary without a trace.
_FORBIDDEN = re.compile(
    r"^(C|CXX|CPP|LD|NVCC_(AP|PRE)PEND_)FLAGS$|^(C|CPLUS|OBJC_)_?INCLUDE_PATH$|^CPATH$|"
    r"^(LIBRARY|COMPILER)_PATH$|^GCC_EXEC_PREFIX$|^NVCC_CCBIN$"
)
_ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(\S+)'")
_SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
_REGISTERS = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")


@dataclass(frozen=True)
class Compiler:
    """A compiler with its version, and how it is asked to build."""

    path: Path
    version: str
    command: tuple[str, ...]


def build_library(
    solution: Solution,
    folder: Path,
    *,
    capability: str | None,
    limit: float,
    cache: Path,
    scratch: Path,
) -> tuple[Build, Path]:
    """Return the proof of build and a private copy of the library. Raises: BuildError.

    capability: of the device, such as "9.0"; the target of a CUDA solution that names none.
    """
    compiler = _choose_compiler(solution, capability)
    source = source_digest(solution, folder)
    store = LibraryStore(cache, _key(compiler, solution, source))
    library = scratch / f"{solution.name}.so"
    with store.locked():
        build = store.take(library)
        if build is None:
            build = _compile(solution, folder, compiler, library, limit)
            store.keep(build, library, _dependencies(library, folder))
    return build, library


def source_digest(solution: Solution, folder: Path) -> str:
    """Return the sha256 over every source of a solution, names and lengths included."""
    state = hashlib.sha256()
    for name in (solution.path, *solution.sources):
        data = (folder / name).read_bytes()
        state.update(f"{len(name)}:{name}:{len(data)}:".encode() + data)
    return state.hexdigest()


def _compile(
    solution: Solution, folder: Path, compiler: Compiler, library: Path, limit: float
) -> Build:
    depfile = library.with_suffix(".d")
    started = time.perf_counter()
    outputs = ["-o", str(library), "-MMD", "-MF", str(depfile)]
    log = _run([*compiler.command, *outputs], folder, limit)
    seconds = time.perf_counter() - started
    proof = prove_library(library, solution)
    return Build(
        solution=solution.name,
        language=solution.language,
        compiler=compiler.version,
        command=_shown(compiler.command),
        seconds=round(seconds, 3),
        source=source_digest(solution, folder),
        binary=hashlib.sha256(library.read_bytes()).hexdigest(),
        targets=proof.targets,
        kernels=parse_resources(log),
        ptx_only=proof.ptx_only,
    )


def parse_resources(log: str) -> tuple[KernelResources, ...]:
    """Return what each kernel takes, from the log of `ptxas -v`."""
    found: list[KernelResources] = []
    for name, target, text in _entries(log):
        spills, registers, shared = (p.search(text) for p in (_SPILLS, _REGISTERS, _SHARED))
        if registers is None:
            continue
        found.append(
            KernelResources(
                name=name,
                registers=int(registers[1]),
                spill_bytes=int(spills[1]) + int(spills[2]) if spills else 0,
                shared=int(shared[1]) if shared else 0,
                target=target,
            )
        )
    return tuple(found)


def _entries(log: str) -> list[tuple[str, str, str]]:
    parts = _ENTRY.split(log)[1:]
    return [(parts[i], parts[i + 1], parts[i + 2]) for i in range(0, len(parts), 3)]


def _choose_compiler(solution: Solution, capability: str | None) -> Compiler:
    return _nvcc(solution, capability) if solution.language == "cuda" else _cxx(solution)


def _cxx(solution: Solution) -> Compiler:
    path = _find(os.environ.get("CXX", ""), "g++", "clang++", "c++")
    if path is None:
        raise BuildError("no C++ compiler was found; install g++ (Debian: apt install g++)")
    target = _isa_flags(solution.target) if isinstance(solution.target, str) else ()
    command = [str(path), "-O3", "-std=c++20", "-fPIC", "-shared", "-Wall", *target]
    command += [*solution.flags, solution.path, *_ffi_flags()]
    return Compiler(path, _version(path), tuple(command))


def _isa_flags(target: str) -> tuple[str, ...]:
    """A level or a CPU goes to -march; an extension is switched on together with FMA."""
    if target == "native" or target.startswith("x86-64"):
        return (f"-march={target}",)
    fused = ("-mfma",) if target.startswith("avx2") or target.startswith("avx512") else ()
    return (f"-m{target}", *fused)


def _nvcc(solution: Solution, capability: str | None) -> Compiler:
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    path = _find("nvcc", f"{home}/bin/nvcc")
    if path is None:
        raise BuildError("nvcc was not found; install the CUDA toolkit or set CUDA_HOME")
    asked = solution.target if isinstance(solution.target, str) else None
    if asked is None and capability is None:
        raise BuildError("no target: name one (target='sm_90a'), there is no GPU to ask here")
    arch = (asked or f"sm_{(capability or '').replace('.', '')}").removeprefix("sm_")
    # SASS alone: without PTX in the binary the driver cannot compile something else at load.
    code = f"-gencode=arch=compute_{arch},code=sm_{arch}"
    command = [str(path), "-O3", "-std=c++20", "-shared", "-Xcompiler=-fPIC", "-Xptxas=-v", code]
    command += [*solution.flags, solution.path, *_ffi_flags()]
    return Compiler(path, _version(path), tuple(command))


def _ffi_flags() -> list[str]:
    from tvm_ffi.libinfo import find_dlpack_include_path, find_include_path, find_libtvm_ffi

    folder = Path(find_libtvm_ffi()).parent
    includes = [f"-I{find_include_path()}", f"-I{find_dlpack_include_path()}"]
    return [*includes, f"-L{folder}", "-ltvm_ffi"]


def _find(*names: str) -> Path | None:
    for name in names:
        if name and (found := shutil.which(name)):
            return Path(found).resolve() if "nvcc" not in name else Path(found)
    return None


def _version(path: Path) -> str:
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{path.name} does not run: {error}") from error
    lines = [line for line in answer.stdout.splitlines() if line.strip()]
    # nvcc says its build last, the others their version first.
    return (lines[-1] if path.name == "nvcc" else lines[0]).strip() if lines else path.name


def _key(compiler: Compiler, solution: Solution, source: str) -> str:
    """Everything that decides the binary, except the headers, which the store checks itself."""
    import tvm_ffi

    real = Path(compiler.path).resolve()
    identity = hashlib.sha256(real.read_bytes()).hexdigest()
    parts = (source, identity, compiler.version, tvm_ffi.__version__, *compiler.command)
    text = "".join(f"{len(part)}:{part}" for part in (*parts, str(solution.target)))
    return hashlib.sha256(text.encode()).hexdigest()


def _dependencies(library: Path, folder: Path) -> list[Path]:
    """Every file that the compiler read, from the depfile that it wrote."""
    try:
        text = library.with_suffix(".d").read_text()
    except OSError:
        return []
    names = text.replace("\\\n", " ").partition(":")[2].replace("\\ ", "\0").split()
    paths = [folder / name.replace("\0", " ") for name in names]
    return [path for path in paths if not path.is_relative_to(folder)]


def _run(command: list[str], folder: Path, limit: float) -> str:
    environment = {k: v for k, v in os.environ.items() if not _FORBIDDEN.match(k)}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            log, _ = process.communicate(timeout=limit)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                reason = f"the compiler did not end within {limit:.0f} s and was killed"
                raise BuildError(reason) from error
            raise
    if process.returncode != 0:
        reason = f"{Path(command[0]).name} failed with exit code {process.returncode}"
        raise BuildError(reason, log[-_LOG_CHARACTERS:])
    return log


def _shown(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command without this machine's folders, so that equal builds have equal records."""
    kept = [part for part in command if part[:2] not in ("-I", "-L")]
    return tuple(Path(part).name if part.startswith("/") else part for part in kept)
