"""A CUDA kernel, thread by thread, on the CPU: its own source with the PTX replaced.

In: the source, the C++ that stands for each function made of PTX, a `main`. Out: a program. What is
replaced are single instructions; indices, fragments, barriers and sums are the kernel's own.
"""

import re
import subprocess
from pathlib import Path

from roofmark.bench.compiler import find_host_compiler

_FOREIGN = re.compile(r'^#include [<"](cuda|tvm|gpu_tensors).*$', re.M)


def replace_ptx(source: str, bodies: dict[str, str], main: str) -> str:
    """Return C++. bodies: name -> new body.

    Raises: ValueError when PTX is left, or there is no such function.
    """
    kernel = _FOREIGN.sub("", source)
    for name, body in bodies.items():
        kernel = _with_body(kernel, name, body)
    if re.search(r"\basm\b", kernel):
        raise ValueError("a function made of PTX has no replacement")
    return f'#include "block_on_cpu.h"\n{kernel}\n{main}'


def _with_body(text: str, name: str, body: str) -> str:
    found = re.search(rf"__device__ [\w ]+\b{name}\([^{{;]*\) {{", text)
    if found is None:
        raise ValueError(f"no function {name}")
    depth, end = 1, found.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return f"{text[: found.end()]} {body} }}{text[end:]}"


def build(text: str, folder: Path, macros: dict[str, int]) -> Path:
    """Compile and return the program. Raises: BuildError without a compiler, CalledProcessError."""
    source, program = folder / "block.cpp", folder / "block"
    source.write_text(text)
    command = [
        find_host_compiler().path,
        "-std=c++20",
        "-O1",
        "-ffp-contract=off",
        "-pthread",
        "-w",
    ]
    command += [f"-I{Path(__file__).parent}", *(f"-D{name}={n}" for name, n in macros.items())]
    subprocess.run([*command, str(source), "-o", str(program)], check=True, timeout=120)
    return program
