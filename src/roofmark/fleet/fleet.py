"""A fleet that is open: the place where a run is measured, as one machine is.

In: the words of `--fleet`, a study. Out: a `Fleet`, with the machine that stands for all of them
(environment.json), or nothing where one machine is enough.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from roofmark.bench.host import Host
from roofmark.bench.run import Job
from roofmark.bench.software import collect_git
from roofmark.bundle import BundleWriter
from roofmark.evidence import Environment
from roofmark.fleet.find import Asked, Found, find_executor
from roofmark.fleet.muster import Muster
from roofmark.fleet.schedule import Schedule
from roofmark.study import Device, Study


class Fleet:
    """Stations that are alike. skipped: solution -> why none of them runs it."""

    def __init__(self, found: Found, study: Study, folder: Path, like: Environment | None) -> None:
        """Gather the stations. Raises: BenchError RM341 when none takes part."""
        self._muster = Muster(found.executor, found.device, study, collect_git(Host(), folder))
        self._muster.gather(like)
        first = next(iter(self._muster.stations.values()))
        self.fleet = found.words
        self.device: Device = found.device
        self.environment: Environment = first.environment
        self.skipped = first.skipped

    def measure(self, job: Job, writer: BundleWriter) -> str:
        """Measure until decided; return why it was given up, or nothing.

        Raises: StudyError, BenchError, BundleError; whole sets stay.
        """
        self._muster.remember(writer.stations())
        for station in filter(self._muster.is_news, self._muster.refused):
            writer.write_station(station)
        return Schedule(job, writer, self._muster).run()


@contextmanager
def open_fleet(
    words: str, study: Study, folder: Path, *, device: Asked, like: Environment | None = None
) -> Generator[Fleet | None]:
    """Yield the fleet that `words` name; None where they leave one device on this host.

    folder: the study's. like: the machine that an interrupted run began on; then one is a fleet.
    Raises: BenchError RM340 when there is no such fleet, RM341 when none of it can measure.
    """
    with ExitStack() as stack:
        found = find_executor(words, study, device, stack=stack)
        if found is None and like is not None:
            found = find_executor("local", study, device, stack=stack)
        if found is not None:
            stack.callback(found.executor.close)
        yield None if found is None else Fleet(found, study, folder, like)
