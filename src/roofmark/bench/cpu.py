"""The host processor: model, cores, instruction sets, caches, governor, load.

In: a `Host` (its /proc and /sys). Out: `Cpu`, each gap with its reason. The `parse_` functions take
text, so that files of other machines can be read in tests.
"""

import os
import re

from roofmark.bench.host import Host
from roofmark.evidence import Cpu
from roofmark.records import Missing

# Chosen: the vector and matrix extensions that decide which code a numerical library runs; the
# kernel's own names.
_X86 = ("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512dq", "avx512bw",
    "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_fp16",
    "amx_int8")  # fmt: skip
_ARM = ("asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve", "sve2", "sme", "sme2")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def collect_cpu(host: Host) -> Cpu:
    """Read the processor that this process may use."""
    info = host.read("proc/cpuinfo")
    text = "" if isinstance(info, Missing) else info
    load = host.read("proc/loadavg")
    return Cpu(
        model=info if isinstance(info, Missing) else parse_model(info),
        cores=len(os.sched_getaffinity(0)),
        isa=parse_isa(text),
        last_level_cache=read_last_level_cache(host),
        governor=read_governor(host),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        load=load if isinstance(load, Missing) else parse_load(load),
        hypervisor=read_hypervisor(host, text),
        online=os.sysconf("SC_NPROCESSORS_ONLN"),
    )


def parse_model(cpuinfo: str) -> str | Missing:
    """Return the model's name; on Arm, which has none, the implementer and part numbers."""
    named = re.search(r"^(?:model name|cpu model|Processor)\s*:\s*(\S.*)$", cpuinfo, re.M)
    if named:
        return named[1].strip()
    maker = re.search(r"^CPU implementer\s*:\s*(\S+)", cpuinfo, re.M)
    parts = sorted(set(re.findall(r"^CPU part\s*:\s*(\S+)", cpuinfo, re.M)))
    if maker and parts:
        return f"Arm implementer {maker[1]} part {'+'.join(parts)}"
    return Missing(reason="/proc/cpuinfo names no model")


def parse_isa(cpuinfo: str) -> tuple[str, ...]:
    """Return the instruction sets that matter, in a fixed order."""
    flags = parse_flags(cpuinfo)
    return tuple(name for name in _X86 + _ARM if name in flags)


def parse_flags(cpuinfo: str) -> frozenset[str]:
    """Return every flag of the first processor."""
    line = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", cpuinfo, re.M)
    return frozenset(line[1].split()) if line else frozenset()


def parse_load(loadavg: str) -> float | Missing:
    """Return the one-minute load average."""
    try:
        return float(loadavg.split()[0])
    except (IndexError, ValueError):
        return Missing(reason=f"/proc/loadavg cannot be read: {loadavg[:40]!r}")


def parse_size(text: str) -> int | Missing:
    """Return the bytes of a cache size such as "32768K"."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text.strip())
    if not match:
        return Missing(reason=f"a cache size reads {text.strip()!r}")
    return int(match[1]) * _UNITS.get(match[2], 1)


def read_last_level_cache(host: Host) -> int | Missing:
    """Return the bytes of the highest-level data cache of the first core in use."""
    folder = f"sys/devices/system/cpu/cpu{min(os.sched_getaffinity(0))}/cache"
    best: tuple[int, int] = (0, 0)
    for index in sorted((host.root / folder).glob("index*")):
        answers = [host.read(f"{folder}/{index.name}/{name}") for name in ("level", "type", "size")]
        level, kind, size = ("" if isinstance(each, Missing) else each.strip() for each in answers)
        amount = parse_size(size)
        if level.isdigit() and kind in ("Data", "Unified") and isinstance(amount, int):
            best = max(best, (int(level), amount))
    return best[1] if best[1] else Missing(reason=f"/{folder} describes no data cache")


def read_available_memory(host: Host) -> int | Missing:
    """Return the bytes that new processes could take without swapping."""
    text = host.read("proc/meminfo")
    if isinstance(text, Missing):
        return text
    match = re.search(r"^MemAvailable:\s*(\d+) kB", text, re.M)
    return int(match[1]) * 1024 if match else Missing(reason="/proc/meminfo names no MemAvailable")


def read_governor(host: Host) -> str | Missing:
    """Return the frequency governor of the first core in use."""
    core = min(os.sched_getaffinity(0))
    governor = host.read(f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor")
    if isinstance(governor, Missing):
        return Missing(reason="no cpufreq here: a virtual machine, a container, or fixed clocks")
    return governor.strip()


def read_hypervisor(host: Host, cpuinfo: str) -> str | Missing:
    """Return the hypervisor's name as far as this guest can see it."""
    kind = host.read("sys/hypervisor/type")
    if not isinstance(kind, Missing):
        return kind.strip()
    if "hypervisor" not in parse_flags(cpuinfo):
        return Missing(reason="the processor reports none: bare metal, Arm, or a hidden one")
    names = [host.read(f"sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")]
    known = [name.strip() for name in names if not isinstance(name, Missing) and name.strip()]
    return " ".join(known) or "present, without a name"
