"""Examines the host: processor, load, space, and what isolation the kernel offers.

In: a `Host`. Out: lines of the examination. Isolation is for information: it says how well a
worker can be kept from what it may not touch.
"""

import ctypes
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from roofmark.bench.cage import bounds, landlock_version
from roofmark.bench.clocks import Ticks, parse_ticks, share_stolen
from roofmark.bench.cpu import collect_cpu, read_available_memory
from roofmark.bench.examination import Line
from roofmark.bench.host import Host
from roofmark.evidence import Cpu
from roofmark.records import Missing
from roofmark.units import show

# Chosen: ten clock ticks per core; long enough to see a neighbour, short enough not to be noticed.
_STEAL_SECONDS = 0.1
# Chosen: a hundredth is the size of the differences that studies ask about.
_STEAL_LIMIT = 0.01
# Chosen: the default memory limit of one worker.
_ENOUGH_MEMORY = 8 * 2**30
# Chosen: builds of CUDA extensions and a large bundle fit in it several times.
_ENOUGH_DISK = 2 * 2**30


def examine_processor(host: Host) -> tuple[Line, ...]:
    """Return what can disturb a measurement on the CPU (and the host side of one on a GPU)."""
    cpu = collect_cpu(host)
    found = cpu.model.reason if isinstance(cpu.model, Missing) else cpu.model
    state = "warning" if isinstance(cpu.model, Missing) else "ok"
    return (
        Line(state=state, name="processor", found=found),
        _cores(host, cpu),
        _governor(cpu),
        _turbo(host),
        _load(cpu),
        _steal(host),
    )


def examine_space(host: Host) -> tuple[Line, ...]:
    """Return free memory and free disk space."""
    free = read_available_memory(host)
    if isinstance(free, Missing):
        memory = Line(state="warning", name="memory", found=free.reason)
    else:
        memory = _room("memory", free, _ENOUGH_MEMORY)
    folders = {"disk (here)": Path.cwd(), "disk (temporary)": Path(tempfile.gettempdir())}
    return (memory, *(_disk(name, folder) for name, folder in folders.items()))


def examine_isolation(
    host: Host, landlock: Callable[[], int | Missing] | None = None
) -> tuple[Line, ...]:
    """Return which of the kernel's means to confine a worker are here."""
    abi = (landlock or landlock_abi)()
    status = host.read("proc/self/status")
    seccomp = isinstance(status, str) and "\nSeccomp:" in status
    return (
        _feature("landlock", f"ABI {abi}" if isinstance(abi, int) else abi),
        _feature("seccomp", "available" if seccomp else Missing(reason="not in this kernel")),
        _feature("user namespaces", read_user_namespaces(host)),
        _workers(abi),
    )


def landlock_abi() -> int | Missing:
    """Return the version of landlock that this kernel offers; asks, restricts nothing."""
    version = landlock_version()
    return version if version > 0 else Missing(reason=os.strerror(ctypes.get_errno()))


def read_user_namespaces(host: Host) -> str | Missing:
    """Return "available", or which setting forbids them to unprivileged users."""
    most = host.read("proc/sys/user/max_user_namespaces")
    if isinstance(most, Missing) or most.strip() == "0":
        return Missing(reason="user.max_user_namespaces is 0 or not there")
    if _setting(host, "proc/sys/kernel/unprivileged_userns_clone") == "0":
        return Missing(reason="kernel.unprivileged_userns_clone is 0")
    if _setting(host, "proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        return Missing(reason="AppArmor restricts them")
    return "available"


def read_quota(host: Host) -> float | None:
    """Return how many cores' worth of time a control group grants, or None without a limit."""
    text = host.read("sys/fs/cgroup/cpu.max")
    match = None if isinstance(text, Missing) else re.match(r"(\d+) (\d+)", text)
    return int(match[1]) / int(match[2]) if match and int(match[2]) else None


def _workers(abi: int | Missing) -> Line:
    version = abi if isinstance(abi, int) else 0
    return Line(
        state="ok" if version else "warning",
        name="workers",
        found=f"bounded: {', '.join(bounds(version))}",
        why="" if version else "They can read the bundle, and the memory of the referee.",
        mend="" if version else "Use a kernel with landlock (5.13, better 6.12) switched on.",
    )


def _cores(host: Host, cpu: Cpu) -> Line:
    quota = read_quota(host)
    found = f"{cpu.cores} of {os.cpu_count()}"
    if quota is not None and quota < cpu.cores:
        return Line(
            state="warning",
            name="cores",
            found=f"{found}, limited to {quota:g} cores' worth of time",
            why="When the quota is used up every thread stops until the next period.",
            mend="Give the container whole cores (a cpuset) instead of a quota.",
        )
    if cpu.cores < 2:
        return Line(
            state="warning",
            name="cores",
            found=found,
            why="The program that measures and the one that is measured share the only core.",
            mend="Use a machine with two cores or more.",
        )
    return Line(state="ok", name="cores", found=found)


def _governor(cpu: Cpu) -> Line:
    why = "A clock that follows the load makes the first samples slow."
    if isinstance(cpu.governor, Missing):
        return Line(state="ok", name="governor", found=cpu.governor.reason)
    if cpu.governor == "performance":
        return Line(state="ok", name="governor", found="performance")
    mend = "sudo cpupower frequency-set -g performance"
    return Line(state="warning", name="governor", found=cpu.governor, why=why, mend=mend)


def _turbo(host: Host) -> Line:
    intel = _setting(host, "sys/devices/system/cpu/intel_pstate/no_turbo")
    boost = _setting(host, "sys/devices/system/cpu/cpufreq/boost")
    if intel is None and boost is None:
        return Line(state="ok", name="turbo", found="not told here")
    on = intel == "0" if intel is not None else boost == "1"
    found = "on: clocks follow temperature and neighbours" if on else "off"
    return Line(state="ok", name="turbo", found=found)


def _load(cpu: Cpu) -> Line:
    if isinstance(cpu.load, Missing):
        return Line(state="warning", name="load", found=cpu.load.reason)
    found = f"{cpu.load:.2f} over the last minute"
    cores = cpu.online if isinstance(cpu.online, int) else cpu.cores
    if cpu.load <= cores / 2:
        return Line(state="ok", name="load", found=found)
    return Line(
        state="warning",
        name="load",
        found=found,
        why=f"Other programs keep more than half of {cores} cores busy.",
        mend="Wait until they are done, or stop them.",
    )


def _steal(host: Host) -> Line:
    before = _ticks(host)
    time.sleep(_STEAL_SECONDS)
    after = _ticks(host)
    if isinstance(before, Missing) or isinstance(after, Missing):
        gap = before if isinstance(before, Missing) else after
        found = gap.reason if isinstance(gap, Missing) else ""
        return Line(
            state="warning",
            name="stolen time",
            found=found,
            why="Time given to other guests cannot be told from the program's own.",
            skips="health readings of the CPU",
        )
    now, ever = share_stolen(before, after), share_stolen(Ticks(total=0, stolen=0), after)
    found = f"{now:.1%} now, {ever:.2%} since boot"
    if max(now, ever) <= _STEAL_LIMIT:
        return Line(state="ok", name="stolen time", found=found)
    return Line(
        state="warning",
        name="stolen time",
        found=found,
        why="The hypervisor gives this machine's time to others.",
        mend="Use a machine with dedicated cores.",
    )


def _ticks(host: Host) -> Ticks | Missing:
    text = host.read("proc/stat")
    return text if isinstance(text, Missing) else parse_ticks(text)


def _disk(name: str, folder: Path) -> Line:
    try:
        return _room(name, shutil.disk_usage(folder).free, _ENOUGH_DISK)
    except OSError as error:
        return Line(state="warning", name=name, found=str(error))


def _room(name: str, free: int, enough: int) -> Line:
    found = f"{show(free, 'B')} free"
    if free >= enough:
        return Line(state="ok", name=name, found=found)
    why = f"A run may need {show(enough, 'B')}."
    return Line(state="warning", name=name, found=found, why=why, mend="Make room.")


def _feature(name: str, found: str | Missing) -> Line:
    if isinstance(found, str):
        return Line(state="ok", name=name, found=found)
    why = "A worker that cannot be confined is trusted more."
    return Line(state="warning", name=name, found=f"not available: {found.reason}", why=why)


def _setting(host: Host, path: str) -> str | None:
    text = host.read(path)
    return None if isinstance(text, Missing) else text.strip()
