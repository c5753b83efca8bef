"""Answering: files of answers, read into legs that are judged, compared and looked at.

In: paths of files that `importers` read as answers. Out: `Answers` in the order of the files, each
leg under a label of its own. Like `comparing`, this stands above importers and analysis.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import structs

from roofmark.answers import Answers
from roofmark.codes import problem
from roofmark.errors import ImportFailed
from roofmark.foreign import Partial
from roofmark.terminal_text import file_name


@dataclass
class Legs:
    """Every leg of some files. notes: what their reader has to know, losses first."""

    legs: list[Answers] = field(default_factory=list[Answers])
    notes: list[str] = field(default_factory=list[str])


def read_legs(
    paths: Sequence[Path],
    *,
    format: str | None = None,
    fields: Sequence[tuple[str, str]] = (),
    rule: str | None = None,
) -> Legs:
    """Return the legs of all files. fields: what a key holds. rule: how answers are taken.

    Raises: ImportFailed RM415 to RM419; RM415, too, for a file that holds no answers.
    """
    from roofmark.importers import read_foreign
    from roofmark.importers.source import Declared

    found = Legs()
    places: list[str] = []
    for path in paths:
        read = read_foreign(path, format=format, declared=Declared(fields=tuple(fields), rule=rule))
        here = [each for each in read.contents if isinstance(each, Answers)]
        if not here:
            raise _no_answers(path, read.source.format)
        found.legs += here
        places += [file_name("/".join(path.absolute().parts[-2:]))] * len(here)
        lost = read.completeness.reasons if isinstance(read.completeness, Partial) else ()
        found.notes += [f"{file_name(path.name)}: {each}" for each in (*lost, *read.notes)]
    seen = Counter(each.label for each in found.legs)
    found.legs = [
        each if seen[each.label] == 1 else structs.replace(each, label=f"{place} {each.label}")
        for each, place in zip(found.legs, places, strict=True)
    ]
    return found


def _no_answers(path: Path, format: str) -> ImportFailed:
    fact = f"{path.name} ({format}) holds no answers of a model"
    mend = "Name a file with a text per question; --format answers reads any such JSON lines."
    return ImportFailed(problem("RM415", fact, str(path), mend))
