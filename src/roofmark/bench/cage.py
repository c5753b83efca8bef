"""Confine this process: what it may read, write, reach and signal, for ever and for all it starts.

In: a `Cage`. Out: what the kernel really enforces, as words. Landlock bounds files, connections and
signals and keeps other processes' memory closed; seccomp takes away the system calls that would get
around it. Each is used where the kernel has it; nothing needs a privilege. It has to happen while
the process has one thread.

Not bounded: reading what everybody may read, how much is written below the own folder in many
files, memory that no process maps, and what a driver does for whoever may open the device.
"""

import contextlib
import ctypes
import os
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from roofmark.bench.system_calls import forbid_calls, known_machine
from roofmark.records import Record

# Source: landlock_create_ruleset(2) and following; the numbers are the same on all architectures.
_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38
# Source: linux/landlock.h. Rights on files, then those that only folders have.
_READ, _RUN, _LIST = 1 << 2, 1 << 0, 1 << 3
_WRITE, _TRUNCATE, _IOCTL = 1 << 1, 1 << 14, 1 << 15
_ON_FILES = _READ | _RUN | _WRITE | _TRUNCATE | _IOCTL
_SINCE = {1: (1 << 13) - 1, 2: 1 << 13, 3: _TRUNCATE, 5: _IOCTL}
_TCP, _TCP_SINCE = 0b11, 4
_SCOPES, _SCOPES_SINCE = 0b11, 6

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "nvidia*", "dri", "kfd")


CAGE = "ROOFMARK_CAGE"
"""The environment variable that hands a child its cage."""


class Cage(Record):
    """What a worker may do.

    own: its folder, the only place where it writes. hidden: folders that it may not look into,
    `own` and `readable` excepted. writable: further places. shared_memory: it may use /dev/shm, as
    CUDA's sharing of memory between processes does. file_bytes: size of the largest file. connects:
    it may connect sockets, as CUDA does where a server shares one GPU out (MPS).
    """

    own: str
    hidden: tuple[str, ...]
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    shared_memory: bool = False
    file_bytes: int = 2**33
    connects: bool = False


def in_words(cage: Cage) -> str:
    """Return a cage as the environment variable holds it."""
    return msgspec.json.encode(cage).decode()


def writable_places() -> tuple[str, ...]:
    """Return what workers may write beside their own folder.

    A library that compiles its kernels for minutes keeps them in the user's cache; the variable
    ROOFMARK_WRITABLE names further places, and is recorded as every variable of ours.
    """
    given = os.environ.get("ROOFMARK_WRITABLE", "").split(os.pathsep)
    known = Path.home() / ".cache" / "flashinfer"
    return (*filter(None, given), *([str(known)] if known.is_dir() else []))


def shares_out_gpus() -> bool:
    """Return whether a server shares GPUs out to several processes (MPS) and CUDA will ask it.

    Source: NVIDIA Multi-Process Service, "CUDA_MPS_PIPE_DIRECTORY", with its default.
    """
    return (Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")) / "control").exists()


def confine(cage: Cage) -> tuple[str, ...]:
    """Give up what the cage does not grant; return what is enforced."""
    enforced: list[str] = []
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (cage.file_bytes, cage.file_bytes))
        enforced.append("file size")
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    version = landlock_version()
    # Never closed: a rule holds for this entry as it is, and the kernel forgets those nobody holds.
    os.open("/proc/self", os.O_PATH)
    if version > 0 and _restrict(cage, version):
        enforced += _words(version)
    if forbid_calls(connects=cage.connects):
        enforced.append("system calls")
    return tuple(enforced)


def offered() -> tuple[str, ...]:
    """Return what `confine` would enforce on this machine; restricts nothing."""
    return bounds(landlock_version())


def bounds(version: int) -> tuple[str, ...]:
    """Return what `confine` enforces with this version of landlock (0: none)."""
    calls = ("system calls",) if known_machine() else ()
    return ("file size", *(_words(version) if version > 0 else ()), *calls)


def landlock_version() -> int:
    """Return the version of landlock that this kernel offers, or 0."""
    answer = _call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))
    return max(answer, 0)


def _words(version: int) -> list[str]:
    words = ["files", "memory of others"]
    words += ["connections"] if version >= _TCP_SINCE else []
    return words + (["signals"] if version >= _SCOPES_SINCE else [])


def _restrict(cage: Cage, version: int) -> bool:
    handled = sum(rights for since, rights in _SINCE.items() if version >= since)
    fields = (ctypes.c_uint64 * 3)(
        handled,
        _TCP if version >= _TCP_SINCE else 0,
        _SCOPES if version >= _SCOPES_SINCE else 0,
    )
    size = 8 * (1 + (version >= _TCP_SINCE) + (version >= _SCOPES_SINCE))
    ruleset = _call(_CREATE, ctypes.byref(fields), ctypes.c_size_t(size), ctypes.c_uint(0))
    if ruleset < 0:
        return False
    try:
        for path, rights in _grants(cage):
            _grant(ruleset, path, rights & handled)
        return _call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0)) == 0
    finally:
        os.close(ruleset)


def _grants(cage: Cage) -> Iterator[tuple[Path, int]]:
    """Yield each place with its rights."""
    everything = sum(_SINCE.values())
    hidden = {Path(each).resolve() for each in cage.hidden} | {Path("/dev")}
    for place in _around(Path("/"), hidden):
        yield place, _READ | _RUN | _LIST
    for each in cage.readable:
        yield Path(each), _READ | _RUN | _LIST
    devices = Path("/dev")
    for pattern in _DEVICES:
        for place in devices.glob(pattern):
            yield place, _READ | _LIST | _WRITE | _IOCTL
    writable = [cage.own, *cage.writable, *(["/dev/shm"] if cage.shared_memory else [])]
    for place in writable:
        yield Path(place), everything
    # Its own entry: the peak of memory is reset there, and CUDA names its threads there, without
    # which it fails to begin (error 304). What it starts has another, which it cannot write.
    yield Path("/proc/self").resolve(), _READ | _LIST | _WRITE | _TRUNCATE


def _around(folder: Path, hidden: Iterable[Path]) -> Iterator[Path]:
    """Yield the folders and files that together are `folder` without the hidden ones."""
    inside = [each for each in hidden if each.is_relative_to(folder)]
    if not inside:
        yield folder
    elif folder not in inside:
        with contextlib.suppress(OSError):
            for child in folder.iterdir():
                if not child.is_symlink():
                    yield from _around(child, inside)


def _grant(ruleset: int, path: Path, rights: int) -> None:
    """Allow these rights beneath a path; one that is not there needs none."""
    with contextlib.suppress(OSError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rights = rights if path.is_dir() else rights & _ON_FILES
            rule = _PathBeneath(rights, place)
            _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH),
                  ctypes.byref(rule), ctypes.c_uint(0))  # fmt: skip
        finally:
            os.close(place)


class _PathBeneath(ctypes.Structure):
    """Source: struct landlock_path_beneath_attr of linux/landlock.h."""

    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("place", ctypes.c_int32))


def _call(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *arguments))
