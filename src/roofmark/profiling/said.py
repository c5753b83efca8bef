"""What a child and ncu left behind: launches with their counters, or the one reason there are none.

In: what was run, ncu's log. Out: `Profile`s, or `Refused` with a kind for every way in which a
profiler fails that looks like success: an exit code of zero and an empty table, a table cut short,
counters that are not numbers, a permission that only a line of the log tells.
"""

import re
from pathlib import Path

from msgspec.structs import replace

from roofmark.analysis.bounds import loads_of_profile
from roofmark.bench.ncu import Refusal, refusal_in
from roofmark.bench.profile_job import CallFailed
from roofmark.bench.profile_run import Ran
from roofmark.errors import ImportFailed
from roofmark.foreign import Imported, Partial, Profile, Profiles
from roofmark.importers import read_foreign
from roofmark.profiled import Refused
from roofmark.records import Missing

# Chosen: what an error of ncu needs; its log in the bundle has the rest.
_LONGEST = 300
_REASONS: dict[Refusal, str] = {
    "not_permitted": "this user may not read the counters",
    "counters_held": "another tool holds the counters",
    "unknown_metric": "ncu does not know a metric that it was asked for",
    "nothing_matched": "ncu ran and profiled no kernel",
}


def check_child(ran: Ran, limit: float, *, cut: bool) -> None:
    """Raise Refused unless the child made its call.

    limit: seconds it had; cut: because the whole pass has no more.
    """
    if ran.tool.timed_out:
        if cut:
            raise Refused("not_reached", f"the pass's time was up after {limit:.0f} s of this call")
        raise Refused("timed_out", f"it did not end within {limit:.0f} s and was killed")
    if isinstance(ran.answer, CallFailed):
        raise Refused("child_failed", f"the call failed: {ran.answer.reason}"[:_LONGEST])
    if ran.answer is None:
        said = last_words(ran.tool.output)
        raise Refused(
            "child_failed", f"the child ended with status {ran.tool.status} and no answer: {said}"
        )


def read_launches(
    ran: Ran, log: Path, *, metrics: tuple[str, ...], expected: int, limit: float, cut: bool
) -> tuple[tuple[Profile, ...], tuple[str, ...]]:
    """Return the launches, each with the metrics that were asked for, and what ncu remarked.

    expected: how many launches the call makes. Raises: Refused.
    """
    said = f"{_own_words(log)}\n{_own_words_of(ran.tool.output)}"
    refusal = refusal_in(said)
    if refusal in ("not_permitted", "counters_held", "unknown_metric"):
        raise Refused(refusal, _reason(refusal, said))
    # Before the table: the child's own failure explains an empty one.
    check_child(ran, limit, cut=cut)
    if refusal is not None:
        raise Refused(refusal, _reason(refusal, said))
    imported = _read(log, ran)
    launches = tuple(
        replace(launch, metrics={n: m for n, m in launch.metrics.items() if n in metrics})
        for content in imported.contents
        if isinstance(content, Profiles)
        for launch in content.launches
    )
    partial = imported.completeness
    remarks = partial.reasons if isinstance(partial, Partial) else ()
    if len(launches) < expected:
        why = f": {remarks[0]}" if remarks else ""
        raise Refused(
            "cut_short", f"{len(launches)} of {expected} launches are in ncu's table{why}"
        )
    _check_values(launches)
    return launches, remarks


def last_words(text: str) -> str:
    """Return the end of what was printed, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-4:])[-_LONGEST:] or "it said nothing"


def _read(log: Path, ran: Ran) -> Imported:
    if not log.is_file():
        raise Refused("ncu_failed", f"ncu wrote no log: {last_words(ran.tool.output)}")
    try:
        return read_foreign(log, format="ncu_csv")
    except ImportFailed as error:
        fact = error.problems[0].fact
        if error.code == "RM416":
            raise Refused("cut_short", f"ncu's table is damaged: {fact}") from error
        if error.code == "RM418" and "ERROR" not in fact:
            raise Refused("no_rows", f"ncu's table holds no launch: {fact}") from error
        raise Refused("ncu_failed", f"ncu failed: {fact}"[:_LONGEST]) from error


def _check_values(launches: tuple[Profile, ...]) -> None:
    """Refuse a launch without any load; a single missing counter stays Missing."""
    for launch in launches:
        if isinstance(loads_of_profile(launch), Missing):
            cells = [metric.value for metric in launch.metrics.values()]
            why = [cell.reason for cell in cells if isinstance(cell, Missing)]
            told = ", ".join(sorted(set(why))) or "its columns are not in the table"
            fact = f"launch {launch.launch} has none of the counters: {told}"
            raise Refused("no_values", fact[:_LONGEST])


def _reason(refusal: Refusal, said: str) -> str:
    lines = [line for line in said.splitlines() if refusal_in(line) == refusal]
    first = re.sub(r"==[A-Z]+==\s*", "", lines[0]) if lines else ""
    return f"{_REASONS[refusal]}: {first}"[:_LONGEST] if first else _REASONS[refusal]


def _own_words(log: Path) -> str:
    """Return the lines in which ncu speaks; rows of its table are none."""
    if not log.is_file():
        return ""
    return _own_words_of(log.read_text(errors="replace"))


def _own_words_of(text: str) -> str:
    # A candidate prints, too; it must not be able to sound like a refusal.
    return "\n".join(line for line in text.splitlines() if line.startswith("=="))
