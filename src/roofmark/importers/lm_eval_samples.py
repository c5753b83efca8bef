"""lm_eval_samples: lm-evaluation-harness `--log_samples`: a JSON line per question and filter.

In: lines with `doc_id`, `doc`, `target`, `resps`, `filtered_resps` and a metric per row. Out:
`Answers`, one for each filter ("strict-match", "flexible-extract"): each takes the answer by a rule
of its own, so two filters are two countings of the same texts. The metric in the file is checked
against the answer beside it; where answers are scored and not written, the metric alone counts.
"""

from collections.abc import Mapping
from typing import Any

from roofmark.answers import Answer, Answers
from roofmark.foreign import Imported
from roofmark.importers.answer_rows import Reader
from roofmark.importers.answers import unique
from roofmark.importers.json_text import has_all, read_objects
from roofmark.importers.reported import Gathered, imported, mapping, plain, sequence
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_KEYS = {
    "id": "doc_id",
    "question": "question",
    "expected": "target",
    "text": "text",
    "extracted": "extracted",
    "outcome": "metric",
}
# Source: the metrics of lm-eval's tasks that are 1 or 0 for one question.
_METRICS = ("exact_match", "acc", "em", "pass@1", "acc_norm")
_NO_ANSWER = "[invalid]"
_QUESTIONS = ("question", "query", "problem", "input", "text")


def recognises(head: bytes) -> bool:
    """Whether every sample's fields are there."""
    return has_all(head, b"doc_id", b"resps", b"filtered_resps")


def read(file: ForeignFile) -> Imported:
    """Return the answers of each filter. Raises: ImportFailed RM416, RM417, RM419."""
    objects = read_objects(file)
    gathered = Gathered(reasons=list(objects.reasons), notes=list(objects.notes))
    legs: dict[str, list[Answer]] = {}
    reader = Reader(_KEYS)
    for number, placed in enumerate(objects.found):
        name = plain(placed.values.get("filter") or "none")
        legs.setdefault(name, []).append(reader.read(_flat(placed.values), number))
    gathered.reasons += reader.doubts
    stem = plain(file.path.stem)
    found = [
        Answers(
            label=stem if len(legs) == 1 else f"{stem} {name}",
            rule=f"lm-eval filter {name}",
            settings={},
            answers=unique(file, answers),
        )
        for name, answers in legs.items()
    ]
    tool = Missing(reason="the samples do not name their version")
    return imported(file, "lm_eval_samples", tool, found, gathered)


def _flat(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a sample that are about its answer, under names of our own."""
    doc, text = mapping(sample.get("doc")), _first(_first(sample.get("resps")))
    answer = _first(sample.get("filtered_resps"))
    # Where choices are scored, a response is a pair of a likelihood and a mark, no text.
    written = isinstance(text, str)
    metric = next((sample[name] for name in _METRICS if name in sample), None)
    return {
        "doc_id": sample.get("doc_id"),
        "question": next((doc[name] for name in _QUESTIONS if name in doc), None),
        "target": sample.get("target") if written else None,
        "text": text if written else None,
        "extracted": None if answer == _NO_ANSWER or not written else answer,
        "metric": metric,
    }


def _first(value: object) -> object:
    """Return the first of a list, anything else as it is."""
    found = sequence(value)
    return found[0] if found else value
