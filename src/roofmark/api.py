"""run, judge, report, rerun: the one place that sees both halves of the program.

In: a study or a bundle. Out: a sealed bundle, a verdict, a page. What the bench needs of the
analysis (is it decided?) is handed down from here as a plain function; the bench imports none.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import UnsetType

from roofmark import __version__
from roofmark.bundle import MANIFEST, Bundle, BundleWriter, open_bundle
from roofmark.errors import BenchError, BundleError, Problem
from roofmark.evidence import Environment, Run, Session, Skipped
from roofmark.narrowing import narrow_study
from roofmark.options import Progress, RunOptions
from roofmark.records import Missing, digest, encode
from roofmark.study import Device, Study

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Replication, Verdict

Say = Callable[[Progress], None]


def run(
    study: Study | str | Path,
    output: str | Path,
    *,
    options: RunOptions | None = None,
    progress: Say | None = None,
) -> Bundle:
    """Measure a study and return the sealed bundle that it left in `output`.

    study: a `study.py`, its folder, or a Study whose sources lie in the current folder.
    Raises: StudyError, BenchError, BundleError. After any of them, and after Ctrl-C, the traces
        that were finished are in `output`, and `resume` goes on from there.
    """
    from roofmark.loading import load_study

    options = options or RunOptions()
    loaded = load_study(study)
    asked = narrow_study(loaded.study, options)
    device = _choose_device(asked, options)
    output = Path(output)
    with BundleWriter(output, force=options.force) as writer:
        if writer.has("study.json"):
            raise _interrupted_there(output)
        begun = _new_run(asked, device, options)
        _begin(writer, asked, begun, loaded.contents, _collect(device, loaded.folder))
        _measure(writer, loaded.contents, progress)
    return open_bundle(output)


def resume(output: str | Path, *, progress: Say | None = None) -> Bundle:
    """Go on with a run that was interrupted, on the same machine; return the sealed bundle.

    Raises: BundleError RM410 when this is another machine than the one that began.
    """
    from roofmark.loading import check_kept_study

    output = Path(output)
    if not (output / "study.json").is_file():
        raise _nothing_to_resume(output)
    with BundleWriter(output) as writer:
        study = writer.read("study.json", Study)
        begun = writer.read("environment.json", Environment)
        _check_same_machine(begun, _collect(begun.device, output), output)
        record = writer.read("run.json", Run)
        sessions = (*record.sessions, _new_session())
        writer.write("run.json", msgspec.structs.replace(record, sessions=sessions))
        contents = {path: _kept_source(output, name) for path, name in study.files.items()}
        check_kept_study(study, contents)
        _measure(writer, contents, progress)
    return open_bundle(output)


def judge(bundle: Bundle | str | Path) -> "Verdict":
    """Return what follows from a bundle: the same bytes give the same verdict anywhere."""
    from roofmark.analysis.judge import judge_bundle

    return judge_bundle(_opened(bundle))


def report(
    bundle: Bundle | str | Path,
    verdict: "Verdict | None" = None,
    path: str | Path = "report.html",
    *,
    force: bool = False,
) -> Path:
    """Write a report and return its path; the suffix (.html, .md) chooses the form.

    Raises: BundleError RM409 when a file is in the way and `force` is not set.
    """
    from roofmark.reports import write_report

    bundle = _opened(bundle)
    return write_report(verdict or judge(bundle), bundle, Path(path), force=force)


def rerun(
    bundle: Bundle | str | Path,
    output: str | Path,
    *,
    options: RunOptions | None = None,
    progress: Say | None = None,
) -> "Replication":
    """Run a bundle's own study and sources again and say whether its verdict reproduces."""
    from roofmark.analysis.replicate import replicate
    from roofmark.loading import load_bundled_study

    original = _opened(bundle)
    before, loaded = original.run, load_bundled_study(original)
    study, contents = loaded.study, loaded.contents
    options = options or RunOptions(device=before.device, confirm=before.confirmation)
    device = _choose_device(study, options)
    with BundleWriter(output) as writer:
        if writer.has("study.json"):
            raise _interrupted_there(Path(output))
        begun = _new_run(study, device, options)
        _begin(writer, study, begun, contents, _collect(device, original.path))
        _measure(writer, contents, progress)
    again = open_bundle(output)
    return replicate(
        judge(original),
        judge(again),
        original.environment,
        again.environment,
        studies=(study, again.study),
    )


def _opened(bundle: Bundle | str | Path) -> Bundle:
    return bundle if isinstance(bundle, Bundle) else open_bundle(bundle)


def _begin(
    writer: BundleWriter,
    study: Study,
    begun: Run,
    contents: Mapping[str, bytes],
    environment: Environment,
) -> None:
    """Write what a run begins with; study.json last, so that where it is, `resume` has it all."""
    for data in contents.values():
        writer.write_source(data)
    writer.write("environment.json", environment)
    writer.write("run.json", begun)
    writer.write("study.json", study)


def _measure(writer: BundleWriter, contents: Mapping[str, bytes], progress: Say | None) -> None:
    """Measure what the bundle's own study.json says, then seal; note how the session ended."""
    from roofmark.analysis.judge import undecided_workloads
    from roofmark.analysis.rules import loaded_plugins
    from roofmark.bench.run import Job, run_job
    from roofmark.bench.serving.run import run_serving_job

    started = time.monotonic()
    job = Job(
        study=writer.read("study.json", Study),
        contents=contents,
        run=writer.read("run.json", Run),
        environment=writer.read("environment.json", Environment),
        writer=writer,
        undecided=undecided_workloads,
        say=progress or _silent,
        cache=build_cache(),
    )
    try:
        (run_job if isinstance(job.study.serving, UnsetType) else run_serving_job)(job)
    except BaseException as error:
        # On a full disk this cannot be written either; the first error is the one to tell.
        with contextlib.suppress(BundleError):
            _end_session(writer, type(error).__name__, time.monotonic() - started)
        raise
    _end_session(writer, "complete", time.monotonic() - started)
    writer.seal(loaded_plugins())


def _end_session(writer: BundleWriter, how: str, seconds: float) -> None:
    record = writer.read("run.json", Run)
    last = msgspec.structs.replace(record.sessions[-1], ended=how, seconds=round(seconds, 3))
    sessions = (*record.sessions[:-1], last)
    writer.write("run.json", msgspec.structs.replace(record, sessions=sessions))


def _choose_device(study: Study, options: RunOptions) -> Device:
    if options.device != "auto":
        return options.device
    from roofmark.bench.driver import query_driver

    on_gpu = "cuda" in study.solution(study.baseline).runs_on
    has_gpu = on_gpu and not isinstance(query_driver(), Missing)
    return "cuda" if has_gpu else "cpu"


def _collect(device: Device, folder: Path) -> Environment:
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


def _new_run(study: Study, device: Device, options: RunOptions) -> Run:
    from roofmark.bench.workshop import skip_reasons

    skipped = skip_reasons(study, device)
    return Run(
        device=device,
        entropy=secrets.token_hex(16),
        confirmation=options.confirm,
        skipped=tuple(Skipped(solution=name, reason=why) for name, why in skipped.items()),
        sessions=(_new_session(),),
    )


def _new_session() -> Session:
    unfinished = Missing(reason="the session did not end by itself")
    return Session(
        started=round(time.time(), 3), roofmark=__version__, ended=unfinished, seconds=unfinished
    )


def _kept_source(output: Path, name: str) -> bytes:
    path = output / "sources" / name
    data = path.read_bytes() if path.is_file() else None
    if data is None or digest(data) != name:
        raise BundleError(
            Problem(
                code="RM404",
                fact=f"sources/{name} {'is missing' if data is None else 'was changed'}",
                where=str(output),
                meaning="What would be measured now is not what was measured before.",
                mend="Start again in another folder.",
            )
        )
    return data


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


def build_cache() -> Path:
    """Return where built libraries are kept from run to run."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "roofmark" / "builds"


def _silent(_: Progress) -> None:
    """Say nothing."""


def _interrupted_there(output: Path) -> BundleError:
    return BundleError(
        Problem(
            code="RM411",
            fact="an interrupted run is in this folder",
            where=str(output),
            meaning="Its finished traces would be lost.",
            mend=f"Go on with `roofmark run --resume {output}`, or pass --force to start again.",
        )
    )


def _nothing_to_resume(output: Path) -> BundleError:
    sealed = (output / MANIFEST).exists()
    return BundleError(
        Problem(
            code="RM412",
            fact="nothing to resume: "
            + ("the bundle is sealed" if sealed else "no run began here"),
            where=str(output),
            mend="Start a run with: roofmark run STUDY -o FOLDER.",
        )
    )
