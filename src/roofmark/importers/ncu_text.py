"""What Nsight Compute's CSV and its text page share: what it says around tables, and its values.

In: lines and cells. Out: `Heard` (errors, losses, remarks, how far it came), metrics, durations.
Every amount is bounded: a file of nothing but `==PROF==` lines takes no more memory than one.
"""

import re
from dataclasses import dataclass, field

from roofmark.codes import problem
from roofmark.errors import ImportFailed
from roofmark.foreign import Complete, Metric, Partial
from roofmark.importers.source import ForeignFile, number
from roofmark.records import Missing

_SAYS = re.compile(r"^==(?P<kind>ERROR|WARNING|PROF)==\s*(?P<text>.*)$")
_FINISHED = re.compile(r"-\s*\d+ pass(es)?\s*$|100%\s*$")
# Warnings that tell of something that is not in the file; others ("Backing up device memory") are
# remarks. Source: the warnings of ncu, of which those about absence use one of these words.
_ABSENT = re.compile(r"\b(unable|not|no|cannot|fail\w*|skip\w*|drop\w*|lost|ignor\w*)\b", re.I)
_OTHER_LOCALE = re.compile(r"[+-]?\d+([.,'\s]\d+)+")
_DURATIONS = ("gpu__time_duration.sum", "gpu__time_duration.avg", "Duration")
# Source: the units that ncu prints for times, in its short and its long form.
_SECONDS = {
    "s": 1.0, "second": 1.0, "ms": 1e-3, "msecond": 1e-3, "us": 1e-6, "usecond": 1e-6,
    "ns": 1e-9, "nsecond": 1e-9,
}  # fmt: skip
# Chosen: as many as a reader wants to see; the rest is more of the same.
_MOST_SAID = 20
# Chosen: launches of the longest report that was met, times a hundred.
MOST_LAUNCHES = 200_000
# Chosen: 9,000 launches of the full set, which take about 1 GB.
MOST_METRICS = 5_000_000


@dataclass
class Heard:
    """What ncu said. errors and lost make the import partial, or a failure if there is no table.

    cut: the damage at which the file ends, if it does.
    """

    errors: list[str] = field(default_factory=list[str])
    lost: list[str] = field(default_factory=list[str])
    remarks: list[str] = field(default_factory=list[str])
    progress: str = ""
    cut: ImportFailed | None = None

    def hear(self, line: str) -> bool:
        """Take a line if ncu speaks in it."""
        found = _SAYS.match(line)
        if not found:
            return False
        text = found["text"].strip()[:500]
        if found["kind"] == "ERROR":
            _keep(self.errors, f"ERROR: {text}")
        elif found["kind"] == "WARNING":
            _keep(self.lost if _ABSENT.search(text) else self.remarks, f"WARNING: {text}")
        elif text.startswith(("Profiling", "Creating report", "Report: ")):
            self.progress = text
            if not text.startswith("Report: ") and not _FINISHED.search(text):
                self.lose(f"not finished: {text}")
        return True

    def lose(self, what: str) -> None:
        """Note something that the file ought to hold and does not."""
        _keep(self.lost, what)

    def failure(self, otherwise: str) -> str:
        """Return why there is no result."""
        if self.errors:
            return self.errors[0]
        if self.progress.startswith("Report: "):
            name = re.split(r"[/\\]", self.progress)[-1].removeprefix("Report: ")
            return f"{otherwise}; read the report itself: {name[:100]}"
        if self.progress:
            return f"{otherwise}; it stopped at: {self.progress[:200]}"
        return f"{otherwise}; ncu profiled nothing"

    def completeness(self) -> Complete | Partial:
        """Return the mark of what was read."""
        reasons = self.errors + self.lost
        return Partial(reasons=tuple(reasons)) if reasons else Complete()


def _keep(said: list[str], text: str) -> None:
    if len(said) < _MOST_SAID and text not in said:
        said.append(text)


def check_amounts(file: ForeignFile, launches: int, metrics: int) -> None:
    """Raise ImportFailed RM417 beyond what memory is meant for."""
    if launches > MOST_LAUNCHES or metrics > MOST_METRICS:
        raise ImportFailed(
            problem(
                "RM417",
                f"more than {MOST_LAUNCHES:,} launches or {MOST_METRICS:,} metrics",
                str(file.path),
                "Capture fewer: ncu --kernel-name, --launch-count, --metrics.",
            )
        )


def metric(file: ForeignFile, line: int, text: str, unit: str) -> Metric:
    """Return a cell's metric: a number, or the text of what is none ("GPU boost").

    Raises: ImportFailed RM419 for a number with decimal comma: in such a file "1.234" is not 1.234.
    """
    found = number(text)
    bare, unit = text.strip(), unit.strip()[:60]
    if not isinstance(found, Missing):
        return Metric(value=found, unit=unit)
    # What has no unit may be a list ("0,1,2" of enabled units).
    if unit and _OTHER_LOCALE.fullmatch(bare[:60]):
        raise file.unclear(
            f"line {line}: {bare[:60]!r} {unit} is written with a decimal comma, so that 1.234 may "
            "stand for 1234",
            "Print it again from the report with LC_ALL=C.",
        )
    absent = bare.lower() in ("", "nan", "n/a", "inf", "-nan", "-inf", "-")
    return Metric(value=found if absent else bare[:500], unit=unit)


def add_metric(metrics: dict[str, Metric], name: str, found: Metric) -> bool:
    """Add a metric; of two with one name ("Memory Throughput" in % and in B/s) the unit tells.

    Returns whether it could be kept: with name and unit the same, the first stands.
    """
    if name in metrics and metrics[name] != found:
        name = f"{name} [{found.unit}]"
    return metrics.setdefault(name, found) == found


def duration(metrics: dict[str, Metric]) -> float | Missing:
    """Return the launch's own time in seconds, by whichever name the report has it."""
    for each in (metrics[name] for name in _DURATIONS if name in metrics):
        if isinstance(each.value, float) and each.value >= 0 and each.unit in _SECONDS:
            return each.value * _SECONDS[each.unit]
    return Missing(reason="the report has no duration with a unit")
