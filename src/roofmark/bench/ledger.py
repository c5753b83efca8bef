"""What is known of one solution on one workload in one process set, while it is measured.

In: verified comparisons and visits, one after the other. Out: an `Outcome`. A ledger that was
wrong once stays wrong; only one without a fault ends as `Passed` and has a speed.
"""

from dataclasses import dataclass, field

from roofmark.bench.messages import OutputError, Verified
from roofmark.bench.process import ChildFailed
from roofmark.bench.seam import Failure
from roofmark.bystanders import NO_BYSTANDERS, Bystanders
from roofmark.evidence import (
    NO_MEMORY,
    Batch,
    Build,
    BuildFailed,
    Check,
    CpuReading,
    Crashed,
    Deviation,
    GpuReading,
    Incorrect,
    Measurement,
    Memory,
    NonFinite,
    Outcome,
    Passed,
    Sign,
    TimedOut,
    Visit,
)
from roofmark.records import Missing
from roofmark.study import Protocol, Tier

Reading = GpuReading | CpuReading

# Chosen: the upper end of a ratio in a record; what is further off than this is no more wrong, and
# a trace that holds more could not be read again.
_LARGEST = 1e30


@dataclass
class Ledger:
    """Everything observed so far."""

    proof: Build | None = None
    errors: dict[str, OutputError] = field(default_factory=dict[str, OutputError])
    verified: int = 0
    timed: int = 0
    visits: dict[Tier, list[Visit]] = field(default_factory=dict[Tier, "list[Visit]"])
    clocks: dict[Tier, str] = field(default_factory=dict[Tier, str])
    absent: dict[str, str] = field(default_factory=dict[str, str])
    readings: list[Reading] = field(default_factory=list[Reading])
    memory: Memory = NO_MEMORY
    batches: list[Batch] = field(default_factory=list[Batch])
    empties: list[Batch] = field(default_factory=list[Batch])
    signs: list[Sign] = field(default_factory=list[Sign])
    bystanders: Bystanders | Missing = NO_BYSTANDERS
    wrong: str = ""
    failure: Failure | None = None

    @property
    def alive(self) -> bool:
        """Whether it may be visited again."""
        return not self.wrong and self.failure is None

    def take(self, verified: Verified, calls: int, *, timed: bool) -> bool:
        """Enter one comparison; return whether everything was right."""
        self.verified += calls
        self.timed += calls if timed else 0
        for error in verified.errors:
            self.errors[error.output] = _worse(self.errors.get(error.output), error)
        wrong = [f"output {e.output} is wrong" for e in verified.errors if not e.passed]
        wrong += [f"input {name} was changed and is not mutable" for name in verified.changed]
        wrong += [sign.text for sign in verified.signs if sign.kind == "spoiled"]
        self.note(*verified.signs)
        if wrong:
            self.wrong = "; ".join(wrong) + (" in a timed call" if timed else " in the first call")
        return not wrong

    def note(self, *signs: Sign) -> None:
        """Keep signs, each once."""
        self.signs += [sign for sign in signs if sign not in self.signs]

    def note_changes(self, names: tuple[str, ...], device: str) -> None:
        """Keep what a worker found to be replaced in itself, and changed on its device."""
        if device:
            self.note(Sign(kind="device", text=device[:200]))
        if names:
            text = f"{', '.join(name[:80] for name in names[:5])} were replaced in the worker"
            self.note(Sign(kind="patched", text=text))

    def enter(self, tier: Tier, visit: Visit, clock: str, reading: Reading | None) -> None:
        """Keep a visit whose outputs were right."""
        self.visits.setdefault(tier, []).append(visit)
        self.clocks[tier] = clock
        if reading is not None:
            self.readings.append(reading)

    def outcome(self, protocol: Protocol, build: str) -> Outcome:
        """Return how it ended, or everything that was measured; `build` is the proof's digest."""
        if self.failure is not None:
            return failed_outcome(self.failure, build, checks=self._checks())
        if self.wrong:
            return Incorrect(
                build=build,
                checks=self._checks(),
                reason=self.wrong,
                signs=tuple(self.signs),
            )
        return Passed(
            build=build,
            checks=self._checks(),
            measurements=tuple(
                Measurement(
                    tier=tier, cache=protocol.cache, clock=self.clocks[tier], visits=tuple(visits)
                )
                for tier, visits in self.visits.items()
            ),
            absent=self.absent,
            readings=tuple(self.readings),
            memory=self.memory,
            batches=(*self.batches, *self.empties),
            signs=tuple(self.signs),
            bystanders=self.bystanders,
        )

    def _checks(self) -> tuple[Check, ...]:
        return tuple(
            Check(
                output=name,
                calls=self.verified,
                timed=self.timed,
                error=_error(worst),
                passed=worst.passed,
            )
            for name, worst in self.errors.items()
        )


def failed_outcome(failure: Failure, build: str, *, checks: tuple[Check, ...] = ()) -> Outcome:
    """Return the outcome that a failure means."""
    if isinstance(failure, ChildFailed):
        if failure.late:
            return TimedOut(stage=failure.stage, limit=failure.late)
        return Crashed(stage=failure.stage, reason=failure.reason, log=failure.log)
    reply = failure.reply
    if reply.kind == "build":
        return BuildFailed(reason=reply.reason, log=reply.log)
    if reply.kind == "output":
        return Incorrect(build=build, checks=checks, reason=reply.reason)
    return Crashed(stage=failure.stage, reason=reply.reason, log=reply.log)


def _error(worst: OutputError) -> Deviation | NonFinite:
    if worst.nonfinite:
        return NonFinite(elements=worst.nonfinite)
    return Deviation(rms=min(worst.rms, _LARGEST), peak=min(worst.peak, _LARGEST))


def _worse(before: OutputError | None, now: OutputError) -> OutputError:
    """Return the worst of both in every respect."""
    if before is None:
        return now
    return OutputError(
        output=now.output,
        rms=max(before.rms, now.rms),
        peak=max(before.peak, now.peak),
        nonfinite=max(before.nonfinite, now.nonfinite),
        passed=before.passed and now.passed,
    )
