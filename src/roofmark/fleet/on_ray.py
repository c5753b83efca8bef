"""Seats on a Ray cluster: one actor per GPU, or per slot of cores that a node declares.

In: the cluster's address. Out: an `Executor`. A GPU is an actor's alone (`num_gpus=1`). Ray knows
no cores, so a node for CPU runs declares how many stations it has room for:
`ray start --resources='{"roofmark": 2}'`. Nothing is done twice on Ray's own account (no restarts,
no task retries): what was lost is the scheduler's business.
"""

import contextlib
import importlib
import os
import socket
import warnings
from itertools import count
from typing import Any

from roofmark.codes import problem
from roofmark.errors import BenchError
from roofmark.fleet.words import (
    Describe,
    Lost,
    Reply,
    Request,
    pack,
    unpack_reply,
    unpack_request,
)
from roofmark.study import Device
from roofmark.units import Seconds

# Chosen: a cluster that takes longer to accept a connection measures nothing well.
_KNOCK: Seconds = 10.0
SLOTS = "roofmark"
"""The resource by which a Ray node says how many CPU stations it has room for."""


class RayHand:
    """The actor: a hand, spoken to in bytes."""

    def __init__(self) -> None:
        """Take hold of nothing yet."""
        from roofmark.fleet.hand import Hand

        self._hand = Hand()

    def answer(self, data: bytes) -> bytes:
        """Answer a request."""
        request = unpack_request(data)
        if isinstance(request, Describe):
            request = Describe(device=request.device, study=request.study, slots=_own_slots())
        return pack(self._hand.answer(request))


def _own_slots() -> int:
    ray = import_ray()
    here = ray.get_runtime_context().get_node_id()
    nodes = [node for node in ray.nodes() if node["NodeID"] == here]
    return max(1, int(nodes[0]["Resources"].get(SLOTS, 1))) if nodes else 1


class RaySeats:
    """Actors of a cluster that is running already."""

    def __init__(self, address: str) -> None:
        """Connect. Raises: BenchError RM340 without Ray or without a cluster there."""
        self._ray = import_ray()
        self._ours = not self._ray.is_initialized()
        if self._ours:
            _connect(self._ray, address)
        self._actors: dict[str, Any] = {}
        self._waiting: dict[Any, str] = {}
        self._numbers = count(1)
        self.device: Device = "cpu"

    def room(self, device: Device) -> int:
        """Return for how many stations of this kind the cluster has room."""
        return int(self._ray.cluster_resources().get("GPU" if device == "cuda" else SLOTS, 0))

    def open(self) -> list[str]:
        """Start an actor for each GPU or slot of the cluster."""
        return [self._start() for _ in range(self.room(self.device))]

    def reopen(self, seat: str) -> str:
        """Start an actor in place of another; it waits until the cluster has room."""
        self.dismiss(seat)
        return self._start()

    def _start(self) -> str:
        if self.device == "cuda":
            needs: dict[str, Any] = {"num_gpus": 1, "num_cpus": 1}
        else:
            needs = {"num_cpus": 0, "resources": {SLOTS: 1}}
        seat = f"seat-{next(self._numbers)}"
        actor = self._ray.remote(RayHand).options(max_restarts=0, max_task_retries=0, **needs)
        self._actors[seat] = actor.remote()
        return seat

    def send(self, seat: str, request: Request) -> None:
        """Send a request without waiting."""
        self._waiting[self._actors[seat].answer.remote(pack(request))] = seat

    def wait(self, limit: Seconds) -> list[tuple[str, Reply | Lost]]:
        """Return what has arrived."""
        if not self._waiting:
            return []
        ready, _ = self._ray.wait(list(self._waiting), num_returns=1, timeout=limit)
        found = [(self._waiting.pop(each), each) for each in ready]
        return [(seat, self._read(seat, each)) for seat, each in found]

    def dismiss(self, seat: str) -> None:
        """End an actor."""
        with contextlib.suppress(Exception):
            self._ray.kill(self._actors.pop(seat), no_restart=True)

    def close(self) -> None:
        """End every actor; leave the cluster, unless the program was in it before."""
        with contextlib.suppress(Exception):
            for actor in self._actors.values():
                self._ray.kill(actor, no_restart=True)
        self._actors.clear()
        if self._ours:
            self._ray.shutdown()

    def _read(self, seat: str, reference: Any) -> Reply | Lost:
        try:
            return unpack_reply(self._ray.get(reference))
        # Ray has an exception for each way to lose an actor, and wraps what one raises.
        except Exception as error:
            self.dismiss(seat)
            return Lost(reason=str(error).strip().splitlines()[0] if str(error) else repr(error))


def import_ray() -> Any:
    """Return the module. Raises: BenchError RM340 when it is not installed."""
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        fact = f"Ray cannot be imported: {error}"
        mend = 'Install it here and on every host: pip install "roofmark[fleet]"; or --fleet local.'
        raise BenchError(problem("RM340", fact, "--fleet", mend)) from error


def _knock(address: str) -> None:
    """Ray tries a closed door for minutes. Raises: OSError when nobody answers at HOST:PORT."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK).close()


def _connect(ray: Any, address: str) -> None:
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    # What is said to people is said by us; Ray's own usage report asks a question on a terminal.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        _knock(address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(address=address, configure_logging=False, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        fact = f"no Ray cluster answers at {address!r}: {first}"
        mend = "Start one (docs/fleet.md), or use --fleet local on a host with several GPUs."
        raise BenchError(problem("RM340", fact, "--fleet", mend)) from error
