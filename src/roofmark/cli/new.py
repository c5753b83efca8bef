"""`roofmark new`: a small study that runs as it is, to be made into one's own."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import print_json, say, say_wrote
from roofmark.text_files import write_files

# Language -> the solution's file, and the line that names it in study.py.
SOLUTIONS: dict[str, tuple[str, str]] = {
    "python": ("fused.py", 'rm.Solution("fused", "fused.py::rmsnorm"),'),
    "triton": (
        "triton_kernel.py",
        'rm.Solution("triton", "triton_kernel.py::rmsnorm", devices=("cuda",),'
        ' requires=("triton",)),',
    ),
    "cpp": ("kernel.cpp", 'rm.Solution("cpp", "kernel.cpp::rmsnorm", target="avx2"),'),
    "cuda": ("kernel.cu", 'rm.Solution("cuda", "kernel.cu::rmsnorm"),'),
}
COMMON = ("study.py", "reference.py", "eager.py", "wrong/no_weight.py", "README.md")
_MARK = "# {{solution}}"


def main(
    folder: Path = typer.Argument(..., help="Folder to make."),
    language: list[str] = typer.Option(
        [], "-l", "--language", help="python (also without it), triton, cpp or cuda; repeatable."
    ),
    from_flashinfer: Path | None = typer.Option(
        None, help="Instead: a FlashInfer-Trace definition to make the study from."
    ),
    workloads: Path | None = typer.Option(None, help="With it: the JSONL of its workloads."),
    solution: list[Path] = typer.Option([], help="With it: JSON of a solution; repeatable."),
    force: bool = typer.Option(False, "--force", help="Replace files that are there."),
    as_json: bool = typer.Option(False, "--json", help="Print the written paths as JSON."),
) -> int:
    """Write a small study (RMS norm) that runs as it is, or one from FlashInfer-Trace files."""
    if from_flashinfer is None:
        if workloads or solution:
            raise typer.BadParameter("--workloads and --solution go with --from-flashinfer")
        texts = _example(language)
    elif language:
        raise typer.BadParameter("--language does not go with --from-flashinfer")
    else:
        texts = _adopted(from_flashinfer, workloads, solution)
    write_files(folder, texts, force=force)
    if as_json:
        print_json([str(folder / name) for name in texts])
    say(f"Run it: roofmark run {folder}")
    say_wrote(folder)
    return HOLDS


def _adopted(definition: Path, workloads: Path | None, solutions: list[Path]) -> dict[str, str]:
    """Return the files of a study made from FlashInfer-Trace, and say what is to be filled in."""
    from roofmark.adopting import adopt

    found = adopt(definition, workloads=workloads, solutions=solutions)
    for note in found.notes:
        say(note)
    return found.files


def _example(language: list[str]) -> dict[str, str]:
    """Return the files of the study that runs as it is."""
    unknown = [each for each in language if each not in SOLUTIONS]
    if unknown:
        known = ", ".join(SOLUTIONS)
        raise typer.BadParameter(f"{unknown[0]!r} is not one of {known}", param_hint="--language")
    chosen = [SOLUTIONS[each] for each in dict.fromkeys(language or ["python"])]
    names = (*COMMON, *(file for file, _ in chosen))
    templates = files("roofmark.cli") / "templates"
    lines = [line for _, line in chosen]
    return {name: _fill(templates / name, lines) for name in names}


def _fill(template: Traversable, lines: list[str]) -> str:
    text = template.read_text(encoding="utf-8")
    return text.replace(_MARK, "\n        ".join(lines))
