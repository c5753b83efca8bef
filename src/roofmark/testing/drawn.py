"""A run of the bench, drawn from a seed: visits in random order, processes that differ, readings.

In: a study and what each solution should turn out to be. Out: its traces, as the bench writes them.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from roofmark.evidence import (
    BuildFailed,
    Check,
    CpuReading,
    Crashed,
    Deviation,
    GpuReading,
    Incorrect,
    Measurement,
    Outcome,
    Passed,
    TimedOut,
    Trace,
    Visit,
)
from roofmark.expressions import evaluate
from roofmark.records import Missing, digest
from roofmark.study import (
    Device,
    Study,
    Tier,
    Workload,
    twin_of,
)
from roofmark.testing.parts import simulated_build

# Chosen: an eager baseline at a quarter of the ceilings below, so that a solution several times as
# fast stays possible: the judge calls a time below the device's floor invalid, drawn or not.
_LAUNCH = {"cuda": 4.0e-6, "cpu": 8.0e-6}
_RATE = {"cuda": 1.1e12, "cpu": 5.0e9}
# Chosen: what a Python call adds on the host, so that the call tier differs from the graph tier.
_HOST = 9.0e-6
# Chosen: graph replays hold several calls, so that a sample is far longer than the clock's tick.
_GRAPH_CALLS = 20
_CLOCKS: dict[Tier, str] = {
    "kernel": "cupti",
    "graph": "cuda event",
    "call": "perf_counter_ns",
}
# Chosen: one visit is followed by the next after this much set-up, as in a real run.
_BETWEEN_VISITS = 4e-3
_PROCESS_START = 2.5

_WRONG = Check(
    output="y", calls=8, timed=8, error=Deviation(rms=0.31, peak=2.4), passed=False
)  # fmt: skip
FAILURES: dict[str, Outcome] = {
    "incorrect": Incorrect(
        build="0" * 64, checks=(_WRONG,), reason="y: rms error 0.31 is above 0.004"
    ),
    "build_failed": BuildFailed(
        reason="nvcc exited with 2: kernel.cu(14): error: identifier 'n' is undefined",
        log="build.txt",
    ),
    "crashed": Crashed(
        stage="warm-up", reason="CUDA error: an illegal memory access", log="worker.txt"
    ),
    "timed_out": TimedOut(stage="measure", limit=60.0),
}
"""One outcome of each kind that has no speed, for `simulated_traces(ratios=...)`."""

Role = Literal["baseline", "solution", "twin", "wrong"]
Fate = float | Outcome | Missing
"""A speed-up; or the outcome instead of a time; or why the deciding tier was not measured."""


def simulated_traces(
    study: Study,
    *,
    ratios: Mapping[str, Fate] | None = None,
    processes: int = 6,
    seed: int = 0,
    noise: float = 0.002,
    device: Device = "cuda",
) -> list[Trace]:
    """Return the traces of a whole run: baseline, its twin, solutions, wrong controls.

    ratios: solution -> speed-up against the baseline (1.0 if not named), or what became of it;
        the twin can be named too. Wrong controls are incorrect unless named.
    noise: relative standard deviation, between processes, between visits and between samples each.
    Raises: ValueError for a name that is neither a solution, a control nor the twin.
    """
    roles = _roles(study)
    unknown = set(ratios or {}) - set(roles)
    if unknown:
        raise ValueError(f"{sorted(unknown)} are not in the study (known: {sorted(roles)})")
    fates: dict[str, Fate] = {
        name: FAILURES["incorrect"] if role == "wrong" else 1.0 for name, role in roles.items()
    }
    fates |= dict(ratios or {})
    bench = _Bench(study=study, fates=fates, device=device, noise=noise, rng=random.Random(seed))
    return [trace for process in range(processes) for trace in bench.run_process(process)]


def stretched(trace: Trace, factor: float) -> Trace:
    """Return a trace whose every sample takes `factor` times as long: a planted slow-down."""
    if not isinstance(trace.outcome, Passed):
        return trace
    measured = tuple(
        replace(m, visits=tuple(_stretched(visit, factor) for visit in m.visits))
        for m in trace.outcome.measurements
    )
    return replace(trace, outcome=replace(trace.outcome, measurements=measured))


def _stretched(visit: Visit, factor: float) -> Visit:
    return replace(visit, samples=tuple(sample * factor for sample in visit.samples))


# --- one run, drawn ------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class _Bench:
    """What the bench would see; every number comes from `rng`."""

    study: Study
    fates: Mapping[str, Fate]
    device: Device
    noise: float
    rng: random.Random

    def run_process(self, process: int) -> Iterator[Trace]:
        """Yield the traces of one set of processes, in the order of the study."""
        roles = _roles(self.study)
        workloads = [each for each in self.study.workloads if not each.held_out]
        # A process keeps its own speed for as long as it lives; that is why it is the unit.
        habit = {name: self._draw() for name in self.fates}
        for index, workload in enumerate(workloads):
            at = process * (_PROCESS_START + len(workloads)) + index
            visits = self._visit_all(workload, habit, float(at))
            for name, role in roles.items():
                yield Trace(
                    workload=workload.id,
                    solution=name,
                    role=role,
                    process=process,
                    outcome=self._outcome(name, visits.get(name, {})),
                )

    def _visit_all(
        self, workload: Workload, habit: Mapping[str, float], at: float
    ) -> dict[str, dict[Tier, list[Visit]]]:
        """Return name -> tier -> visits: blocks, each visiting everyone in random order."""
        names = [name for name, fate in self.fates.items() if isinstance(fate, float | int)]
        names += [name for name, fate in self.fates.items() if isinstance(fate, Missing)]
        visits: dict[str, dict[Tier, list[Visit]]] = {name: {} for name in names}
        for block in range(self.study.protocol.blocks):
            for position, name in enumerate(self.rng.sample(names, len(names))):
                for tier in self._tiers(name):
                    seconds = self._seconds(workload, name, tier) * habit[name] * self._draw()
                    visit = self._visit(seconds, tier, (block, position), at)
                    at += visit.elapsed + _BETWEEN_VISITS
                    visits[name].setdefault(tier, []).append(visit)
        return visits

    def _tiers(self, name: str) -> list[Tier]:
        on_gpu: list[Tier] = ["graph", "call"]
        on_cpu: list[Tier] = ["call"]
        tiers = on_cpu if self.device == "cpu" else on_gpu
        deciding = self._deciding()
        if isinstance(self.fates[name], Missing):
            return [tier for tier in tiers if tier != deciding]
        return tiers if deciding in tiers else [deciding, *tiers]

    def _deciding(self) -> Tier:
        return "call" if self.device == "cpu" else self.study.protocol.tier

    def _seconds(self, workload: Workload, name: str, tier: Tier) -> float:
        moved = evaluate(self.study.definition.traffic, self.study.axes(workload))
        fate = self.fates[name]
        speed = fate if isinstance(fate, float | int) else 1.0
        on_device = (_LAUNCH[self.device] + moved / _RATE[self.device]) / speed
        return on_device + (_HOST if tier == "call" and self.device == "cuda" else 0.0)

    def _visit(self, seconds: float, tier: Tier, place: tuple[int, int], at: float) -> Visit:
        calls = _GRAPH_CALLS if tier == "graph" else 1
        count = self.study.protocol.calls
        samples = tuple(seconds * self._draw() for _ in range(count))
        return Visit(
            block=place[0],
            position=place[1],
            start=round(at, 6),
            samples=samples,
            calls=calls,
            elapsed=round(1.3 * calls * sum(samples) + 1e-3, 6),
        )

    def _draw(self) -> float:
        # A floor keeps times positive whatever noise a test asks for.
        return max(0.05, self.rng.gauss(1.0, self.noise))

    def _outcome(self, name: str, visits: Mapping[Tier, list[Visit]]) -> Outcome:
        fate = self.fates[name]
        build = digest(simulated_build(self.study, name, self.device))
        if isinstance(fate, Incorrect):
            return replace(fate, build=build)
        if not isinstance(fate, float | int | Missing):
            return fate
        return Passed(
            build=build,
            checks=(self._check(visits),),
            measurements=tuple(
                Measurement(
                    tier=tier,
                    cache=self.study.protocol.cache,
                    clock=_CLOCKS[tier],
                    visits=tuple(of_tier),
                )
                for tier, of_tier in visits.items()
            ),
            absent=self._absent(fate),
            readings=tuple(self._reading(visit) for visit in next(iter(visits.values()), ())),
        )

    def _absent(self, fate: Fate) -> dict[str, str]:
        if self.device == "cpu":
            absent = {"kernel": "a CPU has no kernel tier", "graph": "a CPU has no graphs"}
        elif self._deciding() == "kernel":
            absent = {}
        else:
            absent = {"kernel": "CUPTI is held by another tool on this host"}
        if isinstance(fate, Missing):
            absent[self._deciding()] = fate.reason
        return absent

    def _check(self, visits: Mapping[Tier, list[Visit]]) -> Check:
        timed = sum(len(visit.samples) for of_tier in visits.values() for visit in of_tier)
        error = Deviation(rms=1.7e-3 * self._draw(), peak=7.8e-3 * self._draw())
        return Check(output="y", calls=timed + 2, timed=timed, error=error, passed=True)

    def _reading(self, visit: Visit) -> GpuReading | CpuReading:
        at = round(visit.start + visit.elapsed, 6)
        if self.device == "cpu":
            return CpuReading(at=at, stolen=0.0, preempted=self.rng.randrange(3), load=0.4)
        return GpuReading(
            at=at,
            sm_clock=1.98e9,
            memory_clock=3.201e9,
            temperature=44.0 + self.rng.random() * 6,
            power=310.0 + self.rng.random() * 40,
            throttle=0,
        )


def _roles(study: Study) -> dict[str, Role]:
    roles: dict[str, Role] = {solution.name: "solution" for solution in study.solutions}
    roles[study.baseline] = "baseline"
    roles[twin_of(study.baseline)] = "twin"
    controls: dict[str, Role] = {control.name: "wrong" for control in study.wrong}
    return roles | controls
