"""The place of a run: this machine, or a fleet of devices.

In: a study, the options of a run. Out: a `Place`, which knows its machine and measures a job. It
exists so that whoever asks for a run need not know which of the two it gets.
"""

import contextlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import UnsetType

from roofmark.bundle import BundleWriter
from roofmark.codes import problem
from roofmark.errors import BenchError, BundleError, Problem, StudyError
from roofmark.evidence import Environment
from roofmark.options import RunOptions
from roofmark.records import Missing, encode
from roofmark.study import Device, Study

if TYPE_CHECKING:
    from roofmark.bench.run import Job


class Place(Protocol):
    """Where a run is measured. fleet: what names it again, "" for this machine.

    environment: the machine, or one that stands for all. skipped: solution -> why it is not run.
    """

    @property
    def fleet(self) -> str: ...  # noqa: D102
    @property
    def device(self) -> Device: ...  # noqa: D102
    @property
    def environment(self) -> Environment: ...  # noqa: D102
    @property
    def skipped(self) -> Mapping[str, str]: ...  # noqa: D102

    def measure(self, job: "Job", writer: BundleWriter) -> str:
        """Measure until decided, into the writer; return why it was given up, or nothing."""
        ...


@dataclass
class _Here:
    """This machine."""

    device: Device
    environment: Environment
    skipped: Mapping[str, str]
    fleet: str = ""

    def measure(self, job: "Job", writer: BundleWriter) -> str:
        from roofmark.bench.run import run_job
        from roofmark.bench.serving.run import run_serving_job

        if isinstance(job.study.serving, UnsetType):
            return run_job(job)
        return run_serving_job(job, writer)


@contextlib.contextmanager
def open_place(
    study: Study, options: RunOptions, folder: Path, begun: Environment | None = None
) -> Generator[Place]:
    """Yield the fleet that the options name, or this machine.

    begun: the machine that an interrupted run began on. Raises: BundleError RM410 on another.
    """
    with contextlib.ExitStack() as stack:
        if options.fleet:
            from roofmark.fleet import open_fleet

            _check_kernels(study)
            device = None if options.device == "auto" else options.device
            fleet = stack.enter_context(
                open_fleet(options.fleet, study, folder, device=device, like=begun)
            )
            if fleet is not None:
                yield fleet
                return
        from roofmark.bench.workshop import skip_reasons

        device = choose_device(study, options)
        environment = collect_machine(device, folder)
        if begun is not None:
            _check_same_machine(begun, environment, folder)
        yield _Here(device, environment, skip_reasons(study, device))


def choose_device(study: Study, options: RunOptions) -> Device:
    """Return the device that a run on this machine would measure."""
    if options.device != "auto":
        return options.device
    from roofmark.bench.driver import query_driver

    on_gpu = "cuda" in study.solution(study.baseline).runs_on
    has_gpu = on_gpu and not isinstance(query_driver(), Missing)
    return "cuda" if has_gpu else "cpu"


def collect_machine(device: Device, folder: Path) -> Environment:
    """Return this machine with its ceilings. Raises: BenchError RM331 without the device."""
    from roofmark.bench.ceilings import collect_ceilings
    from roofmark.bench.environment import collect_environment

    environment = collect_environment(device, folder, collect_ceilings(device).ceilings)
    if device == "cuda" and isinstance(environment.gpu, Missing):
        raise BenchError(
            Problem(
                code="RM331",
                fact=f"there is no GPU to measure on: {environment.gpu.reason}",
                where="--device cuda",
                mend="Run with --device cpu, or see `roofmark doctor`.",
            )
        )
    return environment


def _check_kernels(study: Study) -> None:
    """A fleet measures kernels. Raises: StudyError RM138 for engines."""
    if not isinstance(study.serving, UnsetType):
        mend = "Leave out --fleet: engines are measured on the machine that starts them."
        raise StudyError(problem("RM138", "engines on a fleet", study.definition.name, mend))


def _check_same_machine(begun: Environment, now: Environment, output: Path) -> None:
    """Traces of two machines must not be mixed in one bundle. Raises: BundleError RM410."""
    fields = ("cpu.model", "cpu.cores", "gpu.uuid", "gpu.driver", "packages", "python")
    differ = [name for name in fields if _field(begun, name) != _field(now, name)]
    if differ:
        raise BundleError(
            Problem(
                code="RM410",
                fact=f"the machine differs from the one that began: {', '.join(differ)}",
                where=str(output),
                meaning="Samples of two machines in one bundle cannot be told apart.",
                mend="Resume where the run began, or start a new bundle here.",
            )
        )


def _field(environment: Environment, name: str) -> bytes:
    value: object = environment
    for part in name.split("."):
        value = getattr(value, part, None)
    return encode(value)
