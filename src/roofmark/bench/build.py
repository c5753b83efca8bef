"""Build a solution and say exactly what was built.

In: a solution and a private folder that holds its own files alone, under their names in the study.
Out: a `Build` (proof of what came out) and, for C++ and CUDA, the library. roofmark runs the
compiler itself, because the exact command, its log and the binary are the evidence.

A C++ or CUDA entry is destination-passing: inputs, scalars, outputs, in the definition's order. A
whole C++ solution, `scale.cpp::scale` (for CUDA take the stream from
`TVMFFIEnvGetStream(x.device().device_type, x.device().device_id)` in
`<tvm/ffi/extra/c_env_api.h>`; it is torch's current stream):

    #include <tvm/ffi/container/tensor.h>
    #include <tvm/ffi/function.h>

    void Scale(tvm::ffi::TensorView x, double factor, tvm::ffi::TensorView y) {
      const auto* in = static_cast<const float*>(x.data_ptr());
      auto* out = static_cast<float*>(y.data_ptr());
      for (int64_t i = 0; i < x.numel(); ++i) out[i] = static_cast<float>(in[i] * factor);
    }
    TVM_FFI_DLL_EXPORT_TYPED_FUNC(scale, Scale);
"""

import hashlib
import platform
import re
import shlex
import shutil
from importlib import metadata
from itertools import takewhile
from pathlib import Path, PurePosixPath

from msgspec.structs import replace

from roofmark.bench.compiler import (
    DEPENDENCIES,
    LIBRARY,
    OUTPUT,
    Compiler,
    clean_environment,
    compile_command,
    find_compiler,
    find_host_compiler,
    tvm_ffi_folder,
    tvm_ffi_library,
)
from roofmark.bench.proof import Proof, check_runs_on, check_target, prove
from roofmark.bench.proof.errors import BuildError
from roofmark.bench.store import StoredBuild, read_depfile, stored_build
from roofmark.bench.tool import run_tool
from roofmark.evidence import Build
from roofmark.records import Missing, digest
from roofmark.study import Solution

__all__ = ["BuildError", "build_library", "build_python", "source_digest"]

# A flag that names a folder relative to that in which the compiler works.
_FOLDER = re.compile(r"-(?:I|isystem|iquote)=?([^=/].*)")
# Flags whose files stand in no depfile (linker inputs, profiles): such builds are never stored.
_UNTRACKED = ("-l", "-L", "-Wl", "-Xlinker", "-fprofile", "-fauto-profile", "-T", "--library")


def build_library(
    solution: Solution,
    folder: Path,
    *,
    capability: str | None,
    limit: float,
    cache: Path,
    scratch: Path,
) -> tuple[Build, Path]:
    """Compile a C++ or CUDA solution; return its proof and a private copy of the library.

    folder: holds the solution's own files alone. capability: of the device that will run it, such
    as "9.0"; None when there is none. limit: seconds for the compiler. scratch: takes the library
    and, beside it with the suffix .log, what the compiler said (also for a build from the cache).

    Raises: BuildError when it cannot be built, or its target is not in the binary.
    """
    _check_files(solution, folder)
    compiler = find_compiler(solution)
    home, at_home = _go_home(solution, folder)
    command = compile_command(at_home, compiler, capability=capability)

    def compile_now() -> tuple[StoredBuild, bytes]:
        return _compile(command, compiler, home, limit)

    if _storable(solution):
        key = _key(solution, compiler, command, home)
        made, data, _ = stored_build(cache, key, compile_now, limit=limit)
    else:
        made, data = compile_now()
    library = scratch / f"{solution.name}.so"
    _place(library, data, made.log)
    proof = _prove(solution, library, made, capability)
    return _record(solution, folder, made, proof, capability), library


def build_python(solution: Solution, folder: Path) -> Build:
    """Return the proof of a Python solution; Triton's part is added after its first call.

    Raises: BuildError when a source file is missing.
    """
    _check_files(solution, folder)
    return Build(
        solution=solution.name,
        language="python",
        compiler=Missing(reason="interpreted"),
        command=_interpreter(),
        seconds=Missing(reason="interpreted"),
        source=source_digest(solution, folder),
        binary=Missing(reason="interpreted"),
        targets=(),
        kernels=(),
    )


def source_digest(solution: Solution, folder: Path) -> str:
    """Return the sha256 over name and bytes of every source file, each with its length."""
    return _digest_files(folder, sorted(solution.files))


def _go_home(solution: Solution, folder: Path) -> tuple[Path, Solution]:
    """Return the folder to compile in, and the solution as named from there.

    It is the deepest that holds all files and in which the flags' own folders are found. So the
    cache knows the same sources again wherever a loop or a gate has put them, and they make the
    same binary: nvcc mangles the path that it is given into what it emits.
    """
    parents = [PurePosixPath(name).parent.parts for name in solution.files]
    levels = zip(*parents, strict=False)
    shared = [same[0] for same in takewhile(lambda level: len(set(level)) == 1, levels)]
    named = [m[1] for m in map(_FOLDER.fullmatch, solution.flags) if m]
    while shared and not all(folder.joinpath(*shared, each).exists() for each in named):
        shared.pop()
    cut = len("".join(f"{part}/" for part in shared))
    sources = tuple(source[cut:] for source in solution.sources)
    return folder.joinpath(*shared), replace(solution, entry=solution.entry[cut:], sources=sources)


def _digest_files(folder: Path, names: list[str]) -> str:
    total = hashlib.sha256()
    for name in names:
        for part in (name.encode(), (folder / name).read_bytes()):
            total.update(len(part).to_bytes(8, "little"))
            total.update(part)
    return total.hexdigest()


def _check_files(solution: Solution, folder: Path) -> None:
    absent = [name for name in solution.files if not (folder / name).is_file()]
    if absent:
        raise BuildError(f"source files are missing: {', '.join(absent)}")


def _compile(
    command: tuple[str, ...], compiler: Compiler, folder: Path, limit: float
) -> tuple[StoredBuild, bytes]:
    shutil.rmtree(folder / OUTPUT, ignore_errors=True)
    (folder / OUTPUT).mkdir()
    try:
        return _compile_into(command, compiler, folder, limit)
    finally:
        shutil.rmtree(folder / OUTPUT, ignore_errors=True)


def _compile_into(
    command: tuple[str, ...], compiler: Compiler, folder: Path, limit: float
) -> tuple[StoredBuild, bytes]:
    done = run_tool(command, folder=folder, environment=clean_environment(), limit=limit)
    log = f"$ {shlex.join(command)}\n{done.output}"
    if done.timed_out:
        raise BuildError(f"the compiler did not end within {limit:g} s and was killed", log)
    if done.status != 0 or not (folder / LIBRARY).is_file():
        raise BuildError(_first_error(done.output, done.status), log)
    try:
        inputs = read_depfile(folder / DEPENDENCIES, folder)
        library = (folder / LIBRARY).read_bytes()
    except OSError as error:
        raise BuildError(f"cannot read what the compiler wrote: {error}", log) from error
    made = StoredBuild(
        binary=digest(library),
        command=command,
        compiler=f"{compiler.version} ({compiler.path})",
        seconds=done.seconds,
        log=log,
        inputs=inputs,
    )
    return made, library


def _first_error(output: str, status: int) -> str:
    """The first line that says "error", where a person would start to read."""
    lines = (line.strip() for line in output.splitlines())
    said = next((line for line in lines if "error" in line.lower() or "fatal" in line), "")
    return said or f"the compiler ended with status {status} and no library"


def _storable(solution: Solution) -> bool:
    bare = [flag for flag in solution.flags if not flag.startswith("-")]
    return not bare and not any(flag.startswith(_UNTRACKED) for flag in solution.flags)


def _key(solution: Solution, compiler: Compiler, command: tuple[str, ...], folder: Path) -> str:
    """Everything that decides the binary and is known before the build.

    All files of the folder count, not only those that the solution names: an include may find any.
    The processor counts because of `-march=native`.
    """
    found = sorted(
        each.relative_to(folder).as_posix()
        for each in folder.rglob("*")
        if each.is_file() and each.relative_to(folder).parts[0] != OUTPUT
    )
    host = find_host_compiler().identity if solution.language == "cuda" else ""
    parts = [
        *command, "", *found, "", _digest_files(folder, found), compiler.identity, host,
        *(f"{name}={value}" for name, value in sorted(clean_environment().items())
          if name in ("PATH", "LD_LIBRARY_PATH")),
        metadata.version("apache-tvm-ffi"), digest(tvm_ffi_library().read_bytes()),
        platform.platform(), platform.machine(), _processor(),
    ]  # fmt: skip
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part.encode()).to_bytes(8, "little"))
        total.update(part.encode())
    return total.hexdigest()


def _processor() -> str:
    """Model and instruction sets of the first processor; "" where the system does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    wanted = ("model name", "flags", "Features", "CPU part")
    first = text.split("\n\n")[0].splitlines()
    return "\n".join(line for line in first if line.startswith(wanted))


def _place(library: Path, data: bytes, log: str) -> None:
    """Put the run's own copy in its scratch folder, readable only."""
    library.unlink(missing_ok=True)
    library.write_bytes(data)
    library.chmod(0o400)
    library.with_suffix(".log").write_text(log)


def _prove(solution: Solution, library: Path, made: StoredBuild, capability: str | None) -> Proof:
    """Raises: BuildError, with the compiler's log, when the binary is not what was asked for."""
    try:
        proof = prove(library, log=made.log)
        if isinstance(solution.target, str):
            check_target(proof, solution.target)
        if solution.language == "cuda" and capability is not None:
            check_runs_on(proof, capability)
    except BuildError as error:
        raise BuildError(str(error), made.log) from None
    return proof


def _record(
    solution: Solution, folder: Path, made: StoredBuild, proof: Proof, capability: str | None
) -> Build:
    return Build(
        solution=solution.name,
        language=solution.language,
        compiler=made.compiler,
        command=_shown(made.command),
        seconds=round(made.seconds, 3),
        source=source_digest(solution, folder),
        binary=made.binary,
        targets=proof.targets,
        kernels=proof.kernels,
        ptx_only=proof.ptx_only(capability),
    )


def _shown(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command without the place of this installation; the log holds it to the letter."""
    place = str(tvm_ffi_folder())
    return tuple(part.replace(place, "<tvm_ffi>") for part in command)


def _interpreter() -> tuple[str, ...]:
    """What executes a Python solution: the interpreter and the packages that compile for it."""
    said = [f"{platform.python_implementation()} {platform.python_version()}"]
    for package in ("torch", "triton"):
        try:
            said.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            said.append(f"{package} absent")
    return tuple(said)
