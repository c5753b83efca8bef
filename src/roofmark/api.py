"""run, judge, report, rerun: the one place that sees both halves of the program.

In: a study or a bundle. Out: a sealed bundle, a verdict, a page. What the bench needs of the
analysis (is it decided?) is handed down from here as a plain function; the bench imports none.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from roofmark import __version__
from roofmark.bench.store import build_cache as build_cache
from roofmark.bundle import MANIFEST, Bundle, BundleWriter, open_bundle
from roofmark.errors import BundleError, Problem
from roofmark.evidence import Environment, Run, Session, Skipped, Trace
from roofmark.narrowing import narrow_study
from roofmark.options import Progress, RunOptions
from roofmark.place import Place, open_place
from roofmark.records import Missing, digest
from roofmark.so_far import with_standing
from roofmark.study import Device, Study

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Replication, Verdict

Say = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Until:
    """When a run stops: functions of study, device and traces, asked after every process set.

    undecided: ids of workloads to go on with, once each has the fewest process sets. hopeless: why
    going on is no use, asked from the first set on; nothing while it is.
    """

    undecided: Callable[[Study, Device, list[Trace]], set[str]]
    hopeless: Callable[[Study, Device, list[Trace]], str] | None = None


def run(
    study: Study | str | Path,
    output: str | Path,
    *,
    options: RunOptions | None = None,
    progress: Say | None = None,
    until: Until | None = None,
) -> Bundle:
    """Measure a study and return the sealed bundle that it left in `output`.

    study: a `study.py`, its folder, or a Study whose sources lie in the current folder.
    until: when to stop; by default when every cell is decided.
    Raises: StudyError, BenchError, BundleError. After any of them, and after Ctrl-C, the traces
        that were finished are in `output`, and `resume` goes on from there.
    """
    from roofmark.loading import load_study

    options = options or RunOptions()
    loaded = load_study(study)
    asked = narrow_study(loaded.study, options)
    output = Path(output)
    with BundleWriter(output, force=options.force) as writer:
        if writer.has("study.json"):
            raise _interrupted_there(output)
        with open_place(asked, options, loaded.folder) as place:
            begun = _new_run(place, options)
            _begin(writer, asked, begun, loaded.contents, place.environment)
            _measure(writer, loaded.contents, progress, place, until)
    return open_bundle(output)


def resume(
    output: str | Path,
    *,
    fleet: str = "",
    progress: Say | None = None,
    until: Until | None = None,
) -> Bundle:
    """Go on with a run that was interrupted, on the same machine; return the sealed bundle.

    fleet: where the devices of a fleet's run are now; by default where they were.
    Raises: BundleError RM410 when this is another machine than the one that began, or one machine
        began and a fleet should go on.
    """
    from roofmark.loading import check_kept_study

    output = Path(output)
    if not (output / "study.json").is_file():
        raise _nothing_to_resume(output)
    with BundleWriter(output) as writer:
        study = writer.read("study.json", Study)
        begun = writer.read("environment.json", Environment)
        record = writer.read("run.json", Run)
        if fleet and not record.fleet:
            raise _began_alone(output)
        contents = {path: _kept_source(writer, name) for path, name in study.files.items()}
        check_kept_study(study, contents)
        options = RunOptions(device=begun.device, fleet=fleet or record.fleet)
        with open_place(study, options, output, begun) as place:
            sessions = (*record.sessions, _new_session())
            writer.write("run.json", msgspec.structs.replace(record, sessions=sessions))
            _measure(writer, contents, progress, place, until)
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
    """Run a bundle's own study and sources again and say whether its verdict reproduces.

    options: as of `run`; solutions that they leave out are told as not comparable.
    """
    from roofmark.analysis.replicate import replicate
    from roofmark.loading import load_bundled_study

    original = _opened(bundle)
    before, loaded = original.run, load_bundled_study(original)
    options = options or RunOptions(device=before.device, confirm=before.confirmation)
    study, contents = narrow_study(loaded.study, options), loaded.contents
    with BundleWriter(output) as writer:
        if writer.has("study.json"):
            raise _interrupted_there(Path(output))
        with open_place(study, options, original.path) as place:
            begun = _new_run(place, options)
            _begin(writer, study, begun, contents, place.environment)
            _measure(writer, contents, progress, place)
    again = open_bundle(output)
    return replicate(
        judge(original),
        judge(again),
        original.environment,
        again.environment,
        studies=(loaded.study, again.study),
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


def _measure(
    writer: BundleWriter,
    contents: Mapping[str, bytes],
    progress: Say | None,
    place: Place,
    until: Until | None = None,
) -> None:
    """Measure what the bundle's own study.json says, then seal; note how the session ended."""
    from roofmark.analysis.rules import loaded_plugins
    from roofmark.bench.run import Job, never

    started, until = time.monotonic(), until or _decided()
    job = Job(
        study=writer.read("study.json", Study),
        contents=contents,
        run=writer.read("run.json", Run),
        environment=writer.read("environment.json", Environment),
        writer=writer,
        undecided=until.undecided,
        hopeless=until.hopeless or never,
        say=with_standing(progress or _silent, writer),
        cache=build_cache(),
        hidden=(writer.path.resolve(),),
    )
    try:
        hopeless = place.measure(job, writer)
    except BaseException as error:
        # On a full disk this cannot be written either; the first error is the one to tell.
        with contextlib.suppress(BundleError):
            _end_session(writer, type(error).__name__, time.monotonic() - started)
        raise
    how = f"given up: {hopeless}" if hopeless else "complete"
    _end_session(writer, how, time.monotonic() - started)
    writer.seal(loaded_plugins())


def _decided() -> Until:
    from roofmark.analysis.judge import undecided_workloads

    return Until(undecided=undecided_workloads)


def _end_session(writer: BundleWriter, how: str, seconds: float) -> None:
    record = writer.read("run.json", Run)
    last = msgspec.structs.replace(record.sessions[-1], ended=how, seconds=round(seconds, 3))
    sessions = (*record.sessions[:-1], last)
    writer.write("run.json", msgspec.structs.replace(record, sessions=sessions))


def _new_run(place: Place, options: RunOptions) -> Run:
    return Run(
        device=place.device,
        entropy=secrets.token_hex(16),
        confirmation=options.confirm,
        skipped=tuple(Skipped(solution=name, reason=why) for name, why in place.skipped.items()),
        sessions=(_new_session(),),
        fleet=place.fleet,
    )


def _new_session() -> Session:
    unfinished = Missing(reason="the session did not end by itself")
    return Session(
        started=round(time.time(), 3), roofmark=__version__, ended=unfinished, seconds=unfinished
    )


def _kept_source(writer: BundleWriter, name: str) -> bytes:
    data = writer.read_bytes(f"sources/{name}")
    if digest(data) != name:
        raise BundleError(
            Problem(
                code="RM404",
                fact=f"sources/{name} was changed",
                where=str(writer.path),
                meaning="What would be measured now is not what was measured before.",
                mend="Start again in another folder.",
            )
        )
    return data


def _silent(_: Progress) -> None:
    """Say nothing."""


def _began_alone(output: Path) -> BundleError:
    return BundleError(
        Problem(
            code="RM410",
            fact="one machine began this run, and a fleet cannot go on with it",
            where=str(output),
            meaning="Its process sets name no station, so nobody could tell whose they are.",
            mend=f"Go on here with `roofmark run --resume {output}`, or start a new bundle.",
        )
    )


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
