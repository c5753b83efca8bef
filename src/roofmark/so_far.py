"""What follows so far: while a run goes on, the verdict that its traces would give now.

In: progress that carries traces, and the bundle that is being written. Out: the same progress with
a way to judge them. Nothing is judged unless somebody asks.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from roofmark.bundle import BundleWriter
from roofmark.evidence import Build, Environment, Passed, Run, Trace
from roofmark.options import Progress
from roofmark.study import Study

if TYPE_CHECKING:
    from roofmark.analysis.verdict import Verdict

Say = Callable[[Progress], None]


def with_standing(say: Say, writer: BundleWriter) -> Say:
    """Return `say`, to which progress with new traces comes with what would be judged of them."""
    seen = 0

    def told(now: Progress) -> None:
        nonlocal seen
        count = len(now.traces or ())
        if count > seen:
            traces = tuple(now.traces or ())
            now = replace(now, standing=lambda: judge_so_far(writer, traces))
            seen = count
        say(now)

    return told


def judge_so_far(writer: BundleWriter, traces: Sequence[Trace]) -> "Verdict":
    """Return what these traces of an open bundle would be judged. Raises: BundleError RM402."""
    from roofmark.analysis.judge import judge_traces

    built = {each.outcome.build for each in traces if isinstance(each.outcome, Passed)}
    return judge_traces(
        writer.read("study.json", Study),
        writer.read("environment.json", Environment),
        writer.read("run.json", Run),
        traces,
        {name: writer.read(f"builds/{name}.json", Build) for name in sorted(built)},
        digest="",
    )
