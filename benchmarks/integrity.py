"""Does every cheat of the corpus lose, and is no honest candidate accused?

    python benchmarks/integrity.py                        # once, on the CPU
    python benchmarks/integrity.py --repetitions 20       # the claim
    python benchmarks/integrity.py --device cuda          # on a GPU
    python benchmarks/integrity.py --only patched_clock   # some of them
    python benchmarks/integrity.py --cost                 # what integrity costs, and what it moves

Prints one line per candidate: in how many of the repetitions it came out right, the codes, and what
the rule saw. Exit code 1 if any came out wrong.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

# In place of this folder, whose statistics.py would hide the standard library's.
sys.path[0] = str(Path(__file__).parents[1] / "tests" / "adversarial")

from statistics import median  # noqa: E402

from trial import Candidate, Result, read_corpus, try_candidates  # noqa: E402

# Chosen: a dozen processes that import torch fit into the memory of a small machine.
_AT_ONCE = 10


def main() -> int:
    options = _options()
    if options.cost:
        return _print_cost(options.device)
    wrong = 0
    for folder in ("cheats", "honest"):
        candidates = [
            each
            for each in read_corpus(folder, options.device)
            if not options.only or each.name in options.only
        ]
        print(f"\n{folder}: {len(candidates)} candidates, {options.repetitions} repetitions")
        wrong += _try_all(candidates, options)
    print(f"\n{wrong} candidates came out wrong")
    return 1 if wrong else 0


def _try_all(candidates: list[Candidate], options: argparse.Namespace) -> int:
    wrong = 0
    for first in range(0, len(candidates), _AT_ONCE):
        group = candidates[first : first + _AT_ONCE]
        found: dict[str, list[Result]] = {each.name: [] for each in group}
        for _ in range(options.repetitions):
            with tempfile.TemporaryDirectory() as folder:
                for result in try_candidates(
                    group, Path(folder), device=options.device, processes=options.processes
                ):
                    found[result.candidate.name].append(result)
        for results in found.values():
            wrong += not all(each.right for each in results)
            _print(results)
    return wrong


def _print(results: list[Result]) -> None:
    right = sum(each.right for each in results)
    codes = Counter(code for each in results for code in each.codes)
    shown = " ".join(f"{code}:{count}" for code, count in sorted(codes.items())) or "-"
    mark = "ok   " if right == len(results) else "WRONG"
    name = results[0].candidate.name
    print(
        f"{mark} {name:24} {right}/{len(results)}  {shown:28} {results[0].said[:150]}", flush=True
    )


def _print_cost(device: str) -> int:
    """Run honest candidates with batches and cages and without; print what both take."""
    from roofmark.bench import crew, measure, process  # the parts that are switched off
    from roofmark.bundle import open_bundle
    from roofmark.evidence import Passed

    honest = [c for c in read_corpus("honest", device) if c.name in ("workspace", "writes_output")]
    took: dict[str, list[float]] = {"with": [], "without": []}
    medians: dict[str, dict[str, list[float]]] = {"with": {}, "without": {}}
    real = (measure.take_batches, measure.note_restless, process.pause_below, crew.in_words)
    for _ in range(3):
        for way in ("with", "without"):
            if way == "without":
                measure.take_batches = measure.note_restless = lambda *_: None
                process.pause_below = lambda _: None
                crew.in_words = lambda _: ""
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                try_candidates(honest, Path(folder), device=device, processes=5)
                took[way].append(time.perf_counter() - start)
                for trace in open_bundle(Path(folder) / "bundle").traces():
                    if isinstance(trace.outcome, Passed):
                        samples = [
                            sample
                            for m in trace.outcome.measurements
                            for visit in m.visits
                            for sample in visit.samples
                        ]
                        medians[way].setdefault(trace.solution, []).append(median(samples))
            measure.take_batches, measure.note_restless, process.pause_below, crew.in_words = real
    ratio = median(took["with"]) / median(took["without"])
    print(f"run time: {median(took['with']):.1f} s with, {median(took['without']):.1f} s without: "
          f"{ratio:.2f}x")  # fmt: skip
    for name in medians["with"]:
        with_, without = (median(medians[way][name]) for way in ("with", "without"))
        print(f"{name:16} {with_ * 1e6:9.1f} us with, {without * 1e6:9.1f} us without: "
              f"{100 * (with_ / without - 1):+.1f} %")  # fmt: skip
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--processes", type=int, default=3, help="process sets of each study")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--cost", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
