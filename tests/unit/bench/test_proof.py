"""Reading binaries: our readers against NVIDIA's, against made-up bytes, and against damage."""

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roofmark.bench.proof.cubin import parse_cubin
from roofmark.bench.proof.cuobjdump import find_cuobjdump, list_with_cuobjdump, parse_listing
from roofmark.bench.proof.elf import parse_elf
from roofmark.bench.proof.errors import BuildError
from roofmark.bench.proof.fatbin import parse_fatbins
from roofmark.bench.proof.isa import parse_isa
from roofmark.bench.proof.library import Proof, prove
from roofmark.bench.proof.ptxas import parse_ptxas
from roofmark.bench.proof.target import check_runs_on, check_target, runs_on
from roofmark.evidence import Build, Target
from roofmark.records import Missing

ALL = {("sass", "sm_75"), ("sass", "sm_90"), ("sass", "sm_90a"), ("sass", "sm_100f"),
       ("sass", "sm_120a"), ("ptx", "sm_90"), ("ptx", "sm_90a"), ("ptx", "sm_100f")}  # fmt: skip


# --- device code ---------------------------------------------------------------------------------
def test_every_architecture_in_a_fatbin_is_found(fatbin: Path) -> None:
    code = list(parse_fatbins(fatbin.read_bytes()))
    assert {(each.kind, each.target) for each in code} == ALL
    # nvcc compresses PTX by default, so reading on behind compressed entries is tried here too.
    assert any(each.kind == "ptx" and each.payload is None for each in code)


def test_our_reader_and_nvidias_agree(fatbin: Path) -> None:
    if find_cuobjdump() is None:
        pytest.skip("cuobjdump is neither in the CUDA toolkit nor with Triton")
    listing = list_with_cuobjdump(fatbin)
    assert listing is not None
    code = list(parse_fatbins(fatbin.read_bytes()))
    ours = {
        (each.target, kernel.name, kernel.registers, kernel.stack, kernel.shared)
        for each in code
        if each.kind == "sass" and each.payload
        for kernel in parse_cubin(each.payload).kernels
    }
    assert ours == set(listing.kernels) and len(ours) == 10
    assert listing.targets == ALL


def test_ptxas_words_agree_with_the_cubins(fatbin: Path) -> None:
    said = {
        (each.target, each.name, each.registers, each.stack)
        for each in parse_ptxas((fatbin.parent / "log").read_text())
    }
    read = {
        (each.target, kernel.name, kernel.registers, kernel.stack)
        for each in parse_fatbins(fatbin.read_bytes())
        if each.kind == "sass" and each.payload
        for kernel in parse_cubin(each.payload).kernels
    }
    assert said == read


def _entry(kind: int, architecture: int, flags: int, payload: bytes) -> bytes:
    head = struct.pack("<HHIQ", kind, 0x101, 64, len(payload)) + bytes(12)
    head += struct.pack("<I", architecture) + bytes(8) + struct.pack("<Q", flags)
    return head.ljust(64, b"\0") + payload


def _container(*entries: bytes) -> bytes:
    body = b"".join(entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def test_containers_with_padding_between_them_are_all_read() -> None:
    first = _container(_entry(2, 90, 0x100011, b"x" * 8), _entry(1, 80, 0x11, b"y" * 8))
    found = list(parse_fatbins(first + bytes(16) + _container(_entry(2, 75, 0x8011, b"z" * 8))))
    assert [(each.kind, each.target, each.payload is None) for each in found] == [
        ("sass", "sm_90a", False), ("ptx", "sm_80", False), ("sass", "sm_75", True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "damaged",
    [
        b"\x01" + bytes(15),
        _container(_entry(2, 90, 0, b"x" * 8))[:-4],
        _container(_entry(7, 90, 0, b"x" * 8)),
        struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 2**60),
        struct.pack("<IHHQ", 0xBA55ED50, 1, 0, 0),
        _container(struct.pack("<HHIQ", 2, 1, 0, 0).ljust(64, b"\0")),
    ],
    ids=["magic", "cut", "kind", "size", "header", "endless"],
)
def test_a_damaged_fatbin_proves_nothing(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="fatbin"):
        list(parse_fatbins(damaged))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_readers_never_fail_otherwise_than_by_saying_so(data: st.DataObject) -> None:
    whole = _container(_entry(2, 90, 0x11, b"\x7fELF\x02\x01" + bytes(80)))
    noise = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        noise[data.draw(st.integers(0, len(noise) - 1))] = data.draw(st.integers(0, 255))
    for read in (lambda b: list(parse_fatbins(b)), parse_elf, parse_cubin):
        try:
            read(bytes(noise))
            read(bytes(noise[80:]))
        except ValueError:
            continue


def test_a_cut_cubin_is_told(fatbin: Path) -> None:
    cubin = next(e.payload for e in parse_fatbins(fatbin.read_bytes()) if e.payload)
    for size in (0, 20, 64, len(cubin) // 2, len(cubin) - 1):
        with pytest.raises(ValueError, match="ELF"):
            parse_cubin(cubin[:size])


# --- host code -----------------------------------------------------------------------------------
def _listing(*lines: str, symbol: str = "_Z3Runv") -> str:
    body = "\n".join(f"    {n:4x}:\t{line}" for n, line in enumerate(lines))
    return f"0000000000001000 <{symbol}>:\n{body}\n"


@pytest.mark.parametrize(
    ("line", "isa"),
    [
        ("movss  (%rdi),%xmm0", ("sse2",)),
        ("vmovss (%rdi),%xmm0", ("sse2",)),
        ("vmulps %ymm1,%ymm2,%ymm3", ("avx",)),
        ("vperm2f128 $0x1,%ymm0,%ymm0,%ymm1", ("avx",)),
        ("vpaddd %ymm1,%ymm2,%ymm3", ("avx", "avx2")),
        ("vextracti128 $0x1,%ymm0,%xmm1", ("sse2", "avx", "avx2")),
        ("vfmadd231ps %ymm1,%ymm2,%ymm3", ("avx", "fma")),
        ("vaddps %zmm1,%zmm2,%zmm3", ("avx512f",)),
        ("vaddps %ymm17,%ymm2,%ymm3", ("avx", "avx512vl")),
        ("vdpbf16ps %zmm1,%zmm2,%zmm3", ("avx512f", "avx512_bf16")),
        ("tdpbf16ps %tmm1,%tmm2,%tmm3", ("amx_bf16",)),
        ("ret", ()),
    ],
)
def test_one_instruction_names_its_set(line: str, isa: tuple[str, ...]) -> None:
    assert parse_isa(_listing(line)) == isa


def test_code_of_headers_does_not_count_but_an_inlined_kernel_does() -> None:
    line = "vmulps %ymm1,%ymm2,%ymm3"
    assert parse_isa(_listing(line, symbol="_ZN3tvm3ffi6String4copyEv")) == ()
    assert parse_isa(_listing(line, symbol="_ZNSt6vectorIfSaIfEE4pushEv")) == ()
    inlined = "_ZN3tvm3ffi7details11unpack_callIvEEv"
    assert parse_isa(_listing(line, symbol=inlined)) == ("avx",)


def test_a_binary_that_objdump_cannot_show_proves_no_instruction_set(
    scale: tuple[Build, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    proof = prove(scale[1])
    assert isinstance(proof.isa, Missing) and "binutils" in proof.isa.reason
    with pytest.raises(BuildError, match="binutils"):
        check_target(proof, "avx2")


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.so").write_bytes(b"#!/bin/sh\n")
    with pytest.raises(BuildError, match="cannot be read"):
        prove(tmp_path / "a.so")


# --- what was asked for --------------------------------------------------------------------------
def _proof(*device: tuple[str, str], isa: tuple[str, ...] = ()) -> Proof:
    targets = tuple(Target(kind=kind, name=name) for kind, name in device)  # type: ignore[arg-type]
    return Proof(targets=targets, kernels=(), isa=isa)


@pytest.mark.parametrize(
    ("sass", "device", "runs"),
    [
        ("sm_90", "9.0", True), ("sm_90a", "9.0", True), ("sm_80", "8.6", True),
        ("sm_86", "8.0", False), ("sm_80", "9.0", False), ("sm_90a", "10.0", False),
        ("sm_100a", "10.3", False), ("sm_100f", "10.3", True), ("sm_120a", "12.0", True),
    ],
)  # fmt: skip
def test_which_sass_runs_where(sass: str, device: str, runs: bool) -> None:
    assert runs_on(sass, device) is runs


def test_sm_90_is_not_sm_90a() -> None:
    with pytest.raises(BuildError, match="asked for sm_90a; the binary holds sm_90"):
        check_target(_proof(("sass", "sm_90")), "sm_90a")
    check_target(_proof(("sass", "sm_90"), ("sass", "sm_90a")), "sm_90a")


def test_code_without_an_image_for_the_device_is_refused() -> None:
    with pytest.raises(BuildError, match="no kernel image"):
        check_runs_on(_proof(("sass", "sm_80"), ("ptx", "sm_100")), "9.0")
    with pytest.raises(BuildError, match="no device code"):
        check_target(_proof(), "sm_90a")
    check_runs_on(_proof(), "9.0")


def test_ptx_only_is_about_the_device_it_runs_on() -> None:
    proof = _proof(("sass", "sm_80"), ("ptx", "sm_80"))
    assert proof.ptx_only("9.0") and not proof.ptx_only("8.0") and not proof.ptx_only(None)
    check_runs_on(proof, "9.0")


@pytest.mark.parametrize(
    ("isa", "wanted", "holds"),
    [
        (("avx",), "avx2", True), (("sse2",), "avx2", False), (("avx",), "avx512f", False),
        (("fma",), "x86-64-v3", True), (("sse2",), "x86-64-v3", False), (("sse2",), "native", True),
        ((), "native", False), (("neon",), "armv8-a", True), (("neon",), "armv8-a+sve", False),
    ],
)  # fmt: skip
def test_which_instructions_prove_which_target(
    isa: tuple[str, ...], wanted: str, holds: bool
) -> None:
    if holds:
        check_target(_proof(isa=isa), wanted)
    else:
        with pytest.raises(BuildError, match=re.escape(f"asked for {wanted};")):
            check_target(_proof(isa=isa), wanted)


# --- the log -------------------------------------------------------------------------------------
LOG = """ptxas info    : Compiling entry function 'k' for 'sm_90a'
ptxas info    : Function properties for k
    176 bytes stack frame, 16 bytes spill stores, 12 bytes spill loads
ptxas info    : Function properties for helper
    8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 176 bytes cumulative stack size, 256 bytes smem
"""


def test_ptxas_words_are_read_per_entry() -> None:
    (usage,) = parse_ptxas(LOG)
    assert (usage.name, usage.target, usage.registers) == ("k", "sm_90a", 32)
    assert (usage.stack, usage.spill, usage.shared) == (176, 16, 256)
    assert parse_ptxas(LOG[: LOG.index("Used")]) == []


def test_a_listing_keeps_kind_and_architecture_together() -> None:
    text = (
        "Fatbin elf code:\n================\narch = sm_90a\n"
        " Function k:\n  REG:32 STACK:176 SHARED:1280 LOCAL:0\n"
        "Fatbin ptx code:\n================\narch = sm_90\n"
    )
    listing = parse_listing(text)
    assert listing.targets == {("sass", "sm_90a"), ("ptx", "sm_90")}
    assert listing.kernels == {("sm_90a", "k", 32, 176, 1280)}
