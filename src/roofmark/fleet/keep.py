"""Keeping: what a station brought in goes into the bundle, all of it once or nothing of it.

In: a bundle's writer, a harvest. Out: nothing. The harvest is written to one file first, then
spread over the files of its traces, then the one file goes. A run that is killed in between finds
the file when it goes on, and spreads what was not spread yet.
"""

from roofmark.bundle import BundleWriter
from roofmark.evidence import Trace
from roofmark.fleet.words import Harvest

ARRIVING = "arriving.json"
Key = tuple[str, str, str, int]


def keep(writer: BundleWriter, harvest: Harvest) -> None:
    """Keep a harvest. Raises: BundleError; a harvest that was begun is finished by `recover`."""
    writer.write(ARRIVING, harvest)
    _spread(writer, harvest, set())


def recover(writer: BundleWriter) -> None:
    """Finish what a killed run had begun to keep."""
    if writer.has(ARRIVING):
        known = {_key(trace) for trace in writer.traces()}
        _spread(writer, writer.read(ARRIVING, Harvest), known)


def _spread(writer: BundleWriter, harvest: Harvest, known: set[Key]) -> None:
    for build in harvest.builds:
        writer.write_build(build)
    for log in harvest.logs:
        writer.write_log(log.solution, log.name, log.text)
    for trace in harvest.traces:
        if _key(trace) not in known:
            writer.append(trace)
    writer.remove(ARRIVING)


def _key(trace: Trace) -> Key:
    return trace.role, trace.workload, trace.solution, trace.process
