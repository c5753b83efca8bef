"""The agenda: what of a study is still to be measured. Pure; it knows traces and touches nothing.

In: a study, the traces so far, and (handed down) a function that says what is undecided. Out: the
workloads that want another process set, and the number of the next one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from roofmark.evidence import BuildFailed, Crashed, Passed, TimedOut, Trace
from roofmark.study import Device, Study, Workload

# Chosen: what the fewest sets did not decide, one more rarely does.
_LATE_SETS = 2
Undecided = Callable[[Study, Device, list[Trace]], set[str]]


@dataclass
class Agenda:
    """What is left to do. given_up: (workload, solution) that others have given up already."""

    study: Study
    device: Device
    confirmation: bool
    undecided: Undecided
    traces: list[Trace]
    given_up: frozenset[tuple[str, str]] = field(default_factory=frozenset[tuple[str, str]])

    @property
    def workloads(self) -> list[Workload]:
        """Every workload that this run measures."""
        return [w for w in self.study.workloads if self.confirmation or not w.held_out]

    def next_process(self) -> int:
        """Return the number after the last set that left a trace: none is ever filled up later."""
        used = [
            trace.process
            for trace in self.traces
            if trace.role != "wrong" and not isinstance(trace.outcome, BuildFailed)
        ]
        return 1 + max(used, default=-1)

    def counts(self) -> dict[str, int]:
        """Return workload -> how many sets measured it; the baseline's trace makes one whole."""
        counts = dict.fromkeys((w.id for w in self.workloads), 0)
        for trace in self.traces:
            if trace.role == "baseline" and trace.workload in counts:
                counts[trace.workload] += 1
        return counts

    def pending(self) -> list[Workload]:
        """Workloads measured too seldom or still undecided, that may be measured once more."""
        fewest, most = self.study.protocol.processes
        counts = self.counts()
        wanted = {name for name, count in counts.items() if count < fewest}
        late = {name for name, count in counts.items() if fewest <= count < most}
        if late:
            wanted |= late & self.undecided(self.study, self.device, self.traces)
        lost = {w.id for w in self.workloads if self.gave_up(w.id, self.study.baseline)}
        return [w for w in self.workloads if w.id in wanted - lost]

    def sets_ahead(self) -> int:
        """Return how many process sets are likely to follow, so that they can be got ready."""
        fewest, most = self.study.protocol.processes
        done = min(self.counts().values(), default=0)
        return max(fewest - done, min(most - done, _LATE_SETS), 1)

    def gave_up(self, workload: str, name: str) -> bool:
        """Whether more tries are pointless: wrong or unbuildable once, dead or late twice."""
        if (workload, name) in self.given_up:
            return True
        failures = 0
        for trace in self.traces:
            if (trace.workload, trace.solution) == (workload, name):
                if isinstance(trace.outcome, Crashed | TimedOut):
                    failures += 1
                elif not isinstance(trace.outcome, Passed):
                    return True
        return failures >= 2

    def hopeless(self) -> frozenset[tuple[str, str]]:
        """Return every (workload, solution) that is given up by now."""
        return frozenset(
            (w.id, s.name)
            for w in self.workloads
            for s in self.study.solutions
            if self.gave_up(w.id, s.name)
        )

    def control_workloads(self, size: Callable[[Workload], int]) -> list[Workload]:
        """Smallest, middle and largest: a control is a claim about the gate, not about speed."""
        ordered = sorted(self.workloads, key=size)
        return [ordered[i] for i in sorted({0, len(ordered) // 2, len(ordered) - 1}) if ordered]
