"""What was measured, as FlashInfer-Trace's traces: one for each solution and workload.

In: a bundle, its verdict, the workloads as exported. Out: lines of traces/*.jsonl, and which pairs
have none. A trace there holds one latency: the median that the verdict rests on; its log says tier,
cache state and interval. The reference's latency is the baseline's, because the reference is not
timed here. Errors there are absolute and relative per element; ours are scaled otherwise, so
those stay NaN, which no filter lets pass, and ours stand in `extra`.
"""

import time
from collections.abc import Mapping
from typing import Any

from roofmark.analysis.compare import Series, estimate_time
from roofmark.analysis.decide import Scene, fate_of, set_scene
from roofmark.analysis.verdict import Cell, Estimate, Verdict
from roofmark.bundle import Bundle
from roofmark.evidence import Check, Deviation, Environment, Incorrect, Passed
from roofmark.exporting.solutions import exported_name
from roofmark.records import Missing
from roofmark.reports.wording import ratio_and_interval
from roofmark.study import twin_of

_FAILURES = {
    "build_failed": "COMPILE_ERROR",
    "crashed": "RUNTIME_ERROR",
    "timed_out": "TIMEOUT",
}
# Source: how a wrong dtype or shape is told (bench/load.py), where nothing could be compared.
_UNCOMPARED = {" with shape ": "INCORRECT_SHAPE", " with dtype ": "INCORRECT_DTYPE"}


class Traces:
    """Makes the traces of one bundle; `absent` says which pairs have none, and why."""

    def __init__(self, bundle: Bundle, verdict: Verdict) -> None:
        """Group what was measured."""
        self.scene: Scene = set_scene(bundle.study, bundle.run.device, bundle.traces())
        self.absent: dict[tuple[str, str], str] = {}
        self._verdict = verdict
        self._cells = {(cell.workload, cell.solution): cell for cell in verdict.cells}
        self._environment = _environment(bundle.environment, verdict)
        skipped = {each.solution for each in bundle.run.skipped}
        # A wrong solution is tried on few workloads, and a held-out one by confirmation alone.
        planned = [each.id for each in self.scene.workloads]
        names = [s.name for s in self.scene.study.solutions if s.name not in skipped]
        self._planned = dict.fromkeys(names, planned)
        started = [session.started for session in bundle.run.sessions]
        self._timestamp = _timestamp(started[0]) if started else "unknown"

    def of(self, solution: str, workloads: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the traces of one solution. workloads: id -> values as exported."""
        found: list[dict[str, Any]] = []
        for name, values in workloads.items():
            series = self.scene.series.get((name, solution))
            if series is None:
                if name in self._planned.get(solution, ()):
                    self.absent[solution, name] = "not measured"
                continue
            evaluation = self._evaluation(series)
            if isinstance(evaluation, Missing):
                self.absent[solution, name] = evaluation.reason
                continue
            shared = {"timestamp": self._timestamp, "environment": self._environment}
            found.append(
                {
                    "definition": self.scene.study.definition.name,
                    "workload": values,
                    "solution": exported_name(self.scene.study, solution),
                    "evaluation": {**evaluation, **shared},
                }
            )
        return found

    def _evaluation(self, series: Series) -> dict[str, Any] | Missing:
        """Return status, correctness, performance and log, or why there is no evaluation."""
        fate = fate_of(series)
        if fate in _FAILURES:
            return {"status": _FAILURES[fate], "log": _said(series)}
        if fate == "incorrect":
            return _incorrect(series)
        if fate != "passed":
            return Missing(reason=fate)
        cell = self._cell(series)
        if cell is not None and cell.decision == "invalid":
            return Missing(reason=f"judged invalid: {', '.join(cell.codes)}")
        own = self._time(series)
        if isinstance(own, Missing):
            return own
        base = self._time(self.scene.series.get((series.workload, self.scene.study.baseline)))
        reference = 0.0 if isinstance(base, Missing) else base.value
        return {
            "status": "PASSED",
            "log": self._log(series, cell, own),
            "correctness": _correctness(series),
            "performance": {
                "latency_ms": own.value * 1e3,
                # Source: 0 is what the schema writes for a time that was not measured.
                "reference_latency_ms": reference * 1e3,
                "speedup_factor": reference / own.value,
            },
        }

    def _cell(self, series: Series) -> Cell | None:
        """Return the verdict's cell; what is judged of the twin is judged of the baseline."""
        study = self.scene.study
        name = twin_of(study.baseline) if series.solution == study.baseline else series.solution
        return self._cells.get((series.workload, name))

    def _time(self, series: Series | None) -> Estimate | Missing:
        protocol, resolution = self.scene.study.protocol, self.scene.resolution
        return estimate_time(series, self.scene.tier, protocol, resolution=resolution)

    def _log(self, series: Series, cell: Cell | None, own: Estimate) -> str:
        study = self.scene.study
        low, high = (f"{value * 1e3:.6g}" for value in (own.low, own.high))
        parts = [
            f"latency_ms: median of {own.n} processes, {100 * own.level:g} % interval {low} to "
            f"{high}; {self.scene.tier} tier, {study.protocol.cache} cache",
            f"reference_latency_ms: the baseline {study.baseline}, not the reference",
        ]
        if cell is not None and series.solution != study.baseline:
            codes = f" ({', '.join(cell.codes)})" if cell.codes else ""
            ratio = ratio_and_interval(cell.speedup)
            parts.append(f"judged {cell.decision}{codes}, paired speed-up {ratio}")
        parts.append(f"roofmark bundle sha256 {self._verdict.bundle}")
        return "\n".join(parts)


def _incorrect(series: Series) -> dict[str, Any]:
    said = _said(series)
    if any(t.outcome.checks for t in series.traces if isinstance(t.outcome, Incorrect)):
        correctness = _correctness(series)
        return {"status": "INCORRECT_NUMERICAL", "log": said, "correctness": correctness}
    status = next((status for text, status in _UNCOMPARED.items() if text in said), "RUNTIME_ERROR")
    return {"status": status, "log": said}


def _said(series: Series) -> str:
    """Return what the outcomes that are not passed say, each once."""
    reasons = (getattr(t.outcome, "reason", "") for t in series.traces)
    stages = (getattr(t.outcome, "stage", "") for t in series.traces)
    told = (": ".join(filter(None, pair)) for pair in zip(stages, reasons, strict=True))
    return "\n".join(dict.fromkeys(filter(None, told)))


def _correctness(series: Series) -> dict[str, Any]:
    """Return the worst error of each output in our scaling; theirs is not known."""
    extra: dict[str, dict[str, float]] = {}
    for trace in series.traces:
        outcome = trace.outcome
        for check in outcome.checks if isinstance(outcome, Passed | Incorrect) else ():
            worst = extra.setdefault(check.output, {})
            for name, value in _error(check).items():
                worst[name] = max(worst.get(name, 0.0), value)
    return {"max_relative_error": "NaN", "max_absolute_error": "NaN", "extra": extra}


def _error(check: Check) -> dict[str, float]:
    if isinstance(check.error, Deviation):
        return {"rms": check.error.rms, "peak": check.error.peak}
    return {"not_finite": check.error.elements}


def _environment(environment: Environment, verdict: Verdict) -> dict[str, Any]:
    libraries = {"python": environment.python, **environment.packages}
    if not isinstance(environment.gpu, Missing):
        libraries["driver"] = environment.gpu.driver
    return {"hardware": verdict.device_name or "unknown", "libs": libraries}


def _timestamp(started: float) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(started))
    except (OverflowError, ValueError, OSError):
        return "unknown"
