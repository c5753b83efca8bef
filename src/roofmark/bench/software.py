"""What surrounds a measurement: packages, tools, variables, the state of the study's folder.

In: a `Host`, a folder. Out: plain values for `Environment`. Values of secret variables are never
kept, whatever their name matches besides.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from pathlib import Path

from roofmark.bench.host import COMMAND_LIMIT, Host
from roofmark.evidence import Git
from roofmark.records import Missing

# Chosen: everything that compiles, runs or times a kernel here, or computes its reference.
_PACKAGES = frozenset(("roofmark", "torch", "triton", "pytorch-triton", "numpy", "scipy", "msgspec",
    "apache-tvm-ffi", "cupti-python", "flashinfer-python", "flash-attn", "flash-linear-attention",
    "vllm", "sglang", "xformers", "bitsandbytes", "tilelang", "mkl", "intel-openmp",
))  # fmt: skip
# Chosen: the libraries that torch loads on a GPU come as packages with these prefixes.
_PACKAGE_PREFIXES = ("nvidia-", "cuda-")

TOOLS = ("g++", "nvcc", "cuobjdump", "ncu", "nsys", "git")

# Chosen: variables that compilers, CUDA, torch, Triton, OpenMP, BLAS, the loader, the allocator
# and Python read; each can change what is built or how fast it runs.
_VARIABLES = re.compile(
    r"^(CUDA|CUBLAS|CUDNN|CUTE|CUTLASS|NVIDIA|NCCL|NVTE|TORCH|PYTORCH|TRITON|TVM|OMP|GOMP|KMP|MKL"
    r"|OPENBLAS|BLIS|DNNL|ONEDNN|ATEN|LD|MALLOC|JEMALLOC|TCMALLOC|PYTHON|ROOFMARK|INDUCTOR|FLA"
    r"|FLASHINFER|VLLM|SGLANG)_|^(PYTHON\w+|GLIBC_TUNABLES|TF32_OVERRIDE|CC|CXX|CFLAGS|CXXFLAGS"
    r"|CPPFLAGS|LDFLAGS|NVCC_\w+|CPATH|LIBRARY_PATH|TMPDIR)$"
)
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|COOKIE", re.I)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
# Chosen: longer values (a search path of a hundred entries) help nobody and bloat every bundle.
_MAX_VALUE = 4096


def collect_packages() -> dict[str, str]:
    """Return name -> version of the installed packages that can change a measurement."""
    found: dict[str, str] = {}
    for each in metadata.distributions():
        name = (each.metadata["Name"] or "").lower()
        if name in _PACKAGES or name.startswith(_PACKAGE_PREFIXES):
            # sys.path order: the first one found is the one that is imported.
            found.setdefault(name, each.version)
    return dict(sorted(found.items()))


def collect_tools(host: Host) -> dict[str, str | Missing]:
    """Return tool -> the line in which it names its version."""
    with ThreadPoolExecutor(len(TOOLS)) as pool:
        versions = pool.map(partial(read_version, host), TOOLS)
        return dict(zip(TOOLS, versions, strict=True))


def read_version(host: Host, tool: str) -> str | Missing:
    """Return the line in which one tool names its version."""
    path = host.find(tool)
    if isinstance(path, Missing):
        return path
    text = host.run([str(path), "--version"], COMMAND_LIMIT)
    return text if isinstance(text, Missing) else parse_version(text)


def parse_version(text: str) -> str | Missing:
    """Return the first line with a version number in it."""
    lines = [line.strip() for line in text.splitlines() if re.search(r"\d+\.\d+", line)]
    return lines[0][:200] if lines else Missing(reason="--version prints no version")


def collect_variables(host: Host) -> dict[str, str]:
    """Return the variables that can change a measurement, secrets replaced."""
    return {
        name: _redacted(name, value)
        for name, value in sorted(host.environ.items())
        if _VARIABLES.search(name)
    }


def collect_git(host: Host, folder: Path) -> Git | Missing:
    """Return the commit that `folder` is at, and whether anything in it differs."""
    tool = host.find("git")
    if isinstance(tool, Missing):
        return Missing(reason=f"git: {tool.reason}")
    # A repository may name a program to run on every status; it is not run.
    git = [str(tool), "-c", "core.fsmonitor=false", "-C", str(folder)]
    commit = host.run([*git, "rev-parse", "HEAD"], COMMAND_LIMIT)
    if isinstance(commit, Missing):
        return commit
    status = host.run([*git, "status", "--porcelain", "--", "."], COMMAND_LIMIT)
    if isinstance(status, Missing):
        return status
    return Git(commit=commit.strip(), dirty=bool(status.strip()))


def _redacted(name: str, value: str) -> str:
    if _SECRET.search(name):
        return "(a secret, not recorded)"
    kept = _LOGIN.sub("(login)@", value)
    if len(kept) > _MAX_VALUE:
        return f"{kept[:_MAX_VALUE]} (and {len(kept) - _MAX_VALUE} characters more)"
    return kept
