"""Small studies with traces made by hand, for every test of the right half."""

import random

from roofmark.evidence import (
    Build,
    Check,
    Cpu,
    CpuReading,
    Deviation,
    Environment,
    Gpu,
    GpuReading,
    Measurement,
    Passed,
    Run,
    Trace,
    Visit,
)
from roofmark.records import Missing
from roofmark.study import (
    VAR,
    Definition,
    Protocol,
    Solution,
    Study,
    Tensor,
    Tolerance,
    Workload,
    twin_of,
)

UNKNOWN = Missing(reason="not read")
BUILD = "b" * 64


def make_study(solutions=("fast",), *, workloads=(1,), wrong=(), accept=(), **protocol):
    return Study(
        definition=Definition(
            name="copy",
            axes={"n": VAR, "d": 1024},
            inputs={"x": Tensor("n d", "float32")},
            outputs={"y": Tensor("n d", "float32")},
            reference="reference.py::copy",
            tolerance=Tolerance(rms=1e-3),
            flops="n*d",
            traffic="2*4*n*d",
        ),
        workloads=tuple(
            w if isinstance(w, Workload) else Workload(axes={"n": w}) for w in workloads
        ),
        solutions=tuple(Solution(name, f"{name}.py::run") for name in ("base", *solutions)),
        wrong=tuple(Solution(name, f"{name}.py::run") for name in wrong),
        baseline="base",
        protocol=Protocol(**protocol),
        accept=tuple(accept),
    )


def make_environment(device="cuda", **gpu):
    card = {
        "name": "Test GPU",
        "uuid": "GPU-0",
        "driver": "580.1",
        "compute_capability": "9.0",
        "multiprocessors": 132,
        "memory": 2**37,
        "last_level_cache": 2**26,
        "power_limit": 700.0,
        "max_clock": 1.98e9,
        "persistence": True,
        "mig": False,
        "other_processes": 0,
    }
    return Environment(
        device=device,
        cpu=Cpu(
            model="Test CPU",
            cores=8,
            isa=("avx2",),
            last_level_cache=2**25,
            governor="performance",
            memory=2**36,
            load=0.1,
            hypervisor=UNKNOWN,
        ),
        gpu=Gpu(**(card | gpu)) if device == "cuda" else Missing(reason="no GPU"),
        os="Linux",
        python="3.12",
        packages={"torch": "2.13"},
        tools={},
        variables={},
        git=UNKNOWN,
        ceilings=(),
    )


def make_run(device="cuda", skipped=()):
    return Run(device=device, entropy="00", confirmation=False, skipped=skipped, sessions=())


def make_build(name, **changes):
    fields = {
        "solution": name,
        "language": "python",
        "compiler": UNKNOWN,
        "command": (),
        "seconds": UNKNOWN,
        "source": "0" * 64,
        "binary": UNKNOWN,
        "targets": (),
        "kernels": (),
    }
    return Build(**(fields | changes))


def reading(device="cuda", *, throttle=0, sm_clock=1.98e9, stolen=0.0, load=0.5):
    if device == "cuda":
        return GpuReading(
            at=0.0,
            sm_clock=sm_clock,
            memory_clock=3.2e9,
            temperature=50.0,
            power=300.0,
            throttle=throttle,
        )
    return CpuReading(at=0.0, stolen=stolen, preempted=0, load=load)


def make_passed(blocks, *, tier="graph", calls=1, readings=(), build=BUILD, start=0.0, **visit):
    """One process: `blocks` holds the samples of each visit."""
    visits = tuple(
        Visit(
            block=index,
            position=0,
            start=start + index,
            samples=tuple(samples),
            calls=calls,
            **({"elapsed": 1.5 * calls * sum(samples) + 1e-3} | visit),
        )
        for index, samples in enumerate(blocks)
    )
    clock = "cuda-event" if tier != "call" else "perf_counter_ns"
    return Passed(
        build=build,
        checks=(
            Check(output="y", calls=8, timed=8, error=Deviation(rms=1e-4, peak=1e-4), passed=True),
        ),
        measurements=(Measurement(tier=tier, cache="cold", clock=clock, visits=visits),),
        absent={},
        readings=tuple(readings),
    )


def make_trace(workload, solution, process, outcome, role="solution"):
    return Trace(workload=workload, solution=solution, role=role, process=process, outcome=outcome)


def role_of(study, name):
    if name == study.baseline:
        return "baseline"
    if name == twin_of(study.baseline):
        return "twin"
    return "wrong" if name in {w.name for w in study.wrong} else "solution"


def make_traces(study, speedups=None, *, processes=6, sd=0.002, seed=0, device="cuda", **passed):
    """Every solution, the baseline and its twin, at 20 us / speed-up, with honest noise."""
    rng = random.Random(seed)
    tier = study.protocol.tier if device == "cuda" else "call"
    names = [s.name for s in study.solutions] + [twin_of(study.baseline)]
    return [
        make_trace(
            workload.id,
            name,
            process,
            make_passed(
                _blocks(rng, 2e-5 / (speedups or {}).get(name, 1.0), sd),
                tier=tier,
                readings=[reading(device)] * 4,
                start=10.0 * process,
                **passed,
            ),
            role_of(study, name),
        )
        for process in range(processes)
        for workload in study.workloads
        for name in names
    ]


def _blocks(rng, seconds, sd):
    shift = rng.gauss(0, sd)
    return [[seconds * (1 + shift + rng.gauss(0, sd)) for _ in range(4)] for _ in range(4)]
