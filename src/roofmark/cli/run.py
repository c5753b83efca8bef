"""`roofmark run`: measure a study and write a sealed bundle, a verdict and a report."""

import time
from pathlib import Path
from typing import Literal, cast, get_args

import typer

from roofmark.cli.run_view import watch_run
from roofmark.cli.speak import (
    exit_code_of,
    kept_on_interrupt,
    print_json,
    say,
    say_wrote,
)
from roofmark.codes import problem
from roofmark.errors import BundleError
from roofmark.options import RunOptions
from roofmark.study import CacheState, Tier


def main(
    study: Path | None = typer.Argument(None, help="A study.py, or the folder that holds one."),
    output: Path | None = typer.Option(None, "-o", "--output", help="Folder of the bundle."),
    device: str = typer.Option("auto", help="auto, cpu or cuda."),
    workload: list[str] = typer.Option([], "-w", "--workload", help="Pattern of workload ids."),
    solution: list[str] = typer.Option([], "-s", "--solution", help="Measure only these."),
    tier: str | None = typer.Option(
        None, help="Tier that decides: kernel, graph, call; of engines token, ttft, ..."
    ),
    cache: str | None = typer.Option(None, help="Cache state: cold or warm."),
    processes: str | None = typer.Option(None, help="Fewest and most process sets, as 6:12."),
    blocks: int | None = typer.Option(None, help="Visits of each solution in a process set."),
    time_limit: float | None = typer.Option(None, help="Seconds for the whole run."),
    confirm: bool = typer.Option(False, "--confirm", help="Measure held-out workloads too."),
    fleet: str = typer.Option("", help="auto, local, local:N, ray, ray:HOST:PORT or ray://..."),
    resume: Path | None = typer.Option(None, help="Go on with an interrupted bundle."),
    force: bool = typer.Option(False, "--force", help="Delete what is in the way."),
    pages: bool = typer.Option(True, "--report/--no-report", help="Write report pages."),
    as_json: bool = typer.Option(False, "--json", help="Print the verdict as JSON."),
) -> int:
    """Measure a study; write a sealed bundle, and its report beside it."""
    from roofmark import api

    options = RunOptions(
        device=device_named(device),
        workloads=tuple(workload),
        solutions=tuple(solution),
        tier=cast("Tier | None", _one_of("tier", tier, " ".join(get_args(Tier)))),
        cache=cast("CacheState | None", _one_of("cache", cache, "cold warm")),
        processes=process_range(processes),
        blocks=blocks,
        time_limit=time_limit,
        confirm=confirm,
        force=force,
        fleet=fleet,
    )
    if (study is None) == (resume is None):
        raise typer.BadParameter("name either a study, or --resume a bundle")
    target = resume or output or free_folder(cast(Path, study))
    check_pages_free(target, force=force or not pages)
    with kept_on_interrupt(target), watch_run() as show:
        if study is None:
            bundle = api.resume(target, fleet=fleet, progress=show)
        else:
            bundle = api.run(study, target, options=options, progress=show)
    verdict = api.judge(bundle)
    if as_json:
        print_json(verdict)
    else:
        from roofmark.reports.terminal import render_terminal

        typer.echo(render_terminal(verdict, bundle), nl=False)
    if pages:
        for page in pages_of(bundle.path):
            say_wrote(api.report(bundle, verdict, page, force=force))
    say(f"Judge it again anywhere: roofmark judge {bundle.path}")
    say_wrote(bundle.path)
    return exit_code_of(verdict)


def pages_of(bundle: Path) -> tuple[Path, ...]:
    """Return the report's pages: beside the bundle, because nothing is added to what is sealed."""
    folder = bundle.resolve()
    return tuple(folder.with_name(folder.name + suffix) for suffix in (".md", ".html"))


def check_pages_free(bundle: Path, *, force: bool) -> None:
    """Refuse before the run, not after it. Raises: BundleError RM409 when a page is in the way."""
    taken = [page for page in pages_of(bundle) if page.exists() and not force]
    if taken:
        mend = "Pass --force to replace it, --no-report, or another -o."
        raise BundleError(
            *(problem("RM409", f"{page.name} exists", str(page), mend) for page in taken)
        )


def free_folder(study: Path) -> Path:
    """Return out/<date>-<study>, with a number if that is taken."""
    name = (study.parent if study.suffix == ".py" else study).resolve().name
    base = Path("out") / f"{time.strftime('%Y-%m-%d')}-{name}"
    taken = (base.with_name(f"{base.name}-{n}") for n in range(2, 10_000))
    return next(path for path in (base, *taken) if not path.exists())


def _one_of(option: str, value: str | None, allowed: str) -> str | None:
    if value is not None and value not in allowed.split():
        choices = ", ".join(allowed.split())
        raise typer.BadParameter(f"{value!r} is not one of {choices}", param_hint=f"--{option}")
    return value


def device_named(device: str) -> Literal["auto", "cpu", "cuda"]:
    """Return the device of that name. Raises: BadParameter for any other word."""
    return cast(Literal["auto", "cpu", "cuda"], _one_of("device", device, "auto cpu cuda"))


def process_range(text: str | None) -> tuple[int, int] | None:
    """Return the fewest and most process sets of "6:12". Raises: BadParameter."""
    if text is None:
        return None
    low, colon, high = text.partition(":")
    try:
        fewest, most = int(low), int(high if colon else low)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not FEWEST:MOST", param_hint="--processes"
        ) from error
    return fewest, most
