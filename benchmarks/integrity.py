"""Does every cheat of the corpus lose, and is no honest candidate accused?

    python benchmarks/integrity.py                        # once, on the CPU
    python benchmarks/integrity.py --repetitions 20       # the claim
    python benchmarks/integrity.py --device cuda          # on a GPU
    python benchmarks/integrity.py --only patched_clock   # some of them
    python benchmarks/integrity.py --late 4 --only interposed workspace  # on a host of slow signals
    python benchmarks/integrity.py --cost --repetitions 3 # what integrity costs, and what it moves
    python benchmarks/integrity.py --cost --study studies/gdn_decode --only triton

    python benchmarks/integrity.py --keep out/corpus --repetitions 20   # goes on where it stopped

Prints one line per candidate: in how many of the repetitions it was refused by a rule that fits
(honest ones: was accused of nothing), how often a busy host left the verdict undecided (RM517) and
nothing else was seen, how often it came out wrong, then the codes, and what the rule saw. With
--keep, bundles stay, and what is there is not measured again. Exit code 1 if any came out wrong.
"""

import argparse
import contextlib
import hashlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path

# In place of this folder, whose statistics.py would hide the standard library's.
sys.path[0] = str(Path(__file__).parents[1] / "tests" / "adversarial")

from statistics import median  # noqa: E402

from trial import (  # noqa: E402
    Candidate,
    Result,
    judge_candidates,
    read_corpus,
    try_candidates,
)

from roofmark import api  # noqa: E402
from roofmark.bench import crew, measure, process, waiting  # noqa: E402
from roofmark.bundle import open_bundle  # noqa: E402
from roofmark.evidence import Passed  # noqa: E402
from roofmark.loading import load_study  # noqa: E402
from roofmark.options import RunOptions  # noqa: E402

# Source: 18 to 20 ms in place of 24 to 27 for three of ten batches on a host of 32 busy cores, and
# 7 to 9 in place of 10 to 13 for their empty ones.
_LATE = 0.7

# Chosen: one that returns its output and one that is given it.
_COST = ("workspace", "writes_output")


def main() -> int:
    options = _options()
    if options.cost:
        return _print_cost(options)
    if options.late:
        _stop_clocks_late(options.late * 1e-3)
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


def _stop_clocks_late(seconds: float) -> None:
    """Have seven of ten batches, empty or not, end late by this much: a host of two moods."""
    stop, lot = waiting.BatchWatch.stop, random.Random(0)

    def late(watch: waiting.BatchWatch) -> None:
        if lot.random() < _LATE:
            time.sleep(seconds)
        stop(watch)

    waiting.BatchWatch.stop = late


def _try_all(candidates: list[Candidate], options: argparse.Namespace) -> int:
    found: dict[str, list[Result]] = {each.name: [] for each in candidates}
    groups = [
        candidates[first : first + options.at_once]
        for first in range(0, len(candidates), options.at_once)
    ]
    for number in range(options.repetitions):
        for group in groups:
            for result in _try(group, number, options):
                found[result.candidate.name].append(result)
            print(f"repetition {number + 1}: {len(group)} tried", file=sys.stderr, flush=True)
    for results in found.values():
        _print(results)
    return sum(not all(each.right for each in results) for results in found.values())


def _try(group: list[Candidate], number: int, options: argparse.Namespace) -> list[Result]:
    """Return what a group came to in one repetition: from a bundle that is kept, or by a run."""
    with _folder(options.keep and f"{options.keep}/{_name(group, number, options)}") as folder:
        if (folder / "bundle" / "manifest.json").exists():
            return judge_candidates(group, open_bundle(folder / "bundle"))
        for left in folder.iterdir():
            shutil.rmtree(left)
        return try_candidates(group, folder, device=options.device, processes=options.processes)


def _name(group: list[Candidate], number: int, options: argparse.Namespace) -> str:
    """Return a name that changes with what is tried and how."""
    tried = b"".join(each.path.read_bytes() for each in group)
    how = f"{options.device} {options.processes}{options.late or ''}".encode()
    return f"{number + 1:02}-{hashlib.sha256(how + tried).hexdigest()[:8]}"


@contextlib.contextmanager
def _folder(keep: str) -> Generator[Path]:
    """Yield a folder for one study and its bundle: this one, or one that goes."""
    if keep:
        Path(keep).mkdir(parents=True, exist_ok=True)
        yield Path(keep)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _print(results: list[Result]) -> None:
    wrong, open_ = sum(not each.right for each in results), sum(each.open for each in results)
    right = len(results) - wrong - open_
    codes = Counter(code for each in results for code in each.codes)
    shown = " ".join(f"{code}:{count}" for code, count in sorted(codes.items())) or "-"
    mark = "WRONG" if wrong else "open " if open_ else "ok   "
    name = results[0].candidate.name
    told = f"{right:3} right {open_:3} open {wrong:3} wrong"
    print(f"{mark} {name:24} {told}  {shown:28} {results[-1].said[:150]}", flush=True)


def _print_cost(options: argparse.Namespace) -> int:
    """Run a study with batches, stops and cages, and without, in turn; print what both take."""
    took: dict[str, list[float]] = {"with": [], "without": []}
    times: dict[str, dict[str, list[float]]] = {"with": {}, "without": {}}
    _build(options)
    for number in range(2 * options.repetitions):
        way = ("with", "without")[number % 2]
        kept = options.keep and f"{options.keep}/cost-{number + 1:02}-{way}"
        with _folder(kept) as folder, _integrity(on=way == "with"):
            start = time.perf_counter()
            _run_once(folder, options)
            took[way].append(time.perf_counter() - start)
            for trace in open_bundle(folder / "bundle").traces():
                if isinstance(trace.outcome, Passed):
                    key = f"{trace.workload} {trace.solution}"
                    times[way].setdefault(key, []).append(_median(trace.outcome, options.device))
    ratio = median(took["with"]) / median(took["without"])
    print(f"run time: {median(took['with']):.1f} s with, {median(took['without']):.1f} s without: "
          f"{ratio:.2f}x")  # fmt: skip
    for name in times["with"].keys() & times["without"].keys():
        with_, without = (median(times[way][name]) for way in ("with", "without"))
        print(f"{name:40} {with_ * 1e6:9.1f} us with, {without * 1e6:9.1f} us without: "
              f"{100 * (with_ / without - 1):+.1f} %")  # fmt: skip
    return 0


def _build(options: argparse.Namespace) -> None:
    """Run a part once: what compilers make is kept, and the first of both ways would pay for it."""
    first = load_study(options.study).study.workloads[0].id if options.study else ""
    part = argparse.Namespace(**vars(options) | {"workloads": (first,), "processes": 2})
    with _folder("") as folder:
        _run_once(folder, part)


def _run_once(folder: Path, options: argparse.Namespace) -> None:
    if not options.study:
        honest = [c for c in read_corpus("honest", options.device) if c.name in _COST]
        try_candidates(honest, folder, device=options.device, processes=options.processes)
        return
    asked = RunOptions(
        device=options.device,
        workloads=tuple(options.workloads),
        solutions=tuple(options.only),
        processes=(options.processes, options.processes),
    )
    api.run(options.study, folder / "bundle", options=asked)


@contextlib.contextmanager
def _integrity(*, on: bool) -> Generator[None]:
    """Switch off what costs time, unless `on`: outputs are compared either way."""
    parts = ((measure, "take_batches", None), (measure, "note_restless", None),
             (process.Family, "pause", True), (crew, "in_words", ""))  # fmt: skip
    real = [getattr(module, name) for module, name, _ in parts]
    for module, name, answer in parts if not on else ():
        setattr(module, name, lambda *_, answer=answer, **__: answer)
    try:
        yield
    finally:
        for (module, name, _), function in zip(parts, real, strict=True):
            setattr(module, name, function)


def _median(passed: Passed, device: str) -> float:
    tier = "graph" if device == "cuda" else "call"
    return median(
        sample
        for m in passed.measurements
        if m.tier == tier or len(passed.measurements) == 1
        for visit in m.visits
        for sample in visit.samples
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--processes", type=int, default=3, help="process sets of each study")
    parser.add_argument("--only", nargs="*", default=[], help="candidates, or a study's solutions")
    # Chosen: a dozen processes that import torch fit into the memory of a small machine.
    parser.add_argument("--at-once", type=int, default=10, help="candidates in one study")
    parser.add_argument("--keep", default="", help="folder in which the bundles stay")
    parser.add_argument(
        "--late", type=float, default=0.0, help="ms by which seven batches of ten end late"
    )
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--study", default="", help="of which --cost tells, in place of the corpus")
    parser.add_argument("--workloads", nargs="*", default=[], help="patterns of its workloads")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
