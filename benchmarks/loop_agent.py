"""A scripted agent before a real loop: every kind of candidate gets the ending that it deserves.

    python benchmarks/loop_agent.py [--device cpu|cuda] [-o FOLDER]

In turn it submits a slower candidate, one with the same machine code, a wrong one, one that keeps
its first result, one that rewrites the reference, one that crashes, and one that is truly faster.
On the CPU the solution is a small C++ loop; on a GPU it is studies/gdn_decode/cuda.cu, which starts
by doing its work twice so that there is something to gain: no more than three process sets are
needed to see it. Exit code 1 if an ending differs.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The neighbours of this file come last: statistics.py is one of them.
sys.path[:1] = [str(ROOT / "src"), str(ROOT / "tests")]
sys.path.append(str(ROOT / "benchmarks"))

import loop_kills  # noqa: E402

import roofmark as rm  # noqa: E402
import tiny  # noqa: E402
from roofmark.looping import from_folder  # noqa: E402
from roofmark.looping.journal import speedup_text  # noqa: E402

ENDINGS = {
    "1-slower": {"slower"},
    "2-equal": {"no_change"},
    "3-wrong": {"incorrect"},
    "4-keeps": {"cheated", "incorrect"},
    "5-reference": {"refused"},
    "6-crash": {"crashed"},
    "7-faster": {"kept"},
}


def replaced(text, *pairs):
    """Return a text with each first part replaced; every one of them must be there."""
    for old, new in pairs:
        if old not in text:
            raise SystemExit(f"{old!r} is not in the source any more; mend this script")
        text = text.replace(old, new)
    return text


def cpu_study(folder):
    """Write the study; return the solution's name and file, its text by candidate."""
    text = loop_kills.SOURCE.replace("MODE", "0").replace("ROUNDS", "200").replace("0 != 3", "true")
    tiny.write_study(folder, {"own_cpp": text}, sizes=(16384,), processes=(3, 3), limit=30.0,
                     build_limit=120.0, time_limit=900.0)  # fmt: skip
    path = folder / "study.py"
    accept = f'baseline="honest", accept={loop_kills.BUSY}'
    study = path.read_text().replace('baseline="honest"', accept)
    path.write_text(study.replace("blocks=2, calls=2", "blocks=3, calls=7"))
    begin = "  float* out"
    return "own_cpp", "own_cpp.cpp", {
        "1-slower": replaced(text, ("round < 200", "round < 20000")),
        "2-equal": text + "\n// The same machine code.\n",
        "3-wrong": replaced(text, ("? 0 : 1", "? 0 : 2")),
        "4-keeps": replaced(
            text, (begin, "  static int calls = 0;\n  if (calls++ > 1) return;\n" + begin)
        ),
        "5-reference": replaced(text, ("round < 200", "round < 1")),
        "6-crash": replaced(text, (begin, "  std::abort();\n" + begin)),
        "7-faster": replaced(text, ("round < 200", "round < 2")),
    }  # fmt: skip


def cuda_study(folder):
    """As `cpu_study`: one decode step of a gated delta net, done twice to begin with."""
    shutil.copytree(ROOT / "studies/gdn_decode", folder, dirs_exist_ok=True)
    study = folder / "study.py"
    limit = "time_limit=600.0"
    study.write_text(replaced(study.read_text(), (limit, f"{limit}, processes=(3, 12)")))
    fast = "    launch<WARPS, SETS, CTAS, FORGET>(p, items, stream);"
    slow = f"    for (int i = 0; i < 2; ++i)\n  {fast}"
    path = folder / "cuda.cu"
    best = path.read_text()
    text = replaced(best, (fast, slow))
    path.write_text(text)
    call = "  const cudaError_t error"
    once = "  static int calls = 0;\n  if (calls++ > 1) return;\n  const int64_t batch"
    return "cuda", "cuda.cu", {
        "1-slower": replaced(text, ("i < 2", "i < 5")),
        "2-equal": text + "\n// The same machine code.\n",
        "3-wrong": replaced(text, ("decay * k_state", "k_state")),
        "4-keeps": replaced(text, ("  const int64_t batch", once)),
        "5-reference": best,
        "6-crash": replaced(text, (call, "  std::abort();\n" + call),
                            ("#include <cstdint>", "#include <cstdint>\n#include <cstdlib>")),
        "7-faster": best,
    }  # fmt: skip


def write_candidates(folder, file, texts):
    """Lay out a folder for each candidate."""
    for name, text in texts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / file).write_text(text)
    (folder / "5-reference/reference.py").write_text("def line(x):\n    return x\n")


def main():
    """Run the loop and compare its endings; return 1 if one differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("-o", "--output", type=Path, help="folder that stays")
    asked = parser.parse_args()
    place = asked.output or Path(tempfile.mkdtemp(prefix="roofmark-agent-"))
    lay_out = {"cpu": cpu_study, "cuda": cuda_study}[asked.device]
    name, file, texts = lay_out(place / "study")
    write_candidates(place / "candidates", file, texts)
    options = rm.LoopOptions(
        device=asked.device,
        margin=0.1,
        iterations=len(ENDINGS),
        workloads=("B32", "B64") if asked.device == "cuda" else (),
    )
    propose = from_folder(place / "candidates")
    tries = rm.loop(place / "study", name, propose, place / "loop", options=options)
    wrong = 0
    for (what, right), each in zip(ENDINGS.items(), tries, strict=True):
        holds = each.ending in right
        wrong += not holds
        ratio = speedup_text(each.confirmation) or speedup_text(each.first)
        print(f"{'ok  ' if holds else 'FAIL'} {what:<12} {each.ending:<10} {ratio:<22}"
              f" {each.device_seconds:5.1f} s  {each.reason[:90]}")  # fmt: skip
    held = sum(each.device_seconds for each in tries)
    print(f"{wrong} endings differ; the device was held for {held:.0f} s")
    if not asked.output:
        shutil.rmtree(place)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
