"""Where a record lies in a bundle, for records that say themselves what they are about.

In: a record. Out: its path. Whoever writes it asks, and whoever reads it compares: a record in
another one's place would answer for something that it does not know.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TypeVar

from roofmark.bundle_sense import impossible
from roofmark.profiled import PairProfile
from roofmark.records import Record
from roofmark.served import Answered, LegProfile, LegProfiled, Request, Served, Stay

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

    Raises, wherever it is read: BundleError RM440 for a record in another one's place, or one that
    no bench could have written.
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
                if why := _nonsense(found):
                    raise impossible(why, path)
                yield found

    def _record(self, path: str, kind: type[R]) -> R:
        """Return one record. Raises: BundleError RM402, RM404."""
        raise NotImplementedError


def _nonsense(record: Filed) -> str:
    """Return what no bench could have written in it, or nothing."""
    match record:
        case Served():
            requests = [each for visit in record.visits for each in visit.requests]
            return next((why for each in requests if (why := _odd_request(each))), "")
        case LegProfiled(outcome=LegProfile() as profile):
            return _odd_profile(profile)
        case _:
            return ""


def _odd_request(request: Request) -> str:
    if isinstance(request.ending, Answered) and not request.arrivals:
        return "a request that was answered by nothing"
    if any(a > b for a, b in pairwise((request.sent, *request.arrivals))):
        return "a request whose times run backwards"
    return ""


def _odd_profile(profile: LegProfile) -> str:
    if profile.tokens < 1 or not profile.wall:
        return f"a pass of {profile.tokens} tokens in {profile.wall:g} s"
    if any(not s.durations or len(s.starts) != len(s.durations) for s in profile.spans):
        return "a kernel whose calls have no begin or no end"
    counts = (profile.launches, profile.graph_launches)
    if any(isinstance(count, int) and count < 0 for count in counts):
        return "fewer than no launches"
    return ""
