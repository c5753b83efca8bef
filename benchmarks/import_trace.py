"""How fast and in how much memory is a large torch trace read?

    python benchmarks/import_trace.py [MEGABYTES]

Makes a trace of that size (350 by default) in a temporary folder, laid out as torch's own are,
and reads it three times, each in a process of its own: by roofmark's importer, by `json.load`, and
by HTA (HolisticTraceAnalysis) where that is installed. Prints seconds and peak memory of each.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

KERNELS = [f"void gemm<float, {n}>(float const*, {{unsigned, }}, int)" for n in range(60)]
READERS = {
    "roofmark": "from roofmark.importers import read_foreign; read_foreign(path)",
    "json.load": "import json; json.load(path.open())",
    "HTA": "from hta.trace_analysis import TraceAnalysis; "
    "TraceAnalysis(trace_files={0: str(path)}).get_gpu_kernel_breakdown()",
}
HEAD = "import resource, time; from pathlib import Path; path = Path({!r}); start = time.time()\n"
TAIL = "\nprint(time.time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"


def write_trace(path: Path, megabytes: int) -> int:
    """Write events until the file is large enough; return how many kernels it holds."""
    kernels = 0
    with path.open("w") as file:
        file.write('{"schemaVersion": 1, "deviceProperties": [], "traceEvents": [\n')
        while file.tell() < megabytes * 1_000_000:
            for n in range(1000):
                kernels += 1
                dims = {"Input Dims": [[8, 8], [8, 8]]}
                file.write(_event("cpu_op", "aten::mm", n, dims) + ",\n")
                file.write(_event("cuda_runtime", "cudaLaunchKernel", n, {"cbid": 211}) + ",\n")
                args = {"stream": 7, "grid": [8, 1, 1], "block": [128, 1, 1], "note": "a}, {b"}
                file.write(_event("kernel", KERNELS[n % len(KERNELS)], n, args) + ",\n")
        file.write(_event("kernel", "last", 1, {}) + '\n],\n"traceName": "t.json"\n}\n')
    return kernels + 1


def _event(cat: str, name: str, number: int, args: dict[str, object]) -> str:
    event = {"ph": "X", "cat": cat, "name": name, "pid": 0, "tid": 7, "ts": 1e6 + number}
    return "  " + json.dumps(event | {"dur": 3.5 + number % 7, "args": args}, indent=2)


def main() -> None:
    """Print one line per reader."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 350
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rank0.pt.trace.json"
        kernels = write_trace(path, megabytes)
        print(f"{path.stat().st_size / 1e6:.0f} MB, {kernels:,} kernels")
        for name, code in READERS.items():
            program = HEAD.format(str(path)) + code + TAIL
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=False
            )
            if done.returncode:
                print(f"{name:10s} not run: {done.stderr.strip().splitlines()[-1][:80]}")
                continue
            seconds, peak = map(float, done.stdout.split()[-2:])
            print(f"{name:10s} {seconds:6.1f} s  {peak:6.0f} MiB at most")


if __name__ == "__main__":
    main()
