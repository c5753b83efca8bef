"""Kill a loop at random moments until it ends, and compare it with one that nobody disturbed.

    python benchmarks/loop_kills.py [--kills 50] [--seed 0] [--mean 15] [--keep FOLDER]

The loop searches the params of a small C++ solution on the CPU, with real processes, proofs and
commits: candidates that are faster, slower, wrong, crash or do not build. Its whole process group
gets SIGKILL after a random time (exponential, --mean seconds) and the same command is started
again, until it ends by itself; kills that are left over then are spent on another loop.

Same means: the same tries with the same number, incumbent, params and ending, in the same order;
`slower` and `hopeless` are one ending here, since which word it is hangs on a measured number.
Numbers that were measured, times, and notes of interruptions differ. The branch holds one commit
for each kept try, each of study.py alone, and the work tree is clean; no process is left.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT / "src"), str(ROOT / "tests")]

import tiny  # noqa: E402
from roofmark.looping.journal import read_journal  # noqa: E402
from roofmark.looping.tries import Interrupted, Try  # noqa: E402

SOURCE = r"""
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/function.h>
#include <cstdlib>

// ROUNDS: how often the work is done. MODE: 0 right, 1 wrong, 2 crashes, 3 does not build.
static_assert(MODE != 3, "asked not to build");

void Line(tvm::ffi::TensorView x, tvm::ffi::TensorView y) {
  const float* in = static_cast<const float*>(x.data_ptr());
  float* out = static_cast<float*>(y.data_ptr());
  if (MODE == 2) std::abort();
  for (int round = 0; round < ROUNDS; ++round) {
    for (int64_t i = 0; i < x.numel(); ++i) out[i] = 2 * in[i] + (MODE == 1 ? 0 : 1);
    asm volatile("" : : "r"(out) : "memory");
  }
}
TVM_FFI_DLL_EXPORT_TYPED_FUNC(line, Line);
"""
# What a busy host does to times; the differences here are fiftyfold.
BUSY = tuple(f"RM3{n:02}" for n in (3, 4, 5, 6, 7, 9, 10, 11, 12, 14))
SPACE = ("ROUNDS=2,200,20000", "MODE=0..3")
ITERATIONS = 8
"""Chosen: the first ten points that Optuna asks for do not depend on what was measured."""
LIMIT = 3600.0


def write_study(folder):
    """Lay out the study in a git work tree."""
    tiny.write_study(
        folder,
        {"own_cpp": SOURCE},
        sizes=(16384,),
        processes=(3, 3),
        limit=30.0,
        build_limit=120.0,
        time_limit=900.0,
    )
    path = folder / "study.py"
    text = path.read_text()
    params = 'rm.Solution("own_cpp", "own_cpp.cpp::line", params={"ROUNDS": 200, "MODE": 0})'
    text = text.replace('rm.Solution("own_cpp", "own_cpp.cpp::line")', params)
    text = text.replace('baseline="honest"', f'baseline="honest", accept={BUSY}')
    path.write_text(text.replace("blocks=2, calls=2", "blocks=3, calls=7"))
    for words in (
        ("init", "--quiet"),
        ("config", "user.name", "a benchmark"),
        ("config", "user.email", "benchmark@localhost"),
        ("add", "."),
        ("commit", "--quiet", "-m", "begin"),
    ):
        git(folder, *words)


def git(folder, *words):
    return subprocess.run(
        ["git", *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def start(folder):
    """Start the loop, or go on with it, in a process group of its own."""
    code = "import sys; from roofmark.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "loop", str(folder / "study"), "-s", "own_cpp",
             *(word for each in SPACE for word in ("--search", each)), "-o", str(folder / "loop"),
             "--iterations", str(ITERATIONS), "--device", "cpu", "--margin", "0.1",
             "--commit"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with (folder / "said.log").open("ab") as said:
        return subprocess.Popen(
            words, stdout=said, stderr=said, env=environment, start_new_session=True
        )


def run_undisturbed(folder):
    """Run a loop to its end; return its exit code."""
    write_study(folder / "study")
    return start(folder).wait(timeout=LIMIT)


def run_killed(folder, rng, *, kills, mean):
    """Run a loop to its end under kills; return how many were made, and what is wrong."""
    write_study(folder / "study")
    made, wrong = 0, []
    while True:
        process = start(folder)
        patience = rng.expovariate(1 / mean) if made < kills else LIMIT
        try:
            code = process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            made += 1
            left = tiny.children_left(process.pid, patience=20)
            wrong += [f"after kill {made}: {each} is left" for each in left]
            continue
        if code not in (0, 1):
            wrong.append(f"after kill {made} it ended with {code}")
        return made, wrong


def told(folder):
    """Return what has to be the same."""
    tries = [each for each in read_journal(folder / "loop") if isinstance(each, Try)]
    lost = {"slower": "lost", "hopeless": "lost"}
    return [
        (t.number, t.against, tuple(sorted(t.params.items())), lost.get(t.ending, t.ending))
        for t in tries
    ]


def find_faults(folder):
    """Return what is wrong with branch and work tree."""
    study = folder / "study"
    kept = [each for each in told(folder) if each[3] == "kept"]
    commits = git(study, "log", "--format=%H", "--reverse").split()[1:]
    faults = []
    if len(commits) != len(kept):
        faults.append(f"{len(commits)} commits of {len(kept)} kept")
    for commit in commits:
        names = git(study, "show", "--name-only", "--format=", commit).split()
        if names != ["study.py"]:
            faults.append(f"commit {commit[:9]} holds {names}")
    if git(study, "status", "--porcelain"):
        faults.append("the work tree is not clean")
    return faults


def main():
    """Parse, run, print, and exit with 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mean", type=float, default=15.0, help="seconds between kills")
    parser.add_argument("--keep", type=Path, help="folder in which the loops stay")
    options = parser.parse_args()
    place = options.keep or Path(tempfile.mkdtemp(prefix="roofmark-kills-"))
    place.mkdir(parents=True, exist_ok=True)
    began, rng, faults = time.monotonic(), random.Random(options.seed), []
    run_undisturbed(place / "undisturbed")
    expected = told(place / "undisturbed")
    faults += find_faults(place / "undisturbed")
    print(f"undisturbed: {time.monotonic() - began:.0f} s")
    for number, against, params, ending in expected:
        print(f"  {number} against {against or 'study'}: {dict(params)} {ending}")
    made, loops = 0, 0
    while made < options.kills:
        loops += 1
        folder = place / f"killed-{loops}"
        more, wrong = run_killed(folder, rng, kills=options.kills - made, mean=options.mean)
        made += more
        found = wrong + find_faults(folder)
        if told(folder) != expected:
            found.append(f"other tries: {told(folder)}")
        cut = sum(isinstance(each, Interrupted) for each in read_journal(folder / "loop"))
        print(f"killed {more} times, {cut} interruptions told: {'; '.join(found) or 'the same'}",
              flush=True)  # fmt: skip
        faults += found
    print(f"{made} kills, {loops} loops, {len(faults)} faults; {time.monotonic() - began:.0f} s")
    if not options.keep:
        shutil.rmtree(place)
    return 1 if faults or made < options.kills else 0


if __name__ == "__main__":
    sys.exit(main())
