"""Importers: one foreign format per file, each `recognises(head)` and `read(file)`.

In: a path. Out: `Imported`, with provenance and an honest completeness mark, or an ImportFailed
that names the place. A format is found by a file's own bytes, never by its name; what a cut gzip
lost is told here, for every format. Whoever adds one lists its module in `FORMATS` (the order
matters where one format looks like a special case of another: the special case first).
"""

import importlib
from pathlib import Path
from types import ModuleType

from msgspec import structs

from roofmark.codes import problem
from roofmark.errors import ImportFailed
from roofmark.foreign import Imported, Partial
from roofmark.importers.source import Declared, ForeignFile, open_foreign

FORMATS = (
    "ncu_rep",
    "ncu_csv",
    "ncu_details",
    "nsys_sqlite",
    "torch_trace",
    "nsys_stats",
    "kernel_csv",
    "region_csv",
    "llama_bench",
    "engine_bench",
    "perf_baseline",
    "vllm_serve",
    "flashinfer_solution",
    "flashinfer_definition",
    "flashinfer_workload",
    "flashinfer_bench",
    "nvbench",
    "stream_json",
    "lm_eval_samples",
    "answers",
    "answers_text",
    "memory_log",
    "timing_csv",
)


def read_foreign(
    path: Path, *, format: str | None = None, declared: Declared | None = None
) -> Imported:
    """Read a file of another tool. Raises: ImportFailed RM415-RM419."""
    file = open_foreign(path, declared or Declared())
    module = _named(format) if format else _recognise(file)
    try:
        found: Imported = module.read(file)
    except ImportFailed as error:
        if not file.lost:
            raise
        # What is behind the cut may hold what the importer missed: the tool did not fail.
        raise file.malformed(f"{file.lost[0]}; {error.problems[0].fact}") from error
    return _lacking(found, file.lost)


def _lacking(found: Imported, lost: list[str]) -> Imported:
    if not lost:
        return found
    known = found.completeness.reasons if isinstance(found.completeness, Partial) else ()
    return structs.replace(found, completeness=Partial(reasons=(*lost, *known)))


def formats() -> dict[str, str]:
    """Return each format's name and the first sentence of its module's explanation."""
    return {name: (_load(name).__doc__ or "").split("\n")[0] for name in FORMATS}


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"roofmark.importers.{name}")


def _named(name: str) -> ModuleType:
    if name not in FORMATS:
        raise ImportFailed(
            problem(
                "RM415",
                f"there is no format {name!r}",
                where=name,
                mend=f"Name one of: {', '.join(FORMATS)}.",
            )
        )
    return _load(name)


def _recognise(file: ForeignFile) -> ModuleType:
    head = file.head()
    for name in FORMATS:
        module = _load(name)
        if module.recognises(head):
            return module
    raise ImportFailed(
        problem(
            "RM415",
            "no importer recognises these bytes"
            + (f"; the file begins with {head[:40]!r}" if head else ": the file is empty"),
            where=str(file.path),
            mend=f"Name its format with --format: {', '.join(FORMATS)}.",
        )
    )
