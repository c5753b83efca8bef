"""What a loop keeps, what it misses and what it costs, on recorded noise with known truth.

    python benchmarks/loop.py [--loops 40] [--candidates 100] [--jobs 2]
    python benchmarks/loop.py --full                         200 loops of 100 candidates

Noise: in the bundles under evidence/ the baseline and its twin are the same program, so the log
ratio of their blocks in one process set is one draw of what equal programs differ by. A set of a
simulated run takes the recorded visits of the baseline as the incumbent; candidate and twin are
those visits times two more draws (random sign) and the candidate's true speed-up, rounded to the
recorded clock's tick. A loop stays with one recorded workload, as a real one stays with its study.

Decisions: the loop's own. `decide` says which run follows and at which level, `conclude` judges the
traces with every rule, `find_hopeless` and `open_workloads` stop a run. Only processes are missing.

Beside it: the same without giving up, a loop of fixed samples (the most process sets for each
candidate), and the habit of the field: keep what has the lower mean in one process.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Python puts this folder first, where statistics.py would hide the standard library's.
sys.path[:1] = [str(ROOT / "src")]

import argparse  # noqa: E402
import math  # noqa: E402
import random  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from functools import cache  # noqa: E402
from multiprocessing import get_context  # noqa: E402
from statistics import fmean  # noqa: E402

from msgspec.structs import replace  # noqa: E402

from roofmark.analysis.compare import (  # noqa: E402
    collect_series,
    find_resolution,
    tier_that_decides,
    twin_pairs,
)
from roofmark.analysis.promotion import find_hopeless, open_workloads  # noqa: E402
from roofmark.bundle import Bundle, open_bundle  # noqa: E402
from roofmark.evidence import Passed, Trace  # noqa: E402
from roofmark.looping.duel import CANDIDATE, INCUMBENT, conclude  # noqa: E402
from roofmark.looping.evaluate import decide  # noqa: E402
from roofmark.looping.tries import Measured, Note, Try  # noqa: E402
from roofmark.records import Missing  # noqa: E402
from roofmark.study import twin_of  # noqa: E402

KEEPS_NOTHING, KEEPS_GAINS = 0.01, 0.90
PLANTED = 1.03
EVERY = 10
"""Of the candidates of a loop with gains every tenth has one."""
ALPHA = 0.05
_ABSENT = Missing(reason="simulated")


# --- recorded noise ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Noise:
    """One recorded workload: a bundle in which candidates are tried, and the draws.

    bases: recorded outcomes of the baseline, on the deciding tier alone. ratios: block log ratios
    of the same sets between baseline and twin. tick: of the clock, in seconds.
    """

    name: str
    bundle: Bundle
    bases: tuple[Passed, ...]
    ratios: tuple[tuple[float, ...], ...]
    tick: float

    @property
    def spread(self):
        """Root mean square of a set's median log ratio: how far equal programs are apart."""
        return math.sqrt(fmean(fmean(blocks) ** 2 for blocks in self.ratios))


@cache
def read_noise(device):
    """Return every recorded workload of this kind of device."""
    found = []
    for manifest in sorted((ROOT / "evidence").glob("*/manifest.json")):
        bundle = open_bundle(manifest.parent)
        if bundle.run.device == device:
            found += _workloads(bundle)
    return tuple(found)


def _workloads(bundle):
    study, traces = bundle.study, list(bundle.traces())
    series = collect_series(study, traces)
    tier = tier_that_decides(study.protocol, bundle.run.device)
    tick = find_resolution(series.values(), tier)
    for workload in study.workloads:
        pairs = twin_pairs(series, workload.id, study, tier, 0.0)
        base = dict(series[workload.id, study.baseline].passed()) if pairs else {}
        sets = [p for p in (pairs.ratios if pairs else ()) if p in base]
        if len(sets) >= 5:
            yield Noise(
                name=f"{bundle.name}/{workload.id}",
                bundle=bundle,
                bases=tuple(_one_tier(base[p], tier) for p in sets),
                ratios=tuple(tuple(pairs.ratios[p]) for p in sets),
                tick=tick,
            )


def _one_tier(outcome, tier):
    return replace(outcome, measurements=tuple(m for m in outcome.measurements if m.tier == tier))


class Drawn(Bundle):
    """A run that was drawn: all of a recorded bundle but its study's solutions and its traces."""

    def __init__(self, noise, study, traces):
        super().__init__(noise.bundle.path, noise.bundle.files(), "0" * 64)
        self._study, self._traces = study, traces
        self._parts = _parts(noise.bundle)

    @property
    def study(self):
        return self._study

    @property
    def environment(self):
        return self._parts[0]

    @property
    def run(self):
        return self._parts[1]

    def traces(self):
        return iter(self._traces)

    def build(self, build_digest):
        return self._parts[2](build_digest)

    def profiles(self):
        return iter(())


@cache
def _parts(bundle):
    return bundle.environment, replace(bundle.run, skipped=()), cache(bundle.build)


def duel_study(noise, level, margin):
    """Return the study of one duel on this workload, in the form that a loop writes."""
    study = noise.bundle.study
    own = study.solution(study.baseline)
    workload = next(w for w in study.workloads if noise.name.endswith(f"/{w.id}"))
    protocol = replace(study.protocol, processes=(6, 12), level=level, margin=margin)
    return replace(
        study,
        workloads=(workload,),
        solutions=(replace(own, name=INCUMBENT), replace(own, name=CANDIDATE)),
        baseline=INCUMBENT,
        wrong=(),
        contrasts=(),
        protocol=protocol,
    )


# --- one run -------------------------------------------------------------------------------------
@dataclass
class Rig:
    """Runs duels of candidates of known speed-up, and counts what they cost.

    patient: never give a candidate up.
    """

    noise: Noise
    rng: random.Random
    margin: float
    patient: bool = False
    gain: float = 1.0
    sets: int = 0
    alpha: float = ALPHA

    def duel(self, what, level):
        """Stand in for the process sets of one run, and let the loop's own code judge them."""
        study = duel_study(self.noise, level, self.margin)
        device, traces = self.noise.bundle.run.device, []
        fewest, most = study.protocol.processes
        asked = {"group_margin": self.margin}
        for process in range(most):
            if process >= fewest and not open_workloads(study, device, traces, **asked):
                break
            if not self.patient and find_hopeless(study, device, traces, **asked):
                break
            traces += self.draw(study, process)
            self.sets += 1
        drawn = Drawn(self.noise, study, traces)
        return conclude(drawn, study.protocol.level if what == "first" else 0.95, self.margin)

    def draw(self, study, process):
        """Return the traces of one process set."""
        noise, rng = self.noise, self.rng
        base = noise.bases[rng.randrange(len(noise.bases))]
        names = {
            CANDIDATE: ("solution", math.log(self.gain)),
            twin_of(INCUMBENT): ("twin", 0.0),
            INCUMBENT: ("baseline", None),
        }
        for name, (role, gain) in names.items():
            outcome = base if gain is None else self._varied(base, gain)
            yield Trace(
                workload=study.workloads[0].id,
                solution=name,
                role=role,
                process=process,
                outcome=outcome,
            )

    def _varied(self, base, gain):
        blocks = self.rng.choice(self.noise.ratios)
        sign = self.rng.choice((-1, 1))
        (measurement,) = base.measurements
        visits = tuple(
            self._visit(visit, math.exp(-sign * blocks[i % len(blocks)] - gain))
            for i, visit in enumerate(measurement.visits)
        )
        return replace(base, measurements=(replace(measurement, visits=visits),))

    def _visit(self, visit, factor):
        tick = self.noise.tick / max(1, visit.calls)
        return replace(
            visit, samples=tuple(max(tick, round(s * factor / tick) * tick) for s in visit.samples)
        )

    def naive(self):
        """Whether the habit of the field keeps this candidate: one process, the lower mean."""
        study = duel_study(self.noise, 0.95, self.margin)
        of = {trace.solution: trace.outcome for trace in self.draw(study, 0)}
        means = {
            name: fmean(s for m in each.measurements for v in m.visits for s in v.samples)
            for name, each in of.items()
        }
        return means[CANDIDATE] < means[INCUMBENT]


# --- one loop ------------------------------------------------------------------------------------
@dataclass
class Told:
    """What became of one loop, or of many."""

    loops: int = 0
    keeping: int = 0
    naive_keeping: int = 0
    tries: int = 0
    sets: int = 0
    gains: int = 0
    found: int = 0
    false: int = 0
    endings: Counter = field(default_factory=Counter)

    def __add__(self, other):
        return Told(*(mine + theirs for mine, theirs in zip(self.row(), other.row(), strict=True)))

    def row(self):
        return tuple(vars(self).values())


def run_loop(asked):
    """Run one loop. asked: device, seed, candidates, margin, truth of a candidate, patient."""
    device, seed, candidates, margin, truth, patient = asked
    rng = random.Random(f"{device}/{seed}/{truth}")
    noises = read_noise(device)
    rig = Rig(noises[seed * 37 % len(noises)], rng, margin, patient)
    told, confirmations, naive = Told(loops=1), 0, 0
    for number in range(1, candidates + 1):
        rig.gain = gain_of(truth, number, rng, margin)
        done = decide(
            blank_try(number), rig.duel, level=0.95, alpha=rig.alpha, confirmations=confirmations
        )
        confirmations += isinstance(done.confirmation, Measured)
        naive += rig.naive()
        told.endings[done.ending] += 1
        kept, gains = done.ending == "kept", rig.gain > 1 + margin
        told.gains += gains
        told.found += kept and gains
        told.false += kept and not gains
    told.tries, told.sets = candidates, rig.sets
    told.keeping, told.naive_keeping = int(told.false > 0), int(naive > 0)
    return told


def try_one(asked):
    """Try one candidate of a known gain, first in its loop. asked: device, seed, gain, patient."""
    device, seed, gain, patient = asked
    noises = read_noise(device)
    rng = random.Random(f"one/{device}/{seed}/{gain}")
    rig = Rig(noises[seed * 37 % len(noises)], rng, 0.02, patient, gain)
    done = decide(blank_try(1), rig.duel, level=0.95, alpha=ALPHA, confirmations=0)
    return done.ending == "kept", rig.sets


def measure_power(pool, device, candidates):
    """Print what giving up costs: the share of true gains that are kept, with and without."""
    print(
        f"     kept of {candidates} candidates with a true gain, and sets a try: given up / patient"
    )
    for gain in (1.025, 1.03, 1.04, 1.05, 1.10):
        shown = []
        for patient in (False, True):
            jobs = [(device, seed, gain, patient) for seed in range(candidates)]
            found = pool.map(try_one, jobs)
            kept, sets = (sum(column) / candidates for column in zip(*found, strict=True))
            shown.append(f"{100 * kept:5.1f} % {sets:5.2f}")
        print(f"       {gain:.3f}x   " + "   /   ".join(shown), flush=True)


def gain_of(truth, number, rng, margin):
    """Return the true speed-up of a candidate over the incumbent of its time."""
    if truth == "mixed":
        return PLANTED if number % EVERY == 0 else rng.choice((1.0, rng.uniform(0.7, 1.0)))
    return {"equal": 1.0, "at the margin": 1 + margin}[truth]


def blank_try(number):
    return Try(
        number=number,
        against=0,
        ending="undecided",
        reason="",
        note=Note(),
        params={},
        diff="",
        fingerprint="",
        binary=_ABSENT,
        same_as=_ABSENT,
        first=_ABSENT,
        confirmation=_ABSENT,
        seconds=0.0,
        device_seconds=0.0,
    )


# --- the table -----------------------------------------------------------------------------------
def measure(pool, device, loops, candidates, margin, truth, *, patient=False):
    jobs = [(device, seed, candidates, margin, truth, patient) for seed in range(loops)]
    return sum(pool.imap_unordered(run_loop, jobs, chunksize=1), Told())


def show(title, told, *, holds=None):
    mark = "    " if holds is None else "ok  " if holds else "FAIL"
    gains = f"{100 * told.found / told.gains:5.1f} % of {told.gains}" if told.gains else "-"
    print(
        f"{mark} {title:<44} loops that keep what is no gain {told.keeping:>3}/{told.loops}"
        f" (naive {told.naive_keeping}/{told.loops}); gains kept {gains};"
        f" {told.sets / told.tries:.2f} sets a try"
    )
    print(
        "       " + ", ".join(f"{n} {name}" for name, n in told.endings.most_common()), flush=True
    )
    return holds is False


def main():
    """Parse, measure, and exit with 1 when a claim failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loops", type=int, default=40)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="200 loops of 100 candidates")
    options = parser.parse_args()
    loops, candidates = (200, 100) if options.full else (options.loops, options.candidates)
    began, failed = time.perf_counter(), 0
    print(
        f"{loops} loops of {candidates} candidates; alpha {ALPHA}, margin 2 %; fixed: 12 sets a try"
    )
    with get_context("fork").Pool(options.jobs) as pool:
        for device in ("cuda", "cpu"):
            spreads = sorted(100 * noise.spread for noise in read_noise(device))
            middle = spreads[len(spreads) // 2]
            print(f"\n{device}: {len(spreads)} workloads; equal programs differ by {middle:.2g} %"
                  f" (median; {spreads[0]:.2g} to {spreads[-1]:.2g})")  # fmt: skip
            asked = (pool, device, loops, candidates, 0.02)
            told = measure(*asked, "equal")
            failed += show("equal programs", told, holds=told.keeping <= KEEPS_NOTHING * loops)
            show("no gain beyond the margin: exactly 1.02x", measure(*asked, "at the margin"))
            told = measure(*asked, "mixed")
            holds = told.found >= KEEPS_GAINS * told.gains if device == "cuda" else None
            failed += show("every tenth 1.03x, the rest equal or slower", told, holds=holds)
            few = max(2, loops // 5)
            told = measure(pool, device, few, candidates, 0.02, "mixed", patient=True)
            show("the same, nobody given up", told)
            measure_power(pool, device, 5 * loops)
    print(f"\n{failed} claims failed; {time.perf_counter() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
