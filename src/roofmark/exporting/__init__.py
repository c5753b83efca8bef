"""Exporting: a bundle as a data set of FlashInfer-Trace, which FlashInfer-Bench reads and runs.

In: a bundle. Out: a folder with definitions/, workloads/, solutions/, traces/ and a README.md that
lists what that format cannot say. Nothing of the bundle is executed.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import UnsetType

from roofmark.api import judge
from roofmark.bundle import open_bundle
from roofmark.exporting.axes import name_axes
from roofmark.exporting.definition import definition_values, no_counterpart, workload_values
from roofmark.exporting.notes import readme
from roofmark.exporting.solutions import solution_values
from roofmark.exporting.traces import Traces
from roofmark.loading import load_bundled_study
from roofmark.records import Missing
from roofmark.text_files import write_files


def export(
    bundle: str | Path,
    folder: str | Path,
    *,
    op_type: str = "",
    author: str = "unknown",
    force: bool = False,
) -> list[Path]:
    """Write a bundle as a FlashInfer-Trace data set; return the paths of its files.

    op_type: the kind of operator there, by default the definition's name. author: of all solutions
        but the baseline, whose author is "baseline", as that tool's ranking wants it.
    Raises: BundleError RM420 when the study cannot be said there, RM409 for every file in the way
        unless `force`, RM408 when writing fails; as `open_bundle`, and StudyError for sources that
        do not fit the study.
    """
    files = _files(Path(bundle), op_type=op_type, author=author)
    write_files(Path(folder), files, force=force)
    return [Path(folder) / name for name in files]


def _files(path: Path, *, op_type: str, author: str) -> dict[str, str]:
    """Return every file of the data set: relative path -> text."""
    bundle = open_bundle(path)
    loaded, verdict = load_bundled_study(bundle), judge(bundle)
    if not isinstance(loaded.study.serving, UnsetType):
        mend = "Export a study of kernels; an engine's bundle is read by roofmark alone."
        raise no_counterpart("a study of serving engines", str(path), mend)
    study, contents = loaded.study, loaded.contents
    named, traces = name_axes(study.definition), Traces(bundle, verdict)
    name = study.definition.name
    op_type = op_type or name
    workloads = {each.id: workload_values(study, each, named) for each in study.workloads}
    definition = definition_values(study, contents, named, op_type)
    files = {
        f"definitions/{op_type}/{name}.json": _pretty(definition),
        f"workloads/{op_type}/{name}.jsonl": _lines(_bare(name, w) for w in workloads.values()),
    }
    unmade: dict[str, str] = {}
    measured: list[dict[str, Any]] = []
    for solution in (*study.solutions, *study.wrong):
        values = solution_values(study, solution, contents, author)
        if isinstance(values, Missing):
            unmade[solution.name] = values.reason
            continue
        files[f"solutions/{name}/{solution.name}.json"] = _pretty(values)
        measured += traces.of(solution.name, workloads)
    if measured:
        files[f"traces/{op_type}/{name}.jsonl"] = _lines(measured)
    files["README.md"] = readme(bundle, verdict, named, unmade=unmade, absent=traces.absent)
    return files


def _bare(definition: str, workload: Mapping[str, Any]) -> dict[str, Any]:
    return {"definition": definition, "workload": workload, "solution": None, "evaluation": None}


def _pretty(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def _lines(values: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(each, allow_nan=False) + "\n" for each in values)
