"""How often real gates between two revisions cry wolf, and what they catch, on this machine's CPU.

    python benchmarks/gate_paired.py --keep DIR [--gates 20] [--planted 10] [--redraws 200]

Each gate is a whole one: a git repository with a C++ kernel, a commit, a change, `gate --against`,
fresh processes, until decided. Unchanged: in turn the very same sources, and sources with one more
function that nobody calls (other machine code, the same work). Planted: 10 % more work. Bundles are
kept in DIR and taken from there the next time, so a run can be cut short and go on.

Whole gates cost a minute each, so the process sets of all of them are also dealt anew: as many as a
run may take, drawn without replacement, looked at as the stopping rule looks.

Beside it the habit of the field, on the same samples: fail when the mean is 3 % above that of an
earlier run (the previous gate's old side), and the same on the means of one run side by side.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Python puts this folder first, where statistics.py would hide the standard library's.
sys.path[:1] = [str(ROOT / "src")]

import argparse  # noqa: E402
import random  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from itertools import pairwise  # noqa: E402
from statistics import fmean  # noqa: E402

from msgspec.structs import replace  # noqa: E402

from roofmark.analysis.decide import set_scene  # noqa: E402
from roofmark.analysis.gated import together  # noqa: E402
from roofmark.analysis.paired_gate import gate_pairs, pair_cells, undecided_pairs  # noqa: E402
from roofmark.bundle import open_bundle  # noqa: E402
from roofmark.evidence import Passed  # noqa: E402
from roofmark.gating.against import AgainstOptions, gate_against  # noqa: E402
from roofmark.options import RunOptions  # noqa: E402

MEANS_MARGIN = 0.03
STUDY = """
import roofmark as rm

study = rm.Study(
    definition=rm.Definition(
        name="contract",
        axes={"n": rm.VAR},
        inputs={"x": rm.Tensor("n", "float32", rm.Uniform(-1.0, 1.0))},
        outputs={"y": rm.Tensor("n", "float32")},
        reference="reference.py::contract",
        tolerance=rm.Tolerance(rms=1e-5, peak=1e-4),
        flops="4000*n",
        traffic="8*n",
    ),
    workloads=[rm.Workload(axes={"n": 16384})],
    solutions=[rm.Solution("steady", "work.cpp::steady", target="avx2")],
    baseline="steady",
    wrong=[rm.Solution("untouched", "wrong/untouched.py::contract")],
    protocol=rm.Protocol(margin=0.05, time_limit=400.0, calls=8, blocks=12),
)
"""
IDLE = "\nvoid Idle(tvm::ffi::TensorView x) { Contract<7>(x, x); }\n"
IDLE += "TVM_FFI_DLL_EXPORT_TYPED_FUNC(idle, Idle);\n"
CHANGES = {
    "same": lambda text: text,
    "idle": lambda text: text + IDLE,
    "slow": lambda text: text.replace("Contract<2000>", "Contract<2200>"),
}


def repository(folder, kind):
    """Lay out the study in a git repository, commit it, and change the work tree."""
    shutil.copytree(ROOT / "studies" / "planted_slowdown", folder)
    (folder / "study.py").write_text(STUDY)
    for words in (
        ("init", "--quiet"),
        ("add", "."),
        ("-c", "user.name=b", "-c", "user.email=b@localhost", "commit", "--quiet", "-m", "old"),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    source = folder / "work.cpp"
    source.write_text(CHANGES[kind](source.read_text()))


def play(kept, kind):
    """Return the bundle of one whole gate, measured now or earlier."""
    if not (kept / "manifest.json").exists():
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "study"
            repository(folder, kind)
            options = AgainstOptions(run=RunOptions(device="cpu", force=True), unchanged=True)
            gate_against(folder, "HEAD", kept, options=options)
    return open_bundle(kept)


# --- means ---------------------------------------------------------------------------------------
def mean_of(bundle, name):
    samples = [
        s
        for trace in bundle.traces()
        if trace.solution == name and isinstance(trace.outcome, Passed)
        for m in trace.outcome.measurements
        for v in m.visits
        for s in v.samples
    ]
    return fmean(samples)


def means_alarm(old, new):
    """Whether the mean of the new side is above that of the old side by the fixed percentage."""
    return mean_of(new, "steady.now") > (1 + MEANS_MARGIN) * mean_of(old, "steady.was")


# --- dealt anew ----------------------------------------------------------------------------------
def sets_of(bundles):
    """Return every process set of these bundles as its list of traces."""
    found = {}
    for number, bundle in enumerate(bundles):
        for trace in bundle.traces():
            if trace.role != "wrong":
                found.setdefault((number, trace.process), []).append(trace)
    return list(found.values())


def redrawn(study, sets, rng):
    """Return the decision of a gate over process sets drawn without replacement; numbers alone."""
    fewest, most = study.protocol.processes
    drawn = rng.sample(sets, most)
    for count in range(fewest, most + 1):
        traces = [replace(t, process=i) for i, one in enumerate(drawn[:count]) for t in one]
        if not undecided_pairs(study, "cpu", traces):
            break
    scene = set_scene(study, "cpu", traces)
    return together(cell.decision for cell in pair_cells(scene))


# --- the table -----------------------------------------------------------------------------------
def row(name, found, alarms):
    n = found.total()
    shares = [f"{100 * found[d] / n:>6.1f} %" for d in ("pass", "fail", "undecided")] if n else []
    print(f"{name:<44} {n:>5} {'  '.join(shares)}   {alarms}", flush=True)


def report(name, bundles, redraws):
    if not bundles:
        return
    gates = [gate_pairs(bundle) for bundle in bundles]
    sizes = [cell.ratio.n for gate in gates for cell in gate.cells]
    earlier = [means_alarm(a, b) for a, b in pairwise(bundles)]
    beside = [means_alarm(each, each) for each in bundles]
    alarms = f"{sum(earlier)} of {len(earlier)}    {sum(beside)} of {len(beside)}"
    row(f"{name}: whole gates, {min(sizes)} to {max(sizes)} sets", _count(gates), alarms)
    sets = sets_of(bundles)
    if len(sets) >= 2 * bundles[0].study.protocol.processes[1]:
        rng = random.Random(name)
        dealt = Counter(redrawn(bundles[0].study, sets, rng) for _ in range(redraws))
        row(f"{name}: dealt anew from {len(sets)} sets", dealt, "")
    spread = [c.ratio.value for gate in gates for c in gate.cells]
    shown = f"{100 * (min(spread) - 1):+.2f} % to {100 * (max(spread) - 1):+.2f} %"
    busy = sum(bool(gate.host) for gate in gates)
    print(f"     now over then: {shown}; {busy} of {len(gates)} hosts were unwell")


def _count(gates):
    return Counter(gate.decision for gate in gates)


def main():
    """Parse, measure what is not there yet, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gates", type=int, default=20)
    parser.add_argument("--planted", type=int, default=10)
    parser.add_argument("--redraws", type=int, default=200)
    parser.add_argument("--keep", type=Path, required=True)
    options = parser.parse_args()
    start = time.perf_counter()
    plan = [(f"unchanged-{i}", ("same", "idle")[i % 2]) for i in range(options.gates)]
    plan += [(f"planted-{i}", "slow") for i in range(options.planted)]
    bundles = {name: play(options.keep / name, kind) for name, kind in plan}
    print(f"{'':<44} gates     pass      fail  undecided   means: of an earlier run, of this one")
    for what in ("unchanged", "planted"):
        found = [bundle for name, bundle in bundles.items() if name.startswith(what)]
        report(what if what == "unchanged" else "10 % slower", found, options.redraws)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
