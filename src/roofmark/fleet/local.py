"""Seats on this host, without Ray: one process per GPU, or per slot of cores.

In: a kind of device, and how many. Out: an `Executor`. Each seat sees one GPU alone
(CUDA_VISIBLE_DEVICES) or takes a slot of cores; it ends when the run ends, however that happens
(bench/keeper.py).
"""

import contextlib
import os
import select
from itertools import count
from pathlib import Path

from roofmark.bench.messages import Parcel
from roofmark.bench.process import Child, ChildFailed, ReplyFailed
from roofmark.fleet.words import Describe, Lost, Reply, Request, pack, unpack_reply
from roofmark.study import Device
from roofmark.units import Seconds

# Chosen: a station holds one set's samples; the limit that counts is each worker's own.
_MEMORY = 2**62
# Chosen: a reply is sent when it is complete, so reading it takes no time to speak of.
_READ: Seconds = 60.0


class LocalSeats:
    """Child processes of this run."""

    def __init__(self, device: Device, places: list[str], scratch: Path) -> None:
        """Have one seat per place: what CUDA_VISIBLE_DEVICES shall be, or anything for a CPU."""
        self._device, self._places, self._scratch = device, places, scratch
        self._held: dict[str, str] = {}
        self._children: dict[str, Child] = {}
        self._awake: set[str] = set()
        self._numbers = count(1)

    def open(self) -> list[str]:
        """Start a seat per place."""
        return [self._start(place) for place in self._places]

    def reopen(self, seat: str) -> str:
        """Start a seat where another was."""
        self.dismiss(seat)
        return self._start(self._held.pop(seat))

    def _start(self, place: str) -> str:
        name = f"seat-{next(self._numbers)}"
        folder = self._scratch / name
        folder.mkdir()
        own = {"CUDA_VISIBLE_DEVICES": place} if self._device == "cuda" else {}
        self._children[name] = Child(
            "roofmark.fleet.process",
            folder=folder,
            memory=_MEMORY,
            descriptors=(),
            environment=own,
        )
        self._held[name] = place
        return name

    def send(self, seat: str, request: Request) -> None:
        """Send a request without waiting; a seat that is gone is told of by `wait`."""
        if isinstance(request, Describe):
            request = Describe(device=request.device, study=request.study, slots=len(self._places))
        with contextlib.suppress(ChildFailed):
            self._children[seat].send(Parcel(data=pack(request)), stage="station")

    def wait(self, limit: Seconds) -> list[tuple[str, Reply | Lost]]:
        """Return what has arrived."""
        poll = select.poll()
        seats = {child.fileno(): seat for seat, child in self._children.items()}
        gone = [self._children[seat] for number, seat in seats.items() if number < 0]
        for number in seats:
            if number >= 0:
                poll.register(number, select.POLLIN)
        ready = [number for number, _ in poll.poll(0 if gone else limit * 1000)]
        found: list[tuple[str, Reply | Lost]] = []
        for seat in [s for number, s in seats.items() if number < 0 or number in ready]:
            if (reply := self._read(seat)) is not None:
                found.append((seat, reply))
        return found

    def dismiss(self, seat: str) -> None:
        """End a seat."""
        self._awake.discard(seat)
        if child := self._children.pop(seat, None):
            child.close()

    def close(self) -> None:
        """End every seat."""
        for seat in list(self._children):
            self.dismiss(seat)

    def _read(self, seat: str) -> Reply | Lost | None:
        """Return a reply, or nothing while all it says is that it is awake."""
        child = self._children[seat]
        try:
            child.wait_ready(stage="station")
            if seat not in self._awake:
                self._awake.add(seat)
                return None
            said = child.receive(stage="station", limit=_READ)
            assert isinstance(said, Parcel)
            return unpack_reply(Path(os.fsdecode(said.data)).read_bytes())
        except (ChildFailed, ReplyFailed) as error:
            log = error.reply.log if isinstance(error, ReplyFailed) else error.log
            self.dismiss(seat)
            last = log.strip().splitlines()[-1:] or [""]
            return Lost(reason=f"{error}; it said: {last[0]}" if last[0] else str(error))


def visible_gpus(count: int) -> list[str]:
    """Return what names each of `count` GPUs in CUDA_VISIBLE_DEVICES, within what is set there."""
    given = [each.strip() for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    named = [each for each in given if each]
    return named[:count] if named else [str(number) for number in range(count)]
