"""flashinfer_bench: evaluations by FlashInfer-Bench, as FlashInfer-Trace JSON or JSONL, or as CSV.

In: traces (`evaluation.performance.latency_ms`, status, environment), or a CSV of runs with
`workload`, `status` and `latency_us`. Out: `Figures` for each run, or for each definition, solution
and environment: latency, speed-up and the reference's own latency per workload, labelled alike in
every run. The reference's latency is the canary: where it moves between runs, the host did.
"""

import re
from collections.abc import Iterable

from roofmark.foreign import Figures, Imported, Series
from roofmark.importers.csv_text import read_table
from roofmark.importers.json_text import Placed, has_all, read_objects
from roofmark.importers.reported import (
    Gathered,
    imported,
    mapping,
    plain,
    positive,
    settings_of,
)
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_LATENCY = re.compile(r"^(latency|reference_latency)_(s|ms|us|ns)$")
_FACTORS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_ESTIMATOR = "not stated"
# What a row is or measured: every other column describes its workload.
_NO_AXIS = re.compile(r"^(run|workload|workload_index|status|speedup.*|max_\w+|\w*latency_\w+)$")


def recognises(head: bytes) -> bool:
    """Whether these are traces with an evaluation, or a CSV of workloads with a status."""
    if has_all(head, b"definition", b"workload", b"evaluation"):
        return True
    first = {name.strip() for name in head.split(b"\n", 1)[0].split(b",")}
    return {b"workload", b"status"} <= first and any(
        _LATENCY.match(name.decode("utf-8", "replace")) for name in first
    )


def read(file: ForeignFile) -> Imported:
    """Return every evaluation that passed. Raises: ImportFailed RM416-RM418."""
    traces = has_all(file.head(), b"definition", b"workload")
    gathered = Gathered()
    contents = list(_traces(file, gathered) if traces else _runs(file, gathered))
    if gathered.reasons and not contents:
        raise file.failed(f"no evaluation passed; {plain(gathered.reasons[0])}")
    tool = Missing(reason="the file does not name the version of FlashInfer-Bench")
    return imported(file, "flashinfer_bench", tool, contents, gathered)


def _runs(file: ForeignFile, gathered: Gathered) -> Iterable[Figures | Series]:
    """Yield the figures of each run of a CSV, in order of appearance."""
    table = read_table(file)
    gathered.reasons.extend(table.reasons)
    gathered.notes.extend(table.notes)
    runs: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for line, row in table.rows:
        runs.setdefault(plain(row.get("run", "")), []).append((line, row))
    workloads = {row["workload"] for _, row in table.rows if "workload" in row}
    for run, rows in runs.items():
        present = {row.get("workload") for _, row in rows}
        if len(present) < len(workloads):
            gathered.reasons.append(
                f"run {run} holds {len(present)} of {len(workloads)} workloads of this file"
            )
        if len(present) < len(rows):
            gathered.notes.append(f"run {run} holds a workload more than once")
        for line, row in rows:
            _row(line, row, gathered)
        yield from gathered.contents({"run": run} if run else {})


def _row(line: int, row: dict[str, str], gathered: Gathered) -> None:
    """Keep one row's figures if it passed."""
    axes = settings_of({name: text for name, text in row.items() if not _NO_AXIS.match(name)})
    label = _label(row.get("workload", ""), axes)
    if row.get("status") != "PASSED":
        gathered.reasons.append(f"line {line}: {label} is {plain(row.get('status') or 'blank')}")
        return
    times = {
        found[1]: positive(text, _FACTORS[found[2]])
        for name, text in row.items()
        if (found := _LATENCY.match(name))
    }
    speedups = [positive(text) for name, text in row.items() if name.startswith("speedup")]
    _keep(label, times, speedups[0] if speedups else None, gathered)


def _keep(
    label: str,
    times: dict[str, float | Missing],
    speedup: float | Missing | None,
    gathered: Gathered,
) -> None:
    """Keep latency, speed-up and the reference's latency, derived where it was not written."""
    latency = times.get("latency", Missing(reason="absent"))
    reference = times.get("reference_latency")
    gathered.add(f"{label}: latency", latency, "s", _ESTIMATOR)
    if speedup is not None:
        gathered.add(f"{label}: speed-up", speedup, "1", "reference latency over latency")
    if reference is not None:
        gathered.add(f"{label}: reference latency", reference, "s", _ESTIMATOR)
    elif not isinstance(latency, Missing) and not isinstance(speedup, Missing | None):
        derived = positive(latency * speedup)
        gathered.add(f"{label}: reference latency", derived, "s", "derived: latency x speed-up")


def _label(workload: object, axes: dict[str, str]) -> str:
    """Return the name of a workload that is the same in every run."""
    return plain(", ".join((plain(workload), *(f"{k} {v}" for k, v in axes.items()))))


def _traces(file: ForeignFile, gathered: Gathered) -> Iterable[Figures | Series]:
    """Yield the figures of each definition, solution and environment."""
    objects = read_objects(file)
    gathered.reasons.extend(objects.reasons)
    gathered.notes.extend(objects.notes)
    groups: dict[tuple[tuple[str, str], ...], list[Placed]] = {}
    unmeasured = 0
    for trace in objects.found:
        if trace.values.get("evaluation") is None:
            unmeasured += 1
            continue
        groups.setdefault(tuple(_settings(trace).items()), []).append(trace)
    if unmeasured:
        gathered.notes.append(f"{unmeasured} workloads stand here without an evaluation")
    for settings, traces in groups.items():
        for trace in traces:
            _trace(trace, gathered)
        yield from gathered.contents(dict(settings))


def _settings(trace: Placed) -> dict[str, str]:
    """Return what was measured and where: definition, solution, hardware, versions."""
    values = trace.values
    environment = mapping(mapping(values["evaluation"]).get("environment"))
    names = {name: values.get(name) for name in ("definition", "solution")}
    libraries = settings_of(mapping(environment.get("libs")))
    return (
        settings_of(names)
        | settings_of(environment, skip=("libs",))
        | {plain(f"lib {name}"): version for name, version in libraries.items()}
    )


def _trace(trace: Placed, gathered: Gathered) -> None:
    evaluation = mapping(trace.values["evaluation"])
    workload = mapping(trace.values.get("workload"))
    label = _label(workload.get("uuid", "no uuid"), settings_of(mapping(workload.get("axes"))))
    if evaluation.get("status") != "PASSED":
        status = plain(evaluation.get("status", "without status"))
        gathered.reasons.append(f"line {trace.line}: {label} is {status}")
        return
    performance = mapping(evaluation.get("performance"))
    times = {
        name: positive(performance.get(f"{name}_ms"), _FACTORS["ms"])
        for name in ("latency", "reference_latency")
    }
    # The schema's default of 0.0 stands for a time that was not measured; `positive` refuses it.
    _keep(label, times, positive(performance.get("speedup_factor")), gathered)
