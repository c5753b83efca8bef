"""Small sealed bundles without a device: for tests and for authors of rules, importers and pages.

In: a study, what each solution should turn out to be, a seed. Out: traces as the bench writes them
(visits in random order, processes that differ, readings, checks), and a bundle sealed by the same
writer that the bench uses. The times are drawn; the rest of the program cannot tell.
"""

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from roofmark import __version__
from roofmark.bundle import Bundle, BundleWriter, open_bundle
from roofmark.evidence import BuildFailed, Crashed, Environment, Run, Session, Skipped, Trace
from roofmark.study import Device, Study
from roofmark.testing.drawn import FAILURES, Fate, simulated_traces, stretched
from roofmark.testing.parts import simulated_build, small_environment, small_study, source_text

__all__ = [
    "FAILURES",
    "Fate",
    "simulated_build",
    "simulated_traces",
    "small_environment",
    "small_study",
    "source_text",
    "stretched",
    "write_bundle",
]


def write_bundle(
    path: str | Path, study: Study, traces: Iterable[Trace], environment: Environment
) -> Bundle:
    """Write and seal a bundle and open it again; the study's `files` are filled in.

    Raises: BundleError RM407 when a sealed bundle is there already.
    """
    solutions = (*study.solutions, *study.wrong)
    paths = [path for solution in solutions for path in solution.files]
    paths += [entry.partition("::")[0] for entry in study.references]
    with BundleWriter(path) as writer:
        files = {each: writer.write_source(source_text(each)) for each in sorted(set(paths))}
        writer.write("study.json", replace(study, files=files))
        writer.write("environment.json", environment)
        writer.write("run.json", _run(study, environment.device))
        for solution in solutions:
            writer.write_build(simulated_build(study, solution.name, environment.device))
        for trace in traces:
            writer.append(trace)
            if isinstance(trace.outcome, BuildFailed | Crashed):
                name = f"{trace.workload}-{trace.process}"
                writer.write_log(trace.solution, name, trace.outcome.reason.encode())
        writer.seal({})
    return open_bundle(path)


def _run(study: Study, device: Device) -> Run:
    skipped = tuple(
        Skipped(solution=each.name, reason=f"it does not run on {device}")
        for each in study.solutions
        if device not in each.runs_on
    )
    # Source: the first of January 2026, 00:00 UTC; a fixed date keeps the bundle's bytes fixed.
    session = Session(started=1767225600.0, roofmark=__version__, ended="complete", seconds=181.5)
    return Run(
        device=device, entropy="00" * 16, confirmation=False, skipped=skipped, sessions=(session,)
    )
