"""Which compiler, which command line, which environment.

In: a solution and the device's compute capability. Out: the exact command, relative to the folder
of the sources so that it can be repeated elsewhere, and a stable identity of the compiler. Nothing
is taken from the caller's environment except where programs lie: variables such as CXXFLAGS or
NVCC_APPEND_FLAGS would change the binary without standing in the command.
"""

import hashlib
import importlib.util
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roofmark.bench.proof.errors import BuildError
from roofmark.bench.tool import run_tool
from roofmark.study import Solution

OUTPUT = ".roofmark"
"""Folder beside the sources that takes what a build writes, and goes when it ends."""
LIBRARY = f"{OUTPUT}/library.so"
DEPENDENCIES = f"{OUTPUT}/library.d"

# Chosen: what compilers need to find their parts and to place temporary files; all else is left
# out. An allow-list, because the list of variables that change a build is open.
_KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")
TOOLKIT = "/usr/local/cuda"  # Source: default prefix of the CUDA toolkit's Linux installers
_VERSION_LIMIT = 30.0  # Chosen: a compiler that needs longer to say its version does not work.

# Flags that run code of the candidate inside the compiler, read options from a file that is no
# source, or change what the command produces. A candidate's code may run in a worker only. This
# keeps honest studies honest; it is no sandbox for the compiler.
_FORBIDDEN = re.compile(
    r"^(@|-fplugin|-fpass-plugin|-{1,2}plugin|-load$|-wrapper|-B(?!symbolic|static|dynamic)"
    r"|-{1,2}specs|-fuse-ld|--ld-path|-ccbin|--compiler-bindir|-{1,2}run\b|-{1,2}dryrun"
    r"|-optf|--options-file|-o$|--output-file|-odir|--output-directory|-M|-c$|-S$|-E$"
    r"|-dc$|-dw$|-dlink$|--device-|-{1,2}(cubin|fatbin|ptx|keep|lib|cuda)$)"
)
_ARCHITECTURE = re.compile(r"^-{1,2}(arch|gencode|gpu-architecture|generate-code|code|gpu-code)\b")
_SASS = re.compile(r"^sm_(\d+)([af]?)$")

# ISA names as the kernel (/proc/cpuinfo) and the psABI write them, and GCC's spelling where it
# is not `-m` plus the name.
# AVX2 and AVX-512 bring FMA along: every processor since Haswell has both, and without it a
# compiler emits half of what a hand would write.
_ISA_FLAGS = {
    "avx2": "-mavx2 -mfma",
    "avx512f": "-mavx512f -mfma",
    "sse4_1": "-msse4.1",
    "sse4_2": "-msse4.2",
    "amx_tile": "-mamx-tile",
    "amx_int8": "-mamx-int8",
    "amx_bf16": "-mamx-bf16",
}
_ISA_PLAIN = ("sse2", "ssse3", "avx", "fma", "f16c", "bmi2", "avx512bw",
              "avx512_bf16", "avx512_vnni", "avx512_fp16")  # fmt: skip
_ISA_LEVEL = re.compile(r"^(x86-64(-v[234])?|armv[89](\.\d+)?-a(\+[a-z0-9+]+)?|native)$")


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """A compiler as found. version: its own words; identity: digest of program and version."""

    path: str
    version: str
    identity: str


def find_compiler(solution: Solution) -> Compiler:
    """Return the compiler for a C++ or CUDA solution.

    Raises: BuildError that says how to get one.
    """
    if solution.language == "cuda":
        return _identify(_find_nvcc())
    return _identify(_find_host())


def find_host_compiler() -> Compiler:
    """Return the C++ compiler: $CXX, else g++, clang++ or c++. Raises: BuildError."""
    return _identify(_find_host())


def compile_command(
    solution: Solution, compiler: Compiler, *, capability: str | None
) -> tuple[str, ...]:
    """Return the command that builds `solution`, to be run in the folder of its sources.

    Raises: BuildError for a forbidden flag or an unknown target.
    """
    _check_flags(solution.flags)
    sources = [solution.path, *(each for each in solution.sources if _compiled(each, solution))]
    includes = [f"-I{path}" for path in _include_paths()]
    macros = [f"-D{name}={value}" for name, value in solution.params.items()]
    if solution.language == "cuda":
        middle = _cuda_options(solution, capability)
    else:
        middle = _host_options(solution)
    words = (*middle, *includes, *macros, *solution.flags, *sources, "-o", LIBRARY)
    return (compiler.path, *words, *_links())


def clean_environment(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment that every compiler gets, whatever the caller's is."""
    return {name: variables[name] for name in _KEPT if name in variables} | {"LC_ALL": "C"}


def wanted_target(solution: Solution, capability: str | None) -> str | None:
    """Return the machine code asked for: the solution's, else (CUDA) the device's own.

    capability: as torch and the driver write it, "9.0".
    """
    if isinstance(solution.target, str):
        return solution.target
    if solution.language == "cuda" and capability is not None:
        return "sm_" + capability.replace(".", "")
    return None


def _compiled(source: str, solution: Solution) -> bool:
    """Headers are found by their includes; only translation units are named."""
    suffixes = (".cu", ".cpp", ".cc") if solution.language == "cuda" else (".cpp", ".cc")
    return source != solution.path and source.endswith(suffixes)


def _host_options(solution: Solution) -> list[str]:
    options = ["-O3", "-std=c++20", "-fPIC", "-shared", "-Wall", "-Wextra", "-Wno-unused-parameter"]
    return [*options, "-MD", "-MF", DEPENDENCIES, *_isa_options(solution)]


def _cuda_options(solution: Solution, capability: str | None) -> list[str]:
    host = find_host_compiler()
    options = ["-ccbin", host.path, "-O3", "-std=c++20", "-shared", "--resource-usage"]
    options += ["-Xcompiler", "-fPIC,-Wall,-Wextra,-Wno-unused-parameter"]
    options += ["-MD", "-MF", DEPENDENCIES]
    if any(_ARCHITECTURE.match(flag) for flag in solution.flags):
        return options  # the author's own choice stands; the proof says what came of it
    return [*options, _gencode(wanted_target(solution, capability))]


def _gencode(target: str | None) -> str:
    """SASS alone: with PTX beside it, a wrong target would be compiled silently at load time."""
    if target is None:
        raise BuildError(
            "no target: the solution names none and there is no CUDA device to take it from; "
            'add target="sm_90a" (or what you build for) to the solution'
        )
    match = _SASS.match(target)
    if match is None:
        raise BuildError(f'target {target!r} is no CUDA architecture; write "sm_90a" or the like')
    return f"-gencode=arch=compute_{match[1]}{match[2]},code={target}"


def _isa_options(solution: Solution) -> list[str]:
    target = solution.target
    if not isinstance(target, str):
        return []
    if target in _ISA_FLAGS:
        return _ISA_FLAGS[target].split()
    if target in _ISA_PLAIN:
        return ["-m" + target.replace("_", "")]
    if _ISA_LEVEL.match(target):
        return [f"-march={target}"]
    known = ", ".join((*_ISA_PLAIN, *_ISA_FLAGS, "x86-64-v3", "armv8-a", "native"))
    raise BuildError(f"target {target!r} is no instruction set that roofmark knows: {known}")


def _check_flags(flags: tuple[str, ...]) -> None:
    for flag in flags:
        for part in re.split(r"[,=\s]", flag):
            if _FORBIDDEN.match(part):
                raise BuildError(
                    f"flag {flag!r} is not allowed: it runs code inside the compiler, reads "
                    "options from a file, or changes what is produced; remove it"
                )


def _find_host() -> str:
    chosen = os.environ.get("CXX")
    names = (chosen,) if chosen else ("g++", "clang++", "c++")
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    if chosen:
        raise BuildError(f"no C++ compiler: CXX={chosen!r} is no program; unset CXX or correct it")
    raise BuildError("no C++ compiler: neither g++ nor clang++ is on PATH; install g++ or set CXX")


def _find_nvcc() -> str:
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        home = os.environ.get(variable)
        if home and os.access(Path(home) / "bin" / "nvcc", os.X_OK):
            return str(Path(home) / "bin" / "nvcc")
    found = shutil.which("nvcc") or shutil.which(f"{TOOLKIT}/bin/nvcc")
    if found:
        return found
    raise BuildError(
        "no CUDA compiler: nvcc is neither on PATH nor in $CUDA_HOME/bin; install the CUDA "
        "toolkit (nvcc) or set CUDA_HOME"
    )


def _identify(path: str) -> Compiler:
    """The program's bytes and its version output: a changed compiler is another compiler."""
    resolved = Path(path).resolve()
    try:
        told = run_tool(
            (path, "--version"),
            folder=Path("/"),
            environment=clean_environment(),
            limit=_VERSION_LIMIT,
        )
        program = resolved.read_bytes()
    except OSError as error:
        raise BuildError(f"the compiler {path} cannot be started: {error}") from error
    if told.status != 0 or told.timed_out:
        raise BuildError(f"the compiler {path} does not answer --version", told.output)
    identity = hashlib.sha256(program + b"\0" + told.output.encode()).hexdigest()
    return Compiler(path=path, version=_version_line(told.output), identity=identity)


def _version_line(output: str) -> str:
    """GCC and clang say it in the first line; nvcc in the one that names the release."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return next((line for line in lines if "release" in line), lines[0] if lines else "")


def tvm_ffi_folder() -> Path:
    """Return where apache-tvm-ffi is installed, without importing it: that would import torch.

    Raises: BuildError when it is absent.
    """
    found = importlib.util.find_spec("tvm_ffi")
    if found is None or not found.submodule_search_locations:
        raise BuildError("apache-tvm-ffi is not installed; C++ and CUDA solutions need its headers")
    return Path(found.submodule_search_locations[0])


def tvm_ffi_library() -> Path:
    """Return the library that every built solution links against. Raises: BuildError."""
    usual = tvm_ffi_folder() / "lib" / "libtvm_ffi.so"
    if usual.is_file():
        return usual
    from tvm_ffi import libinfo  # another layout (a build from source): let it find its own

    return Path(libinfo.find_libtvm_ffi())


def _include_paths() -> list[str]:
    usual = tvm_ffi_folder() / "include"
    if (usual / "tvm").is_dir() and (usual / "dlpack").is_dir():
        return [str(usual)]
    from tvm_ffi import libinfo

    paths = [libinfo.find_include_path(), libinfo.find_dlpack_include_path()]
    return list(dict.fromkeys(str(path) for path in paths))


def _links() -> list[str]:
    return [f"-L{tvm_ffi_library().parent}", "-ltvm_ffi"]
