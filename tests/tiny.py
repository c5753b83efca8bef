"""Tiny studies, made on the fly, and eyes for what a run leaves behind.

y = 2 x + 1 on 64 KB of float32: small enough that what a test waits for is the import of torch.
"""

import os
import time
from pathlib import Path

from roofmark import api
from roofmark.bundle import Bundle, open_bundle
from roofmark.evidence import Outcome, Passed, Trace
from roofmark.options import RunOptions

REFERENCE = "def line(x):\n    return 2 * x + 1\n"
HONEST = "import torch\n\ndef line(x):\n    return 2 * x + 1\n"
WRONG = "def line(x):\n    return 2 * x\n"
CPU = RunOptions(device="cpu")

_STUDY = """
import roofmark as rm

study = rm.Study(
    definition=rm.Definition(
        name="line",
        axes={{"n": rm.VAR}},
        inputs={{"x": rm.Tensor("n", "float32")}},
        outputs={{"y": rm.Tensor("n", "float32")}},
        reference="reference.py::line",
        tolerance=rm.Tolerance(rms=1e-6),
        flops="2*n",
        traffic="8*n",
    ),
    workloads=[rm.Workload(axes={{"n": n}}) for n in {sizes}],
    solutions=[{solutions}],
    wrong=[{wrong}],
    baseline="honest",
    protocol=rm.Protocol(
        processes={processes}, blocks=2, calls=2, call_limit={limit}, build_limit={build_limit},
        time_limit={time_limit}, memory_limit={memory},
    ),
)
"""


def write_study(
    folder: Path,
    solutions: dict[str, str],
    *,
    wrong: dict[str, str] | None = None,
    reference: str = REFERENCE,
    requires: dict[str, str] | None = None,
    **protocol: object,
) -> Path:
    """Write a study of an honest baseline and these solutions (name -> source); return its folder.

    A name that ends in _cpp is C++. protocol: processes, limit, build_limit, time_limit, memory,
    and the sizes of the workloads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reference.py").write_text(reference)
    both = [{"honest": HONEST} | solutions, wrong or {}]
    for name, text in (item for each in both for item in each.items()):
        (folder / _file(name)).write_text(text)
    shown = [", ".join(_solution(n, (requires or {}).get(n)) for n in each) for each in both]
    settings: dict[str, object] = {
        "sizes": (16384,), "processes": (2, 2), "limit": 3.0, "build_limit": 20.0,
        "time_limit": 120.0, "memory": 2**30,
    }  # fmt: skip
    text = _STUDY.format(solutions=shown[0], wrong=shown[1], **(settings | protocol))
    (folder / "study.py").write_text(text)
    return folder


def run_study(tmp_path: Path, solutions: dict[str, str], **changes: object) -> Bundle:
    """Write and run such a study on the CPU; return the bundle, which `open_bundle` has checked."""
    study = write_study(tmp_path / "study", solutions, **changes)  # pyright: ignore
    return api.run(study, tmp_path / "bundle", options=CPU)


def peak_resets() -> bool:
    """Whether this kernel lets a process reset its own peak of memory."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def outcomes(bundle: Bundle, solution: str) -> list[Outcome]:
    """Return one solution's outcomes, in the order of its traces."""
    return [trace.outcome for trace in bundle.traces() if trace.solution == solution]


def is_whole(trace: Trace, *, blocks: int = 2, calls: int = 2) -> bool:
    """Whether a trace passed and holds every sample that the protocol asks for."""
    if not isinstance(trace.outcome, Passed):
        return False
    visits = [v for m in trace.outcome.measurements for v in m.visits]
    return len(visits) == blocks and all(len(v.samples) == calls for v in visits)


def children_left(orchestrator: int = os.getpid(), *, patience: float = 0.0) -> list[str]:
    """Return what carries the mark of an orchestrator's runs, zombies of ours included."""
    deadline = time.monotonic() + patience
    while True:
        left = [found for pid in _processes() if (found := _left(pid, orchestrator))]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(0.05)


def open_descriptors() -> int:
    """Return how many file descriptors this process holds."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def reopened(bundle: Bundle) -> Bundle:
    """Open it again from its files: every byte is compared with the manifest."""
    return open_bundle(bundle.path)


def _left(pid: int, orchestrator: int) -> str:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        marked = b"ROOFMARK_CHILD=%d-" % orchestrator in Path(f"/proc/{pid}/environ").read_bytes()
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
    state, parent = status.rpartition(")")[2].split()[:2]
    if state == "Z" and int(parent) == os.getpid():
        return f"zombie {pid}"
    return f"{pid} {line}" if marked else ""


def _processes() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def _file(name: str) -> str:
    return f"{name}.cpp" if name.endswith("_cpp") else f"{name}.py"


def _solution(name: str, requires: str | None) -> str:
    needs = f", requires=({requires!r},)" if requires else ""
    return f'rm.Solution("{name}", "{_file(name)}::line"{needs})'
