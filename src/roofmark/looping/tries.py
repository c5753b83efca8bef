"""Tries: the records that a loop writes.

In: nothing; these are shapes. Out: `LoopPlan` (asked once), `Note` and `Candidate` (what came from
a proposer), `Try` and `Interrupted` (lines of the journal).
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from roofmark.analysis.verdict import Decision, Estimate
from roofmark.records import Missing, Record
from roofmark.units import Ratio, Seconds

Ending = Literal[
    "kept",
    "slower",
    "same",
    "undecided",
    "incorrect",
    "build_failed",
    "crashed",
    "refused",
    "timed_out",
    "no_change",
]


class LoopPlan(Record):
    """What a loop was asked; a loop goes on only as it began.

    file: of the study, inside the loop's own copy of its folder. study: digest of the loaded study.
    alpha: chance, over the whole loop, that anything is kept which is no gain.
    """

    source: str
    file: str
    study: str
    solution: str
    device: Literal["auto", "cpu", "cuda"]
    margin: Ratio
    alpha: Annotated[float, Meta(gt=0, lt=0.5)]


class Note(Record, forbid_unknown_fields=False):
    """What a proposer may say about its candidate.

    predicted: speed-up over the incumbent. cost: in the proposer's own unit. stop: it has nothing
    more to propose, and the loop ends. constraint, rejected, directive: for a kept one's commit.
    """

    hypothesis: str = ""
    predicted: float | UnsetType = UNSET
    cost: float | UnsetType = UNSET
    constraint: str = ""
    rejected: str = ""
    directive: str = ""
    stop: bool = False


class Candidate(Record):
    """What a proposer left: files, or why there is nothing to measure.

    files: path -> text of every file that may change. failure: an ending with its reason.
    """

    number: int
    against: int
    files: dict[str, str]
    diff: str
    note: Note
    seconds: Seconds
    failure: tuple[Ending, str] | UnsetType = UNSET


class Measured(Record, tag="measured"):
    """One paired run of a candidate (baseline: the incumbent), and what followed from it.

    level: of its verdict. seconds: of its sessions that ended.
    """

    bundle: str
    decision: Decision
    speedup: Estimate | Missing
    level: float
    workloads: int
    codes: tuple[str, ...]
    seconds: Seconds


class Try(Record, tag="try"):
    """One try that counts.

    against: number of the try that was the incumbent, 0 for the study's own sources.
    fingerprint, binary: what tells two candidates apart; binary of compiled solutions only.
    """

    number: int
    against: int
    ending: Ending
    reason: str
    note: Note
    diff: str
    fingerprint: str
    binary: str | Missing
    first: Measured | Missing
    confirmation: Measured | Missing
    seconds: Seconds


class Interrupted(Record, tag="interrupted"):
    """A try that was found begun and without an end; it is not counted, and goes on or is redone.

    stage: "proposing" (its proposal is lost) or "measuring" (it goes on with what was measured).
    """

    number: int
    stage: Literal["proposing", "measuring"]


Entry = Try | Interrupted
