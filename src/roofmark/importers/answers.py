"""answers: a model's answers to questions, as harnesses and soak runs write them.

In: JSON lines, an array, or one object whose `results` (or `outputs`, `samples`, ...) is one; every
row holds a text, perhaps an id, what was expected, how it ended. Keys are found by their usual
names, or declared: `--field text=reply --field expected=gold`. Out: `Answers`, one for each leg
(`arm`, `leg`, `config`). What the file counts itself is checked against its rows.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from roofmark.answers import Answer, Answers
from roofmark.extraction import RULES
from roofmark.foreign import Imported
from roofmark.importers.answer_rows import FIELDS, TAILS, Reader
from roofmark.importers.json_text import read_objects
from roofmark.importers.reported import Gathered, amount, imported, mapping, plain, settings_of
from roofmark.importers.source import ForeignFile
from roofmark.records import Missing

_LISTS = ("results", "outputs", "samples", "answers", "records", "responses", "questions")
# What a harness concludes; what follows from the rows is not asked of the file.
_RESULTS = (
    "label",
    "leg",
    "n",
    "correct",
    "errors",
    "accuracy",
    "total_seconds",
    "gate_floor",
    "gate_ship",
)
_OBJECT = re.compile(rb"^\s*[\[{]")
# Chosen: a soak has a handful of arms; a column with more is no arm.
_MOST_LEGS = 100


def recognises(head: bytes) -> bool:
    """Whether rows hold a model's text, and an id, a question, an arm or what was expected."""

    def has(*fields: str) -> bool:
        return any(f'"{key}"'.encode() in head for f in fields for key in FIELDS[f])

    beside = has("expected") or has("leg") or has("id") or has("question") or has("finish")
    return bool(_OBJECT.match(head)) and has("text", "tokens") and beside


def read(file: ForeignFile) -> Imported:
    """Return every answer. Raises: ImportFailed RM416 to RM419."""
    objects = read_objects(file)
    gathered = Gathered(reasons=list(objects.reasons), notes=list(objects.notes))
    rows, top = _rows([each.values for each in objects.found])
    if not rows:
        raise file.failed("the file holds no row: nothing was answered")
    reader = Reader(_keys(file, rows), _rule(file))
    legs: dict[str, list[Answer]] = {}
    for number, row in enumerate(rows):
        leg = row.get(reader.keys.get("leg", ""))
        legs.setdefault("" if leg is None else plain(leg), []).append(reader.read(row, number))
        if len(legs) > _MOST_LEGS:
            raise file.unclear(f"over {_MOST_LEGS} legs", "Declare another key: --field leg=arm.")
    whole = reader.keys.get("text") not in TAILS
    if not whole:
        gathered.notes.append("Only the end of each text was kept.")
    _check_counts(top, [a for each in legs.values() for a in each], gathered)
    gathered.reasons += reader.doubts
    label = plain(top.get("label") or top.get("leg") or file.path.stem)
    settings = settings_of(top, skip=(*_LISTS, *_RESULTS))
    found = [
        Answers(
            label=leg or label,
            rule=reader.used(),
            settings=settings,
            answers=unique(file, answers),
            whole=whole,
        )
        for leg, answers in legs.items()
    ]
    return imported(file, "answers", Missing(reason="the file names no tool"), found, gathered)


def unique(file: ForeignFile, answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Return the answers if every id stands for one question. Raises: ImportFailed RM419."""
    seen: set[str] = set()
    for each in answers:
        if each.id in seen:
            raise file.unclear(
                f"question {each.id} stands twice in one leg",
                "Declare the key that tells them apart: --field id=... or --field leg=...",
            )
        seen.add(each.id)
    return tuple(answers)


def _rows(objects: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows, and what the one object around them says."""
    if len(objects) != 1:
        return objects, {}
    (top,) = objects
    for name in _LISTS:
        inner = top.get(name)
        if isinstance(inner, list) and inner and all(isinstance(each, dict) for each in inner):
            return [mapping(each) for each in inner], top
    return objects, {}


def _keys(file: ForeignFile, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return which key holds what. Raises: ImportFailed RM419 where no key holds an answer."""
    declared = dict(file.declared.fields)
    if strange := [what for what in declared if what not in FIELDS]:
        raise file.unclear(f"{strange[0]!r} is no field", f"Fields are: {', '.join(FIELDS)}.")
    there = {key for row in rows for key in row}
    if absent := [key for key in declared.values() if key not in there]:
        raise file.unclear(f"no row has {absent[0]!r}", f"Keys are: {plain(sorted(there))}.")
    found = {
        what: declared.get(what) or next((n for n in names if n in there), "")
        for what, names in FIELDS.items()
    }
    if not (found["text"] or found["tokens"] or found["extracted"]):
        raise file.unclear(
            f"no key is known to hold an answer: {plain(sorted(there))}",
            "Declare it: --field text=KEY, and what is right: --field expected=KEY.",
        )
    return {what: key for what, key in found.items() if key}


def _rule(file: ForeignFile) -> str:
    rule = file.declared.rule or ""
    if rule and rule not in RULES:
        raise file.unclear(f"there is no rule {rule!r}", f"Rules are: {', '.join(RULES)}.")
    return rule


def _check_counts(top: Mapping[str, Any], answers: Sequence[Answer], gathered: Gathered) -> None:
    """Name where the file's own counts are not those of its rows."""
    right = sum(each.outcome == "right" for each in answers)
    none = sum(each.outcome in ("timed out", "errored") for each in answers)
    for key, count in (("n", len(answers)), ("correct", right), ("errors", none)):
        said = amount(top.get(key))
        if not isinstance(said, Missing) and said != count:
            gathered.reasons.append(f"the file says {key} {said:g}; its rows give {count}")
