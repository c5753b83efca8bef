"""The schema: which tables a query can read, and what each column means.

In: nothing. Out: `TABLES`, from which the tables are made, and which `roofmark query --schema` and
docs/reference/query.md show. NULL stands where a bundle has a reason instead of a value.
"""

from collections.abc import Iterator
from typing import NamedTuple


class Column(NamedTuple):
    """A column: its name, its type in DuckDB, and what it means."""

    name: str
    type: str
    about: str


class Table(NamedTuple):
    """A table: what one row is, and its columns."""

    about: str
    columns: tuple[Column, ...]


_BUNDLE = Column("bundle", "VARCHAR", "digest of the bundle's manifest; joins all tables")
_WORKLOAD = Column("workload", "VARCHAR", "id of the workload")
_SOLUTION = Column("solution", "VARCHAR", "name of the solution; the A/A twin ends in ~twin")
_ROLE = Column("role", "VARCHAR", "baseline, solution, twin or wrong (negative control)")
_PROCESS = Column("process", "BIGINT", "set of processes that ran side by side")

TABLES: dict[str, Table] = {
    "studies": Table(
        "one bundle",
        (
            _BUNDLE,
            Column("path", "VARCHAR", "the bundle's folder, below the folder that was asked"),
            Column("study", "VARCHAR", "title, or the definition's name"),
            Column("definition", "VARCHAR", "the operator's name"),
            Column("definition_digest", "VARCHAR", "sha256 of the definition"),
            Column("started", "TIMESTAMP", "begin of the run, UTC"),
            Column("commit", "VARCHAR", "of the study's folder"),
            Column("dirty", "BOOLEAN", "that folder had changes that no commit holds"),
            Column("device", "VARCHAR", "cpu or cuda"),
            Column("device_name", "VARCHAR", "product, as its driver names it"),
            Column("host", "VARCHAR", "what tells one host from another"),
            Column("driver", "VARCHAR", "of the GPU"),
            Column("os", "VARCHAR", "operating system"),
            Column("python", "VARCHAR", "version"),
            Column("packages", "MAP(VARCHAR, VARCHAR)", "package -> version: packages['torch']"),
            Column("roofmark", "VARCHAR", "version that began the run"),
            Column("tier", "VARCHAR", "that decides: kernel, graph, call; of engines token, ..."),
            Column("cache", "VARCHAR", "state of the last-level cache: cold or warm"),
            Column("margin", "DOUBLE", "smallest difference that matters, 0.02 for 2 %"),
            Column("level", "DOUBLE", "confidence of the family of verdicts"),
            Column("baseline", "VARCHAR", "name of the solution that speed-ups are over"),
            Column("processes", "BIGINT", "sets of processes that were measured"),
            Column("workloads", "BIGINT", "how many were judged"),
            Column("verdict", "VARCHAR", "of the study; undecided if its solutions disagree"),
            Column("settled", "BOOLEAN", "every cell of every solution is decided"),
            Column("accepted", "VARCHAR[]", "codes that fired and that the study accepts"),
        ),
    ),
    "traces": Table(
        "one solution on one workload in one process",
        (
            _BUNDLE,
            _WORKLOAD,
            _SOLUTION,
            _ROLE,
            _PROCESS,
            Column("outcome", "VARCHAR", "passed, incorrect, crashed, timed_out, ..."),
            Column("stage", "VARCHAR", "where it crashed or timed out"),
            Column("reason", "VARCHAR", "why it did not pass"),
            Column("seconds", "DOUBLE", "median over blocks on the deciding tier, if it passed"),
            Column("samples", "BIGINT", "on all tiers"),
            Column("discarded", "BIGINT", "samples of them that do not count"),
            Column("checked", "BIGINT", "outputs compared with the reference"),
            Column("checked_timed", "BIGINT", "outputs of timed calls among them"),
            Column("rms", "DOUBLE", "worst error over a whole output, relative"),
            Column("peak", "DOUBLE", "worst error of an element, relative"),
            Column("build", "VARCHAR", "digest of the proof of build"),
            Column("binary", "VARCHAR", "sha256 of what was loaded"),
            Column("compiler", "VARCHAR", "that built it"),
        ),
    ),
    "samples": Table(
        "one timed sample, in the order in which it was taken",
        (
            _BUNDLE,
            _WORKLOAD,
            _SOLUTION,
            _ROLE,
            _PROCESS,
            Column("tier", "VARCHAR", "kernel, graph, call, ...; never compare one with another"),
            Column("cache", "VARCHAR", "cold or warm"),
            Column("block", "BIGINT", "within this process"),
            Column("position", "BIGINT", "of the visit in the block's random order"),
            Column("sample", "BIGINT", "within the visit, from 0"),
            Column("seconds", "DOUBLE", "per call"),
            Column("calls", "BIGINT", "calls behind the sample"),
            Column("start", "DOUBLE", "of the visit, seconds since the run began"),
            Column("discarded", "VARCHAR", "why it does not count; NULL if it counts"),
        ),
    ),
    "kernels": Table(
        "one device kernel of a build, or one profiled launch of it",
        (
            _BUNDLE,
            Column("source", "VARCHAR", "build (the compiler says) or profile (counters say)"),
            Column("workload", "VARCHAR", "that was profiled; NULL for a build"),
            _SOLUTION,
            Column("kernel", "VARCHAR", "symbol"),
            Column("build", "VARCHAR", "digest of the proof of build; NULL for a profile"),
            Column("target", "VARCHAR", "such as sm_90a; NULL for a profile"),
            Column("registers", "BIGINT", "per thread; NULL for a profile"),
            Column("spill_bytes", "BIGINT", "per thread; NULL for a profile"),
            Column("shared_bytes", "BIGINT", "static, per block; NULL for a profile"),
            Column("seconds", "DOUBLE", "of the launch without the profiler; NULL for a build"),
            Column("share", "DOUBLE", "of the call's kernel time; NULL for a build"),
            Column("grid", "BIGINT[]", "three sizes; NULL for a build"),
            Column("block", "BIGINT[]", "three sizes; NULL for a build"),
            Column("metrics", "MAP(VARCHAR, DOUBLE)", "counters under the profiler's own names"),
        ),
    ),
    "verdicts": Table(
        "one decision: about a workload, over all of them, or of a contrast",
        (
            _BUNDLE,
            Column("scope", "VARCHAR", "workload, overall or contrast"),
            Column("workload", "VARCHAR", "NULL over all of them"),
            _SOLUTION,
            Column("against", "VARCHAR", "the baseline, or the other side of a contrast"),
            Column("role", "VARCHAR", "solution or twin"),
            Column("decision", "VARCHAR", "faster, slower, same, undecided or invalid"),
            Column("speedup", "DOUBLE", "time of `against` over time of the solution"),
            Column("speedup_low", "DOUBLE", "lower end of its interval"),
            Column("speedup_high", "DOUBLE", "upper end of its interval"),
            Column("n", "BIGINT", "processes behind the interval"),
            Column("seconds", "DOUBLE", "per call; NULL over all workloads"),
            Column("seconds_low", "DOUBLE", "lower end of its interval"),
            Column("seconds_high", "DOUBLE", "upper end of its interval"),
            Column("baseline_seconds", "DOUBLE", "per call; NULL over all workloads"),
            Column("missing", "VARCHAR", "why there is no speed-up"),
            Column("codes", "VARCHAR[]", "findings that moved the decision"),
            Column("p", "DOUBLE", "least level at which the interval fits one zone, corrected"),
            Column("bound", "VARCHAR", "what limits it: memory, launch, compute, ..."),
            Column("bound_code", "VARCHAR", "rule that says so"),
            Column("floor_seconds", "DOUBLE", "least time that the device's ceilings allow"),
            Column("headroom", "DOUBLE", "seconds over floor_seconds"),
            Column("outcome", "VARCHAR", "what became of its traces"),
        ),
    ),
    "findings": Table(
        "what one rule says",
        (
            _BUNDLE,
            Column("code", "VARCHAR", "`roofmark rules CODE` explains it"),
            Column("title", "VARCHAR", "of the rule"),
            Column("state", "VARCHAR", "fires, silent or unknown"),
            Column("workload", "VARCHAR", "NULL where it is about all"),
            Column("solution", "VARCHAR", "NULL where it is about all"),
            Column("message", "VARCHAR", "what was found"),
            Column("moves", "VARCHAR", "undecided or invalid; NULL if it only informs"),
            Column("accepted", "BOOLEAN", "the study accepts this code"),
        ),
    ),
}  # fmt: skip


def schema_text() -> str:
    """Return every table with its columns, for a terminal."""
    wide = max(len(c.name) for table in TABLES.values() for c in table.columns)
    lines: list[str] = []
    for name, table in TABLES.items():
        lines += ["", f"{name}: {table.about}"]
        lines += [f"  {c.name:<{wide}}  {c.type:<21}  {c.about}" for c in table.columns]
    return "\n".join(lines[1:]) + "\n"


def schema_page() -> Iterator[str]:
    """Yield the lines of the same as Markdown."""
    yield "# Tables of `roofmark query`"
    yield ""
    yield "`bundle` joins all tables. NULL stands where a bundle has a reason instead of a value."
    yield "Times are seconds, ratios 1.0 for equal."
    for name, table in TABLES.items():
        yield from ("", f"## {name}", "", f"One row is {table.about}.", "")
        yield from ("| column | type | means |", "|---|---|---|")
        for each in table.columns:
            yield f"| `{each.name}` | {each.type} | {each.about} |"
