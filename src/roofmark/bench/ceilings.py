"""The device's measured ceilings, once per device: from the cache, or measured now.

In: the device's kind. Out: `CeilingSet`. Measuring happens in a process of its own
(`python -m roofmark.bench.ceilings cpu|cuda`, which prints one JSON line), so the caller stays free
of torch and of a CUDA context. The result is kept under `$XDG_CACHE_HOME/roofmark/ceilings/`, with
the key it was measured for: another driver, torch or number of cores measures again. A failure
gives no ceilings and a note with the reason; a run without ceilings is poorer, not wrong.
"""

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from roofmark.bench.cpu import collect_cpu
from roofmark.bench.gpu import collect_gpu
from roofmark.bench.host import Host, run_module
from roofmark.errors import BundleError
from roofmark.evidence import Ceiling
from roofmark.records import Missing, Record, decode, encode
from roofmark.study import Device
from roofmark.units import Seconds

# Chosen: raised whenever the way of measuring changes, so that old figures are not mixed with new.
_METHOD = "1"
LIMIT: Seconds = 60.0


class CeilingSet(Record):
    """What was measured. notes: what could not be, and why. cached: read, not measured now."""

    ceilings: tuple[Ceiling, ...]
    notes: tuple[str, ...] = ()
    cached: bool = False


class Kept(Record):
    """A cache file."""

    key: dict[str, str]
    found: CeilingSet


def collect_ceilings(
    device: Device,
    *,
    fresh: bool = False,
    limit: Seconds = LIMIT,
    host: Host | None = None,
    run: Callable[..., str | Missing] = run_module,
) -> CeilingSet:
    """Return the ceilings of `device`; `fresh` measures even if they are known.

    limit: seconds after which measuring is given up.
    """
    host = host or Host()
    key = device_key(device, host)
    if isinstance(key, Missing):
        return CeilingSet(ceilings=(), notes=(f"ceilings not measured: {key.reason}",))
    path = cache_path(key, host)
    kept = None if fresh or path is None else _read(path, key)
    if kept is not None:
        return CeilingSet(ceilings=kept.ceilings, notes=kept.notes, cached=True)
    answer = run("roofmark.bench.ceilings", device, limit=limit)
    if isinstance(answer, Missing):
        return CeilingSet(ceilings=(), notes=(f"ceilings not measured: {answer.reason}",))
    try:
        found = decode(answer.strip().splitlines()[-1].encode(), CeilingSet, where="ceilings")
    except (BundleError, IndexError) as error:
        return CeilingSet(ceilings=(), notes=(f"ceilings not measured: {error}",))
    return found if path is None else _keep(path, Kept(key=key, found=found))


def device_key(device: Device, host: Host) -> dict[str, str] | Missing:
    """Return what the ceilings depend on; Missing when there is no such device."""
    try:
        key = {"method": _METHOD, "torch": metadata.version("torch")}
    except metadata.PackageNotFoundError:
        return Missing(reason="torch is not installed")
    if device == "cuda":
        gpu = collect_gpu(host)
        if isinstance(gpu, Missing):
            return gpu
        return key | {"device": gpu.uuid, "driver": gpu.driver, "name": gpu.name}
    cpu = collect_cpu(host)
    model = "unknown processor" if isinstance(cpu.model, Missing) else cpu.model
    return key | {"device": f"{model}, {cpu.cores} cores", "memory": str(cpu.memory)}


def cache_path(key: dict[str, str], host: Host) -> Path | None:
    """Return the cache file of that device, or None where there is no folder for it."""
    base = host.environ.get("XDG_CACHE_HOME") or ""
    if not base.startswith("/"):
        home = host.environ.get("HOME") or ""
        if not home.startswith("/"):
            return None
        base = f"{home}/.cache"
    slug = re.sub(r"[^A-Za-z0-9.-]+", "-", key["device"]).strip("-.")[:60]
    mark = hashlib.sha256(key["device"].encode()).hexdigest()[:8]
    return Path(base) / "roofmark" / "ceilings" / f"{slug}-{mark}.json"


def _read(path: Path, key: dict[str, str]) -> CeilingSet | None:
    """Return what is kept for exactly this key; anything else is measured again."""
    try:
        kept = decode(path.read_bytes(), Kept, where=path)
    except (OSError, BundleError):
        return None
    return kept.found if kept.key == key and kept.found.ceilings else None


def _keep(path: Path, kept: Kept) -> CeilingSet:
    """Write the cache file in one step; a folder that cannot be written costs only time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(encode(kept))
        Path(file.name).replace(path)
    except OSError as error:
        note = f"ceilings not kept: {path.parent}: {error.strerror or error}"
        return CeilingSet(ceilings=kept.found.ceilings, notes=(*kept.found.notes, note))
    return kept.found


def main() -> int:
    """Measure the device named on the command line and print one JSON line."""
    if sys.argv[1:] not in (["cpu"], ["cuda"]):
        sys.stderr.write("usage: python -m roofmark.bench.ceilings cpu|cuda\n")
        return 2
    # Libraries print what they like; the answer is the only thing that goes to the real stdout.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from roofmark.bench.ceiling_probe import probe

    try:
        found = probe("cuda" if sys.argv[1] == "cuda" else "cpu")
    except (RuntimeError, AssertionError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {str(error).strip()[:500]}\n")
        return 1
    with answer:
        answer.write(encode(found) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
