"""A crew: one set of fresh processes, the referee's and one for each solution, side by side.

In: what to run. Out: replies, as seam.py declares them. Whoever is not asked anything is stopped.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from roofmark.bench.bystanders import Spent, read_spent
from roofmark.bench.cage import CAGE, in_words
from roofmark.bench.messages import (
    ArenaHandle,
    Bind,
    Draw,
    Go,
    Gone,
    Hide,
    IsBound,
    Keep,
    Load,
    Loaded,
    Open,
    Opened,
    Poise,
    Poised,
    Poison,
    Prepare,
    Prepared,
    RefereeRequest,
    Restore,
    Stage,
    Time,
    Timed,
    Verified,
    Verify,
    oddity,
)
from roofmark.bench.orders import KEEP_MEMORY, SLEEP, Order, Post, cage_of
from roofmark.bench.process import Child, ChildFailed, ReplyFailed, cores_busy
from roofmark.bench.sealed import create_memory
from roofmark.bench.seam import Failure, reference_failed
from roofmark.bench.waiting import BatchWatch, Taken
from roofmark.records import Missing
from roofmark.units import Seconds

Answer = Loaded | IsBound | Prepared | Timed | Poised | Gone | Failure

_REPLIES = {
    "load": Loaded,
    "bind": IsBound,
    "prepare": Prepared,
    "time": Timed,
    "poise": Poised,
    "batch": Gone,
}


class ProcessCrew:
    """A crew of real processes on this machine."""

    def __init__(self, order: Order, posts: Iterable[Post], *, arena: int) -> None:
        """Start everybody; none of them loads anything before `open`."""
        self._order = order
        self.posts = {post.name: post for post in posts}
        self.failed: dict[str, Failure] = {}
        self.loaded: dict[str, Loaded] = {}
        self._workers: dict[str, Child] = {}
        self.said: dict[str, str] = {}
        self._size = arena
        self._batch_memory = -1
        self._busy: dict[str, float] = {}
        self._descriptor = create_memory("arena", arena) if order.device == "cpu" else -1
        try:
            # Children start together: what takes long is importing torch, once in each.
            self._referee = self._child("roofmark.bench.referee", "referee", order.reference_folder)
            for post in self.posts.values():
                self._start(post)
        except BaseException:
            self.close()
            raise

    def fits(self, posts: list[Post], arena: int) -> bool:
        """Whether this crew can take these posts, and has an arena as large as that."""
        return list(self.posts.values()) == posts and self._size >= arena

    def await_start(self) -> None:
        """Wait until everybody's own code is imported; who died meanwhile is found when asked."""
        for child in (self._referee, *self._workers.values()):
            with contextlib.suppress(ChildFailed):
                child.wait_ready(stage="start")

    def open(self) -> None:
        """Have everybody load; `failed` tells who could not. Raises: StudyError."""
        try:
            self._arena = self._open_arena()
            self.load(self.posts)
        except BaseException:
            self.close()
            raise

    def load(self, names: Iterable[str]) -> None:
        """Have these workers load their solutions, all at once; restart those that are gone."""
        waiting: list[str] = []
        for name in names:
            if name not in self._workers:
                self._start(self.posts[name])
            failure = self._send(name, self._load_request(self.posts[name]), stage="load")
            if failure is None:
                waiting.append(name)
            else:
                self._fail(name, failure)
        for name, reply in self._gather(waiting, stage="load").items():
            if isinstance(reply, ChildFailed | ReplyFailed):
                self._fail(name, reply)
            else:
                self.failed.pop(name, None)
                self.loaded[name] = cast(Loaded, reply)

    def assign(self, post: Post) -> None:
        """Give a worker another solution to load; a worker that is gone is started again."""
        self.posts[post.name] = post
        self.load([post.name])

    def draw(self, request: Draw) -> None:
        """Have the referee fill slots."""
        self._ask_referee(request, "draw")

    def verify(self, name: str, slots: Iterable[int], *, own: int = -1) -> Verified:
        """Have the referee compare what a worker put into these slots."""
        solution = self.posts[name].solution
        exact = solution.exact if isinstance(solution.exact, str) else ""
        request = Verify(slots=tuple(slots), own=own, exact=exact, params=solution.params)
        return cast(Verified, self._ask_referee(request, "verify"))

    def prepare(self, requests: dict[str, Prepare]) -> dict[str, Prepared | Failure]:
        """Have workers bind, all at once, then call.

        Weights are copied while nobody calls: a call that writes them must not be what others copy.
        """
        bound = self._ask({name: each.bind for name, each in requests.items()}, stage="bind")
        ready = {
            name: requests[name] for name, reply in bound.items() if isinstance(reply, IsBound)
        }
        return cast("dict[str, Prepared | Failure]", bound | self._ask(ready, stage="prepare"))

    def time(self, name: str, request: Time) -> tuple[Timed, float] | Failure:
        """Have one worker time a visit."""
        start = time.perf_counter()
        failure = self._send(name, request, stage="time")
        reply = failure or self._receive(name, stage="time", limit=self._order.protocol.call_limit)
        elapsed = time.perf_counter() - start
        if isinstance(reply, ChildFailed | ReplyFailed):
            return reply
        timed = cast(Timed, reply)
        if why := oddity(timed, request.calls):
            self.dismiss(name)
            return ChildFailed("time", why, "")
        return timed, elapsed

    def poise(self, name: str, request: Go) -> Poised | Failure:
        """Have one worker warm up for a batch, while its inputs are out of reach.

        It is not stopped before the batch: what a stop does to threads and caches would be counted.
        """
        if self._descriptor >= 0:
            self._stage(request)
        else:
            self._ask_referee(Hide(), "hide")
        limit = self._order.protocol.call_limit
        failure = self._send(name, Poise(tier=request.tier), stage="poise")
        return failure or cast(Poised, self._receive(name, stage="poise", limit=limit, pause=False))

    def batch(self, name: str, request: Go) -> Taken | Failure:
        """Have a poised worker run a batch; the clock is ours, from the inputs to the last output.

        On a host the inputs lie in memory that the worker gets with the request; on a GPU they are
        put into the arena after the clock has started. It stops when the outputs are copied away:
        whoever has not been stopped by then, a process that the worker started, writes too late.
        """
        memory = self._batch_memory
        if memory < 0:
            self._ask_referee(Poison(), "poison")
        watch = BatchWatch(lambda: self._processes_of(name), self._referee.processes)
        if memory < 0:
            self._ask_referee(Stage(cache=request.cache), "stage")
        failure = self._send(name, request, stage="batch", descriptor=memory)
        limit = self._order.protocol.call_limit
        reply = failure or self._receive(name, stage="batch", limit=limit, pause=False)
        if memory >= 0:
            # Its threads may spin on, on the cores that the copying needs.
            self._halt(name)
        self._ask_referee(Keep(calls=request.calls), "keep")
        watch.stop()
        if not isinstance(reply, ChildFailed | ReplyFailed):
            reply = self._pause(name, stage="batch") or reply
        if isinstance(reply, ChildFailed | ReplyFailed):
            return reply
        return watch.taken(cpu=self._order.device == "cpu")

    def spent(self) -> Spent | Missing:
        """Return what the workers' cores have spent so far, and what of it we did."""
        own = {name: child.cpu_seconds() for name, child in self._workers.items()}
        own |= {"~run": time.process_time(), "~referee": self._referee.cpu_seconds()}
        return read_spent(self._order.cores, own)

    def cores_busy(self) -> dict[str, float]:
        """Return how many cores each worker keeps busy unasked; looks once, later answers so."""
        self._busy = self._busy or cores_busy(self._workers)
        return self._busy

    def ran_unasked(self) -> dict[str, Seconds]:
        """Return the CPU time that each took while it was to stand still, since the last look."""
        return {name: child.take_unasked() for name, child in self._workers.items()}

    def restore(self) -> bool:
        """Put all slots back; return whether inputs were changed that may not be."""
        return bool(cast(Verified, self._ask_referee(Restore(), "restore")).changed)

    def revive(self, name: str) -> None:
        """Start a worker again that is gone."""
        if name not in self._workers:
            self.load([name])

    def dismiss(self, name: str) -> None:
        """End one worker; `load` starts a fresh one in its place."""
        child = self._workers.pop(name, None)
        if child is not None:
            child.close()
            self.said[name] = child.log()

    def pid(self, name: str) -> int:
        """Return a worker's process id, or 0 when it is gone."""
        return self._workers[name].pid if name in self._workers else 0

    def close(self) -> None:
        """End every process of the crew."""
        for name in list(self._workers):
            self.dismiss(name)
        if hasattr(self, "_referee"):
            self._referee.close()
        for descriptor in (self._descriptor, self._batch_memory):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._batch_memory = -1

    def _ask(self, requests: Mapping[str, Bind | Prepare], *, stage: str) -> dict[str, Answer]:
        """Return everybody's reply to these requests, sent to all at once."""
        sent = {name: self._send(name, each, stage=stage) for name, each in requests.items()}
        failed: dict[str, Answer] = {name: why for name, why in sent.items() if why is not None}
        return failed | self._gather([name for name in sent if name not in failed], stage=stage)

    def _fail(self, name: str, failure: Failure) -> None:
        self.failed[name] = failure
        self.dismiss(name)

    def _send(
        self,
        name: str,
        request: Load | Bind | Prepare | Time | Poise | Go,
        *,
        stage: str,
        descriptor: int = -1,
    ) -> Failure | None:
        try:
            self._workers[name].resume()
            self._workers[name].send(request, stage=stage, descriptor=descriptor)
        except ChildFailed as failure:
            self.dismiss(name)
            return failure
        return None

    def _gather(self, names: list[str], *, stage: str) -> dict[str, Answer]:
        """Return everybody's reply to a request that all got at once, within one limit for all.

        Chosen: a first call or an import may compile, so it has the time of a compilation, and all
        of them have it side by side; but never more than the whole run.
        """
        replies: dict[str, Answer] = {}
        for name in names:
            try:
                self._workers[name].wait_ready(stage=stage)
            except ChildFailed as failure:
                self.dismiss(name)
                replies[name] = failure
        protocol = self._order.protocol
        limit = min(max(protocol.call_limit, protocol.build_limit), protocol.time_limit)
        start = time.monotonic()
        for name in names:
            if name not in replies:
                replies[name] = self._receive(name, stage=stage, limit=limit, start=start)
        return replies

    def _pause(self, name: str, *, stage: str) -> ChildFailed | None:
        """Who is not asked does not run: it could only disturb, look on, or work ahead."""
        if name not in self._workers or self._workers[name].pause():
            return None
        self.dismiss(name)
        why = "went on while it was to stand still, and was killed"
        return ChildFailed(stage, why, "")

    def _processes_of(self, name: str) -> tuple[int, ...]:
        return self._workers[name].processes() if name in self._workers else ()

    def _halt(self, name: str) -> None:
        """Stop a worker at once; `_pause` then looks for what it started."""
        if name in self._workers:
            self._workers[name].halt()

    def _stage(self, request: Go) -> None:
        """Have the referee put the inputs into memory that no worker has seen.

        An empty batch gets the memory of the batch before it: its pages are there already.
        """
        if request.empty:
            return
        if self._batch_memory >= 0:
            os.close(self._batch_memory)
        self._batch_memory = create_memory("batch", self._size)
        stage = Stage(cache=request.cache, descriptor=0)
        self._ask_referee(stage, "stage", descriptor=self._batch_memory)

    def _receive(
        self,
        name: str,
        *,
        stage: str,
        limit: float,
        start: float | None = None,
        pause: bool = True,
    ) -> Answer:
        expected = _REPLIES[stage]
        try:
            reply = self._workers[name].receive(stage=stage, limit=limit, start=start)
        except (ChildFailed, ReplyFailed) as failure:
            # A worker that raised may hold a broken device context: none is used again.
            self.dismiss(name)
            return failure
        if not isinstance(reply, expected):
            self.dismiss(name)
            return ChildFailed(stage, f"answered {type(reply).__name__} out of turn", "")
        return (self._pause(name, stage=stage) if pause else None) or reply

    def _ask_referee(self, request: RefereeRequest, stage: str, *, descriptor: int = -1) -> object:
        # Chosen: the reference is trusted and may be slow; ten visits' time tells slow from stuck.
        limit = 10 * self._order.protocol.call_limit
        try:
            return self._referee.ask(request, stage=stage, limit=limit, descriptor=descriptor)
        except (ChildFailed, ReplyFailed) as failure:
            own = request.exact if isinstance(request, Verify) else ""
            raise reference_failed(own or self._order.definition.reference, failure) from failure

    def _open_arena(self) -> ArenaHandle:
        order = self._order
        request = Open(
            definition=order.definition,
            folder=str(order.reference_folder),
            device=order.device,
            entropy=order.entropy,
            size=self._size,
            descriptor=self._descriptor,
            flush=order.flush,
        )
        return cast(Opened, self._ask_referee(request, "open")).arena

    def _load_request(self, post: Post) -> Load:
        return Load(
            solution=post.solution,
            definition=self._order.definition,
            folder=str(post.folder),
            device=self._order.device,
            arena=self._arena,
            library=post.library,
            binary=post.binary,
            flush=self._order.flush,
            cores=self._order.cores,
        )

    def _start(self, post: Post) -> None:
        self.loaded.pop(post.name, None)
        self._workers[post.name] = self._child("roofmark.bench.worker", post.name, post.folder)

    def _child(self, module: str, name: str, folder: Path) -> Child:
        descriptors = (self._descriptor,) if self._descriptor >= 0 else ()
        # The arena and the flushing buffer are ours, not the candidate's.
        memory = self._order.protocol.memory_limit + self._size + self._order.flush
        extra = dict(KEEP_MEMORY)
        if name == "referee":
            extra |= SLEEP
        else:
            extra[CAGE] = in_words(cage_of(self._order, self.posts[name], self._size))
        return Child(
            module, folder=folder, memory=memory, descriptors=descriptors, environment=extra
        )
