"""What a loop keeps, what it misses and what it costs, on recorded noise with known truth.

    python benchmarks/loop.py [--loops 20] [--candidates 50] [--jobs 2]
    python benchmarks/loop.py --full                         200 loops of 100 candidates
    python benchmarks/loop.py --kind device-timed --equal    one kind of noise, equal programs alone

Noise: in the bundles under evidence/ the baseline and its twin are the same program, so the log
ratio of their blocks in one process set is one draw of what equal programs differ by. A set of a
simulated run takes the recorded visits of the baseline as the incumbent; candidate and twin are
those visits times two more draws (random sign) and the candidate's true speed-up, rounded to the
recorded clock's tick. A loop stays with a few workloads of one bundle.

Decisions: the loop's own. `decide` says which run follows and at which level, `conclude` judges the
traces with every rule, `find_hopeless` and `open_workloads` stop a run. Only processes are missing.

Beside it: the same without giving up, and without what earlier tries told of the noise; a loop of
fixed samples (the most process sets for each candidate), and the habit of the field: keep what has
the lower mean in one process.
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
from roofmark.analysis.promotion import UNKNOWN, find_hopeless, open_workloads  # noqa: E402
from roofmark.analysis.promotion import Noise as Shown  # noqa: E402
from roofmark.bundle import Bundle, open_bundle  # noqa: E402
from roofmark.evidence import Passed, Trace  # noqa: E402
from roofmark.looping.duel import CANDIDATE, INCUMBENT, conclude  # noqa: E402
from roofmark.looping.evaluate import decide  # noqa: E402
from roofmark.looping.tries import Measured, Note, Try  # noqa: E402
from roofmark.records import Missing  # noqa: E402
from roofmark.study import Workload, twin_of  # noqa: E402

KEEPS_NOTHING, KEEPS_GAINS = 0.01, 0.90
PLANTED = 1.03
EVERY = 10
"""Of the candidates of a loop with gains every tenth has one."""
ALPHA, WORKLOADS, FIXED = 0.05, 4, 12
BEFORE = 5
"""Equal candidates that a single one comes after: from them the loop knows its noise."""
KINDS = {"device-timed": "graph", "host-timed": "call"}
"""Kinds of noise, and the tier that decides in their bundles."""
_ABSENT = Missing(reason="simulated")


# --- recorded noise ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Strip:
    """One recorded workload: outcomes of the baseline on the deciding tier, by process set, and
    the block log ratios between baseline and twin in the same sets."""

    workload: Workload
    bases: tuple[Passed, ...]
    ratios: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Noise:
    """A recorded bundle in which candidates are tried. tick: of its clock, in seconds."""

    bundle: Bundle
    strips: tuple[Strip, ...]
    tick: float

    @property
    def sets(self):
        """How many process sets measured every workload."""
        return min(len(strip.bases) for strip in self.strips)

    def spread(self):
        """Root mean square over sets of the mean over workloads: how far equal programs are."""
        means = [fmean(fmean(s.ratios[p]) for s in self.strips) for p in range(self.sets)]
        return math.sqrt(fmean(mean**2 for mean in means))

    def some(self, rng):
        """Return it with a few of its workloads, as a loop would take."""
        chosen = rng.sample(self.strips, min(WORKLOADS, len(self.strips)))
        return Noise(self.bundle, tuple(chosen), self.tick)


@cache
def read_noise(kind):
    """Return the recorded bundles of this kind."""
    found = []
    for manifest in sorted((ROOT / "evidence").glob("*/manifest.json")):
        bundle = open_bundle(manifest.parent)
        tier = tier_that_decides(bundle.study.protocol, bundle.run.device)
        if (KINDS[kind] == tier) and (noise := _noise(bundle, tier)).strips:
            found.append(noise)
    return tuple(found)


def _noise(bundle, tier):
    study = bundle.study
    series = collect_series(study, bundle.traces())
    strips = []
    for workload in study.workloads:
        pairs = twin_pairs(series, workload.id, study, tier, 0.0)
        base = dict(series[workload.id, study.baseline].passed()) if pairs else {}
        sets = sorted(set(pairs.ratios) & set(base)) if pairs else []
        if len(sets) >= 5:
            bases = tuple(_one_tier(base[p], tier) for p in sets)
            # Where it was recorded it may have been held out; here the gain is sought on it.
            sought = replace(workload, held_out=False)
            strips.append(Strip(sought, bases, tuple(tuple(pairs.ratios[p]) for p in sets)))
    return Noise(bundle, tuple(strips), find_resolution(series.values(), tier))


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
    """Return the study of one duel, in the form that a loop writes."""
    study = noise.bundle.study
    own = study.solution(study.baseline)
    protocol = replace(study.protocol, processes=(6, 12), level=level, margin=margin)
    return replace(
        study,
        workloads=tuple(strip.workload for strip in noise.strips),
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

    patient: never give a candidate up. forgets: what its runs showed of the noise. shown: that.
    """

    noise: Noise
    rng: random.Random
    margin: float
    patient: bool = False
    forgets: bool = False
    gain: float = 1.0
    sets: int = 0
    shown: Shown = UNKNOWN

    def duel(self, what, level):
        """Stand in for the process sets of one run, and let the loop's own code judge them."""
        study = duel_study(self.noise, level, self.margin)
        device, traces = self.noise.bundle.run.device, []
        fewest, most = study.protocol.processes
        asked, shown = {"group_margin": self.margin}, self.shown
        for process in range(most):
            if process >= fewest and not open_workloads(study, device, traces, **asked):
                break
            if not self.patient and find_hopeless(study, device, traces, **asked, earlier=shown):
                break
            traces += self.draw(study, process)
            self.sets += 1
        drawn = Drawn(self.noise, study, traces)
        level = study.protocol.level if what == "first" else 0.95
        return conclude(drawn, level, self.margin, shown)

    def attempt(self, number, confirmed):
        """Return one try; what its runs showed is known to the next."""
        done = decide(blank_try(number), self.duel, level=0.95, alpha=ALPHA, confirmed=confirmed)
        for run in (done.first, done.confirmation):
            if isinstance(run, Measured) and not self.forgets:
                self.shown += run.noise
        return done

    def draw(self, study, process):
        """Return the traces of one process set; what is recorded together stays together."""
        noise, rng = self.noise, self.rng
        base = rng.randrange(noise.sets)
        for name, role, gain in (
            (CANDIDATE, "solution", math.log(self.gain)),
            (twin_of(INCUMBENT), "twin", 0.0),
            (INCUMBENT, "baseline", None),
        ):
            other, sign = rng.randrange(noise.sets), rng.choice((-1, 1))
            for strip in noise.strips:
                outcome = strip.bases[base]
                if gain is not None:
                    shifts = [-sign * ratio - gain for ratio in strip.ratios[other]]
                    outcome = self._varied(outcome, shifts)
                yield Trace(
                    workload=strip.workload.id,
                    solution=name,
                    role=role,
                    process=process,
                    outcome=outcome,
                )

    def _varied(self, base, shifts):
        (measurement,) = base.measurements
        visits = tuple(
            self._visit(visit, math.exp(shifts[i % len(shifts)]))
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
        times = {}
        for trace in self.draw(study, 0):
            samples = [s for m in trace.outcome.measurements for v in m.visits for s in v.samples]
            times.setdefault(trace.solution, []).append(fmean(samples))
        return sum(times[CANDIDATE]) < sum(times[INCUMBENT])


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
    """Run one loop. asked: kind, seed, candidates, margin, truth of a candidate, how."""
    kind, seed, candidates, margin, truth, how = asked
    rng = random.Random(f"{kind}/{seed}/{truth}")
    noises = read_noise(kind)
    rig = Rig(noises[seed % len(noises)].some(rng), rng, margin, **how)
    told, confirmed, naive = Told(loops=1), [], 0
    for number in range(1, candidates + 1):
        rig.gain = gain_of(truth, number, rng, margin)
        done = rig.attempt(number, confirmed)
        if isinstance(done.confirmation, Measured):
            confirmed.append(done.ending == "kept")
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
    """Try one candidate of a known gain, after a few equal ones. asked: kind, seed, gain, how."""
    kind, seed, gain, how = asked
    noises = read_noise(kind)
    rng = random.Random(f"one/{kind}/{seed}/{gain}")
    rig = Rig(noises[seed % len(noises)].some(rng), rng, 0.02, **how)
    if not rig.patient and not rig.forgets:
        for number in range(BEFORE):
            rig.attempt(number, ())
    rig.gain, rig.sets = gain, 0
    return rig.attempt(BEFORE, ()).ending == "kept", rig.sets


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
def measure(pool, kind, loops, candidates, margin, truth, **how):
    jobs = [(kind, seed, candidates, margin, truth, how) for seed in range(loops)]
    return sum(pool.imap_unordered(run_loop, jobs, chunksize=1), Told())


def show(title, told, *, holds=None):
    mark = "    " if holds is None else "ok  " if holds else "FAIL"
    gains = f"{100 * told.found / told.gains:5.1f} % of {told.gains}" if told.gains else "-"
    print(
        f"{mark} {title}\n       loops that keep what is no gain {told.keeping}/{told.loops}"
        f" (naive {told.naive_keeping}/{told.loops}); gains kept {gains};"
        f" {told.sets / told.tries:.2f} sets a try, {1 - told.sets / told.tries / FIXED:.0%} less"
        f" than a fixed {FIXED}"
    )
    endings = ", ".join(f"{n} {name}" for name, n in told.endings.most_common())
    print(f"       {endings}", flush=True)
    return holds is False


def measure_power(pool, kind, candidates):
    """Print what giving up costs: the share of true gains that are kept, with and without."""
    ways = {"": {}, "nothing remembered": {"forgets": True}, "nobody given up": {"patient": True}}
    print(f"     {candidates} single candidates, margin 2 %: kept and sets a try{'; '.join(ways)}")
    for gain in (1.025, 1.03, 1.04, 1.05, 1.10):
        shown = []
        for how in ways.values():
            jobs = [(kind, seed, gain, how) for seed in range(candidates)]
            kept, sets = (sum(c) / candidates for c in zip(*pool.map(try_one, jobs), strict=True))
            shown.append(f"{100 * kept:5.1f} % {sets:5.2f}")
        print(f"       {gain:.3f}x   " + "   /   ".join(shown), flush=True)


def measure_kind(pool, kind, loops, candidates, *, equal_alone):
    """Print everything about one kind of noise; return how many claims failed.

    Rows that claim nothing have a tenth of the loops.
    """
    spreads = ", ".join(
        f"{n.bundle.name} {len(n.strips)} workloads {100 * n.spread():.2g} %"
        for n in read_noise(kind)
    )
    print(f"\n{kind}; equal programs differ from set to set by: {spreads}")
    few = (pool, kind, max(2, loops // 10), candidates)
    told = measure(pool, kind, loops, candidates, 0.02, "equal")
    failed = show("equal programs, margin 2 %", told, holds=told.keeping <= KEEPS_NOTHING * loops)
    if equal_alone:
        return failed
    title = "every tenth 1.03x, the rest equal or slower, margin 1 %"
    if kind == "device-timed":
        told = measure(pool, kind, loops, candidates, 0.01, "mixed")
        failed += show(title, told, holds=told.found >= KEEPS_GAINS * told.gains)
    else:
        show(title, measure(*few, 0.01, "mixed"))
    for title, margin, truth, how in (
        ("the same, nothing remembered", 0.01, "mixed", {"forgets": True}),
        ("the same, margin 2 %", 0.02, "mixed", {}),
        ("the same, nothing remembered", 0.02, "mixed", {"forgets": True}),
        ("the same, nobody given up", 0.02, "mixed", {"patient": True}),
        ("equal programs, margin 1 %", 0.01, "equal", {}),
        ("the same, nothing remembered", 0.01, "equal", {"forgets": True}),
        ("exactly the margin of 2 %, which is no gain beyond it", 0.02, "at the margin", {}),
        ("the same, nothing remembered", 0.02, "at the margin", {"forgets": True}),
    ):
        show(title, measure(*few, margin, truth, **how))
    measure_power(pool, kind, 5 * min(loops, 20))
    return failed


def main():
    """Parse, measure, and exit with 1 when a claim failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loops", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="200 loops of 100 candidates")
    parser.add_argument("--kind", choices=list(KINDS), help="this kind of noise alone")
    parser.add_argument("--equal", action="store_true", help="equal programs alone")
    options = parser.parse_args()
    kinds = [options.kind] if options.kind else list(KINDS)
    loops, candidates = (200, 100) if options.full else (options.loops, options.candidates)
    began = time.perf_counter()
    print(f"{loops} loops of {candidates} candidates, {WORKLOADS} workloads at most, alpha {ALPHA}")
    with get_context("fork").Pool(options.jobs) as pool:
        failed = sum(
            measure_kind(pool, kind, loops, candidates, equal_alone=options.equal) for kind in kinds
        )
    print(f"\n{failed} claims failed; {time.perf_counter() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
