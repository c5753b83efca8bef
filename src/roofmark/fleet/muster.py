"""The muster: which seats hold a device that takes part, and which are refused, and why.

In: an executor, and what its seats say of themselves. Out: stations that are alike. One device is
never two stations: a second seat on it is refused, whatever an environment variable or a scheduler
made of it.
"""

import time
from collections.abc import Iterable

from msgspec.structs import replace

from roofmark import __version__
from roofmark.bench.process import START_SECONDS
from roofmark.codes import problem
from roofmark.errors import BenchError
from roofmark.evidence import Environment, Git
from roofmark.fleet.alike import choose_reference, unlike
from roofmark.fleet.words import Describe, Described, Executor, Lost, Reply
from roofmark.records import Missing
from roofmark.stations import Station
from roofmark.study import Device, Study
from roofmark.units import Seconds

# Chosen: starting (START_SECONDS at most) and measuring ceilings (a minute at most); a Ray actor
# that waits for room longer than this joins when it gets it.
_PATIENCE: Seconds = START_SECONDS + 120.0
_LOOK: Seconds = 1.0


class Muster:
    """The seats of a fleet.

    stations: seat -> device, of those that take part. waiting: seats that have not told of theirs.
    """

    def __init__(
        self, executor: Executor, device: Device, study: Study, git: Git | Missing
    ) -> None:
        """Have every seat describe its device; `gather` waits for them."""
        self.executor, self.study, self.git = executor, study, git
        self.stations: dict[str, Station] = {}
        self.refused: list[Station] = []
        self.reference: Station | None = None
        self._device: Device = device
        self._request = Describe(device=device, study=study)
        self._known: dict[str, Station] = {}
        self.waiting = set(executor.open())
        for seat in self.waiting:
            executor.send(seat, self._request)

    def gather(self, like: Environment | None, *, patience: Seconds = _PATIENCE) -> None:
        """Wait for the seats and choose those that are alike.

        like: the machine that an interrupted run began on; by default the largest group decides.
        Raises: BenchError RM341 when no station takes part.
        """
        found: dict[str, Described] = {}
        lost: list[str] = []
        deadline = time.monotonic() + patience
        while self.waiting and time.monotonic() < deadline:
            for seat, reply in self.executor.wait(_LOOK):
                self.waiting.discard(seat)
                if isinstance(reply, Described):
                    found[seat] = reply
                else:
                    lost.append(_reason(reply))
        fit = [each.station for each in found.values() if not each.station.refused]
        if fit and like is None:
            self.reference = choose_reference(fit, self._device, self.study.protocol.tier)
        elif fit:
            self.reference = replace(fit[0], environment=like)
        for seat, described in found.items():
            station = self.admit(seat, described)
            if station.refused:
                self.refused.append(station)
        if not self.stations:
            raise _nobody([each.refused for each in self.refused] + lost)

    def remember(self, stations: Iterable[Station]) -> None:
        """Know what an interrupted run has kept of its stations."""
        self._known = {each.id: each for each in stations}
        self.stations = {seat: self._with_past(each) for seat, each in self.stations.items()}

    def admit(self, seat: str, described: Described) -> Station:
        """Let a station take part, or return it with the reason why not."""
        self.waiting.discard(seat)
        station = described.station
        own = replace(station.environment, git=self.git)
        station = replace(station, environment=own)
        why = station.refused or self._against(station, described.roofmark)
        if why:
            self.executor.dismiss(seat)
            return replace(station, refused=why)
        self.stations[seat] = self._with_past(station)
        return self.stations[seat]

    def is_news(self, refused: Station) -> bool:
        """Whether nothing better is kept of a refused device: that it measures, or did."""
        past = self._known.get(refused.id)
        held = {each.id for each in self.stations.values()}
        return refused.id not in held and (past is None or bool(past.refused))

    def lose(self, seat: str, reason: str) -> Station | None:
        """Note that a seat was lost; return its station, if it is known."""
        self.waiting.discard(seat)
        station = self.stations.pop(seat, None)
        if station is None:
            return None
        station = replace(station, losses=(*station.losses, reason))
        self._known[station.id] = station
        return station

    def refuse(self, seat: str, reason: str) -> Station:
        """Send a station away that had been admitted."""
        self.executor.dismiss(seat)
        return replace(self.stations.pop(seat), refused=reason)

    def reopen(self, lost: str) -> None:
        """Start a seat in place of one that was lost."""
        seat = self.executor.reopen(lost)
        self.waiting.add(seat)
        self.executor.send(seat, self._request)

    def _against(self, station: Station, version: str) -> str:
        """Return why a station takes no part."""
        if version != __version__:
            return f"it has roofmark {version}, the run has {__version__}"
        if any(each.id == station.id for each in self.stations.values()):
            return "another station holds the same device"
        if self.reference is None:
            self.reference = station
        return unlike(self.reference, station, self._device, self.study.protocol.tier)

    def _with_past(self, station: Station) -> Station:
        past = self._known.get(station.id)
        return replace(station, losses=past.losses) if past else station


def _reason(reply: Reply | Lost) -> str:
    if isinstance(reply, Lost):
        return reply.reason
    return "; ".join(each.fact for each in getattr(reply, "problems", ()))


def _nobody(reasons: list[str]) -> BenchError:
    told = "; ".join(dict.fromkeys(reasons)) or "none answered"
    mend = "See `roofmark doctor` on the host, or docs/fleet.md."
    return BenchError(problem("RM341", f"no station can measure: {told}", "--fleet", mend))
