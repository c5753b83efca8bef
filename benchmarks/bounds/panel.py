"""Does the bound by times alone agree with the bound by counters? A panel of small kernels.

Run on a machine with an NVIDIA GPU, Triton, and Nsight Compute that may read counters:

    python benchmarks/bounds/panel.py times panel.json
    METRICS=$(python benchmarks/bounds/panel.py metrics)
    ncu --profile-from-start off --csv --page raw --metrics $METRICS \
        python benchmarks/bounds/panel.py profile > panel.csv
    python benchmarks/bounds/panel.py compare panel.json panel.csv

`times` needs the GPU, `compare` only the two files; h200/ holds those of one run. Every kernel is
timed inside a CUDA graph as roofmark's graph tier does; under the profiler each is preceded by one
marker kernel, and of the launches between two markers the longest counts.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from roofmark.analysis.bounds import METRICS

MIB = 2**20


@dataclass(frozen=True)
class Kernel:
    """One member of the panel. expected: the words that physics allows."""

    name: str
    expected: tuple[str, ...]
    traffic: int
    flops: int
    dtype: str
    make: Callable[[], Callable[[], Any]]
    cache: str = "cold"


def panel() -> Iterator[Kernel]:
    """Yield the panel; imports torch."""
    import torch
    from panel_kernels import chase, copies, few_blocks, fma_chain, reread, strided

    cuda = torch.device("cuda")

    def bf16(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=cuda, dtype=torch.bfloat16)

    def gemm(m: int, n: int, k: int, dtype: torch.dtype) -> Callable[[], Callable[[], Any]]:
        def make() -> Callable[[], Any]:
            a = torch.randn(m, k, device=cuda).to(dtype)
            b = torch.randn(k, n, device=cuda).to(dtype)
            out = torch.empty(m, n, device=cuda, dtype=dtype)
            return lambda: torch.mm(a, b, out=out)

        return make

    yield from copies(Kernel)
    for m, n, k, dtype, words in (
        (8192, 8192, 8192, torch.bfloat16, ("compute",)),
        (4096, 4096, 4096, torch.bfloat16, ("compute",)),
        (4096, 4096, 4096, torch.float32, ("compute",)),
        (16, 16384, 16384, torch.bfloat16, ("memory",)),
        (128, 128, 128, torch.bfloat16, ("launch", "latency")),
    ):
        name = str(dtype).removeprefix("torch.")
        size = dtype.itemsize * (m * k + k * n + m * n)
        yield Kernel(
            f"gemm {m}x{n}x{k} {name}", words, size, 2 * m * n * k, name, gemm(m, n, k, dtype)
        )
    for name, words, work in (
        ("sum of 256 MiB", ("memory",), lambda a: lambda: torch.sum(a)),
        ("exp of 256 MiB", ("memory",), lambda a: lambda: torch.exp(a, out=a)),
        ("softmax of 256 MiB", ("memory",), lambda a: lambda: torch.softmax(a, -1)),
    ):
        moved = 256 * MIB * (1 if name.startswith("sum") else 2)

        def make(work: Any = work) -> Callable[[], Any]:
            return work(bf16(16384, 8192))

        yield Kernel(name, words, moved, 0, "bfloat16", make)
    yield from fma_chain(Kernel)
    yield from chase(Kernel)
    yield from few_blocks(Kernel)
    yield from reread(Kernel)
    yield from strided(Kernel)


# --- times ---------------------------------------------------------------------------------------
def times(path: Path) -> None:
    """Write each kernel's median time and its loads."""
    import torch

    from roofmark.analysis.bounds import Loads, classify
    from roofmark.analysis.roofline import peak_shares
    from roofmark.bench.ceilings import collect_ceilings
    from roofmark.bench.environment import collect_environment
    from roofmark.records import encode

    environment = collect_environment("cuda", Path.cwd(), collect_ceilings("cuda").ceilings)
    rows: list[dict[str, Any]] = []
    for each in panel():
        seconds = median(_replays(each, torch))
        torch.cuda.empty_cache()
        shares = peak_shares(
            each.traffic,
            each.flops,
            seconds,
            environment,
            dtype=each.dtype,
            cache="warm" if each.cache == "warm" else "cold",
        )
        loads = Loads(origin="timing", **shares)
        bound = classify(loads)
        rows.append({
            "name": each.name,
            "expected": each.expected,
            "seconds": seconds,
            "kind": getattr(bound, "kind", "unknown"),
            "because": getattr(bound, "because", ""),
            "loads": json.loads(encode(loads)),
        })  # fmt: skip
        print(each.name, rows[-1]["kind"], f"{seconds:.3g} s", rows[-1]["because"], flush=True)
    path.write_text(json.dumps(rows, indent=1) + "\n")


def _replays(each: Kernel, torch: Any) -> list[float]:
    """Return seconds per call of a graph of several calls, each on memory of its own if cold."""
    count = 20 if each.traffic < 64 * MIB else 4
    calls = [each.make()] * count if each.cache == "warm" else [each.make() for _ in range(count)]
    flush = torch.empty(256 * MIB, dtype=torch.uint8, device="cuda")
    for call in calls:
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls:
            call()
    found: list[float] = []
    for _ in range(15):
        if each.cache == "cold":
            flush.fill_(1)
        torch.cuda._sleep(2_000_000)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        found.append(start.elapsed_time(end) * 1e-3 / count)
    return found


def profile() -> None:
    """Run each kernel once between markers, for the profiler."""
    import torch

    for each in panel():
        call = each.make()
        for _ in range(3):
            call()
        torch.cuda.synchronize()
        torch.cuda.profiler.start()
        torch.cuda._sleep(100)
        call()
        torch.cuda.synchronize()
        torch.cuda.profiler.stop()


# --- compare -------------------------------------------------------------------------------------
def compare(timed: Path, report: Path) -> int:
    """Print both bounds side by side; return how many disagree."""
    from roofmark.analysis.bounds import Loads, classify, combine, loads_of_profile
    from roofmark.foreign import Profiles
    from roofmark.importers import read_foreign
    from roofmark.records import decode

    (content,) = read_foreign(report).contents
    assert isinstance(content, Profiles)
    groups: list[list[Any]] = []
    for launch in content.launches:
        if "spin" in launch.kernel or "sleep" in launch.kernel.lower():
            groups.append([])
        else:
            groups[-1].append(launch)
    rows = json.loads(timed.read_text())
    differ = 0
    for row, launches in zip(rows, groups, strict=True):
        longest = max(launches, key=lambda launch: getattr(launch.duration, "real", 0.0))
        counters, by_time = loads_of_profile(longest), json.dumps(row["loads"]).encode()
        assert isinstance(counters, Loads), counters
        bound = classify(combine(decode(by_time, Loads, where=row["name"]), counters))
        counted = getattr(bound, "kind", "unknown")
        same = counted == row["kind"]
        differ += not same
        right = "right" if row["kind"] in row["expected"] else f"not {'/'.join(row['expected'])}"
        print(
            f"{'agree ' if same else 'DIFFER'} {row['name']:34s} times: {row['kind']:10s} "
            f"counters: {counted:10s} {right}; {getattr(bound, 'because', '')}"
        )
    print(f"{len(rows) - differ} of {len(rows)} agree")
    return differ


def main() -> None:
    """Choose by the first argument."""
    match sys.argv[1:]:
        case ["metrics"]:
            print(",".join(METRICS))
        case ["times", path]:
            times(Path(path))
        case ["profile"]:
            profile()
        case ["compare", timed, report]:
            compare(Path(timed), Path(report))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
