"""The words that a run and its stations exchange.

In and out: tagged records as msgpack. A request carries everything that its receiver needs; a reply
carries everything that is to be kept, so that one that never arrives leaves nothing behind.
"""

from typing import Protocol

import msgspec

from roofmark.errors import BenchError, RoofmarkError, StudyError
from roofmark.errors import Problem as Told
from roofmark.evidence import Build, Run, Trace
from roofmark.records import Record
from roofmark.stations import Station
from roofmark.study import Device, Study
from roofmark.units import Seconds


# --- to a station --------------------------------------------------------------------------------
class Describe(Record, tag="describe"):
    """Take hold of a device and tell what it is. slots: into how many the host's cores are cut."""

    device: Device
    study: Study
    slots: int = 1


class Prepare(Record, tag="prepare"):
    """Build everything for this study. hidden: folders that no candidate may look into."""

    study: Study
    contents: dict[str, bytes]
    run: Run
    station: Station
    hidden: tuple[str, ...] = ()


class Measure(Record, tag="measure"):
    """Measure these workloads with one set of fresh processes.

    given_up: (workload, solution) pairs that are tried no more. elapsed: since the run began.
    """

    process: int
    workloads: tuple[str, ...]
    given_up: tuple[tuple[str, str], ...]
    elapsed: Seconds = 0.0


class TryControls(Record, tag="controls"):
    """Try the wrong solutions. given_up: (workload, control) pairs that were tried already."""

    given_up: tuple[tuple[str, str], ...]
    elapsed: Seconds = 0.0


Unit = Measure | TryControls
"""What is done by one station, whole or not at all."""
Request = Describe | Prepare | Measure | TryControls


# --- from a station ------------------------------------------------------------------------------
class Described(Record, tag="described"):
    """The device, the roofmark that drives it, and the process that does."""

    station: Station
    roofmark: str
    pid: int


class Log(Record, array_like=True):
    """What a tool or a worker said."""

    solution: str
    name: str
    text: bytes


class Harvest(Record, tag="harvest"):
    """Everything that one request brought in."""

    builds: tuple[Build, ...]
    logs: tuple[Log, ...]
    traces: tuple[Trace, ...]


class Problem(Record):
    """A problem, told in four parts."""

    code: str
    fact: str
    where: str
    meaning: str
    mend: str


class Failed(Record, tag="failed"):
    """It could not be done, and why. study: the question is wrong, here and everywhere."""

    study: bool
    problems: tuple[Problem, ...]

    def error(self) -> RoofmarkError:
        """Return the error that the station met."""
        told = (Told(**{name: getattr(p, name) for name in _PARTS}) for p in self.problems)
        return (StudyError if self.study else BenchError)(*told)


_PARTS = Problem.__struct_fields__
Reply = Described | Harvest | Failed


class Lost(Record):
    """A station that answers no more."""

    reason: str


class Executor(Protocol):
    """Opens seats, carries requests to them and brings replies back.

    A seat is a process that holds one device; it answers one request at a time.
    """

    def open(self) -> list[str]:
        """Start every seat that there is room for and return their names."""
        ...

    def reopen(self, seat: str) -> str:
        """End a seat, if it lives, and start another in its place; return its name."""
        ...

    def send(self, seat: str, request: Request) -> None:
        """Send a request without waiting."""
        ...

    def wait(self, limit: Seconds) -> list[tuple[str, Reply | Lost]]:
        """Return what has arrived, waiting at most `limit` seconds for the first."""
        ...

    def dismiss(self, seat: str) -> None:
        """End one seat."""
        ...

    def close(self) -> None:
        """End every seat with all that runs in it."""
        ...


def failed(error: RoofmarkError) -> Failed:
    """Return the reply that an error makes."""
    told = (Problem(**{name: getattr(each, name) for name in _PARTS}) for each in error.problems)
    return Failed(study=isinstance(error, StudyError), problems=tuple(told))


def pack(message: Request | Reply) -> bytes:
    """Return a message as bytes."""
    return msgspec.msgpack.encode(message)


def unpack_request(data: bytes) -> Request:
    """Return a request. Raises: msgspec.ValidationError."""
    return msgspec.msgpack.decode(data, type=Request)


def unpack_reply(data: bytes) -> Reply:
    """Return a reply. Raises: msgspec.ValidationError."""
    return msgspec.msgpack.decode(data, type=Reply)
