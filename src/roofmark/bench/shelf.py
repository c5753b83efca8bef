"""The shelf: where a bench puts what it made, so that it need not know who keeps it.

In: traces, proofs of build, logs. Out: nothing. A `BundleWriter` is one; a station of a fleet, the
bundle of which lies on another machine, has another.
"""

from typing import Protocol

from roofmark.evidence import Build, Trace


class Shelf(Protocol):
    """What a bench needs of whoever keeps its evidence."""

    def traces(self) -> list[Trace]:
        """Return the traces kept so far."""
        ...

    def append(self, trace: Trace) -> None:
        """Keep a finished trace."""
        ...

    def write_build(self, build: Build) -> str:
        """Keep a proof of build; return its digest."""
        ...

    def write_log(self, solution: str, name: str, text: bytes) -> None:
        """Keep what a tool or a worker said."""
        ...
