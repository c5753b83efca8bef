"""`roofmark demo`: a study that comes with roofmark, measured on what is here.

In: a folder. Out: the study of `roofmark new` in it, in every language that can be built here, a
sealed bundle and its report. It calls the commands that a user would, and says them first.
"""

import importlib.util
import platform
import shutil
import sys
from pathlib import Path

import typer

from roofmark.cli import FAILS, HOLDS, UNDECIDED
from roofmark.cli import main as command
from roofmark.cli.run import device_named
from roofmark.cli.speak import say

# Chosen: with 5 process sets a twofold difference is decided on a shared laptop; two slow cores
# take twelve seconds for one.
BOUNDS = ("--processes", "5:6", "--blocks", "6")
SECONDS = 120.0


def main(
    folder: Path = typer.Argument(Path("roofmark-demo"), help="Folder to make."),
    device: str = typer.Option("auto", help="auto, cpu or cuda."),
    time_limit: float = typer.Option(SECONDS, help="Seconds for the whole run."),
    force: bool = typer.Option(False, "--force", help="Replace what is there."),
    as_json: bool = typer.Option(False, "--json", help="Print the verdict as JSON."),
) -> int:
    """Measure a small study that comes along on this machine; 0 if there is a verdict."""
    study, bundle = folder / "study", folder / "bundle"
    languages = [word for name in languages_here() for word in ("-l", name)]
    again = ["--force"] if force else []
    shown = ["--json"] if as_json else []
    made = _call(["new", str(study), *languages, *again])
    if made != HOLDS:
        return made
    bounds = [*BOUNDS, "--time-limit", f"{time_limit:g}", "--device", device_named(device)]
    code = _call(["run", str(study), "-o", str(bundle), *bounds, *again, *shown])
    if code not in (HOLDS, FAILS, UNDECIDED):
        return code
    say(f"Look at it: {bundle}.html. Make it yours: {study / 'README.md'}")
    return HOLDS


def languages_here() -> list[str]:
    """Return what can be built on this machine; a solution whose device is absent is skipped."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    there = {
        "python": True,
        "cpp": bool(compiler) and platform.machine() in ("x86_64", "AMD64"),  # its target is AVX2
        "triton": importlib.util.find_spec("triton") is not None,
        "cuda": shutil.which("nvcc") is not None or Path("/usr/local/cuda/bin/nvcc").exists(),
    }
    return [name for name, known in there.items() if known]


def _call(arguments: list[str]) -> int:
    """Say a command and run it."""
    say(f"$ roofmark {' '.join(arguments)}")
    sys.stderr.flush()
    return command(arguments)
