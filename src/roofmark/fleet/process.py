"""A station as a child process of the run: `python -m roofmark.bench.serve roofmark.fleet.process`.

In: parcels. Out: parcels that name a file beside this process, because a reply with a set's samples
may be larger than any message of the bench.
"""

from pathlib import Path

from roofmark.bench.messages import Parcel, Reply, Request
from roofmark.bench.serve import Answer
from roofmark.fleet.hand import Hand
from roofmark.fleet.words import pack, unpack_request

_REPLY = Path("reply")


def start() -> Answer:
    """Return what answers a parcel."""
    hand = Hand()

    def answer(request: Request) -> Reply:
        if not isinstance(request, Parcel):
            raise TypeError(f"a station was asked to {type(request).__name__}")
        _REPLY.write_bytes(pack(hand.answer(unpack_request(request.data))))
        return Parcel(data=str(_REPLY.resolve()).encode())

    return answer
