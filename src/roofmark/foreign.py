"""Foreign: what other tools saw, in our words, with how much of it the file really held.

In: nothing. Out: records that importers make and that rules, tables and citations read. Times are
seconds; a foreign counter keeps its own name and unit. Nothing here is ever decisive by itself: a
number without its samples is `Reported`, and a file that says it lost events is `Partial`.
"""

from typing import Literal

from roofmark.answers import Answers
from roofmark.records import Missing, Record
from roofmark.units import Seconds


class Complete(Record, tag="complete"):
    """The file held everything that it says it holds."""


class Partial(Record, tag="partial"):
    """Something is known to be absent: dropped events, a cut file, rows that could not be read."""

    reasons: tuple[str, ...]


class Source(Record):
    """Where an import comes from: enough to find the bytes again.

    name: the file's name without its folder. tool: "Nsight Compute 2025.3", or Missing.
    """

    name: str
    format: str
    size: int
    sha256: str
    tool: str | Missing


class KernelRow(Record):
    """All launches of one symbol: seconds each, as far as the file tells.

    median and p95 are Missing where the file has means alone.
    """

    name: str
    calls: int
    total: Seconds
    mean: Seconds | Missing
    median: Seconds | Missing
    p95: Seconds | Missing


Kind = Literal["gpu", "copies", "api", "regions"]
"""Kernels, copies and fills of memory, CUDA runtime calls, or regions inside one kernel."""


class KernelTable(Record, tag="kernels"):
    """Calls grouped by symbol. name: of the configuration, "" where the file names none."""

    kind: Kind
    rows: tuple[KernelRow, ...]
    name: str = ""

    @property
    def total(self) -> Seconds:
        """Seconds of all rows together."""
        return sum(row.total for row in self.rows)


class Metric(Record):
    """One counter: its value in the unit that the tool wrote ("" when it wrote none)."""

    value: float | str | Missing
    unit: str


class Profile(Record, tag="profile"):
    """Counters of one launch of one kernel.

    grid, block: three sizes each. duration: seconds under the profiler: no timing evidence.
    """

    kernel: str
    launch: int
    grid: tuple[int, ...] | Missing
    block: tuple[int, ...] | Missing
    duration: Seconds | Missing
    metrics: dict[str, Metric]


class Profiles(Record, tag="profiles"):
    """Every profiled launch of a report, in order."""

    launches: tuple[Profile, ...]


class Samples(Record, tag="samples"):
    """Times of single calls, in order, seconds; the first `warm_up` of them do not count."""

    label: str
    seconds: tuple[Seconds, ...]
    warm_up: int


class Series(Record, tag="series"):
    """Several labelled columns of samples of one file."""

    columns: tuple[Samples, ...]


class Figure(Record):
    """One number that a tool printed: what it is, in which unit, by which estimator, over how many.

    spread: what stood behind the sign, in the same unit. samples: where the tool kept them.
    """

    label: str
    value: float
    unit: str
    estimator: str
    spread: float | Missing
    samples: tuple[float, ...]


class Figures(Record, tag="figures"):
    """Numbers of a benchmark of another tool, with the settings that make them comparable."""

    settings: dict[str, str]
    figures: tuple[Figure, ...]


class Timeline(Record):
    """One amount over time: seconds since the first reading, and values in `unit`, in order.

    step: the smallest difference that the file's own rounding can show; 0 where it does not round.
    """

    label: str
    unit: str
    seconds: tuple[Seconds, ...]
    values: tuple[float, ...]
    step: float


class Timelines(Record, tag="timelines"):
    """What a watchdog wrote. begin: its first time stamp as written."""

    begin: str
    lines: tuple[Timeline, ...]


class ForeignTensor(Record):
    """A tensor of another tool's definition; shape: names of axes, Missing for a scalar."""

    shape: tuple[str, ...] | Missing
    dtype: str


class ForeignDefinition(Record, tag="definition"):
    """An operator's contract as another tool writes it: no tolerance and no cost, so no Definition.

    axes: name -> size, or "var" for one that workloads bind. reference: source text, never run.
    """

    name: str
    kind: str | Missing
    axes: dict[str, int | Literal["var"]]
    inputs: dict[str, ForeignTensor]
    outputs: dict[str, ForeignTensor]
    reference: str | Missing
    constraints: tuple[str, ...]


class RandomInput(Record, tag="random"):
    """Values that the other tool draws as it likes."""


class ScalarInput(Record, tag="scalar"):
    """A number, passed as one."""

    value: float | int | bool


class StoredInput(Record, tag="stored"):
    """A tensor in another file, which is named and not read."""

    path: str
    key: str


class ForeignWorkload(Record):
    """One binding of a definition's variable axes; inputs: name -> where its values come from."""

    name: str
    axes: dict[str, int]
    inputs: dict[str, RandomInput | ScalarInput | StoredInput]


class ForeignWorkloads(Record, tag="workloads"):
    """The workloads of one definition, in the order of the file."""

    definition: str
    workloads: tuple[ForeignWorkload, ...]


class ForeignSolution(Record, tag="solution"):
    """An implementation as another tool keeps it: text, never run and never written by itself.

    entry: "file.py::function". hardware: where it runs, in that tool's words. writes: it takes its
    outputs as last arguments instead of returning them. binding: how compiled code is called.
    sources: relative path -> text; no path leads out of the folder that it is laid out in.
    """

    name: str
    definition: str
    author: str | Missing
    description: str | Missing
    language: str
    entry: str
    hardware: tuple[str, ...]
    dependencies: tuple[str, ...]
    writes: bool
    binding: str | Missing
    sources: dict[str, str]


Content = (
    KernelTable
    | Profiles
    | Series
    | Figures
    | Answers
    | Timelines
    | ForeignDefinition
    | ForeignWorkloads
    | ForeignSolution
)


class Imported(Record):
    """One foreign file, read. notes: what a reader has to know (a conversion, a doubt)."""

    source: Source
    completeness: Complete | Partial
    contents: tuple[Content, ...]
    notes: tuple[str, ...]
