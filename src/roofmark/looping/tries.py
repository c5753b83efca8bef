"""Tries: the records that a loop writes.

In: nothing; these are shapes. Out: `LoopPlan` (asked once), `Note` and `Candidate` (what came from
a proposer), `Try` and `Interrupted` (lines of the journal).
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from roofmark.analysis.promotion import Noise
from roofmark.analysis.verdict import Decision, Estimate
from roofmark.records import Missing, Record
from roofmark.study import Whole
from roofmark.units import Ratio, Seconds

Ending = Literal[
    "kept",
    "slower",
    "same",
    "undecided",
    "hopeless",
    "incorrect",
    "build_failed",
    "crashed",
    "cheated",
    "refused",
    "repeated",
    "timed_out",
    "no_change",
]


class LoopPlan(Record):
    """What a loop was asked; a loop goes on only as it began.

    workloads: patterns, as asked. file: of the study, inside the loop's own copy of its folder.
    study: digest of the loaded study. margin: smallest gain that is kept. group_margin: largest
    loss of one group of workloads that is let pass. alpha: chance, over the whole loop, that
    anything is kept which is no gain.
    """

    source: str
    file: str
    study: str
    solution: str
    device: Literal["auto", "cpu", "cuda"]
    workloads: tuple[str, ...]
    margin: Ratio
    group_margin: Ratio
    alpha: Annotated[float, Meta(gt=0, lt=0.5)]


class Version(Record):
    """What a solution is built from.

    files: path -> text of every file that may change. params: all that the solution declares.
    """

    files: dict[str, str]
    params: dict[str, Whole] = {}


class Note(Record, forbid_unknown_fields=False):
    """What a proposer may say about its candidate.

    params: new values of declared params. ahead: params of candidates to come, which are built side
    by side with this one. predicted: speed-up over the incumbent. tokens, usd: what
    the proposal cost. stop: it has nothing more to propose, and the loop ends. constraint,
    rejected, directive: for a kept one's commit.
    """

    hypothesis: str = ""
    params: dict[str, Whole] = {}
    ahead: tuple[dict[str, Whole], ...] = ()
    predicted: float | UnsetType = UNSET
    tokens: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    usd: Annotated[float, Meta(ge=0)] | UnsetType = UNSET
    constraint: str = ""
    rejected: str = ""
    directive: str = ""
    stop: bool = False


class Candidate(Record):
    """What a proposer left: a version, or why there is nothing to measure.

    failure: an ending with its reason.
    """

    number: int
    against: int
    version: Version
    diff: str
    note: Note
    seconds: Seconds
    failure: tuple[Ending, str] | UnsetType = UNSET


class Measured(Record, tag="measured"):
    """One paired run of a candidate (baseline: the incumbent), and what followed from it.

    decision, speedup, level, codes: of its verdict. ratio: speed-up without an interval, which one
    process set gives already. processes: sets of processes that ran. seconds:
    for which the device was held, in sessions that ended. noise: what its twin showed; journals of
    older versions lack it.
    """

    bundle: str
    decision: Decision
    speedup: Estimate | Missing
    ratio: Ratio | Missing
    level: float
    processes: int
    workloads: int
    codes: tuple[str, ...]
    seconds: Seconds
    noise: Noise | UnsetType = UNSET


class Try(Record, tag="try"):
    """One try that counts.

    against: number of the try that was the incumbent, 0 for the study's own sources.
    params: the candidate's, where they differ from its incumbent's. fingerprint, binary: what tells
    two candidates apart; binary of compiled solutions only. same_as: the number of the version that
    was this very program already. seconds: of all of it; device_seconds:
    of its runs alone.
    """

    number: int
    against: int
    ending: Ending
    reason: str
    note: Note
    params: dict[str, Whole]
    diff: str
    fingerprint: str
    binary: str | Missing
    same_as: int | Missing
    first: Measured | Missing
    confirmation: Measured | Missing
    seconds: Seconds
    device_seconds: Seconds


class Interrupted(Record, tag="interrupted"):
    """A try that was found begun and without an end; it is not counted, and goes on or is redone.

    stage: "proposing" (its proposal is lost) or "measuring" (it goes on with what was measured).
    """

    number: int
    stage: Literal["proposing", "measuring"]


Entry = Try | Interrupted
