"""The machine as every reader in this package sees it: files, variables, programs, NVML.

In: nothing. Out: `Host`, whose answers are a value or `Missing` with the reason, never an
exception. It exists so that a reader can be shown another machine (a folder that looks like
`/proc`, a made-up NVML) without patching anything.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roofmark.bench.nvml import Nvml, open_nvml
from roofmark.records import Missing

# Chosen: `nsys --version` takes 0.3 s on a warm disk and several on a cold network one; a tool that
# is silent for longer would hold up every run.
COMMAND_LIMIT = 15.0
# Chosen: more than any version text or probe prints; stops a chatty tool from filling a record.
_MAX_OUTPUT = 100_000
# Source: default prefixes of the CUDA toolkit's Linux installers; used after PATH.
_TOOLKIT_FOLDERS = ("usr/local/cuda/bin", "opt/nvidia/nsight-compute", "opt/nvidia/nsight-systems")

Runner = Callable[[Sequence[str], float], str | Missing]


def run_command(command: Sequence[str], limit: float = COMMAND_LIMIT) -> str | Missing:
    """Return what `command` prints (stdout, then stderr), or why it could not be had."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit,
            check=False,
            env={**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
        )
    except subprocess.TimeoutExpired:
        return Missing(reason=f"{command[0]} did not answer within {limit:g} s")
    except (OSError, ValueError) as error:
        return Missing(reason=f"{command[0]}: {error}")
    out = done.stdout.decode(errors="replace")[:_MAX_OUTPUT]
    err = done.stderr.decode(errors="replace")[:_MAX_OUTPUT]
    if done.returncode != 0:
        return Missing(
            reason=f"{Path(command[0]).name} exited with {done.returncode}: {_last_words(out, err)}"
        )
    return out + err


def _last_words(out: str, err: str) -> str:
    """Return the end of what a failed command said, on one line."""
    lines = [line.strip() for line in (out + "\n" + err).splitlines() if line.strip()]
    return " / ".join(lines[-8:])[-1000:] or "nothing"


def run_module(module: str, *arguments: str, limit: float) -> str | Missing:
    """Return what `python -m module` prints, in an interpreter of its own."""
    return run_command([sys.executable, "-m", module, *arguments], limit)


@dataclass(frozen=True)
class Host:
    """One machine. `root` stands for `/`; everything else can be replaced for a test."""

    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    run: Runner = run_command
    nvml: Callable[[], Nvml | Missing] = open_nvml

    def read(self, path: str) -> str | Missing:
        """Return the text of `path` (relative to `root`)."""
        try:
            return (self.root / path).read_text(errors="replace")
        except OSError as error:
            return Missing(reason=f"/{path}: {error.strerror or error}")

    def find(self, tool: str) -> Path | Missing:
        """Return where `tool` is: on PATH, in $CUDA_HOME, or where the toolkit installs itself."""
        folders = [self.environ.get("PATH", "")]
        folders += [f"{self.environ[name]}/bin" for name in ("CUDA_HOME", "CUDA_PATH")
                    if self.environ.get(name)]  # fmt: skip
        for folder in _TOOLKIT_FOLDERS:
            base = self.root / folder
            folders += [str(base), *map(str, sorted(base.glob("2*"), reverse=True))]
        found = shutil.which(tool, path=os.pathsep.join(filter(None, folders)))
        return Path(found) if found else Missing(reason="not on PATH, nor where CUDA installs it")
