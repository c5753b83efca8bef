"""The referee: the process that draws inputs, owns the reference and compares outputs.

In: `Open`, `Draw`, `Stage`, `Hide`, `Poison`, `Keep`, `Verify`, `Restore`. Out: `Opened`, `Drawn`,
`Staged`, `Kept`, `Verified`. No candidate's code ever runs here, so nothing a candidate does to its
own process can change what is expected of it.

Weights are drawn once, with the first draw; later draws put them back as they were.
"""

import ctypes
import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from roofmark.bench.arena import Arena, create_cuda_arena, map_memory, open_arena
from roofmark.bench.cache import Flusher
from roofmark.bench.check import compare_outputs
from roofmark.bench.diagnose import Seen, diagnose
from roofmark.bench.importing import import_file
from roofmark.bench.inputs import distributions, draw_inputs, poison
from roofmark.bench.layout import Layout, Place, plan_layout
from roofmark.bench.messages import (
    Draw,
    Drawn,
    Hide,
    Keep,
    Kept,
    Open,
    Opened,
    OutputError,
    Poison,
    Reply,
    Request,
    Restore,
    SharedMemory,
    Stage,
    Staged,
    Verified,
    Verify,
)
from roofmark.bench.serve import Answer
from roofmark.bench.signature import chosen
from roofmark.bench.warm_slots import WarmSlots
from roofmark.evidence import Sign
from roofmark.study import Definition, Exact, Tolerance

_PR_SET_DUMPABLE = 4  # Source: linux/prctl.h


class ReferenceFailed(Exception):
    """The study's own reference raised or returned something else than it declares."""

    failure_kind = "study"


class Referee:
    """One study's referee for one set of processes."""

    def __init__(self) -> None:
        """Start empty; `Open` fills it."""
        self.definition: Definition
        self.folder: Path
        self.reference: Any
        self.home: Arena
        self.arena: Arena
        self.flusher: Flusher
        self.layout: Layout
        self.slots = range(0)
        self.seed = ""
        self.expected: dict[str, torch.Tensor] = {}
        self.pristine: dict[str, torch.Tensor] = {}
        self.exact: dict[str, dict[str, torch.Tensor]] = {}
        self.weights: dict[str, torch.Tensor] = {}
        self.kept: dict[str, torch.Tensor] = {}
        self.decoys: dict[str, torch.Tensor] = {}
        self.seen = Seen()
        self.warm: WarmSlots | None = None
        self.verified = 0

    def answer(self, request: Request) -> Reply:
        """Return the reply to one request."""
        match request:
            case Open():
                return self.open(request)
            case Draw():
                return self.draw(request)
            case Stage():
                return self.stage(request)
            case Hide():
                return self.hide()
            case Poison():
                self._poison(self.slots)
                return Staged()
            case Keep():
                return self.keep(request)
            case Verify():
                return self.verify(request)
            case Restore():
                return self.restore()
            case _:
                raise TypeError(f"a referee does not take {type(request).__name__}")

    def open(self, request: Open) -> Opened:
        """Import the reference and make the arena."""
        self.definition = request.definition
        self.folder = Path(request.folder)
        self.reference = self._function(request.definition.reference)
        if request.device == "cuda":
            self.home, handle = create_cuda_arena(request.size)
        else:
            handle = SharedMemory(descriptor=request.descriptor, size=request.size)
            self.home = open_arena(handle)
        # What is expected is nobody's business, whatever of a cage this kernel has.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        self.arena = self.home
        self.flusher = Flusher(request.flush, self.home.data.device)
        return Opened(arena=handle)

    def draw(self, request: Draw) -> Drawn:
        """Fill the slots, keep a copy, compute what is expected, poison the outputs."""
        self.arena = self.home
        self.kept = {}
        if request.first > 0:
            self._restore_warm_slots()
        fixed = {n: s for n, s in self.definition.axes.items() if isinstance(s, int)}
        self.layout = plan_layout(self.definition, fixed | request.workload.axes)
        self.slots = range(request.first, request.first + request.slots)
        self.seed = request.seed
        values = distributions(self.definition, request.workload)
        kept = () if request.weights else self.definition.weights
        slots = self.slots
        draw_inputs(self.arena, self.layout, values, slots=slots, seed=request.seed, kept=kept)
        self.pristine = {}
        for place in self.layout.inputs:
            if place.name in kept:
                weight = self.weights[place.name][slots.start : slots.stop]
                self._stacked(place).copy_(weight)
                self.pristine[place.name] = weight
            else:
                self.pristine[place.name] = self._stacked(place).clone()
        if request.weights:
            self.weights = {name: self.pristine[name] for name in self.definition.weights}
        if request.first == 0 and not request.hidden:
            self.decoys = {name: stack[0].clone() for name, stack in self.pristine.items()}
        self.exact.clear()
        self.expected = self._expect(range(request.expect), self.reference)
        if request.hidden:
            self.hide()
        self._poison(self.slots)
        if request.first == 0:
            self.warm = WarmSlots(self.arena.data, self.layout.stride, request.expect)
        return Drawn()

    def stage(self, request: Stage) -> Staged:
        """Put the hidden inputs into fresh memory, with poisoned outputs, or into the arena."""
        if request.descriptor >= 0:
            self.arena = map_memory(request.descriptor, self.home.data.numel())
            os.close(request.descriptor)
            self._restore_warm_slots()
            self._poison(self.slots)
        for place in self.layout.inputs:
            self._stacked(place).copy_(self.pristine[place.name])
        if request.cache == "cold":
            self.flusher.flush()
        self._synchronize()
        return Staged()

    def hide(self) -> Staged:
        """Put other inputs in the place of those that were drawn; calls may be made over them.

        Values of this workload: zeros may be no lengths or no indices that an honest call expects.
        """
        self._restore_warm_slots()
        for place in self.layout.inputs:
            self._stacked(place).copy_(self.decoys[place.name])
        self._synchronize()
        return Staged()

    def keep(self, request: Keep) -> Kept:
        """Copy the outputs away, so that what is written later is not compared."""
        self.kept = {
            place.name: self._stacked(place)[: request.calls].clone()
            for place in self.layout.outputs
        }
        self._synchronize()
        return Kept()

    def verify(self, request: Verify) -> Verified:
        """Compare, restore what was changed, poison again."""
        errors = [self._compare(place, request.slots) for place in self.layout.outputs]
        signs = self._signs(errors, request.slots)
        if request.exact:
            errors += self._compare_exactly(request)
        forbidden = self._restore_inputs(request.slots)
        self._poison(request.slots)
        self.kept = {}
        if self.warm is not None and (spoiled := self.warm.check(request.own, request.slots)):
            signs += (Sign(kind="spoiled", text=f"it wrote into {spoiled}"),)
        return Verified(errors=tuple(errors), changed=forbidden, signs=signs)

    def restore(self) -> Verified:
        """Put back what somebody left half done: inputs, poison, warm-up slots."""
        changed = self._restore_inputs(tuple(self.slots))
        self._poison(self.slots)
        self._restore_warm_slots()
        return Verified(errors=(), changed=changed)

    def _stacked(self, place: Place) -> torch.Tensor:
        return self.arena.stacked(place, self.layout, self.slots)

    def _function(self, entry: str) -> Any:
        path, _, function = entry.partition("::")
        return getattr(import_file(self.folder, path), function)

    def _expect(
        self, rows: range, reference: Any, *, native: bool = False
    ) -> dict[str, torch.Tensor]:
        """Return what is expected of these rows of slots: [len(rows), *shape] of each output."""
        names = list(self.definition.outputs)
        found: dict[str, list[torch.Tensor]] = {name: [] for name in names}
        for row in rows:
            inputs = {
                name: self._copied(stack[row], native=native)
                for name, stack in self.pristine.items()
            }
            result = reference(**inputs, **self.definition.scalars)
            values: Any = (result,) if isinstance(result, torch.Tensor) else result
            if isinstance(values, dict):
                values = [values[name] for name in names]
            if len(values) != len(names):
                raise ReferenceFailed(
                    f"the reference returned {len(values)} of {len(names)} outputs"
                )
            for place, value in zip(self.layout.outputs, values, strict=True):
                if tuple(value.shape) != place.shape:
                    raise ReferenceFailed(
                        f"the reference returned {place.name} as {list(value.shape)}; "
                        f"the definition says {list(place.shape)}"
                    )
                found[place.name].append(value)
        return {name: torch.stack(stack) for name, stack in found.items() if stack}

    def _copied(self, tensor: torch.Tensor, *, native: bool) -> torch.Tensor:
        """Return a copy for a reference: one that writes its inputs must not write what we keep."""
        own = native or self.definition.reference_dtype == "native"
        upcast = tensor.is_floating_point() and not own
        dtype = getattr(torch, self.definition.reference_dtype) if upcast else tensor.dtype
        return tensor.to(dtype, copy=True, memory_format=torch.contiguous_format)

    def _compare(self, place: Place, slots: tuple[int, ...]) -> OutputError:
        tolerance = self._tolerance(place.name)
        pick = self._rows(slots)
        out, ref = self._output(place)[pick], self.expected[place.name][pick]
        return compare_outputs(place.name, out, ref, tolerance)

    def _output(self, place: Place) -> torch.Tensor:
        return self.kept[place.name] if place.name in self.kept else self._stacked(place)

    def _signs(self, errors: list[OutputError], slots: tuple[int, ...]) -> tuple[Sign, ...]:
        """Say what outputs look like that are wrong; remember those that are right."""
        signs: list[Sign] = []
        pick = self._rows(slots)
        inputs = {name: tensor[pick] for name, tensor in self.pristine.items()}
        for place, error in zip(self.layout.outputs, errors, strict=False):
            out, ref = self._output(place)[pick], self.expected[place.name][pick]
            if not error.passed:
                signs += diagnose(place.name, out, ref, inputs, self.seen)
        if all(error.passed for error in errors):
            self.seen.remember({p.name: self._output(p)[pick] for p in self.layout.outputs})
        return tuple(dict.fromkeys(signs))

    def _compare_exactly(self, request: Verify) -> list[OutputError]:
        """Compare with the solution's own reference; all who share it share its result."""
        pick = self._rows(request.slots)
        function = self._function(request.exact)
        params = chosen(function, request.exact, request.params)
        key = f"{request.exact} {sorted(params.items())} {pick}"
        if key not in self.exact:
            own = functools.partial(function, **params)
            self.exact[key] = self._expect(range(pick.start, pick.stop), own, native=True)
        return [
            compare_outputs(
                f"{place.name} as {request.exact.partition('::')[2]}",
                self._output(place)[pick],
                self.exact[key][place.name],
                Exact(),
            )
            for place in self.layout.outputs
        ]

    def _tolerance(self, name: str) -> Tolerance | Exact:
        own = self.definition.outputs[name].tolerance
        return own if isinstance(own, Tolerance | Exact) else self.definition.tolerance

    def _rows(self, slots: tuple[int, ...]) -> slice:
        """Return where these slots, which follow one another, lie among those that were drawn."""
        first = slots[0] - self.slots.start
        if slots != tuple(range(slots[0], slots[0] + len(slots))):
            raise ValueError(f"slots {slots} do not follow one another")
        return slice(first, first + len(slots))

    def _restore_warm_slots(self) -> None:
        """Put them back while nobody runs.

        What was changed since they were looked at is nobody's in particular: an empty batch warms
        up as well, and none of its outputs is looked at.
        """
        if self.warm is not None:
            self.warm.restore()

    def _restore_inputs(self, slots: tuple[int, ...]) -> tuple[str, ...]:
        """Put inputs back; return which of them were changed that may not be."""
        changed = tuple(p.name for p in self.layout.inputs if self._restore(p, slots))
        return tuple(name for name in changed if name not in self.definition.mutable)

    def _restore(self, place: Place, slots: tuple[int, ...]) -> bool:
        """Put an input back as it was drawn; return whether it had been changed.

        Only in the slots asked about: in the first calls, which all solutions make at once, the
        others' slots hold what others did.
        """
        pick = self._rows(slots)
        now, before = self._stacked(place)[pick], self.pristine[place.name][pick]
        if torch.equal(now.contiguous().view(torch.uint8), before.view(torch.uint8)):
            return False
        now.copy_(before)
        return True

    def _poison(self, slots: Iterable[int]) -> None:
        self.verified += 1
        poison(self.arena, self.layout, slots, f"{self.seed}/poison{self.verified}")
        self._synchronize()

    def _synchronize(self) -> None:
        if self.arena.data.is_cuda:
            torch.cuda.synchronize()


def start() -> Answer:
    """Return a referee that has opened nothing yet."""
    return Referee().answer
