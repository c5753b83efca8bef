"""Where a fleet is: from the words of `--fleet` to an executor.

In: "auto", "local", "local:N", "ray", "ray:HOST:PORT", "ray://HOST:PORT". Out: an executor and the
kind of device, or nothing: one device on this host needs no fleet.
"""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from roofmark.bench.driver import count_devices
from roofmark.bench.scratch import open_scratch
from roofmark.codes import problem
from roofmark.errors import BenchError
from roofmark.fleet.local import LocalSeats, visible_gpus
from roofmark.fleet.on_ray import SLOTS, RaySeats
from roofmark.fleet.words import Executor
from roofmark.study import Device, Study

Asked = Device | None
"""The device that was asked for; None leaves it to what is there."""


class Found(NamedTuple):
    """A fleet, and the words that lead to it again."""

    executor: Executor
    device: Device
    words: str


def find_executor(words: str, study: Study, device: Asked, *, stack: ExitStack) -> Found | None:
    """Return what `--fleet` names; None where "auto" finds one device and no cluster.

    stack: gets what is to be closed after the run.
    Raises: BenchError RM340 when the words mean nothing or the fleet is not there.
    """
    kind, _, rest = words.partition(":")
    if kind == "auto" and not rest:
        return _automatic(study, device, stack)
    if kind == "local":
        return _local(rest, study, device, stack)
    if kind == "ray":
        return _on_ray(words if rest.startswith("//") else rest or "auto", study, device, stack)
    raise _unknown(words)


def _automatic(study: Study, device: Asked, stack: ExitStack) -> Found | None:
    if os.environ.get("RAY_ADDRESS"):
        return _on_ray(os.environ["RAY_ADDRESS"], study, device, stack)
    if device == "cpu" or not _wants_gpu(study) or count_devices() < 2:
        return None
    return _local("", study, "cuda", stack)


def _local(rest: str, study: Study, device: Asked, stack: ExitStack) -> Found:
    if rest and not (rest.isdigit() and int(rest)):
        raise _unknown(f"local:{rest}")
    gpus = count_devices() if device != "cpu" and _wants_gpu(study) else 0
    if device is None:
        device = "cuda" if gpus else "cpu"
    wanted = int(rest or (gpus if device == "cuda" else 1) or 1)
    there = gpus if device == "cuda" else len(os.sched_getaffinity(0))
    if wanted > there:
        what = "GPUs" if device == "cuda" else "cores"
        fact = f"{wanted} stations were asked for; this host has {there} {what}"
        raise BenchError(problem("RM340", fact, "--fleet", f"Use --fleet local:{there or 1}."))
    names = visible_gpus(wanted) if device == "cuda" else [str(n) for n in range(wanted)]
    scratch: Path = stack.enter_context(open_scratch())
    return Found(LocalSeats(device, names, scratch), device, f"local:{wanted}")


def _on_ray(address: str, study: Study, device: Asked, stack: ExitStack) -> Found:
    seats = RaySeats(address)
    stack.callback(seats.close)
    if device is None:
        device = "cuda" if _wants_gpu(study) and seats.room("cuda") else "cpu"
    seats.device = device
    if not seats.room(device):
        what = "GPU" if device == "cuda" else f"resource {SLOTS!r}"
        fact = f"the Ray cluster has no {what}"
        mend = f"Start its nodes with room: ray start --resources='{{\"{SLOTS}\": 1}}' for a CPU."
        raise BenchError(problem("RM340", fact, "--fleet", mend))
    return Found(seats, device, address if address.startswith("ray:") else f"ray:{address}")


def _wants_gpu(study: Study) -> bool:
    return "cuda" in study.solution(study.baseline).runs_on


def _unknown(words: str) -> BenchError:
    mend = "Say auto, local, local:N, ray, ray:HOST:PORT or ray://HOST:PORT."
    return BenchError(problem("RM340", f"no fleet is called {words!r}", "--fleet", mend))
