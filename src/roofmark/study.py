"""What is asked: the study and its parts, as data.

In: the user's `study.py` (or the `study.json` of a bundle). Out: records without behaviour that
touches a device. Everything that changes a measurement stands here, so that the digest of a study
is the digest of its question. Sources are named by path and pinned by sha256 in `Study.files`.
"""

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from roofmark.expressions import evaluate
from roofmark.legs import Engine, Leg, Serving, Treatment
from roofmark.records import Record

VAR: Literal["var"] = "var"
"""The value of an axis that each workload binds."""

Device = Literal["cpu", "cuda"]
Tier = Literal["kernel", "graph", "call", "token", "output", "ttft", "itl", "request", "memory"]
SERVING_TIERS: tuple[Tier, ...] = ("token", "output", "ttft", "itl", "request", "memory")
"""What is measured of a serving engine; each is a cost, in seconds but for `memory` (bytes)."""
CacheState = Literal["cold", "warm"]
Language = Literal["python", "cpp", "cuda", "program"]

Positive = Annotated[float, Meta(gt=0, le=1e30)]
# Source: what msgpack, a C++ macro and torch all take for an integer.
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._+-]{0,63}\Z")]

LANGUAGES: dict[str, Language] = {".py": "python", ".cpp": "cpp", ".cc": "cpp", ".cu": "cuda"}
"""The language that a source file's suffix declares."""


DTYPE_BYTES: dict[str, int] = {
    "bool": 1, "uint8": 1, "int8": 1, "float8_e4m3fn": 1, "float8_e5m2": 1,
    "float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2,
    "float32": 4, "int32": 4, "uint32": 4, "float64": 8, "int64": 8, "uint64": 8,
}  # fmt: skip
"""The dtypes that a tensor may have (torch's names) and the bytes of one element."""


class Normal(Record, tag="normal", kw_only=False):
    """Independent normal values; with `unit=True` each last-axis row is scaled to length 1."""

    std: Positive = 1.0
    mean: float = 0.0
    unit: bool = False


class Uniform(Record, tag="uniform", kw_only=False):
    """Independent values, uniform in [low, high)."""

    low: float = 0.0
    high: float = 1.0


class Integers(Record, tag="integers", kw_only=False):
    """Independent integers, uniform in [low, high); for integer dtypes."""

    low: int
    high: int


Values = Normal | Uniform | Integers


class Tolerance(Record, tag="tolerance"):
    """How far an output may be from the reference, scaled by the reference's own magnitude.

    rms: bound on ||out - ref|| / ||ref|| over a whole output.
    peak: bound on |out - ref| / (|ref| + rms(ref)) for every element.
    Chosen: peak 0.05 lets bfloat16 rounding (0.004) through with room for cancellation; it exists
        to catch a few wrong elements that a norm over millions would swallow.
    """

    rms: Positive
    peak: Positive = 0.05


class Exact(Record, tag="exact"):
    """Every element equals the reference bit for bit (after conversion to the output's dtype)."""


class Tensor(Record, kw_only=False):
    """A tensor's shape, dtype, and (inputs) the values it is drawn from.

    shape: axis names, integers or expressions without spaces, separated by spaces: "B 1 4 d//2".
    dtype: torch's name: "bfloat16", "float32", "int8", ...
    """

    shape: str
    dtype: str
    values: Values | UnsetType = UNSET
    tolerance: Tolerance | Exact | UnsetType = UNSET

    def dims(self, axes: dict[str, int]) -> tuple[int, ...]:
        """Return the sizes with `axes` filled in. Raises: ValueError as `evaluate`."""
        return tuple(evaluate(part, axes) for part in self.shape.split())

    def size(self, axes: dict[str, int]) -> int:
        """Return the bytes it takes. Raises: ValueError as `evaluate`, KeyError for a dtype."""
        return prod(self.dims(axes)) * DTYPE_BYTES[self.dtype]


class Definition(Record):
    """An operator's contract.

    axes: name -> size, or VAR for an axis that workloads bind.
    inputs, outputs: name -> Tensor, in the order in which an entry takes them.
    scalars: name -> number, passed after the inputs, before the outputs.
    reference: "file.py::function"; takes inputs and scalars, returns the outputs in order.
    reference_dtype: floating inputs are converted to this before the reference sees them.
    flops, traffic: cost of one call over the axes; traffic counts compulsory bytes only.
    mutable: inputs that a solution may change.
    weights: inputs that stay the same from call to call, as a model's do; drawn once for each
        workload in each set of processes.
    """

    name: Name
    axes: dict[str, int | Literal["var"]]
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    reference: str
    tolerance: Tolerance | Exact
    flops: str
    traffic: str
    scalars: dict[str, float | int] = {}
    reference_dtype: Literal["float64", "float32", "native"] = "float64"
    mutable: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()


class Workload(Record):
    """One binding of a definition's variable axes.

    seed: tells workloads of the same shape apart; values are drawn from it and from the run's own
        entropy, so no solution can know them before the run.
    values: input name -> distribution that replaces the definition's.
    held_out: measured by confirmation runs only.
    """

    axes: dict[str, int] = {}
    seed: int = 0
    values: dict[str, Values] = {}
    held_out: bool = False
    name: Name | UnsetType = UNSET

    @property
    def id(self) -> str:
        """The name of this workload in files and tables, such as "B8-s2"."""
        if not isinstance(self.name, UnsetType):
            return self.name
        shape = "-".join(f"{axis}{size}" for axis, size in self.axes.items()) or "default"
        return f"{shape}-s{self.seed}" if self.seed else shape


class Solution(Record, kw_only=False):
    """One implementation.

    entry: "file.py::function". A Python entry is called with inputs and scalars by name; one that
        also names the outputs writes them, any other returns them. A C++ or CUDA entry takes
        inputs, scalars, outputs in the definition's order and writes the outputs.
    sources: further files that the entry's file includes or imports.
    target: the machine code that must be found in the binary ("sm_90a", "avx2"); built for it, and
        refused without it.
    flags: added to the compiler's command line.
    devices: where it runs; by default the device its language implies (Python: both).
    requires: importable packages without which it is skipped, not failed.
    params: name -> integer: a macro (-DNAME=value) of a C++ or CUDA file, an argument of a Python
        entry, of `prepare` and of `exact`.
    prepare: "file.py::function", called before anything is timed with copies of the weights by
        name, once for each set of tensors that calls rotate through; it returns a dict of tensors
        (repacked weights, workspaces) that the entry takes in place of the weights, after the other
        inputs.
    exact: "file.py::function", a second reference in this solution's own order of operations, which
        its outputs must equal bit for bit; it sees the inputs in their own dtypes.
    after: the solution that must be found right first; without it this one is not tried.
    traffic: bytes that this solution must move, where its own formats make that more or less than
        the definition's.
    leg: in a study of serving engines, what kind of engine it is; a server or a command has no
        entry. treatment: what must be visible in it.
    """

    name: Name
    entry: str = ""
    sources: tuple[str, ...] = ()
    target: str | UnsetType = UNSET
    flags: tuple[str, ...] = ()
    devices: tuple[Device, ...] | UnsetType = UNSET
    requires: tuple[str, ...] = ()
    params: dict[str, Whole] = {}
    prepare: str | UnsetType = UNSET
    exact: str | UnsetType = UNSET
    after: Name | UnsetType = UNSET
    traffic: str | UnsetType = UNSET
    leg: Leg | UnsetType = UNSET
    treatment: Treatment | UnsetType = UNSET

    @property
    def path(self) -> str:
        """The file that holds the entry."""
        return self.entry.partition("::")[0]

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that it is built from, the entry's first."""
        prepare = () if isinstance(self.prepare, UnsetType) else (self.prepare.partition("::")[0],)
        own = (self.path,) if self.path else ()
        return tuple(dict.fromkeys((*own, *self.sources, *prepare)))

    @property
    def function(self) -> str:
        """The entry's name inside its file."""
        return self.entry.partition("::")[2]

    @property
    def language(self) -> Language:
        """The language that the file's suffix declares. Raises: KeyError for any other suffix."""
        if not isinstance(self.leg, Engine | UnsetType):
            return "program"
        return LANGUAGES["." + self.path.rpartition(".")[2]]

    @property
    def runs_on(self) -> tuple[Device, ...]:
        """The devices this solution is measured on."""
        if not isinstance(self.devices, UnsetType):
            return self.devices
        implied: dict[Language, tuple[Device, ...]] = {"cpp": ("cpu",), "cuda": ("cuda",)}
        return implied.get(self.language, ("cpu", "cuda"))


class Protocol(Record):
    """How to measure, and when to stop.

    tier: the tier that decides on a GPU; a CPU has `call` alone.
    cache: state of the last-level cache before every timed call.
    margin: the smallest difference that matters, as a ratio minus one.
    level: confidence of the family of verdicts.
    processes: fewest and most fresh sets of processes; the stopping rule looks after each from the
        fewest on.
    blocks: blocks per process and workload; every block visits all solutions in random order.
    calls: timed calls per visit on the call and kernel tiers; a graph visit takes as many as the
        cache state needs.
    time_limit: of the whole run; call_limit: of one visit; build_limit: of one compilation.
    memory_limit: host memory of one worker.

    Chosen: 6 processes are the fewest of which all land on one side of their median less often
        than 1 - level allows (2^-5 = 3 %; with 4 it is 12 %): with fewer, a solution that has two
        modes passes for a fast or a slow one (benchmarks/statistics.py measures it). 12 bound a
        run that would not be decided by 20 either.
    """

    tier: Tier = "graph"
    cache: CacheState = "cold"
    margin: Annotated[float, Meta(gt=0, lt=1)] = 0.02
    level: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95
    processes: tuple[Annotated[int, Meta(ge=2)], Annotated[int, Meta(le=64)]] = (6, 12)
    blocks: Annotated[int, Meta(ge=2, le=64)] = 4
    calls: Annotated[int, Meta(ge=2, le=256)] = 8
    time_limit: Positive = 600.0
    call_limit: Positive = 60.0
    build_limit: Positive = 300.0
    memory_limit: Annotated[int, Meta(gt=0)] = 8 * 2**30


class Contrast(Record, kw_only=False):
    """A ratio between two solutions that the author asks for: `against`'s time over `of`'s."""

    name: Name
    of: Name
    against: Name


class Study(Record):
    """A question: which of these solutions is faster than the baseline, by how much, and why.

    wrong: negative controls; a gate that lets one pass makes the whole study invalid.
    accept: health codes (RM3xx) that the author accepts; the report says so first.
    contrasts: ratios between solutions, beside those to the baseline.
    files: path -> sha256 of every source; filled in when the study is loaded.
    serving: how legs are visited, if the solutions are serving engines.
    """

    definition: Definition
    workloads: tuple[Workload, ...]
    solutions: tuple[Solution, ...]
    baseline: str
    protocol: Protocol = Protocol()
    wrong: tuple[Solution, ...] = ()
    accept: tuple[str, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    title: str = ""
    files: dict[str, str] = {}
    serving: Serving | UnsetType = UNSET

    def axes(self, workload: Workload) -> dict[str, int]:
        """Return every axis with its size for one workload."""
        fixed = {name: size for name, size in self.definition.axes.items() if isinstance(size, int)}
        return fixed | workload.axes

    @property
    def references(self) -> tuple[str, ...]:
        """Every entry that the referee calls: the definition's, then those of `exact`."""
        exact = (s.exact for s in (*self.solutions, *self.wrong) if isinstance(s.exact, str))
        # A study of engines has none.
        own = (self.definition.reference,) if self.definition.reference else ()
        return tuple(dict.fromkeys((*own, *exact)))

    def solution(self, name: str) -> Solution:
        """Return the solution or control of that name; for its twin, the baseline.

        Raises: KeyError.
        """
        name = self.baseline if name == twin_of(self.baseline) else name
        return {each.name: each for each in (*self.solutions, *self.wrong)}[name]


def twin_of(baseline: str) -> str:
    """Return the name under which the baseline's A/A control is recorded."""
    return f"{baseline}~twin"


def sweep(solution: Solution, /, **values: Sequence[int]) -> tuple[Solution, ...]:
    """Return one solution for each combination of these params, such as "wo-split4".

    >>> [each.name for each in sweep(Solution("wo", "wo.cu::wo"), SPLIT=(1, 2))]
    ['wo-split1', 'wo-split2']
    """
    found: list[Solution] = []
    for chosen in product(*values.values()):
        params = dict(zip(values, chosen, strict=True))
        name = "-".join([solution.name, *(f"{k.lower()}{v}" for k, v in params.items())])
        found.append(replace(solution, name=name, params=solution.params | params))
    return tuple(found)
