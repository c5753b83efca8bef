"""Where a record lies in a bundle, for records that say themselves what they are about.

In: a record. Out: its path. Whoever writes it asks, and whoever reads it compares: a record in
another one's place would answer for something that it does not know.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from roofmark.bundle_sense import impossible
from roofmark.profiled import PairProfile
from roofmark.records import Record
from roofmark.served import LegProfiled, Served, Stay

Filed = PairProfile | Served | Stay | LegProfiled
R = TypeVar("R", bound=Record)
F = TypeVar("F", bound=Filed)


def place_of(record: Filed) -> str:
    """Return the record's path in its bundle."""
    match record:
        case PairProfile():
            return f"profiles/{record.workload}/{record.solution}.json"
        case Served():
            pair = f"{record.workload}/{record.solution}"
            return f"serving/requests/{pair}/p{record.process}.json"
        case Stay():
            return f"serving/stays/{record.solution}/p{record.process}.json"
        case LegProfiled():
            return f"serving/tables/{record.workload}/{record.solution}.json"


class Seen:
    """What was seen beside the traces, as a bundle that is opened gives it.

    Raises, wherever it is read: BundleError RM440 for a record in another one's place.
    """

    _files: Mapping[str, bytes]

    def profiles(self) -> Iterator[PairProfile]:
        """Yield what a profiler saw, by file; nothing where none was asked."""
        yield from self._filed("profiles/", PairProfile)

    def served(self) -> Iterator[Served]:
        """Yield what clients saw of engines, by load, leg and process set."""
        yield from self._filed("serving/requests/", Served)

    def stays(self) -> Iterator[Stay]:
        """Yield what was seen of each leg in each process set."""
        yield from self._filed("serving/stays/", Stay)

    def tables(self) -> Iterator[LegProfiled]:
        """Yield the profiled passes of engines, by load and leg."""
        yield from self._filed("serving/tables/", LegProfiled)

    def _filed(self, folder: str, kind: type[F]) -> Iterator[F]:
        for path in sorted(self._files):
            if path.startswith(folder):
                found = self._record(path, kind)
                if path != place_of(found):
                    raise impossible(f"a record of {place_of(found)}", path)
                yield found

    def _record(self, path: str, kind: type[R]) -> R:
        """Return one record. Raises: BundleError RM402, RM404."""
        raise NotImplementedError
