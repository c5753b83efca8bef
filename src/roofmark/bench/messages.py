"""The words that the orchestrator, the referee and the workers exchange.

In and out: tagged records as msgpack, one per frame. Requests carry everything that their receiver
needs, so a worker that was just started knows no more than one that has run for an hour. A worker
is never told expected outputs, the run's entropy or the stopping rule. Where a request names a
descriptor, the channel hands one over and puts its number there.
"""

import math
from typing import Literal

from roofmark.bench.serving.messages import EngineReply, EngineRequest
from roofmark.evidence import Build, Discard, Memory, Sign
from roofmark.records import Record
from roofmark.study import CacheState, Definition, Device, Solution, Tier, Workload
from roofmark.units import Bytes, Seconds, Some


class SharedMemory(Record, tag="memory"):
    """An arena in host memory, behind an inherited file descriptor."""

    descriptor: int
    size: Bytes


class CudaMemory(Record, tag="cuda_memory"):
    """An arena on a GPU, as CUDA inter-process handles (torch's own order of values)."""

    device: int
    handle: bytes
    size: Bytes
    offset: int
    counter: bytes
    counter_offset: int
    event: bytes
    event_sync: bool


ArenaHandle = SharedMemory | CudaMemory

# Chosen: a reason for each of a hundred discarded samples, and far too little to flood a trace.
_MOST_TEXT = 20_000

FailureKind = Literal["build", "raised", "output", "study"]


# --- to the referee ------------------------------------------------------------------------------
class Open(Record, tag="open"):
    """Take the reference from `folder` and make (or map) an arena."""

    definition: Definition
    folder: str
    device: Device
    entropy: str
    size: Bytes
    descriptor: int
    flush: Bytes = 0


class Draw(Record, tag="draw"):
    """Fill slots `first` to `first + slots` with values never used before, poison the outputs, and
    compute the reference for the first `expect` of them. weights: draw these inputs, too. hidden:
    then take the inputs out of the arena again, until `Stage` puts them in.
    """

    workload: Workload
    first: int
    slots: int
    expect: int
    seed: str
    weights: bool = False
    hidden: bool = False


class Stage(Record, tag="stage"):
    """Put hidden inputs in place, and empty the cache where it is to be cold.

    descriptor: on a host, memory of the arena's size that takes its place until the next `Draw`.
    """

    cache: CacheState
    descriptor: int = -1


class Hide(Record, tag="hide"):
    """Put others in the inputs' place, the same in every slot; `Stage` puts them back."""


class Poison(Record, tag="poison"):
    """Poison the outputs of the drawn slots again: getting ready for a batch has written them."""


class Keep(Record, tag="keep"):
    """Copy the outputs of the first `calls` slots away, now; the next `Verify` compares these."""

    calls: int


class Verify(Record, tag="verify"):
    """Compare the outputs of these slots with the reference, then poison them again.

    exact: "file.py::function" that they must also equal bit for bit, or ""; params: its arguments.
    own: the warm-up slot of the only worker that ran; the others' must be as they were. -1 where
    several ran side by side.
    """

    slots: tuple[int, ...]
    own: int = -1
    exact: str = ""
    params: dict[str, int] = {}


class Restore(Record, tag="restore"):
    """Put all slots back as they were drawn; `Verified` says which inputs had changed."""


class Opened(Record, tag="opened"):
    """The arena is there."""

    arena: ArenaHandle


class Drawn(Record, tag="drawn"):
    """Inputs are in place and outputs are poisoned."""


class Staged(Record, tag="staged"):
    """Hidden inputs are in place, or out of it again, or outputs are poisoned."""


class Kept(Record, tag="kept"):
    """Outputs are copied away."""


class OutputError(Record):
    """The worst error of one output over the slots asked for; rms and peak over finite elements."""

    output: str
    rms: float
    peak: float
    nonfinite: int
    passed: bool


class Verified(Record, tag="verified"):
    """What the comparison gave; inputs that were changed although they may not be.

    signs: what a wrong output looks like; that memory of others was written.
    """

    errors: tuple[OutputError, ...]
    changed: tuple[str, ...]
    signs: tuple[Sign, ...] = ()


# --- to a worker ---------------------------------------------------------------------------------
class Load(Record, tag="load"):
    """Load one solution; library and binary are set for compiled ones."""

    solution: Solution
    definition: Definition
    folder: str
    device: Device
    arena: ArenaHandle
    library: str
    binary: str
    flush: Bytes
    cores: tuple[int, ...]


class Bind(Record, tag="bind"):
    """Prepare weights for the timed slots and for slot `warm` (no other worker's); call nothing."""

    axes: dict[str, int]
    first: int
    slots: int
    warm: int


class Prepare(Record, tag="prepare"):
    """Call once on the warm slot of `bind`, which was answered before; make the tiers ready.

    calls: how many of the timed slots to practise on; a batch may take more.
    """

    bind: Bind
    calls: int
    tiers: tuple[Tier, ...]


class Time(Record, tag="time"):
    """Time one visit on one tier over the first `calls` slots."""

    tier: Tier
    cache: CacheState
    calls: int


class Poise(Record, tag="poise"):
    """Get ready for a batch on a tier: call on the warm-up slot; launch the graph if it has one."""

    tier: Tier


class Go(Record, tag="go"):
    """Run one call on each of the first `calls` slots, put all results in place, and wait.

    empty: do everything but the calls. descriptor: memory that takes the arena's place for it.
    rounds: how often to do so before the results are put in place.
    """

    tier: Tier
    cache: CacheState
    calls: int
    rounds: int = 1
    empty: bool = False
    descriptor: int = -1


class Loaded(Record, tag="loaded"):
    """The solution can be called; a build is proved here only for interpreted ones."""

    build: Build | None


class IsBound(Record, tag="bound"):
    """Every slot has its call."""


class Prepared(Record, tag="prepared"):
    """Tiers that cannot be measured, with the reason; a build proved by the first call (Triton).

    memory: what binding, the first call and the tiers took so far.
    """

    absent: dict[str, str]
    build: Build | None
    memory: Memory


class Timed(Record, tag="timed"):
    """Samples in order, seconds per call; `calls` stand behind each. memory: as in `Prepared`.

    patched, device: what was replaced in the worker, or changed on the device, as far as it sees.
    """

    samples: tuple[Seconds, ...]
    calls: Some
    clock: str
    discarded: tuple[Discard, ...]
    memory: Memory
    patched: tuple[str, ...] = ()
    device: str = ""


def oddity(timed: Timed, calls: int) -> str:
    """Return what no visit of so many calls can have answered, or nothing.

    Texts are counted as well: a trace that they make too large could not be read again.
    """
    if not all(0 <= sample < math.inf for sample in timed.samples):
        return "answered with times that no clock shows"
    texts = (timed.clock, *(each.reason for each in timed.discarded))
    if max(len(timed.samples), len(timed.discarded)) > calls or sum(map(len, texts)) > _MOST_TEXT:
        return "answered with more than a visit holds"
    return ""


class Poised(Record, tag="poised"):
    """Ready for `Go`. absent: why there can be no batch, or ""."""

    absent: str = ""


class Gone(Record, tag="gone"):
    """Every result is in place."""


# --- between a run and a station of its fleet ----------------------------------------------------
class Parcel(Record, tag="parcel"):
    """A request or a reply in words of the fleet's own (`roofmark.fleet.words`)."""

    data: bytes


# --- from either ---------------------------------------------------------------------------------
class Ready(Record, tag="ready"):
    """Our own code is imported; the first request is waited for. Said once, unasked."""

    pid: int


class Failed(Record, tag="failed"):
    """Something raised; the process may no longer be trusted to go on."""

    kind: FailureKind
    reason: str
    log: str


RefereeRequest = Open | Draw | Stage | Hide | Poison | Keep | Verify | Restore
Request = RefereeRequest | Load | Bind | Prepare | Time | Poise | Go | Parcel | EngineRequest
Reply = (
    Ready
    | Opened
    | Drawn
    | Staged
    | Kept
    | Verified
    | Loaded
    | IsBound
    | Prepared
    | Timed
    | Poised
    | Gone
    | Parcel
    | Failed
    | EngineReply
)
