"""An executor without processes: seats are functions, and time is the order of calls."""

from collections import deque

from msgspec.structs import replace

from roofmark import __version__
from roofmark.evidence import BuildFailed
from roofmark.fleet.words import (
    Describe,
    Described,
    Harvest,
    Lost,
    Measure,
    Prepare,
    TryControls,
    pack,
    unpack_reply,
    unpack_request,
)
from roofmark.stations import Station
from roofmark.testing import simulated_traces, small_environment

NOTHING = Harvest(builds=(), logs=(), traces=())


def gpu(number, **changes):
    """Return the environment of the GPU of that number."""
    own = small_environment("cuda")
    return replace(own, gpu=replace(own.gpu, uuid=f"GPU-{number}", **changes))


class Device:
    """One pretended device: what it is, how fast it is, when it dies."""

    def __init__(self, number, *, host="h", ratio=1.5, dies=(), **changes):
        """dies: which of the sets that it is asked for kill it, counted from 0."""
        self.station = Station(id=f"{host}.{number}", environment=gpu(number, **changes))
        self.ratio, self.dies, self.asked, self.version = ratio, set(dies), 0, __version__
        self.unbuilt = ()


class Inline:
    """Seats on pretended devices. A lost seat is reopened on the same device."""

    def __init__(self, study, devices, *, backwards=False):
        """backwards: of several replies that wait, the last one arrives first."""
        self.study, self.devices, self.backwards = study, devices, backwards
        self.seats, self.replies, self.requests = {}, deque(), []
        self.dismissed, self.measured = [], []

    def open(self):
        return [self._start(device) for device in self.devices]

    def _start(self, device):
        seat = f"seat-{len(self.seats)}"
        self.seats[seat] = device
        return seat

    def reopen(self, seat):
        return self._start(self.seats[seat])

    def dismiss(self, seat):
        self.dismissed.append(seat)

    def close(self):
        self.seats.clear()

    def send(self, seat, request):
        request = unpack_request(pack(request))
        self.requests.append((seat, request))
        reply = self._answer(self.seats[seat], request)
        self.replies.append((seat, reply if isinstance(reply, Lost) else unpack_reply(pack(reply))))

    def wait(self, limit):
        if not self.replies:
            return []
        return [self.replies.pop() if self.backwards else self.replies.popleft()]

    def _answer(self, device, request):
        if isinstance(request, Describe):
            return Described(station=device.station, roofmark=device.version, pid=1)
        if isinstance(request, Prepare):
            failed = BuildFailed(reason="no compiler", log="")
            one = simulated_traces(self.study, processes=1)
            own = [replace(t, outcome=failed) for t in one if t.solution in device.unbuilt]
            return replace(NOTHING, traces=tuple(own))
        if isinstance(request, TryControls):
            wrong = [t for t in simulated_traces(self.study, processes=1) if t.role == "wrong"]
            tried = set(request.given_up)
            return replace(
                NOTHING, traces=tuple(t for t in wrong if (t.workload, t.solution) not in tried)
            )
        device.asked += 1
        if device.asked - 1 in device.dies:
            return Lost(reason="it was killed")
        self.measured.append((device.station.id, request))
        return self._measure(device, request)

    def _measure(self, device, request: Measure):
        names = [s.name for s in self.study.solutions if s.name != self.study.baseline]
        drawn = simulated_traces(
            self.study,
            ratios={name: device.ratio for name in names},
            processes=1,
            seed=request.process,
        )
        mine = [t for t in drawn if t.workload in request.workloads and t.role != "wrong"]
        return replace(
            NOTHING,
            traces=tuple(
                replace(t, process=request.process, station=device.station.id) for t in mine
            ),
        )
