"""flashinfer_solution: a FlashInfer-Trace solution: how it is built and called, and its sources.

In: JSON with `name`, `definition`, `spec` (language, entry_point, target_hardware, ...) and
`sources`. Out: a `ForeignSolution`. Sources stay text: nothing is run and nothing is written. A
file whose paths lead out of the folder that they would be laid out in is refused as a whole.
"""

import re
from typing import Any

from roofmark.foreign import ForeignSolution, Imported
from roofmark.importers.json_text import has_all, read_object
from roofmark.importers.reported import (
    Gathered,
    imported,
    mapping,
    plain,
    sequence,
    text_or_missing,
)
from roofmark.importers.source import ForeignFile
from roofmark.loading import MAX_SOURCE_BYTES
from roofmark.records import Missing

_ENTRY = re.compile(r"[^:]+::[A-Za-z_]\w*", re.ASCII)
# Chosen: kernels come in a few files; thousands are a package, which belongs elsewhere.
_MOST_SOURCES = 200
# Chosen: as long as paths in a repository get; shorter than what file systems take.
_LONGEST_PATH = 200


def recognises(head: bytes) -> bool:
    """Whether sources stand beside the definition that they solve."""
    return has_all(head, b"definition", b"sources") and (b'"spec"' in head or b'"content"' in head)


def read(file: ForeignFile) -> Imported:
    """Return the solution. Raises: ImportFailed RM416, RM417."""
    values = read_object(file)
    spec = mapping(values.get("spec"))
    name = _needed(file, values, "name")
    sources = _sources(file, values)
    entry = _needed(file, spec, "entry_point")
    if not _ENTRY.fullmatch(entry) or entry.partition("::")[0] not in sources:
        raise file.malformed(f"solution {name}: entry_point {entry} is no file::function of it")
    gathered = Gathered()
    writes = spec.get("destination_passing_style")
    if not isinstance(writes, bool):
        writes = True
        note = "The file does not say who makes the outputs; its schema's default is the caller."
        gathered.notes.append(note)
    solution = ForeignSolution(
        name=name,
        definition=_needed(file, values, "definition"),
        author=text_or_missing(values.get("author"), "no author"),
        description=text_or_missing(values.get("description"), "no description"),
        language=_needed(file, spec, "language"),
        entry=entry,
        hardware=_words(spec, "target_hardware"),
        dependencies=_words(spec, "dependencies"),
        writes=writes,
        binding=text_or_missing(spec.get("binding"), "no binding is named"),
        sources=sources,
    )
    tool = Missing(reason="a solution does not name the version of its schema")
    return imported(file, "flashinfer_solution", tool, (solution,), gathered)


def _needed(file: ForeignFile, values: dict[str, Any], key: str) -> str:
    text = text_or_missing(values.get(key), f"the solution has no `{key}`")
    if isinstance(text, Missing):
        raise file.malformed(text.reason)
    return text


def _words(spec: dict[str, Any], key: str) -> tuple[str, ...]:
    return tuple(plain(one) for one in sequence(spec.get(key)) if isinstance(one, str))


def _sources(file: ForeignFile, values: dict[str, Any]) -> dict[str, str]:
    """Return path -> text. Raises: ImportFailed RM416 for a path that is not inside."""
    listed = sequence(values.get("sources"))
    if not 0 < len(listed) <= _MOST_SOURCES:
        raise file.malformed(f"the solution has {len(listed)} sources")
    sources: dict[str, str] = {}
    for number, one in enumerate(listed):
        source = mapping(one)
        path, content = source.get("path"), source.get("content")
        if not isinstance(path, str) or not isinstance(content, str):
            raise file.malformed(f"sources[{number}] has no path or no content")
        if not _is_inside(path):
            raise file.malformed(
                f"sources[{number}]: path {plain(path, 80)!r} is no plain path inside a folder"
            )
        if len(content) > MAX_SOURCE_BYTES:
            raise file.malformed(f"sources[{number}] has {len(content):,} characters")
        # What no text file can hold (half of a pair) is replaced, as an editor would.
        sources[path] = content.encode("utf-8", "replace").decode("utf-8")
    if len(sources) < len(listed) or not _separate(sources):
        raise file.malformed("two sources want the same place")
    return sources


def _is_inside(path: str) -> bool:
    """Whether it is a relative path of plain names, on any system."""
    odd = not path.isprintable() or len(path) > _LONGEST_PATH or set(path) & set('\\:*?"<>|')
    return not odd and {"", ".", ".."}.isdisjoint(path.split("/"))


def _separate(paths: dict[str, str]) -> bool:
    """Whether no path is another's folder, nor the same but for the case."""
    folded = {path.lower() for path in paths}
    folders = {"/".join(p.split("/")[:n]) for p in folded for n in range(1, p.count("/") + 1)}
    return len(folded) == len(paths) and folded.isdisjoint(folders)
