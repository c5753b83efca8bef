"""Which instruction sets a host library's machine code uses.

In: a library. Out: names such as "avx2", found by disassembly: what a flag allowed is not proof of
what the compiler emitted. Code of tvm-ffi's headers and of the C++ library does not count, because
every library holds it. A clone made by `target_clones` counts although the processor chooses at
load time whether it runs; code in other shared libraries (BLAS) does not.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from roofmark.bench.tool import run_tool
from roofmark.records import Missing

_LIMIT = 120.0  # Chosen: objdump needs about a second for each 20 MB of machine code.
# Chosen: the disassembly of about 10 MB of machine code; a larger library is not one kernel.
_MAX_OUTPUT = 256 * 2**20
_SYMBOL = re.compile(r"^[0-9a-f]+ <(.+)>:$")
_INSTRUCTION = re.compile(r"^ *[0-9a-f]+:\t(\S+)\s*(.*)$")
# Source: Itanium C++ ABI mangling: N3tvm3ffi = tvm::ffi, St = std, NSt = inside std. The wrapper
# `unpack_call` is kept: the compiler inlines a kernel into it.
_FOREIGN = re.compile(r"^(_ZN?K?(3tvm3ffi|St|NSt|NKSt)|_ZNK?(3tvm3ffi|St)|_ZN9__gnu_cxx)")

# (name, mnemonic, operands): an instruction with both proves the instruction set.
# Source: Intel 64 and IA-32 manual, volume 2 (CPUID feature flag column of each instruction).
# "avx" asks for 256-bit registers: scalar code in AVX encoding would say nothing.
_X86 = (
    ("sse2", r"", r"%xmm"),
    ("ssse3", r"^(pshufb|phadd|pmulhrsw|palignr|pabs)", r"%xmm"),
    ("sse4_1", r"^(pmulld|pblend|blend|pmin[su]d|pmax[su]d|round|dpp|p(insr|extr)[bdq])", r"%x"),
    ("sse4_2", r"^(pcmpgtq|crc32|pcmp[ei]str)", r""),
    ("avx", r"^v", r"%ymm"),
    ("avx2", r"^vp(?!erm2f128|ermilp|test)|^v(broadcasti|inserti|extracti)128", r"%ymm"),
    ("fma", r"^vfn?m(add|sub|addsub|subadd)\d{3}", r"%[xy]mm"),
    ("f16c", r"^vcvt(ph2ps|ps2ph)$", r"%[xy]mm"),
    ("bmi2", r"^(mulx|pdep|pext|rorx|sarx|shlx|shrx|bzhi)", r""),
    ("avx512f", r"^v", r"%zmm"),
    ("avx512bw", r"^v(p(add|sub|min|max|mull|mulh|cmp|avg|abs|sll|sra|srl)\w*[bw]$|movdqu(8|16))",
     r"%zmm"),
    ("avx512vl", r"^v", r"%[xy]mm(1[6-9]|2\d|3[01])|%[xy]mm.*\{%k|\{%k.*%[xy]mm"),
    ("avx512_bf16", r"^v(dpbf16ps|cvtne2?ps2bf16)", r""),
    ("avx512_vnni", r"^vpdp(bus|wss)ds?$", r"%zmm"),
    ("avx512_fp16", r"^v\w+(ph|sh)$(?<!ps2ph)", r"%zmm"),
    ("amx_tile", r"^(ldtilecfg|tileload|tilestore|tilezero)", r""),
    ("amx_int8", r"^tdpb(ss|su|us|uu)d", r""),
    ("amx_bf16", r"^tdpbf16ps", r""),
)  # fmt: skip
# Source: Arm ARM, A64: Advanced SIMD operands are v0-v31, SVE operands z0-z31.
_ARM = (("neon", r"", r"\bv\d+\.\d*[bhsd]"), ("sve", r"", r"\bz\d+\.[bhsdq]"))
_TABLES = {"x86-64": _X86, "aarch64": _ARM}

# Targets that more than their own name proves: one of these must be found.
# Source: x86-64 psABI, micro-architecture levels. AVX2 is the integer half of 256-bit vectors: a
# float kernel built for it holds AVX instructions alone.
ENOUGH = {
    "avx2": ("avx2", "avx"),
    "x86-64": ("sse2",),
    "x86-64-v2": ("ssse3", "sse4_1", "sse4_2"),
    "x86-64-v3": ("avx", "avx2", "fma", "f16c", "bmi2"),
    "x86-64-v4": ("avx512f", "avx512bw", "avx512vl"),
}


def find_isa(library: Path, machine: str) -> tuple[str, ...] | Missing:
    """Return the instruction sets found in `library`, in a fixed order."""
    table = _TABLES.get(machine)
    program = shutil.which("objdump")
    if table is None:
        return Missing(reason=f"roofmark knows no instruction sets of {machine}")
    if program is None:
        return Missing(reason="objdump is not installed; it comes with binutils")
    told = run_tool(
        (program, "--disassemble", "--no-show-raw-insn", str(library)),
        folder=library.parent,
        environment={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        limit=_LIMIT,
        keep=_MAX_OUTPUT,
    )
    if told.status != 0 or told.timed_out or not told.complete:
        return Missing(reason="objdump could not disassemble the whole library")
    return parse_isa(told.output, table)


def parse_isa(disassembly: str, table: tuple[tuple[str, str, str], ...] = _X86) -> tuple[str, ...]:
    """Return the instruction sets in the output of objdump (AT&T syntax)."""
    patterns = [(name, re.compile(what), re.compile(on)) for name, what, on in table]
    found: set[str] = set()
    for mnemonic, operands in set(_instructions(disassembly)):
        found |= {
            name
            for name, what, on in patterns
            if name not in found and what.search(mnemonic) and on.search(operands)
        }
    return tuple(name for name, _, _ in table if name in found)


def _instructions(disassembly: str) -> Iterator[tuple[str, str]]:
    counts = True
    for line in disassembly.splitlines():
        if symbol := _SYMBOL.match(line):
            counts = not _FOREIGN.match(symbol[1]) or "unpack_call" in symbol[1]
        elif counts and (instruction := _INSTRUCTION.match(line)):
            yield instruction[1], instruction[2]
