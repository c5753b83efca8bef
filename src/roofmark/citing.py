"""Citing: a text's numbers against bundles and foreign files, which only here come together.

In: a Markdown text and paths. Out: `Citations`. Bundles are judged, other files imported, folders
searched for both.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from roofmark.api import judge

if TYPE_CHECKING:
    from roofmark.analysis.cite import Citations


def cite(text: str | Path, *evidence: str | Path) -> "Citations":
    """Return each number of a Markdown text with what the evidence says about it.

    evidence: folders of bundles, files of other tools, or folders that hold any of them; a file
    that no importer reads is listed as unread. Raises: BundleError for a damaged bundle, OSError.
    """
    from roofmark.analysis.cite import Evidence, Unread, check_text
    from roofmark.errors import ImportFailed
    from roofmark.importers import read_foreign

    found: list[Evidence] = []
    unread: list[Unread] = []
    for name, path in _evidence_files(Path(text), [Path(each) for each in evidence]):
        if path.is_dir():
            found.append(Evidence(name, judge(path)))
            continue
        try:
            found.append(Evidence(name, read_foreign(path)))
        except ImportFailed as failure:
            unread.append(Unread(name=name, reason=failure.problems[0].fact))
    prose = Path(text).read_text(encoding="utf-8", errors="replace")
    return check_text(Path(text).name, prose, found, unread=tuple(unread))


def _evidence_files(text: Path, given: list[Path]) -> Iterator[tuple[str, Path]]:
    """Yield a name and a path for each bundle and each file, without the text itself."""
    for top in given:
        if not top.is_dir() or (top / "manifest.json").is_file():
            yield top.name, top
            continue
        bundles = {manifest.parent for manifest in top.rglob("manifest.json")}
        yield from ((str(each.relative_to(top)), each) for each in sorted(bundles))
        for path in sorted(top.rglob("*")):
            inside = any(parent in bundles for parent in path.parents)
            if path.is_file() and not inside and not path.samefile(text):
                yield str(path.relative_to(top)), path
