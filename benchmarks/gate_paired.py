"""How often real gates between two revisions cry wolf, and what they catch, on this machine.

    python benchmarks/gate_paired.py --keep DIR [--gates 20] [--planted 10] [--redraws 200]
    python benchmarks/gate_paired.py --keep DIR --device cuda
    python benchmarks/gate_paired.py --bundles evidence      recorded samples, no measurement

Each gate is a whole one: a git repository with a C++ (CUDA) kernel, a commit, a change, `gate
--against`, fresh processes, until decided. Unchanged: in turn the very same sources, and sources
with one more function that nobody calls (other machine code, the same work). Planted: 10 % more
work on a CPU, 3 % on a GPU. Bundles are kept in DIR and taken from there the next time, so a run
can be cut short and go on.

Whole gates cost a minute each, so the process sets of all of them are also dealt anew: as many as a
run may take, drawn without replacement, looked at as the stopping rule looks.

Recorded: in every bundle the baseline and its twin are one program, measured side by side as the
two sides of a gate are. Each workload is a gate of one cell, in both directions, with as many
process sets as the stopping rule takes; a slow-down is planted by stretching every sample of one
side, by 3 % on a GPU and 10 % on a CPU.

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
from dataclasses import dataclass  # noqa: E402
from itertools import pairwise  # noqa: E402
from statistics import fmean  # noqa: E402

from msgspec import UNSET  # noqa: E402
from msgspec.structs import replace  # noqa: E402

from roofmark.analysis.decide import set_scene  # noqa: E402
from roofmark.analysis.gated import together  # noqa: E402
from roofmark.analysis.paired_gate import gate_pairs, pair_cells, undecided_pairs  # noqa: E402
from roofmark.analysis.shift import ALARM  # noqa: E402
from roofmark.bench.plan import deciding_tier  # noqa: E402
from roofmark.bundle import open_bundle  # noqa: E402
from roofmark.evidence import Passed  # noqa: E402
from roofmark.gating.against import gate_against  # noqa: E402
from roofmark.options import AgainstOptions, RunOptions  # noqa: E402
from roofmark.study import Contrast  # noqa: E402
from roofmark.testing import stretched  # noqa: E402

MEANS_MARGIN = 0.03
PLANTED = {"cuda": 1.03, "cpu": 1.10}
SIDES = ("was", "now")
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
    workloads=[rm.Workload(axes={"n": SIZE})],
    solutions=[rm.Solution("steady", ENTRY)],
    baseline="steady",
    wrong=[rm.Solution("untouched", "wrong/untouched.py::contract")],
    protocol=rm.Protocol(PROTOCOL),
)
"""
IDLE = "\nvoid Idle(tvm::ffi::TensorView x) { Contract<7>(x, x); }\n"
IDLE += "TVM_FFI_DLL_EXPORT_TYPED_FUNC(idle, Idle);\n"


@dataclass(frozen=True)
class Kind:
    """The kernel that gates are about: what the study says of it, and its text, to be replaced."""

    study: str
    source: str
    said: dict[str, str]
    slower: tuple[str, str]
    before: tuple[str, str] = ("", "")


KINDS = {
    "cpu": Kind(
        study="planted_slowdown",
        source="work.cpp",
        said={
            "SIZE": "16384",
            "ENTRY": '"work.cpp::steady", target="avx2"',
            "PROTOCOL": "margin=0.05, time_limit=400.0, calls=8, blocks=12",
        },
        slower=("Contract<2000>", "Contract<2200>"),
    ),
    "cuda": Kind(
        study="planted_slowdown_cuda",
        source="work.cu",
        # One CTA per SM of an H200.
        said={
            "SIZE": "33792",
            "ENTRY": '"work.cu::steady"',
            "PROTOCOL": "margin=0.015, time_limit=400.0, processes=(3, 12)",
        },
        slower=("Contract<2000>", "Contract<2060>"),
        # A number that divides both step counts, so that they differ in work alone.
        before=("#pragma unroll 50", "#pragma unroll 20"),
    ),
}


def changed(text, kind, change):
    """Return the source after a change; every part that is replaced must be there."""
    if change == "idle":
        return text + IDLE
    old, new = kind.slower if change == "slow" else ("", "")
    assert old in text
    return text.replace(old, new) if old else text


def repository(folder, kind, change):
    """Lay out the study in a git repository, commit it, and change the work tree."""
    shutil.copytree(ROOT / "studies" / kind.study, folder)
    study, source = STUDY, folder / kind.source
    for word, said in kind.said.items():
        study = study.replace(word, said)
    (folder / "study.py").write_text(study)
    text = source.read_text()
    assert kind.before[0] in text
    text = text.replace(*kind.before) if kind.before[0] else text
    source.write_text(text)
    for words in (
        ("init", "--quiet"),
        ("add", "."),
        ("-c", "user.name=b", "-c", "user.email=b@localhost", "commit", "--quiet", "-m", "old"),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    source.write_text(changed(text, kind, change))


def play(kept, change, device):
    """Return the bundle of one whole gate, measured now or earlier."""
    if not (kept / "manifest.json").exists():
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "study"
            repository(folder, KINDS[device], change)
            options = AgainstOptions(run=RunOptions(device=device, force=True), unchanged=True)
            gate_against(folder, "HEAD", kept, options=options)
    return open_bundle(kept)


# --- means ---------------------------------------------------------------------------------------
def mean_of(bundle, name):
    tier = deciding_tier(bundle.study.protocol, bundle.run.device)
    traces = [t for t in bundle.traces() if t.solution == name and isinstance(t.outcome, Passed)]
    return _mean(traces, tier)


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


def redrawn(study, device, sets, rng):
    """Return the decision of a gate over process sets drawn without replacement; numbers alone."""
    fewest, most = study.protocol.processes
    drawn = rng.sample(sets, most)
    for count in range(fewest, most + 1):
        traces = [replace(t, process=i) for i, one in enumerate(drawn[:count]) for t in one]
        if not undecided_pairs(study, device, traces):
            break
    scene = set_scene(study, device, traces)
    return together(cell.decision for cell in pair_cells(scene))


# --- recorded ------------------------------------------------------------------------------------
def recorded_gates(bundle, *, slower=1.0):
    """Yield (decision, alarm of the means) for each workload and direction."""
    found = {}
    for trace in bundle.traces():
        if trace.role in ("baseline", "twin") and isinstance(trace.outcome, Passed):
            found.setdefault(trace.workload, {}).setdefault(trace.process, {})[trace.role] = trace
    for workload, sets in found.items():
        whole = [both for _, both in sorted(sets.items()) if len(both) == 2]
        for was, now in (("baseline", "twin"), ("twin", "baseline")):
            sides = [{"was": one[was], "now": stretched(one[now], slower)} for one in whole]
            study = _as_pair(bundle.study, workload)
            yield _played(study, bundle.run.device, sides)


def _as_pair(study, workload):
    solution = study.solution(study.baseline)
    return replace(
        study,
        workloads=tuple(w for w in study.workloads if w.id == workload),
        solutions=tuple(replace(solution, name=name, after=UNSET) for name in ("x.was", "x.now")),
        baseline="x.was",
        contrasts=(Contrast(name="x", of="x.now", against="x.was"),),
        protocol=replace(study.protocol, level=1 - ALARM),
    )


def _played(study, device, sides):
    fewest, most = study.protocol.processes
    traces, scene = [], None
    for count in range(min(fewest, len(sides)), min(most, len(sides)) + 1):
        traces = [
            replace(trace, solution=f"x.{side}", role=role, process=i)
            for i, one in enumerate(sides[:count])
            for side, role in (("was", "baseline"), ("now", "solution"))
            for trace in (one[side],)
        ]
        scene = set_scene(study, device, traces)
        if not undecided_pairs(study, device, traces):
            break
    means = [_mean([t for t in traces if t.solution == f"x.{s}"], scene.tier) for s in SIDES]
    decision = together(cell.decision for cell in pair_cells(scene))
    return decision, means[1] > (1 + MEANS_MARGIN) * means[0]


def _mean(traces, tier):
    return fmean(
        s
        for trace in traces
        for m in trace.outcome.measurements
        if m.tier == tier
        for v in m.visits
        for s in v.samples
    )


def report_recorded(folders):
    """Print a row for each bundle, and the sums for each kind of device."""
    sums = {}
    for path in sorted(m.parent for f in folders for m in Path(f).rglob("manifest.json")):
        bundle = open_bundle(path)
        for slower in (1.0, PLANTED[bundle.run.device]):
            gates = list(recorded_gates(bundle, slower=slower))
            if gates:
                _row_recorded(f"{bundle.name}, {_truth(slower)}", gates)
                sums.setdefault((bundle.run.device, slower), []).extend(gates)
    for (device, slower), gates in sums.items():
        _row_recorded(f"all on {device}, {_truth(slower)}", gates)


def _truth(slower):
    return "unchanged" if slower == 1 else f"{100 * (slower - 1):.0f} % slower"


def _row_recorded(name, gates):
    alarms = sum(alarm for _, alarm in gates)
    row(name, Counter(decision for decision, _ in gates), f"{100 * alarms / len(gates):.1f} %")


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
        asked = (bundles[0].study, bundles[0].run.device, sets, rng)
        dealt = Counter(redrawn(*asked) for _ in range(redraws))
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
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--bundles", nargs="*", default=[])
    options = parser.parse_args()
    start = time.perf_counter()
    if options.bundles:
        report_recorded(options.bundles)
    if not options.keep:
        return
    plan = [(f"unchanged-{i}", ("same", "idle")[i % 2]) for i in range(options.gates)]
    plan += [(f"planted-{i}", "slow") for i in range(options.planted)]
    bundles = {name: play(options.keep / name, change, options.device) for name, change in plan}
    print(f"{'':<44} gates     pass      fail  undecided   means: of an earlier run, of this one")
    for what in ("unchanged", "planted"):
        found = [bundle for name, bundle in bundles.items() if name.startswith(what)]
        truth = _truth(1.0 if what == "unchanged" else PLANTED[options.device])
        report(truth, found, options.redraws)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
