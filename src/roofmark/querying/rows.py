"""Rows: what the tables say of one bundle.

In: an opened bundle and its verdict. Out: one JSON line per row and table, as DuckDB reads them.
There are many samples, so they come as one line per measurement, unfolded inside the database.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median
from typing import Any

import msgspec

from roofmark.analysis.compare import kept_samples
from roofmark.analysis.summaries import host_of
from roofmark.analysis.verdict import Bound, Cell, Contrasted, Estimate, Overall, Roof, Verdict
from roofmark.bundle import Bundle
from roofmark.evidence import (
    Build,
    Crashed,
    Deviation,
    Measurement,
    Passed,
    Reported,
    TimedOut,
    Trace,
    Visit,
)
from roofmark.foreign import Metric
from roofmark.profiled import Profiled
from roofmark.records import Missing, digest

Row = dict[str, Any]


def extract_rows(bundle: Bundle, verdict: Verdict) -> bytes:
    """Return every row of a bundle: a packed mapping from table to JSON lines."""
    traces = list(bundle.traces())
    builds = _builds(bundle, traces)
    tables = {
        "studies": [_study(bundle, verdict)],
        "traces": [_trace(each, verdict, builds) for each in traces],
        "samples": [row for each in traces for row in _visits(each)],
        "kernels": [*_built(builds), *_profiled(bundle)],
        "verdicts": list(_verdicts(verdict)),
        "findings": list(_findings(verdict)),
    }
    return msgspec.msgpack.encode({n: _lines(bundle.digest, r) for n, r in tables.items()})


def unpack_rows(packed: bytes) -> dict[str, bytes]:
    """Return table -> JSON lines."""
    return msgspec.msgpack.decode(packed, type=dict[str, bytes])


def _lines(bundle: str, rows: list[Row]) -> bytes:
    return msgspec.json.Encoder().encode_lines([{"bundle": bundle} | row for row in rows])


def _known(value: Any) -> Any:
    """Return a value that SQL can hold; a reason is none."""
    return None if isinstance(value, Missing) else value


# --- studies -------------------------------------------------------------------------------------
def _study(bundle: Bundle, verdict: Verdict) -> Row:
    study, machine, run = bundle.study, bundle.environment, bundle.run
    git, gpu = machine.git, machine.gpu
    sessions = run.sessions
    return {
        "study": verdict.study,
        "definition": study.definition.name,
        "definition_digest": digest(study.definition),
        "started": _date(sessions[0].started) if sessions else None,
        "commit": None if isinstance(git, Missing) else git.commit,
        "dirty": None if isinstance(git, Missing) else git.dirty,
        "device": verdict.device,
        "device_name": verdict.device_name,
        "host": host_of(machine),
        "driver": None if isinstance(gpu, Missing) else gpu.driver,
        "os": machine.os,
        "python": machine.python,
        "packages": machine.packages,
        "roofmark": sessions[0].roofmark if sessions else None,
        "tier": verdict.tier,
        "cache": verdict.cache,
        "margin": verdict.margin,
        "level": verdict.level,
        "baseline": verdict.baseline,
        "processes": verdict.processes,
        "workloads": len({cell.workload for cell in verdict.cells}),
        "verdict": verdict.decision,
        "settled": verdict.settled,
        "accepted": verdict.accepted,
    }


def _date(started: float) -> str | None:
    """Return seconds since 1970 as DuckDB reads a date; what no calendar holds is none."""
    try:
        return datetime.fromtimestamp(started, UTC).replace(tzinfo=None).isoformat(sep=" ")
    except (OverflowError, ValueError, OSError):
        return None


# --- traces and samples --------------------------------------------------------------------------
def _builds(bundle: Bundle, traces: list[Trace]) -> dict[str, Build]:
    passed = (each.outcome for each in traces if isinstance(each.outcome, Passed))
    return {name: bundle.build(name) for name in sorted({each.build for each in passed})}


def _trace(trace: Trace, verdict: Verdict, builds: dict[str, Build]) -> Row:
    outcome = trace.outcome
    row = _place(trace) | {"outcome": type(outcome).__struct_config__.tag}
    if isinstance(outcome, Passed):
        build = builds[outcome.build]
        visits = [visit for m in outcome.measurements for visit in m.visits]
        return row | _checks(outcome) | {
            "seconds": _seconds(outcome.measurements, verdict),
            "samples": sum(len(visit.samples) for visit in visits),
            "discarded": sum(len(visit.discarded) for visit in visits),
            "build": outcome.build,
            "binary": _known(build.binary),
            "compiler": _known(build.compiler),
        }  # fmt: skip
    if isinstance(outcome, Reported):
        return row | {"reason": f"{outcome.tool} reported {outcome.statistic} without samples"}
    if isinstance(outcome, Crashed | TimedOut):
        row |= {"stage": outcome.stage}
    if isinstance(outcome, TimedOut):
        return row | {"reason": f"no answer within {outcome.limit:g} s"}
    return row | {"reason": outcome.reason}


def _place(trace: Trace) -> Row:
    names = ("workload", "solution", "role", "process")
    return {name: getattr(trace, name) for name in names}


def _checks(passed: Passed) -> Row:
    errors = [check.error for check in passed.checks if isinstance(check.error, Deviation)]
    return {
        "checked": sum(check.calls for check in passed.checks),
        "checked_timed": sum(check.timed for check in passed.checks),
        "rms": max((each.rms for each in errors), default=None),
        "peak": max((each.peak for each in errors), default=None),
    }


def _seconds(measurements: tuple[Measurement, ...], verdict: Verdict) -> float | None:
    decides = [m for m in measurements if (m.tier, m.cache) == (verdict.tier, verdict.cache)]
    kept = (kept_samples(visit) for m in decides for visit in m.visits)
    medians = [median(samples) for samples in kept if samples]
    return median(medians) if medians else None


def _visits(trace: Trace) -> Iterator[Row]:
    if isinstance(trace.outcome, Passed):
        for m in trace.outcome.measurements:
            yield _place(trace) | {
                "tier": m.tier,
                "cache": m.cache,
                "visits": [
                    {
                        "block": visit.block,
                        "position": visit.position,
                        "seconds": visit.samples,
                        "calls": visit.calls,
                        "start": visit.start,
                        "discarded": _discards(visit),
                    }
                    for visit in m.visits
                ],
            }


def _discards(visit: Visit) -> list[str | None] | None:
    """Return the reason of every sample, or nothing where all count."""
    reasons = {each.sample: each.reason for each in visit.discarded}
    return [reasons.get(i) for i in range(len(visit.samples))] if reasons else None


# --- kernels -------------------------------------------------------------------------------------
def _built(builds: dict[str, Build]) -> Iterator[Row]:
    for name, build in builds.items():
        for each in build.kernels:
            yield {
                "source": "build",
                "solution": build.solution,
                "kernel": each.name,
                "build": name,
                "target": each.target,
                "registers": each.registers,
                "spill_bytes": each.spill_bytes,
                "shared_bytes": each.shared,
            }


def _profiled(bundle: Bundle) -> Iterator[Row]:
    for pair in bundle.profiles():
        for launch in pair.outcome.launches if isinstance(pair.outcome, Profiled) else ():
            yield {
                "source": "profile",
                "workload": pair.workload,
                "solution": pair.solution,
                "kernel": launch.profile.kernel,
                "seconds": launch.seen,
                "share": launch.share,
                "grid": _known(launch.profile.grid),
                "block": _known(launch.profile.block),
                "metrics": {n: m.value for n, m in launch.profile.metrics.items() if _counts(m)},
            }


def _counts(metric: Metric) -> bool:
    return isinstance(metric.value, float)


# --- verdicts and findings -----------------------------------------------------------------------
def _verdicts(verdict: Verdict) -> Iterator[Row]:
    for cell in verdict.cells:
        yield _cell(cell, verdict)
    for each in verdict.overall:
        yield _overall(each, verdict)
    for each in verdict.contrasts:
        yield _contrast(each)


def _cell(cell: Cell, verdict: Verdict) -> Row:
    twin = any(o.solution == cell.solution and o.role == "twin" for o in verdict.overall)
    row = _speedup(cell.speedup) | {
        "scope": "workload",
        "workload": cell.workload,
        "solution": cell.solution,
        "against": verdict.baseline,
        "role": "twin" if twin else "solution",
        "decision": cell.decision,
        "codes": cell.codes,
        "p": cell.p,
        "outcome": cell.outcome,
    }
    if isinstance(cell.time, Estimate):
        row |= {
            "seconds": cell.time.value,
            "seconds_low": cell.time.low,
            "seconds_high": cell.time.high,
        }
    if isinstance(cell.baseline_time, Estimate):
        row["baseline_seconds"] = cell.baseline_time.value
    if isinstance(cell.roof, Roof):
        row |= {"floor_seconds": cell.roof.floor, "headroom": cell.roof.headroom}
    if isinstance(cell.bound, Bound):
        row |= {"bound": cell.bound.kind, "bound_code": cell.bound.code or None}
    return row


def _overall(overall: Overall, verdict: Verdict) -> Row:
    return _speedup(overall.speedup) | {
        "scope": "overall",
        "solution": overall.solution,
        "against": verdict.baseline,
        "role": overall.role,
        "decision": overall.decision,
        "codes": overall.codes,
    }


def _contrast(contrast: Contrasted) -> Row:
    return _speedup(contrast.speedup) | {
        "scope": "contrast",
        "solution": contrast.of,
        "against": contrast.against,
        "role": "solution",
        "decision": contrast.decision,
        "codes": (),
    }


def _speedup(speedup: Estimate | Missing) -> Row:
    if isinstance(speedup, Missing):
        return {"missing": speedup.reason}
    return {
        "speedup": speedup.value,
        "speedup_low": speedup.low,
        "speedup_high": speedup.high,
        "n": speedup.n,
    }


def _findings(verdict: Verdict) -> Iterator[Row]:
    for each in verdict.findings:
        yield {
            "code": each.code,
            "title": each.title,
            "state": each.state,
            "workload": each.workload or None,
            "solution": each.solution or None,
            "message": each.message,
            "moves": each.moves or None,
            "accepted": each.accepted,
        }
