"""What is known of one leg under one load in one process set, and of its stay as a whole.

In: what visits give. Out: an `Outcome`, the requests behind it, and a `Stay`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from roofmark.bench.ledger import Reading
from roofmark.bench.serving.handle import Seen
from roofmark.bench.serving.plan import Step
from roofmark.evidence import (
    Crashed,
    Incorrect,
    Measurement,
    Outcome,
    Passed,
    TimedOut,
    Visit,
)
from roofmark.records import Missing
from roofmark.served import Likeness, Look, ServedVisit, SmokeAnswer, Stay
from roofmark.study import Protocol, Tier

Failure = Crashed | TimedOut | Incorrect


@dataclass
class LegLedger:
    """One leg under one load."""

    visits: dict[Tier, list[Visit]] = field(default_factory=dict[Tier, "list[Visit]"])
    clock: str = ""
    absent: dict[str, str] = field(default_factory=dict[str, str])
    readings: list[Reading] = field(default_factory=list[Reading])
    served: list[ServedVisit] = field(default_factory=list[ServedVisit])
    failure: Failure | None = None

    def enter(self, step: Step, seen: Seen, *, start: float, elapsed: float) -> None:
        """Keep a visit in which everything was answered."""
        self.clock = seen.clock
        self.absent |= seen.absent
        for tier, samples in seen.samples.items():
            visit = Visit(
                block=step.block,
                position=step.position,
                start=round(start, 6),
                samples=samples,
                calls=seen.calls.get(tier, 1),
                elapsed=round(elapsed, 6),
            )
            self.visits.setdefault(tier, []).append(visit)
        if seen.requests:
            self.served.append(ServedVisit(block=step.block, requests=seen.requests))

    def outcome(self, protocol: Protocol, build: str) -> Outcome:
        """Return how it ended, or everything that was measured."""
        if isinstance(self.failure, Incorrect):
            return replace(self.failure, build=build)
        if self.failure is not None:
            return self.failure
        return Passed(
            build=build,
            checks=(),
            measurements=tuple(
                Measurement(tier=tier, cache=protocol.cache, clock=self.clock, visits=tuple(visits))
                for tier, visits in self.visits.items()
            ),
            absent={tier: why for tier, why in self.absent.items() if tier not in self.visits},
            readings=tuple(self.readings),
        )


@dataclass
class Staying:
    """A leg's stay while it lasts."""

    started: float
    fresh: bool
    ready: float | Missing = field(default_factory=lambda: Missing(reason="it never got ready"))
    environment: Mapping[str, tuple[str | Missing, ...]] = field(
        default_factory=dict[str, tuple[str | Missing, ...]]
    )
    processes: tuple[str, ...] = ()
    smoke: SmokeAnswer | Missing = field(
        default_factory=lambda: Missing(reason="no smoke prompt was asked")
    )
    likeness: Likeness | Missing = field(
        default_factory=lambda: Missing(reason="logits were not compared")
    )
    endings: list[str] = field(default_factory=list[str])

    def record(self, solution: str, process: int, looks: tuple[Look, ...]) -> Stay:
        """Return the stay as the bundle keeps it."""
        return Stay(
            solution=solution,
            process=process,
            started=round(self.started, 3),
            ready=self.ready,
            fresh=self.fresh,
            environment=dict(self.environment),
            processes=self.processes,
            smoke=self.smoke,
            likeness=self.likeness,
            looks=looks,
            ending="; then ".join(self.endings) or "stopped",
        )
