"""A worker: the one process in which one solution's code runs.

In: `Load`, `Bind`, `Prepare`, `Time`, `Poise`, `Go`. Out: `Loaded`, `IsBound`, `Prepared`, `Timed`,
`Poised`, `Gone`. It knows addresses, shapes and how often to call; it does not know what is
expected, which seed made the inputs, or when the run stops.
"""

import os
from pathlib import Path
from typing import Any

import torch

from roofmark.bench.arena import Arena, open_arena, swap_memory, touch_memory
from roofmark.bench.cache import Flusher
from roofmark.bench.guard import device_changes, find_patches, persisting_l2, take_references
from roofmark.bench.layout import Layout, plan_layout
from roofmark.bench.load import Bound, Entry, load_entry
from roofmark.bench.memory import MemoryWatch
from roofmark.bench.messages import (
    Bind,
    Go,
    Gone,
    IsBound,
    Load,
    Loaded,
    Poise,
    Poised,
    Prepare,
    Prepared,
    Reply,
    Request,
    SharedMemory,
    Time,
    Timed,
)
from roofmark.bench.proof import prove_triton_cache
from roofmark.bench.serve import Answer
from roofmark.bench.timer import CallTimer, GraphTimer, Slots, Timer
from roofmark.evidence import Build
from roofmark.study import Tier


class Worker:
    """One solution, on one workload at a time."""

    def __init__(self) -> None:
        """Start empty; `Load` fills it."""
        self.load_request: Load
        self.entry: Entry
        self.build: Build | None = None
        self.arena: Arena
        self.layout: Layout
        self.first = 0
        self.flusher: Flusher
        self.slots = _no_slots()
        self.memory: MemoryWatch
        self.persisting = 0
        self.timers: dict[Tier, Timer] = {}
        self.results: list[Any] = []
        self.outputs: dict[int, dict[str, torch.Tensor]] = {}
        self.swapped = False

    def answer(self, request: Request) -> Reply:
        """Return the reply to one request."""
        match request:
            case Load():
                return self.load(request)
            case Bind():
                return self.bind(request)
            case Prepare():
                return self.prepare(request)
            case Time():
                return self.time(request)
            case Poise():
                return self.poise(request)
            case Go():
                return self.go(request)
            case _:
                raise TypeError(f"a worker does not take {type(request).__name__}")

    def load(self, request: Load) -> Loaded:
        """Map the arena, then load the solution: its code runs after ours is in place."""
        os.sched_setaffinity(0, request.cores)
        torch.set_num_threads(len(request.cores))
        self.load_request = request
        self.arena = open_arena(request.arena)
        self.flusher = Flusher(request.flush, self.arena.data.device)
        self.memory = MemoryWatch(cuda=self.arena.data.is_cuda)
        self.persisting = persisting_l2() if self.arena.data.is_cuda else 0
        library = Path(request.library) if request.library else None
        self.entry = load_entry(
            request.solution,
            request.definition,
            Path(request.folder),
            library,
            request.binary or None,
        )
        return Loaded(build=self.entry.build)

    def bind(self, request: Bind) -> IsBound:
        """Bind every slot; what was prepared for the last workload goes before more is made."""
        self._come_home()
        self.results = []
        self.outputs = {}
        self.timers.clear()
        self.slots = _no_slots()
        self.memory.begin()
        self.layout = plan_layout(self.load_request.definition, request.axes)
        self.first = request.first
        timed = range(request.first, request.first + request.slots)
        bound = [self._bind(slot) for slot in timed]
        warm = self._bind(request.warm)
        self.outputs = {slot: self._views(slot, "outputs") for slot in (*timed, request.warm)}
        self.slots = Slots([b.call for b in bound], [b.reads for b in bound], warm.call)
        self._synchronize()
        self.memory.bound()
        return IsBound()

    def prepare(self, request: Prepare) -> Prepared:
        """Call once; what that call needs to compile, it compiles here."""
        self._store([self.slots.warm_up()], [request.bind.warm])
        self._synchronize()
        absent = {tier: why for tier in request.tiers if (why := self._ready(tier, request.calls))}
        memory = self.memory.read(driver=True)
        return Prepared(absent=absent, build=self._proof(), memory=memory)

    def time(self, request: Time) -> Timed:
        """Take one visit's samples, then put what the calls returned where the referee looks."""
        self._come_home()
        if not self.arena.data.is_cuda:
            touch_memory(self.arena, self._bytes_of(request.calls))
        timer = self.timers[request.tier]
        taken = timer.take(self.slots, request.calls, request.cache)
        self._store(taken.results, [self.first + k for k in range(len(taken.results))])
        self._synchronize()
        return Timed(
            samples=tuple(taken.samples),
            calls=taken.calls,
            clock=timer.clock,
            discarded=tuple(taken.discarded),
            memory=self.memory.read(),
            patched=find_patches(),
            device=device_changes(self.persisting) if self.arena.data.is_cuda else "",
        )

    def poise(self, request: Poise) -> Poised:
        """Warm up for a batch; what it will work on is not in the arena yet."""
        self._come_home()
        timer = self._batch_timer(request.tier)
        if timer is None:
            return Poised(
                absent="its calls cannot be captured in a graph, nor told from the launch"
            )
        timer.poise(self.slots)
        return Poised()

    def go(self, request: Go) -> Gone:
        """Run a batch, and put what the calls returned where the referee looks."""
        if request.descriptor >= 0:
            swap_memory(self.arena, request.descriptor, self._bytes_of(request.calls))
            self.swapped = True
        timer = self._batch_timer(request.tier)
        assert timer is not None
        ran = timer.run(self.slots, request)
        # An empty batch puts the last results in place, because that takes time too.
        self.results = self.results if request.empty else ran
        self._store(self.results, [self.first + k for k in range(len(self.results))])
        self._synchronize()
        return Gone()

    def _bytes_of(self, calls: int) -> range:
        """Return where the slots of so many timed calls lie in the arena."""
        stride = self.layout.stride
        return range(self.first * stride, (self.first + calls) * stride)

    def _batch_timer(self, tier: Tier) -> CallTimer | GraphTimer | None:
        """Return what runs batches for a tier; outside, only a graph shows spans of kernels."""
        timer = self.timers.get("graph" if tier == "kernel" else tier)
        return timer if isinstance(timer, CallTimer | GraphTimer) else None

    def _come_home(self) -> None:
        """Put the shared arena back where a batch had memory of its own, which then goes."""
        handle = self.load_request.arena
        if self.swapped and isinstance(handle, SharedMemory):
            swap_memory(self.arena, os.dup(handle.descriptor), range(handle.size))
            self.swapped = False

    def _bind(self, slot: int) -> Bound:
        return self.entry.bind(self._views(slot, "inputs"), self._views(slot, "outputs"))

    def _views(self, slot: int, kind: str) -> dict[str, torch.Tensor]:
        places = getattr(self.layout, kind)
        return {place.name: self.arena.view(place, self.layout, slot) for place in places}

    def _store(self, results: list[Any], slots: list[int]) -> None:
        """Copy returned tensors into their slots, the last one first."""
        places = (self.outputs[slot] for slot in reversed(slots))
        self.entry.store(zip(reversed(results), places, strict=True))

    def _ready(self, tier: Tier, calls: int) -> str:
        """Make a tier's timer; return why that is impossible, or nothing."""
        cuda = self.arena.data.is_cuda
        if tier == "call":
            timer = self.timers[tier] = CallTimer(self.flusher, cuda=cuda)
            # Once for practice: the first visit would pay for memory that later ones find there.
            timer.take(self.slots, calls, "cold")
            return ""
        if not cuda:
            return "a CPU has the call tier alone"
        return self._ready_graph() if tier == "graph" else self._ready_kernel()

    def _ready_graph(self) -> str:
        try:
            self.timers["graph"] = GraphTimer(self.flusher, self.slots)
        except Exception as error:
            torch.cuda.synchronize()
            return f"the solution cannot be captured: {type(error).__name__}: {error}"[:500]
        return ""

    def _ready_kernel(self) -> str:
        from roofmark.bench.cupti_timer import KernelTimer

        try:
            self.timers["kernel"] = KernelTimer(self.flusher)
        except ImportError as error:
            return f"CUPTI is not available ({error}): pip install 'roofmark[cuda]'"
        except Exception as error:
            return f"CUPTI refused: {type(error).__name__}: {error}"[:500]
        return ""

    def _proof(self) -> Build | None:
        """Prove what the first call compiled; only Triton compiles that late."""
        if self.build is None and self.entry.build is not None:
            self.build = prove_triton_cache(self.entry.build, Path(os.environ["TRITON_CACHE_DIR"]))
        return self.build

    def _synchronize(self) -> None:
        if self.arena.data.is_cuda:
            torch.cuda.synchronize()


def _no_slots() -> Slots:
    return Slots((), (), lambda: None)


def start() -> Answer:
    """Return a worker that has loaded nothing yet."""
    take_references()
    return Worker().answer
