"""What a fleet is worth and what it costs: throughput, agreement, errors.

    python benchmarks/fleet.py [--study studies/gdn_decode] [--fleet local:2] [--processes 6:6]
    python benchmarks/fleet.py --simulate

Measured: the same study, the same number of process sets, once on one device and once over the
fleet, after a warm-up that fills the caches of builds and ceilings. "measuring" is the time from
the first visit to the last; "session" has builds and negative controls too. Then what each station
says by itself.

Simulated: how often the interval over k devices misses the true mean at one look, and how wide it
is, beside the interval that takes n processes for one machine's. The device's own deviation is
given in units of a process's.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Python puts this folder first, where statistics.py would hide the standard library's.
sys.path[:1] = [str(ROOT / "src")]

import argparse  # noqa: E402
import random  # noqa: E402
import tempfile  # noqa: E402
from statistics import median  # noqa: E402

from roofmark import api  # noqa: E402
from roofmark.analysis.stations import ByStation  # noqa: E402
from roofmark.analysis.stats import interval, summarise  # noqa: E402
from roofmark.analysis.verdict import Estimate  # noqa: E402
from roofmark.evidence import Passed  # noqa: E402
from roofmark.options import RunOptions  # noqa: E402

WANTED = 1.8
"""How many times the throughput of one device two should have."""


# --- measured ------------------------------------------------------------------------------------
def measuring(bundle) -> float:
    """Return the seconds from the first visit to the last."""
    visits = [
        visit
        for trace in bundle.traces()
        if isinstance(trace.outcome, Passed) and trace.role != "wrong"
        for measurement in trace.outcome.measurements
        for visit in measurement.visits
    ]
    return max(v.start + v.elapsed for v in visits) - min(v.start for v in visits)


def measured(bundle) -> int:
    """Return how many sets of a workload were measured; a time limit may cut a run short."""
    return sum(t.role == "baseline" and isinstance(t.outcome, Passed) for t in bundle.traces())


def throughput(bundle) -> float:
    """Return the sets of a workload per second of measuring."""
    return measured(bundle) / measuring(bundle)


def tell(name, bundle, verdict) -> None:
    sets = len({t.process for t in bundle.traces() if t.role == "baseline"})
    seconds = sum(s.seconds for s in bundle.run.sessions if isinstance(s.seconds, float))
    span = measuring(bundle)
    print(
        f"{name:9} {sets} sets, {measured(bundle)} sets of a workload: session {seconds:.1f} s, "
        f"measuring {span:.1f} s, {throughput(bundle):.2f} per second"
    )
    for each in verdict.overall:
        print(f"  {each.solution:20} {each.decision:9} {shown(each.speedup)}")


def shown(estimate) -> str:
    if not isinstance(estimate, Estimate):
        return estimate.reason
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}] n={estimate.n}"


def compare(arguments) -> int:
    fewest, _, most = arguments.processes.partition(":")
    sets = (int(fewest), int(most or fewest))
    common = {
        "device": arguments.device,
        "workloads": tuple(arguments.workload),
        "solutions": tuple(arguments.solution),
        "time_limit": arguments.time_limit,
    }
    place = Path(arguments.output or tempfile.mkdtemp(prefix="roofmark-fleet-"))
    warm = common | {"processes": (2, 2), "blocks": 2}
    if arguments.warm:
        api.run(arguments.study, place / "warm", options=RunOptions(**warm, fleet=arguments.fleet))
    one = api.run(arguments.study, place / "one", options=RunOptions(**common, processes=sets))
    options = RunOptions(**common, processes=sets, fleet=arguments.fleet)
    many = api.run(arguments.study, place / "fleet", options=options)
    verdicts = [api.judge(one), api.judge(many)]
    tell("one", one, verdicts[0])
    tell("fleet", many, verdicts[1])
    for each in verdicts[1].stations:
        print(f"station {each.station} ({each.device_name}), {each.processes} sets")
        for name, speedup in each.speedups.items():
            print(f"  {name:20} {shown(speedup)}")
    for found in verdicts[1].findings:
        if found.code in ("RM345", "RM346", "RM347"):
            where = f"{found.solution} {found.workload}".strip()
            print(f"{found.code} {found.state} {where}: {found.message or 'nothing to tell'}")
    agree = all(
        a.speedup.low <= b.speedup.value <= a.speedup.high
        or b.speedup.low <= a.speedup.value <= b.speedup.high
        for a, b in zip(verdicts[0].overall, verdicts[1].overall, strict=True)
        if isinstance(a.speedup, Estimate) and isinstance(b.speedup, Estimate)
    )
    gain = throughput(many) / throughput(one)
    print(f"one and fleet agree: {agree}")
    print(f"throughput: {gain:.2f}x of one (wanted with two devices: {WANTED}x)")
    print(f"bundles: {place}")
    return 0 if agree and (gain >= WANTED or arguments.device == "cpu") else 1


# --- simulated -----------------------------------------------------------------------------------
def simulate(runs: int) -> int:
    noise, spread, rng = 0.005, 0.002, random.Random(1)
    print(f"noise of a process {noise}, spread of devices assumed {spread}, 7 looks, level 95 %")
    print("devices sets device's own   misses  half-width   (as one machine: misses  half-width)")
    for devices, sets in ((2, 6), (2, 12), (3, 12), (4, 8), (4, 12), (8, 12)):
        for own in (0.0, 0.4, 1.0, 2.0, 4.0):
            missed, halves = [0, 0], ([], [])
            for _ in range(runs):
                effects = [rng.gauss(0, own * noise) for _ in range(devices)]
                blocks = {p: [effects[p % devices] + rng.gauss(0, noise)] for p in range(sets)}
                stations = {p: f"h.{p % devices}" for p in range(sets)}
                wide = ByStation(blocks, stations, spread)
                for i, each in enumerate((wide, list(blocks.values()))):
                    low, high = interval(summarise(each), level=0.95, looks=7)
                    missed[i] += not low <= 0 <= high
                    halves[i].append((high - low) / 2)
            told = [f"{100 * m / runs:6.2f} %  {100 * median(h):7.2f} %" for m, h in
                    zip(missed, halves, strict=True)]  # fmt: skip
            print(f"{devices:7} {sets:4} {own:8.1f} w    {told[0]}   ({told[1]})")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--study", default=str(ROOT / "studies" / "gdn_decode"))
    parser.add_argument("--fleet", default="local:2")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--processes", default="6:6")
    parser.add_argument(
        "--warm",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run once before, so that caches of builds and ceilings are filled",
    )
    parser.add_argument("-w", "--workload", action="append", default=[])
    parser.add_argument("-s", "--solution", action="append", default=[])
    parser.add_argument("--time-limit", type=float, default=400.0)
    parser.add_argument("-o", "--output")
    arguments = parser.parse_args()
    return simulate(arguments.runs) if arguments.simulate else compare(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
