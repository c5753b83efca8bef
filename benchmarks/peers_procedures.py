"""One candidate under one published procedure, in this process; `peers.py` starts one for each.

In: a folder with the candidate's files, the procedure's name, a device. Out: one JSON object in
RESULT: whether the procedure accepts the candidate, what it said, the speed-up that it would
report, and whether calls with new values, made afterwards, are right.

`flashinfer-bench` is that package's own evaluator (DefaultEvaluator, its default configuration),
driven through its own builders. `KernelBench` is no package: what is here is a small copy of its
*procedure*, written by us from its documentation and source of early 2026 (EVAL.md, eval.py at
0d12226, timing.py at 0de4ce8, kernel_static_checker.py at 0ba2054, all of
github.com/ScalingIntelligence/KernelBench): the static checks that it calls strict, five
correctness trials from fixed seeds on inputs that reference and candidate share, allclose at 1e-4
for float32, three warm-up calls and a hundred timed ones on one set of inputs, the first dropped,
an event pair around each, the mean, and a flag above a speed-up of ten.

Both time with CUDA events. On a CPU, where there are none, the host's clock stands in for them and
the flushed buffer is small; nothing else of the procedures is changed.
"""

import ast
import importlib.util
import json
import re
import statistics
import sys
import time
from pathlib import Path

import torch

N_CPU, D_CPU, N_CUDA, D_CUDA = 64, 256, 256, 1024
TRIALS, TIMED, WARM_UP, TOLERANCE, EXCESSIVE = 5, 100, 3, 1e-4, 10.0
# Chosen: as many new inputs as it takes to see a candidate that skips every other call.
AFTERWARDS = 6
REFERENCE = "import torch\n\n\ndef run(x, w, room):\n    return torch.relu(x @ w)\n"


def main(folder, candidate, procedure, device, result):
    if device == "cpu":
        _stand_in()
    # Taken before the candidate is there: it patches what harnesses use.
    kept = {"clone": torch.Tensor.clone, "allclose": torch.allclose, "matmul": torch.matmul}
    found = PROCEDURES[procedure](Path(folder), candidate, device, kept)
    Path(result).write_text(json.dumps(found))


# --- flashinfer-bench ----------------------------------------------------------------------------
def flashinfer(folder, candidate, device, kept):
    """Their own evaluator, as their runners call it."""
    from flashinfer_bench.bench import timing
    from flashinfer_bench.bench.config import BenchmarkConfig
    from flashinfer_bench.bench.evaluators.default import DefaultEvaluator
    from flashinfer_bench.compile import BuilderRegistry
    from flashinfer_bench.data import Definition, Workload

    if device == "cpu":
        timing._get_empty_cache_for_benchmark = lambda device: torch.empty(2**18)
    n, d = _sizes(device)
    tensor = {"dtype": "float32"}
    definition = Definition(
        name="mix", op_type="mix", reference=REFERENCE,
        axes={"n": {"type": "var"}, "d": {"type": "const", "value": d}},
        inputs={
            "x": {"shape": ["n", "d"]} | tensor,
            "w": {"shape": ["d", "d"]} | tensor,
            "room": {"shape": ["n", "d"]} | tensor,
        },
        outputs={"y": {"shape": ["n", "d"]} | tensor},
    )  # fmt: skip
    drawn = {name: {"type": "random"} for name in ("x", "w", "room")}
    workload = Workload(uuid="one", axes={"n": n}, inputs=drawn)
    where = "cpu" if device == "cpu" else "cuda:0"
    config = BenchmarkConfig()
    baseline = DefaultEvaluator.build_baseline(definition, workload, config, where)
    try:
        built = BuilderRegistry.get_instance().build(definition, _their_solution(folder, candidate))
    except Exception as error:
        return _refused(f"COMPILE_ERROR: {error}")
    found = DefaultEvaluator.evaluate(
        definition, built, baseline.inputs, baseline.outputs, baseline.mean_latency_ms, config,
        str(folder / "log"), where,
    )  # fmt: skip
    if found.status.value != "PASSED":
        return _refused(found.status.value)
    # Called as the evaluator calls it: with its outputs where it wants them.
    writes = built.metadata.destination_passing_style
    call = (lambda x, w, room: _written(built, x, w, room)) if writes else built
    speedup = found.performance.speedup_factor
    return _accepted(speedup, call, device, kept)


def _their_solution(folder, candidate):
    from flashinfer_bench.data import Solution

    path = folder / candidate
    sources = [{"path": p.name, "content": p.read_text()} for p in sorted(folder.glob("mix*.h"))]
    sources.append({"path": candidate, "content": path.read_text()})
    language, entry, writes = (
        {".cu": "cuda", ".cpp": "cpp"}.get(path.suffix),
        f"{candidate}::mix",
        True,
    )
    if language is None:
        language, entry, writes = "python", "entry.py::run", _takes_y(path.read_text())
        sources.append({"path": "entry.py", "content": _entry(path.stem, writes)})
        if candidate != "reference.py":
            text = (folder / "reference.py").read_text()
            sources.append({"path": "reference.py", "content": text})
    spec = {
        "language": language, "target_hardware": ["any"], "entry_point": entry,
        "destination_passing_style": writes,
    }  # fmt: skip
    return Solution(name="c", definition="mix", author="corpus", spec=spec, sources=sources)


def _entry(module, writes):
    """Adapt the corpus' calls by name to theirs by position; nothing else."""
    if writes:
        return (
            f"from . import {module} as theirs\n\n\ndef run(x, w, room, y):\n"
            "    found = theirs.mix(x=x, w=w, room=room, y=y)\n"
            "    if found is not None and found is not y:\n        y.copy_(found)\n"
        )
    return (
        f"from . import {module} as theirs\n\n\ndef run(x, w, room):\n"
        "    found = theirs.mix(x=x, w=w, room=room)\n"
        "    return found['y'] if isinstance(found, dict) else found\n"
    )


# --- KernelBench ---------------------------------------------------------------------------------
# What its static checker refuses outright: fallbacks and empty bodies, timers assigned to, threads,
# tensor subclasses. What it merely warns of (streams, torch functions, half precision) passes.
STRICT = {
    "try-except": r"\btry\s*:|\bexcept\b",
    "pass": r"\bpass\b",
    "timer replaced": r"(torch\.cuda\.(Event(\.record|\.elapsed_time)?|synchronize)"
    r"|time\.(perf_counter|time))\s*=(?!=)",
    "threads": r"\b(import|from)\s+(threading|multiprocessing)\b|threading\.Thread\s*\("
    r"|multiprocessing\.(Process|Pool|Manager|Queue|Pipe)|concurrent\.futures|PoolExecutor",
    "tensor subclass": r"_make_subclass|class\s+\w+.*\((torch\.)?Tensor\)|torch\.Tensor\.__new__",
}


def kernelbench(folder, candidate, device, kept):
    """The procedure of its evaluator, in its order."""
    text = _code_of(folder / candidate)
    for name, pattern in STRICT.items():
        if re.search(pattern, text):
            return _refused(f"static check: {name}")
    try:
        theirs = _load(folder, candidate)
        torch.manual_seed(42)
        seeds = [int(torch.randint(0, 2**32 - 1, (1,))) for _ in range(TRIALS)]
        for seed in seeds:
            inputs = _drawn(device, seed)
            expected = torch.relu(inputs[0] @ inputs[1])
            _synchronize(device)
            given = theirs(*inputs)
            _synchronize(device)
            if expected.shape != given.shape:
                return _refused("shape mismatch")
            if not torch.allclose(expected, given, atol=TOLERANCE, rtol=TOLERANCE):
                return _refused("output mismatch")
        inputs = _drawn(device, 42)
        took = _mean_time(theirs, inputs, device)
        reference = _mean_time(lambda x, w, room: torch.relu(x @ w), _drawn(device, 42), device)
    except Exception as error:
        return _refused(f"{type(error).__name__}: {error}")
    found = _accepted(reference / took, theirs, device, kept)
    # It says so in the result's metadata and calls the result correct.
    return found | {"flagged": reference / took > EXCESSIVE}


def _mean_time(function, inputs, device):
    """Return the mean of the timed calls in milliseconds, with its flush before each."""
    flush = torch.empty(2**18 if device == "cpu" else 2**25, dtype=torch.int64, device=device)
    for _ in range(WARM_UP):
        function(*inputs)
        _synchronize(device)
    taken = []
    for _ in range(TIMED + 1):
        _synchronize(device)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        flush.fill_(42)
        start.record()
        function(*inputs)
        end.record()
        _synchronize(device)
        taken.append(start.elapsed_time(end))
    return statistics.mean(taken[1:])


def _code_of(path):
    """Return a candidate's code without comments and docstrings: its words are not its deeds."""
    text = path.read_text()
    if path.suffix != ".py":
        return re.sub(r"//.*", "", text)
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            # Something else without effect; `pass` is one of the things that are looked for.
            body[0] = ast.Expr(ast.Constant(0))
    return ast.unparse(ast.fix_missing_locations(tree))


def _load(folder, candidate):
    path = folder / candidate
    if path.suffix != ".py":
        import tvm_ffi.cpp

        kind = "cuda_files" if path.suffix == ".cu" else "cpp_files"
        module = tvm_ffi.cpp.load(
            f"c_{path.stem}", extra_include_paths=[str(folder)], **{kind: [str(path)]}
        )
        return lambda x, w, room: _written(module.mix, x, w, room)
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    writes = _takes_y(path.read_text())

    def call(x, w, room):
        if writes:
            y = torch.empty_like(x)
            found = module.mix(x=x, w=w, room=room, y=y)
            return y if found is None else found
        found = module.mix(x=x, w=w, room=room)
        return found["y"] if isinstance(found, dict) else found

    return call


# --- shared --------------------------------------------------------------------------------------
def _written(function, x, w, room):
    y = torch.empty_like(x)
    function(x, w, room, y)
    return y


def _takes_y(text):
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == "mix"
        and "y" in {a.arg for a in node.args.args}
        for node in ast.walk(ast.parse(text))
    )


def _refused(why):
    return {"accepted": False, "why": " ".join(why.split())[:160]}


def _accepted(speedup, call, device, kept):
    return {"accepted": True, "speedup": speedup, "right": _is_right(call, device, kept)}


def _is_right(call, device, kept):
    """Whether calls with new values in the same tensors are right, as those of a server's are."""
    inputs = _drawn(device, 10_000)
    for number in range(AFTERWARDS):
        for own, new in zip(inputs, _drawn(device, 20_000 + number), strict=True):
            own.copy_(new)
        copies = [kept["clone"](each) for each in inputs]
        expected = kept["matmul"](copies[0].double(), copies[1].double()).clamp(min=0).float()
        try:
            given = call(*inputs)
            _synchronize(device)
            error = (given.double() - expected.double()).norm() / expected.double().norm()
        except Exception:
            return False
        if type(given) is not torch.Tensor or not float(error) < 1e-4:
            return False
    return True


def _sizes(device):
    return (N_CPU, D_CPU) if device == "cpu" else (N_CUDA, D_CUDA)


def _drawn(device, seed):
    n, d = _sizes(device)
    generator = torch.Generator().manual_seed(seed)
    shapes = ((n, d), (d, d), (n, d))
    return [torch.randn(shape, generator=generator).to(device) for shape in shapes]


def _synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


class _HostEvent:
    """Stands in for a CUDA event where there is no GPU."""

    def __init__(self, enable_timing=False):
        self.at = 0.0

    def record(self):
        self.at = time.perf_counter()

    def elapsed_time(self, other):
        return 1e3 * (other.at - self.at)


def _stand_in():
    torch.cuda.Event = _HostEvent
    torch.cuda.synchronize = lambda device=None: None


PROCEDURES = {"flashinfer-bench": flashinfer, "KernelBench": kernelbench}

if __name__ == "__main__":
    main(*sys.argv[1:])
