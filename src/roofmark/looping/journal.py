"""The journal: one line for each try, and the ledger that people read.

In: entries. Out: journal.jsonl, replaced as a whole by one rename, and ledger.md made from it. The
entries are held in memory, so a proposer that edits the file edits nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import UnsetType

from roofmark.analysis.promotion import UNKNOWN, Noise
from roofmark.bundle_files import read_plain, reason_of
from roofmark.errors import BundleError, Problem
from roofmark.looping.files import put
from roofmark.looping.tries import Entry, Measured, Try
from roofmark.records import Missing, encode
from roofmark.reports.markdown import escape
from roofmark.reports.wording import one_line, shorten

JOURNAL, LEDGER = "journal.jsonl", "ledger.md"
# Chosen: a ledger's cell; the journal holds the whole text.
_CELL = 80


class Journal:
    """A loop's entries so far."""

    def __init__(self, folder: Path) -> None:
        """Read what is there. Raises: BundleError RM402 for a line that is no entry."""
        self._folder = folder
        self.entries = read_journal(folder)

    @property
    def tries(self) -> list[Try]:
        """The tries that count."""
        return [each for each in self.entries if isinstance(each, Try)]

    @property
    def best(self) -> int:
        """The number of the last kept try; 0 while none was."""
        return max((each.number for each in self.tries if each.ending == "kept"), default=0)

    @property
    def confirmed(self) -> list[bool]:
        """Whether each confirmation kept its candidate, in order."""
        made = [each for each in self.tries if isinstance(each.confirmation, Measured)]
        return [each.ending == "kept" for each in made]

    @property
    def noise(self) -> Noise:
        """How far equal programs were from each other in all runs so far."""
        runs = (run for each in self.tries for run in (each.first, each.confirmation))
        told = (run.noise for run in runs if isinstance(run, Measured))
        return sum((noise for noise in told if isinstance(noise, Noise)), UNKNOWN)

    def append(self, entry: Entry) -> None:
        """Add an entry; it is on disk when this returns. Raises: BundleError RM408."""
        self.entries.append(entry)
        put(self._folder / JOURNAL, b"".join(encode(each) + b"\n" for each in self.entries))
        put(self._folder / LEDGER, render_ledger(self.entries).encode())


def read_journal(folder: Path) -> list[Entry]:
    """Return the entries; none where there is no journal. Raises: BundleError RM402."""
    path = folder / JOURNAL
    try:
        lines = read_plain(path).splitlines()
        return [msgspec.json.decode(line, type=Entry) for line in lines]
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        why = reason_of(error) if isinstance(error, OSError) else str(error)
        raise BundleError(
            Problem(
                code="RM402",
                fact=f"not a journal that roofmark can read: {why}",
                where=str(path),
                meaning="The file was changed, or written by another version.",
                mend="Cut it after its last whole line and start the same loop again: what was "
                "measured after that line is still there and is not measured twice.",
            )
        ) from error


def render_ledger(entries: Sequence[Entry]) -> str:
    """Return the ledger as Markdown: a table of tries, and what was interrupted."""
    lines = [
        "# Ledger",
        "",
        "Speed-up over the incumbent of that try, with its interval; made from journal.jsonl. One "
        "process set gives no interval. Missed by: the measured ratio over the predicted one.",
        "",
        "| try | against | hypothesis | predicted | first run | confirmation | missed by | ending "
        "| device | why |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(each) for each in entries if isinstance(each, Try)),
    ]
    cut = [each for each in entries if not isinstance(each, Try)]
    if cut:
        told = ", ".join(f"try {each.number} while {each.stage}" for each in cut)
        lines += ["", f"Interrupted, and not counted: {told}."]
    return "\n".join(lines) + "\n"


def _row(each: Try) -> str:
    said = each.note.predicted
    cells = (
        str(each.number),
        str(each.against or "study"),
        each.note.hypothesis or params_text(each.params),
        "" if isinstance(said, UnsetType) else f"{said:.3g}x",
        speedup_text(each.first),
        speedup_text(each.confirmation),
        missed_by(each),
        each.ending,
        f"{each.device_seconds:.0f} s",
        each.reason,
    )
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def params_text(params: Mapping[str, int]) -> str:
    """Return "BLOCK=64 WARPS=8"."""
    return " ".join(f"{name}={value}" for name, value in params.items())


def missed_by(each: Try) -> str:
    """Return by how much the measured ratio misses the predicted one, or nothing without both."""
    said, ratio = each.note.predicted, ratio_of(each)
    if isinstance(said, UnsetType) or said <= 0 or ratio is None:
        return ""
    return f"{ratio / said - 1:+.1%}"


def ratio_of(each: Try) -> float | None:
    """Return the last measured speed-up of a try over its incumbent, interval or none."""
    for run in (each.confirmation, each.first):
        if isinstance(run, Measured) and not isinstance(run.ratio, Missing):
            return run.ratio
    return None


def speedup_text(run: Measured | Missing) -> str:
    """Return "1.23x (1.20-1.26)", "1.23x" without an interval, or nothing without a measurement."""
    if isinstance(run, Missing) or isinstance(run.ratio, Missing):
        return ""
    if isinstance(run.speedup, Missing):
        return f"{run.ratio:.3g}x"
    found = run.speedup
    return f"{found.value:.3g}x ({found.low:.3g}-{found.high:.3g})"


def _cell(text: str) -> str:
    """Show what a proposer said as it is: the ledger is read where Markdown is rendered."""
    return escape(shorten(one_line(text), _CELL))
