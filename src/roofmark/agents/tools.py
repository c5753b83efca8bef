"""The tools: what each takes, and the command that does it.

In: a request's arguments, as JSON from a stranger. Out: the words of one `roofmark` command with
`--json`. A tool's schema is made from the record that its arguments are read into.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from roofmark.agents.confine import inside, loop_folder, write_candidate
from roofmark.codes import problem
from roofmark.errors import RoofmarkError
from roofmark.records import Record

Device = Literal["auto", "cpu", "cuda"]
_Path = Annotated[str, Meta(description="Path under the root, relative to it.")]
_Study = Annotated[str, Meta(description="A study.py or its folder, relative to the root.")]
_Name = Annotated[
    str, Meta(description="Name of a solution of the study.", min_length=1, max_length=200)
]
# Chosen: what a quick question may take; a study is Python and may hang.
_QUICK_SECONDS = 300.0


class Describe(Record):
    """Arguments of describe_study."""

    study: _Study
    solution: (
        Annotated[str, Meta(description="Show its incumbent's sources and params.")] | UnsetType
    ) = UNSET


class Evaluate(Record):
    """Arguments of evaluate_candidate."""

    study: _Study
    solution: _Name
    files: Annotated[
        dict[str, str],
        Meta(description="Path as in describe_study's `sources` -> whole new text."),
    ] = {}
    params: Annotated[dict[str, int], Meta(description="Declared params to change.")] = {}
    hypothesis: Annotated[
        str, Meta(description="What is tried and why, for the journal.", max_length=2000)
    ] = ""
    predicted: (
        Annotated[float, Meta(description="Expected speed-up, as 1.05.", gt=0)] | UnsetType
    ) = UNSET
    limit: Annotated[
        float, Meta(description="Seconds after which the evaluation is cut.", ge=1, le=86400)
    ] = 1800.0


class Explain(Record):
    """Arguments of explain_bundle."""

    bundle: _Path


class Compare(Record):
    """Arguments of compare_bundles."""

    a: _Path
    b: _Path


class ReadJournal(Record):
    """Arguments of read_journal."""

    study: _Study
    solution: _Name


@dataclass(frozen=True)
class Desk:
    """What a server was started with; scratch: an empty folder of one request."""

    root: Path
    device: Device
    scratch: Path


@dataclass(frozen=True)
class Tool:
    """One tool. words: arguments -> the command. writes: whether it changes anything."""

    description: str
    arguments: type[Record]
    words: Callable[[Any, Desk], list[str]]
    writes: bool = False

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the arguments."""
        _, parts = msgspec.json.schema_components((self.arguments,))
        schema = dict(parts[self.arguments.__name__])
        return {"type": "object"} | {k: v for k, v in schema.items() if k != "title"}

    def read(self, given: object) -> Record:
        """Return the arguments. Raises: RoofmarkError RM451."""
        try:
            return msgspec.convert(given, self.arguments, strict=True)
        except (msgspec.ValidationError, RecursionError) as error:
            mend = "See the tool's schema."
            raise RoofmarkError(problem("RM451", str(error), "arguments", mend)) from error


def limit_of(arguments: Record) -> float:
    """Return the seconds that a request may take."""
    return arguments.limit if isinstance(arguments, Evaluate) else _QUICK_SECONDS


def _describe(asked: Describe, desk: Desk) -> list[str]:
    study = _study(asked.study, desk)
    if not isinstance(asked.solution, str):
        return ["describe", str(study)]
    loop = loop_folder(desk.root, study, asked.solution)
    return ["describe", str(study), f"--solution={asked.solution}", f"--loop={loop}"]


def _evaluate(asked: Evaluate, desk: Desk) -> list[str]:
    study = _study(asked.study, desk)
    write_candidate(desk.scratch, asked.files)
    loop = loop_folder(desk.root, study, asked.solution)
    words = ["try", str(study), *([str(desk.scratch)] if asked.files else [])]
    words += [f"--solution={asked.solution}", f"--output={loop}", f"--device={desk.device}"]
    words += [f"--param={name}={value}" for name, value in asked.params.items()]
    words += [f"--hypothesis={asked.hypothesis}"]
    if not isinstance(asked.predicted, UnsetType):
        words.append(f"--predicted={asked.predicted!r}")
    if any("\0" in word for word in words):
        raise RoofmarkError(problem("RM451", "a NUL character", "arguments", "Leave it out."))
    return words


def _explain(asked: Explain, desk: Desk) -> list[str]:
    return ["explain", str(inside(desk.root, asked.bundle))]


def _compare(asked: Compare, desk: Desk) -> list[str]:
    return ["compare", *(str(inside(desk.root, side)) for side in (asked.a, asked.b))]


def _journal(asked: ReadJournal, desk: Desk) -> list[str]:
    loop = loop_folder(desk.root, _study(asked.study, desk), asked.solution)
    if not (loop / "loop.json").is_file():
        mend = "Evaluate a candidate first."
        raise RoofmarkError(problem("RM451", "no loop began yet", asked.study, mend))
    return ["loop", "status", str(loop)]


def _study(text: str, desk: Desk) -> Path:
    """Return a study's path; the file in its folder must lie inside, too."""
    path = inside(desk.root, text)
    if path.is_dir():
        inside(desk.root, str(path / "study.py"))
    return path


TOOLS = {
    "describe_study": Tool(
        "What a study asks: definition, workloads, solutions, baseline, negative controls, "
        "protocol, and the rules that a candidate must follow; of one solution also the "
        "incumbent's sources and params. Runs the study.py.",
        Describe,
        _describe,
    ),
    "evaluate_candidate": Tool(
        "Build, check and measure a changed solution against the incumbent: its ending (kept, "
        "slower, same, incorrect, ...), speed-up with interval, and for each workload bound, "
        "headroom and advice. Takes minutes. Each call is one try of the solution's one loop: it "
        "stands in the journal and is judged within one error budget over all tries.",
        Evaluate,
        _evaluate,
        writes=True,
    ),
    "explain_bundle": Tool(
        "What a sealed bundle shows: the answer, bounds, and what each finding means.",
        Explain,
        _explain,
    ),
    "compare_bundles": Tool(
        "Whether two bundles may be compared, and if so which side is faster.", Compare, _compare
    ),
    "read_journal": Tool(
        "Every try of a solution's loop with its outcome, and the sums.", ReadJournal, _journal
    ),
}


def read_result(out: str) -> dict[str, Any] | None:
    """Return the JSON that ends a command's output; what a study printed stands before it."""
    # Whatever lies deeper is indented, so the last lone brace begins it.
    start = max(0, f"\n{out}".rfind("\n{\n"))
    try:
        found = json.loads(out[start:])
    except ValueError:
        return None
    return cast(dict[str, Any], found) if isinstance(found, dict) else None
