"""Evidence-grade benchmarking for GPU kernels and LLM decode.

A study asks. The bench observes. The bundle keeps. Everything after it is arithmetic.

Names are imported when they are first used, so `import roofmark` costs next to nothing and loads
neither torch nor numpy.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Estimate, Finding, Verdict
    from roofmark.api import judge, report, rerun, resume, run
    from roofmark.bundle import Bundle, open_bundle
    from roofmark.bundle import verify_bundle as verify
    from roofmark.errors import BenchError, BundleError, RoofmarkError, StudyError
    from roofmark.evidence import Trace
    from roofmark.gating import gate, gate_ratios, pin
    from roofmark.gating.against import gate_against
    from roofmark.legs import (
        Command,
        Engine,
        LlamaBench,
        Pattern,
        Server,
        Serving,
        Smoke,
        Treatment,
    )
    from roofmark.looping import loop
    from roofmark.options import AgainstOptions, LoopOptions, ProfileOptions, RunOptions
    from roofmark.profiling import profile
    from roofmark.serving import engine, load
    from roofmark.study import (
        VAR,
        Contrast,
        Definition,
        Exact,
        Integers,
        Normal,
        Protocol,
        Solution,
        Study,
        Tensor,
        Tolerance,
        Uniform,
        Workload,
        sweep,
    )

__all__ = [
    "VAR",
    "AgainstOptions",
    "BenchError",
    "Bundle",
    "BundleError",
    "Command",
    "Contrast",
    "Definition",
    "Engine",
    "Estimate",
    "Exact",
    "Finding",
    "Integers",
    "LlamaBench",
    "LoopOptions",
    "Normal",
    "Pattern",
    "ProfileOptions",
    "Protocol",
    "RoofmarkError",
    "RunOptions",
    "Server",
    "Serving",
    "Smoke",
    "Solution",
    "Study",
    "StudyError",
    "Tensor",
    "Tolerance",
    "Trace",
    "Treatment",
    "Uniform",
    "Verdict",
    "Workload",
    "engine",
    "gate",
    "gate_against",
    "gate_ratios",
    "judge",
    "load",
    "loop",
    "open_bundle",
    "pin",
    "profile",
    "report",
    "rerun",
    "resume",
    "run",
    "sweep",
    "verify",
]

_HOMES = {
    "roofmark.analysis.verdict": ("Estimate", "Finding", "Verdict"),
    "roofmark.api": ("judge", "rerun", "resume", "run"),
    "roofmark.bundle": ("Bundle", "open_bundle"),
    "roofmark.errors": ("BenchError", "BundleError", "RoofmarkError", "StudyError"),
    "roofmark.evidence": ("Trace",),
    "roofmark.gating": ("gate", "gate_ratios", "pin"),
    "roofmark.gating.against": ("gate_against",),
    "roofmark.legs": (
        "Command",
        "Engine",
        "LlamaBench",
        "Pattern",
        "Server",
        "Serving",
        "Smoke",
        "Treatment",
    ),
    "roofmark.looping": ("loop",),
    "roofmark.options": ("AgainstOptions", "LoopOptions", "ProfileOptions", "RunOptions"),
    "roofmark.profiling": ("profile",),
    "roofmark.serving": ("engine", "load"),
    "roofmark.study": (
        "VAR",
        "Contrast",
        "Definition",
        "Exact",
        "Integers",
        "Normal",
        "Protocol",
        "Solution",
        "Study",
        "Tensor",
        "Tolerance",
        "Uniform",
        "Workload",
        "sweep",
    ),
}
_PLACES = {name: (home, name) for home, names in _HOMES.items() for name in names} | {
    "report": ("roofmark.api", "report"),
    "verify": ("roofmark.bundle", "verify_bundle"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module 'roofmark' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
