"""C++ solutions, built by the compiler that is here."""

import os
import time
from pathlib import Path

import pytest
from building import SCALE, Bench

from roofmark.bench.build import BuildError, build_python, source_digest
from roofmark.bench.compiler import clean_environment, compile_command, find_compiler
from roofmark.evidence import Build, Target
from roofmark.records import Missing, digest
from roofmark.study import Solution

PLAIN = 'extern "C" int answer() { return 42; }\n'


def test_the_record_says_what_was_built(scale: tuple[Build, Path]) -> None:
    build, library = scale
    assert build.binary == digest(library.read_bytes())
    assert "-mavx2" in build.command and "scale.cpp" in build.command
    assert "g++" in str(build.compiler) or "clang" in str(build.compiler)
    assert Target(kind="elf", name="x86-64") in build.targets
    assert {"avx", "avx2"} & {each.name for each in build.targets if each.kind == "isa"}
    assert not build.ptx_only and build.kernels == ()
    assert library.with_suffix(".log").read_text().startswith("$ ")
    assert not any(str(Path.home()) in part for part in build.command)


def test_a_target_that_the_compiler_did_not_use_is_refused(bench: Bench, needs_cxx: None) -> None:
    solution = Solution("plain", "plain.cpp::answer", target="avx2")
    with pytest.raises(BuildError, match="asked for avx2; the binary holds"):
        bench.build(solution, plain__cpp=PLAIN)


def test_a_target_that_a_flag_takes_away_is_refused(bench: Bench, needs_cxx: None) -> None:
    flags = ("-mno-avx", "-mno-fma")
    solution = Solution("scale", "scale.cpp::scale", target="avx2", flags=flags)
    with pytest.raises(BuildError, match="asked for avx2; the binary holds sse2"):
        bench.build(solution, scale__cpp=SCALE)


def test_an_unknown_target_is_refused_before_compiling(bench: Bench, needs_cxx: None) -> None:
    solution = Solution("plain", "plain.cpp::answer", target="mmx3")
    with pytest.raises(BuildError, match=r"'mmx3'.*avx2"):
        bench.build(solution, plain__cpp=PLAIN)


def test_a_syntax_error_brings_the_compilers_words(bench: Bench, needs_cxx: None) -> None:
    with pytest.raises(BuildError, match="expected") as caught:
        bench.build(Solution("bad", "bad.cpp::f"), bad__cpp="int f( { return 0; }\n")
    assert "bad.cpp:1" in caught.value.log and caught.value.log.startswith("$ ")


def test_a_missing_source_is_named(bench: Bench) -> None:
    solution = Solution("two", "two.cpp::f", sources=("other.h",))
    with pytest.raises(BuildError, match=r"missing: other\.h"):
        bench.build(solution, two__cpp=PLAIN)


def test_a_late_compiler_is_killed_with_its_children(
    bench: Bench, needs_cxx: None, tmp_path: Path
) -> None:
    endless = "constexpr long f() { long s = 0; for (long i = 0; i < 1L << 40; ++i) s += i;"
    endless += " return s; }"
    flags = ("-fconstexpr-loop-limit=2147483647", "-fconstexpr-ops-limit=4611686018427387904")
    endless += "\nstatic_assert(f() > 0);\n"
    started = time.monotonic()
    with pytest.raises(BuildError, match=r"did not end within 0\.5 s"):
        bench.build(Solution("slow", "slow.cpp::f", flags=flags), slow__cpp=endless, limit=0.5)
    assert time.monotonic() - started < 10
    # A killed process takes a moment to go; one that was missed would compute for hours.
    while _running_in(tmp_path):
        assert time.monotonic() - started < 10
        time.sleep(0.05)


def _running_in(folder: Path) -> list[int]:
    """Processes whose working folder lies in `folder`, which every part of a compiler's does."""
    found: list[int] = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            try:
                place = (each / "cwd").readlink()
            except OSError:
                continue
            if place.is_relative_to(folder):
                found.append(int(each.name))
    return found


def test_an_endless_include_ends(bench: Bench, needs_cxx: None) -> None:
    solution = Solution("zero", "zero.cpp::f")
    with pytest.raises(BuildError):
        bench.build(solution, zero__cpp='#include "/dev/zero"\n', limit=1.5)


@pytest.mark.parametrize(
    "flag",
    ["-fplugin=./evil.so", "-wrapper", "@options", "-Wl,-plugin,evil.so", "-ccbin=./evil",
     "-specs=evil", "-o", "-B.", "-Xcompiler=-fplugin=evil.so", "-fuse-ld=./evil"],
)  # fmt: skip
def test_flags_that_run_code_in_the_compiler_are_refused(flag: str, bench: Bench) -> None:
    with pytest.raises(BuildError, match="not allowed"):
        bench.build(Solution("plain", "plain.cpp::f", flags=(flag,)), plain__cpp=PLAIN)


def test_ordinary_flags_are_not_refused() -> None:
    flags = (
        "-fopenmp",
        "-ffast-math",
        "-Xptxas=-O1",
        "-lineinfo",
        "-Wl,-Bsymbolic",
        "--maxrregcount=64",
    )
    solution = Solution("plain", "plain.cpp::f", flags=flags)
    command = compile_command(solution, find_compiler(solution), capability=None)
    assert set(flags) <= set(command)


def test_the_callers_variables_do_not_reach_the_compiler(
    bench: Bench, needs_cxx: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hidden.h").write_text("#define ANSWER 1\n")
    monkeypatch.setenv("CPATH", str(tmp_path))
    monkeypatch.setenv("CXXFLAGS", "-DANSWER=1")
    source = "#if __has_include(<hidden.h>) || defined(ANSWER)\n#error leaked\n#endif\nint f;\n"
    bench.build(Solution("clean", "clean.cpp::f"), clean__cpp=source)
    assert "CPATH" not in clean_environment() and "CXXFLAGS" not in clean_environment()


def test_without_a_compiler_the_error_says_how_to_get_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(BuildError, match=r"install g\+\+ or set CXX"):
        bench.build(Solution("plain", "plain.cpp::f"), plain__cpp=PLAIN)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BuildError, match="CXX='no-such-compiler'"):
        bench.build(Solution("plain", "plain.cpp::f"), plain__cpp=PLAIN)


def test_source_digest_covers_names_and_bytes(tmp_path: Path) -> None:
    solution = Solution("s", "a.py::f", sources=("b.py",))
    (tmp_path / "a.py").write_text("xy")
    (tmp_path / "b.py").write_text("z")
    first = source_digest(solution, tmp_path)
    (tmp_path / "a.py").write_text("x")
    (tmp_path / "b.py").write_text("yz")
    second = source_digest(solution, tmp_path)
    (tmp_path / "c.py").write_text("yz")
    renamed = Solution("s", "a.py::f", sources=("c.py",))
    assert len({first, second, source_digest(renamed, tmp_path)}) == 3


def test_a_python_solution_is_recorded_as_interpreted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f(): ...")
    build = build_python(Solution("s", "a.py::f"), tmp_path)
    assert isinstance(build.compiler, Missing) and isinstance(build.binary, Missing)
    assert any(part.startswith("torch ") for part in build.command)
