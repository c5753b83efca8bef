"""The store of built libraries: what may be served again, and what may not."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from building import Bench

from roofmark.bench.build import BuildError
from roofmark.bench.store import StoredBuild, read_depfile, stored_build
from roofmark.evidence import Build
from roofmark.records import digest
from roofmark.study import Solution

PLAIN = 'extern "C" int answer() { return 42; }\n'
SOLUTION = Solution("plain", "plain.cpp::answer")


def _entries(bench: Bench) -> list[Path]:
    return sorted(each for each in bench.cache.iterdir() if each.is_dir())


def _seconds(built: tuple[Build, Path]) -> object:
    return built[0].seconds


def test_the_same_question_is_not_compiled_twice(bench: Bench, needs_cxx: None) -> None:
    first = bench.build(SOLUTION, plain__cpp=PLAIN)
    entry = _entries(bench)[0] / "entry.json"
    before = entry.stat().st_mtime_ns
    second = bench.build(SOLUTION, plain__cpp=PLAIN)
    assert first[0] == second[0] and entry.stat().st_mtime_ns == before
    assert second[1].read_bytes() == first[1].read_bytes()
    assert second[1].with_suffix(".log").read_text() == first[1].with_suffix(".log").read_text()


def test_an_entry_serves_another_solution_under_its_own_name(bench: Bench, needs_cxx: None) -> None:
    bench.build(SOLUTION, plain__cpp=PLAIN)
    other = bench.build(Solution("again", "plain.cpp::answer"), plain__cpp=PLAIN)
    assert other[0].solution == "again" and len(_entries(bench)) == 1


def test_the_same_sources_in_another_place_are_not_compiled_twice(
    bench: Bench, needs_cxx: None
) -> None:
    """A loop lays the incumbent and the candidate out in folders of their own."""
    bench.build(SOLUTION, plain__cpp=PLAIN)
    moved = Solution("moved", "candidate/plain.cpp::answer")
    bench.build(moved, candidate___plain__cpp=PLAIN)
    assert len(_entries(bench)) == 1


def test_folders_that_flags_name_are_found_from_where_the_compiler_works(
    bench: Bench, needs_cxx: None
) -> None:
    text = '#include "answer.h"\nextern "C" int answer() { return ANSWER; }\n'
    for place in ("", "candidate/"):
        sources = (f"{place}src/inc/answer.h",)
        own = Solution("s", f"{place}src/a.cpp::answer", sources=sources, flags=("-Isrc/inc",))
        start = place.replace("/", "___")
        files = {f"{start}src___a__cpp": text, f"{start}src___inc___answer__h": "#define ANSWER 1"}
        bench.build(own, **files)
    assert len(_entries(bench)) == 1


@pytest.mark.parametrize(
    ("solution", "text"),
    [(SOLUTION, PLAIN + "// changed"), (Solution("p", "plain.cpp::answer", flags=("-O1",)), PLAIN)],
)
def test_other_bytes_or_flags_are_another_entry(
    solution: Solution, text: str, bench: Bench, needs_cxx: None
) -> None:
    bench.build(SOLUTION, plain__cpp=PLAIN)
    bench.build(solution, plain__cpp=text)
    assert len(_entries(bench)) == 2


def test_a_changed_header_outside_the_folder_is_not_served(
    bench: Bench, needs_cxx: None, tmp_path: Path
) -> None:
    header = tmp_path / "value.h"
    source = f'#include "{header}"\nextern "C" int answer() {{ return VALUE; }}\n'
    header.write_text("#define VALUE 1\n")
    one = bench.build(SOLUTION, plain__cpp=source)
    header.write_text("#define VALUE 2\n")
    two = bench.build(SOLUTION, plain__cpp=source)
    assert one[0].source == two[0].source and one[0].binary != two[0].binary
    header.unlink()
    with pytest.raises(BuildError, match=r"value\.h"):
        bench.build(SOLUTION, plain__cpp=source)


@pytest.mark.parametrize("damaged", ["library.so", "entry.json"])
@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_a_damaged_entry_is_built_again(
    damaged: str, how: str, bench: Bench, needs_cxx: None
) -> None:
    first, _ = bench.build(SOLUTION, plain__cpp=PLAIN)
    victim = _entries(bench)[0] / damaged
    data = victim.read_bytes()
    {
        "changed": lambda: victim.write_bytes(data[:500] + b"?" + data[501:]),
        "cut": lambda: victim.write_bytes(data[: len(data) // 2]),
        "gone": victim.unlink,
    }[how]()
    second, library = bench.build(SOLUTION, plain__cpp=PLAIN)
    assert second.binary == first.binary == digest(library.read_bytes())
    assert digest((_entries(bench)[0] / "library.so").read_bytes()) == first.binary


def test_a_library_handed_out_does_not_touch_the_store(bench: Bench, needs_cxx: None) -> None:
    first, library = bench.build(SOLUTION, plain__cpp=PLAIN)
    library.chmod(0o600)
    library.write_bytes(b"changed by somebody")
    second, _ = bench.build(SOLUTION, plain__cpp=PLAIN)
    assert second.binary == first.binary


def test_linker_inputs_are_not_stored(bench: Bench, needs_cxx: None) -> None:
    bench.build(Solution("p", "plain.cpp::answer", flags=("-lm",)), plain__cpp=PLAIN)
    assert not bench.cache.exists()


def _made(name: str) -> tuple[StoredBuild, bytes]:
    data = name.encode()
    return (
        StoredBuild(binary=digest(data), command=(), compiler="", seconds=0.1, log=name, inputs={}),
        data,
    )


def _slow_build(cache: Path, key: str, told: Path, wait: float) -> None:
    def compile_now() -> tuple[StoredBuild, bytes]:
        with told.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(wait)
        return _made("same")

    stored_build(cache, key, compile_now, limit=30)


def _start(*arguments: object) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=_slow_build, args=arguments)
    process.start()
    return process


def test_of_two_runs_one_builds_and_the_other_waits(tmp_path: Path) -> None:
    told = tmp_path / "told"
    both = [_start(tmp_path / "cache", "key", told, 0.4) for _ in range(2)]
    for process in both:
        process.join(20)
        assert process.exitcode == 0
    assert len(told.read_text().splitlines()) == 1


def test_a_run_killed_while_building_leaves_no_lock_and_no_entry(tmp_path: Path) -> None:
    cache, told = tmp_path / "cache", tmp_path / "told"
    victim = _start(cache, "key", told, 30.0)
    while not told.exists():
        time.sleep(0.01)
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    victim.join(20)
    started = time.monotonic()
    entry, data, hit = stored_build(cache, "key", lambda: _made("fresh"), limit=30)
    assert (entry.log, data, hit) == ("fresh", b"fresh", False)
    assert time.monotonic() - started < 5


def test_a_half_written_entry_is_removed(tmp_path: Path) -> None:
    partial = tmp_path / "key.partial"
    partial.mkdir()
    (partial / "library.so").write_bytes(b"half")
    stored_build(tmp_path, "key", lambda: _made("whole"), limit=5)
    assert not partial.exists()
    assert stored_build(tmp_path, "key", lambda: _made("never"), limit=5)[1:] == (b"whole", True)


def test_a_failure_is_not_stored(tmp_path: Path) -> None:
    def fail() -> tuple[StoredBuild, bytes]:
        raise BuildError("no")

    with pytest.raises(BuildError):
        stored_build(tmp_path, "key", fail, limit=5)
    assert stored_build(tmp_path, "key", lambda: _made("good"), limit=5)[2] is False


def test_a_waiter_that_waited_too_long_builds_without_storing(tmp_path: Path) -> None:
    told = tmp_path / "told"
    holder = _start(tmp_path, "key", told, 2.0)
    while not told.exists():
        time.sleep(0.01)
    assert stored_build(tmp_path, "key", lambda: _made("own"), limit=0.1)[1] == b"own"
    holder.join(20)
    assert stored_build(tmp_path, "key", lambda: _made("own"), limit=5)[1:] == (b"same", True)


def test_a_depfile_with_spaces_and_several_rules_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    odd = tmp_path / "odd name.h"
    odd.write_text("x")
    (tmp_path / "b.h").write_text("y")
    escaped = str(odd).replace(" ", "\\ ")
    depfile = folder / "d"
    depfile.write_text(f"lib.so: a.cpp \\\n {escaped}\nother.o: {tmp_path}/b.h a.cpp\n")
    assert read_depfile(depfile, folder) == {
        str(odd): digest(b"x"),
        str(tmp_path / "b.h"): digest(b"y"),
    }
