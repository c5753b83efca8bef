"""A study of a pytest session: what it has, what is wanted of it, and what came out.

In: a study.py and pytest's options. Out: cells, and for each pass, fail or undecided with a reason.
Without a pin a cell passes when its outputs are right and it is not slower than the study's
baseline; with one, when the gate against the pin passes.
"""

import functools
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from roofmark.analysis.gated import GateDecision, matches
from roofmark.analysis.verdict import Cell, Decision, Verdict
from roofmark.bundle import Bundle
from roofmark.codes import problem
from roofmark.errors import RoofmarkError, StudyError
from roofmark.loading import load_study
from roofmark.narrowing import no_match
from roofmark.options import RunOptions
from roofmark.reports.wording import ratio_and_interval

if TYPE_CHECKING:
    from roofmark.analysis.gate import Gate

Place = tuple[str, str]
"""Workload id and solution name."""
_DECISIONS: dict[Decision, GateDecision] = {
    "faster": "pass",
    "same": "pass",
    "slower": "fail",
    "invalid": "fail",
    "undecided": "undecided",
}


class Measured:
    """One study, measured when it is first asked what came out."""

    def __init__(self, study: Path, given: Path | None, cache: Path, options: Namespace) -> None:
        """Keep the bundle in `given`, under a free name, or else in `cache`, replacing the last."""
        self.study, self.options = study, options
        self._replace = given is None
        self.folder = _free(given / study.parent.name) if given else cache / study.parent.name
        self._wanted: list[Place] = []
        self._failure: RoofmarkError | None = None

    def cells(
        self, *, workloads: tuple[str, ...] = (), solutions: tuple[str, ...] = ()
    ) -> list[Place]:
        """Return the cells that match shell patterns; held-out workloads are left out.

        Raises: StudyError as loading, RM130 for a pattern that matches nothing.
        """
        study = load_study(self.study).study
        names = [each.name for each in study.solutions if each.name != study.baseline]
        ids = [each.id for each in study.workloads if not each.held_out]
        for kind, patterns, known in (("workload", workloads, ids), ("solution", solutions, names)):
            idle = [p for p in patterns if not any(matches(name, (p,)) for name in known)]
            if idle:
                raise no_match(kind, idle, known)
        return [
            (workload, name)
            for workload in ids
            for name in names
            if matches(workload, workloads) and matches(name, solutions)
        ]

    def want(self, place: Place) -> None:
        """Have this cell measured when the time comes."""
        self._wanted.append(place)

    def cell(self, place: Place) -> Cell:
        """Return a judged cell. Raises: as `run`; KeyError for one that was not measured."""
        return {(c.workload, c.solution): c for c in self._verdict.cells}[place]

    def settled(self, place: Place) -> tuple[GateDecision, str]:
        """Return whether a cell passes, and why; what could not be measured fails."""
        try:
            return self._decide(place)
        except RoofmarkError as error:
            return "fail", str(error)

    def _decide(self, place: Place) -> tuple[GateDecision, str]:
        skipped = {each.solution: each.reason for each in self._bundle.run.skipped}
        if place[1] in skipped:
            return "undecided", f"not run here: {skipped[place[1]]}"
        return self._decide_pinned(place) if self.options.roofmark_baseline else self._judged(place)

    def _judged(self, place: Place) -> tuple[GateDecision, str]:
        cell, verdict = self.cell(place), self._verdict
        shown = f"{ratio_and_interval(cell.speedup)} over {verdict.baseline}"
        if cell.outcome != "passed":
            shown = cell.outcome.replace("_", " ")
        decision = _DECISIONS[cell.decision]
        told = shown if decision == "undecided" else f"{cell.decision}: {shown}"
        return decision, "\n".join((told, *_findings(verdict, cell)))

    def _decide_pinned(self, place: Place) -> tuple[GateDecision, str]:
        for cell in self._gate.cells:
            if (cell.workload, cell.solution) == place:
                return cell.decision, cell.because
        return "undecided", "it is not pinned"

    # --- measured once ---------------------------------------------------------------------------
    @functools.cached_property
    def _verdict(self) -> Verdict:
        from roofmark import api

        return api.judge(self._bundle)

    @functools.cached_property
    def _gate(self) -> "Gate":
        from roofmark.analysis.gate import Ask
        from roofmark.gating import gate, read_pin

        pin = read_pin(self.options.roofmark_baseline)
        pinned = {(cell.workload, cell.solution) for cell in pin.cells}
        both = [place for place in self._wanted if place in pinned]
        if not both:
            mend = "Pin a bundle of this study, or select what is pinned."
            raise StudyError(problem("RM130", "no cell is pinned", str(self.study), mend))
        workloads, solutions = ({place[i] for place in both} for i in (0, 1))
        ask = Ask(workloads=tuple(sorted(workloads)), solutions=tuple(sorted(solutions)))
        return gate(self._bundle, pin, ask=ask)

    @functools.cached_property
    def _bundle(self) -> Bundle:
        if self._failure is not None:
            raise self._failure
        try:
            return self._measure()
        except RoofmarkError as error:
            self._failure = error
            raise

    def _measure(self) -> Bundle:
        from roofmark import api

        options = RunOptions(
            device=self.options.roofmark_device,
            workloads=tuple(dict.fromkeys(place[0] for place in self._wanted)),
            solutions=tuple(dict.fromkeys(place[1] for place in self._wanted)),
            processes=_range(self.options.roofmark_processes),
            time_limit=self.options.roofmark_time_limit,
            force=self._replace,
        )
        return api.run(self.study, self.folder, options=options)


def _findings(verdict: Verdict, cell: Cell) -> list[str]:
    """Return what moved a cell, one line for each finding."""
    places = ("", cell.solution, verdict.baseline)
    return [
        f"{f.code} {f.title}: {f.message}"
        for f in verdict.findings
        if f.code in cell.codes
        and f.state == "fires"
        and f.workload in ("", cell.workload)
        and f.solution in places
    ]


def _free(base: Path) -> Path:
    taken = (base.with_name(f"{base.name}-{n}") for n in range(2, 10_000))
    return next(path for path in (base, *taken) if not path.exists())


def _range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    fewest, _, most = text.partition(":")
    try:
        return int(fewest), int(most or fewest)
    except ValueError as error:
        mend = "Write FEWEST:MOST, such as 6:12."
        fact = f"{text!r} is no range of process sets"
        raise StudyError(problem("RM103", fact, "--roofmark-processes", mend)) from error
