"""The fixed parts of a made-up bundle: study, machine, proofs of build.

In: names and a device. Out: records with plausible contents; every gap says that it was simulated.
"""

from collections.abc import Iterable, Iterator

from roofmark.evidence import (
    Build,
    Ceiling,
    Cpu,
    Environment,
    Git,
    Gpu,
    KernelResources,
    Target,
)
from roofmark.records import Missing, digest
from roofmark.study import (
    VAR,
    Definition,
    Device,
    Protocol,
    Solution,
    Study,
    Tensor,
    Tolerance,
    Workload,
    twin_of,
)

_UNREAD = Missing(reason="simulated, not read from a machine")


def small_study(
    solutions: Iterable[str | Solution] = ("fast",),
    *,
    workloads: Iterable[int | Workload] = (1, 127, 4096),
    wrong: Iterable[str] = ("no_weight",),
    accept: Iterable[str] = (),
    protocol: Protocol | None = None,
) -> Study:
    """Return an RMS normalisation: baseline `eager` and the named solutions.

    workloads: rows n, or whole Workloads that bind n.
    """
    return Study(
        definition=_definition(),
        workloads=tuple(
            each if isinstance(each, Workload) else Workload(axes={"n": each}) for each in workloads
        ),
        solutions=tuple(_solution(each) for each in ("eager", *solutions)),
        baseline="eager",
        protocol=protocol or Protocol(),
        wrong=tuple(_solution(each) for each in wrong),
        accept=tuple(accept),
    )


def small_environment(device: Device = "cuda") -> Environment:
    """Return a plausible machine: an H200 with measured ceilings, or a CPU host."""
    return Environment(
        device=device,
        cpu=_cpu(),
        gpu=_gpu() if device == "cuda" else Missing(reason="the run was on the CPU"),
        os="Linux 6.8.0",
        python="3.12.3",
        packages={"torch": "2.13.0", "numpy": "2.3.0"},
        tools={"nvcc": "13.0.88" if device == "cuda" else Missing(reason="not on the PATH")},
        variables={},
        git=Git(commit="5" * 40, dirty=False),
        ceilings=tuple(_ceilings(device)),
    )


def simulated_build(study: Study, name: str, device: Device = "cuda") -> Build:
    """Return a plausible proof of build of a solution, or (for the twin) of the baseline."""
    solution = study.solution(study.baseline if name == twin_of(study.baseline) else name)
    source = digest(source_text(solution.path))
    if solution.language == "python":
        return _build(solution, _UNREAD, (), source=source)
    if solution.language == "cpp":
        command = ("g++", "-O3", "-march=haswell", solution.path)
        return _build(solution, "g++ 12.2.0", command, source=source)
    command = ("nvcc", "-O3", "-arch=sm_90a", solution.path)
    return _build(solution, "nvcc 13.0.88", command, source=source)


def source_text(path: str) -> bytes:
    """Return what `write_bundle` keeps as the source file of that path."""
    return f"# {path}: its times were simulated; there is no kernel behind them.\n".encode()


def _definition() -> Definition:
    return Definition(
        name="rmsnorm",
        axes={"n": VAR, "d": 4096},
        inputs={"x": Tensor("n d", "bfloat16"), "w": Tensor("d", "bfloat16")},
        outputs={"y": Tensor("n d", "bfloat16")},
        reference="reference.py::rmsnorm",
        tolerance=Tolerance(rms=4e-3),
        flops="4*n*d",
        traffic="2*(2*n*d + d)",
    )


def _solution(each: str | Solution) -> Solution:
    return each if isinstance(each, Solution) else Solution(each, entry=f"{each}.py::rmsnorm")


def _cpu() -> Cpu:
    return Cpu(
        model="AMD EPYC 9654",
        cores=16,
        isa=("avx2", "avx512f"),
        last_level_cache=384 * 2**20,
        governor="performance",
        memory=128 * 2**30,
        load=0.3,
        hypervisor=_UNREAD,
    )


def _gpu() -> Gpu:
    return Gpu(
        name="NVIDIA H200",
        uuid="GPU-00000000-0000-0000-0000-000000000000",
        driver="580.159",
        compute_capability="9.0",
        multiprocessors=132,
        memory=141 * 10**9,
        last_level_cache=50 * 2**20,
        power_limit=700.0,
        max_clock=1.98e9,
        persistence=True,
        mig=False,
        other_processes=0,
    )


def _ceilings(device: Device) -> Iterator[Ceiling]:
    source = "simulated copy"
    rates = {"cuda": (3.82e12, 4.24e12), "cpu": (1.9e10, 2.1e10)}[device]
    for size, rate in zip((64 * 2**20, 2 * 2**30), rates, strict=True):
        yield Ceiling(quantity="copy", value=rate, source=source, size=size, measured=True)
    launch = {"cuda": 0.99e-6, "cpu": 2.0e-6}[device]
    quantity = "launch" if device == "cuda" else "launch:call"
    yield Ceiling(quantity=quantity, value=launch, source=source, size=_UNREAD, measured=True)


def _build(
    solution: Solution, compiler: str | Missing, command: tuple[str, ...], *, source: str
) -> Build:
    kernels: tuple[KernelResources, ...] = ()
    targets: tuple[Target, ...] = ()
    if solution.language == "cuda":
        targets = (Target(kind="sass", name="sm_90a"),)
        name = f"{solution.function}_kernel"
        kernels = (
            KernelResources(name=name, registers=64, spill_bytes=0, shared=0, target="sm_90a"),
        )
    elif solution.language == "cpp":
        targets = (Target(kind="isa", name="avx2"),)
    return Build(
        solution=solution.name,
        language=solution.language,
        compiler=compiler,
        command=command,
        seconds=3.2 if command else _UNREAD,
        source=source,
        binary=digest(source.encode()) if command else _UNREAD,
        targets=targets,
        kernels=kernels,
    )
