"""`roofmark new`: a small study that runs as it is, to start from."""

from importlib import resources
from pathlib import Path
from string import Template

import typer

from roofmark.cli import HOLDS
from roofmark.cli.speak import say, say_wrote

# language -> the file of its solution, and how study.py names it.
_SOLUTIONS = {
    "python": ("fused.py", 'rm.Solution("fused", "fused.py::rmsnorm")'),
    "cpp": ("rmsnorm.cpp", 'rm.Solution("cpp", "rmsnorm.cpp::rmsnorm", target="avx2")'),
    "triton": (
        "triton_kernel.py",
        'rm.Solution("triton", "triton_kernel.py::rmsnorm", devices=("cuda",), '
        'requires=("triton",))',
    ),
    "cuda": ("rmsnorm.cu", 'rm.Solution("cuda", "rmsnorm.cu::rmsnorm")'),
}
_COMMON = ("reference.py", "eager.py", "wrong/unscaled.py", "README.md")


def main(
    folder: Path = typer.Argument(..., help="A folder that does not exist yet."),
    language: str = typer.Option("python", help="python, cpp, triton or cuda."),
    as_json: bool = typer.Option(False, "--json", help="Print the written paths as JSON."),
) -> int:
    """Write a small study (RMSNorm) that runs as it is."""
    if language not in _SOLUTIONS:
        known = ", ".join(_SOLUTIONS)
        raise typer.BadParameter(f"{language!r} is not one of {known}", param_hint="--language")
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise typer.BadParameter(f"{folder} is there already and not empty", param_hint="FOLDER")
    file, solution = _SOLUTIONS[language]
    device = "cuda" if language in ("triton", "cuda") else "cpu"
    values = {"solution": solution, "folder": folder.as_posix(), "file": file, "device": device}
    written = [_write(folder, name, values) for name in ("study.py", file, *_COMMON)]
    if as_json:
        import json

        typer.echo(json.dumps([str(path) for path in written], indent=1))
    say(f"Run it: roofmark run {folder}")
    say_wrote(folder)
    return HOLDS


def _write(folder: Path, name: str, values: dict[str, str]) -> Path:
    template = resources.files("roofmark.cli") / "templates" / f"{name}.txt"
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(Template(template.read_text()).safe_substitute(values))
    return path
