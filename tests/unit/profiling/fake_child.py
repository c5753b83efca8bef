"""The profiled child as the tests need it: it has no GPU, and leaves behind what one would see."""

import json
import os
import sys
from pathlib import Path


def kernel(number, name, grid, microseconds, ts):
    return {
        "ph": "X", "cat": "kernel", "name": name, "pid": 0, "tid": 7, "ts": ts,
        "dur": microseconds,
        "args": {"correlation": number, "grid": grid, "block": [256, 1, 1], "stream": 7},
    }  # fmt: skip


def launch(number, name, ts):
    return {
        "ph": "X", "cat": "cuda_runtime", "name": name, "pid": 611, "tid": 611, "ts": ts, "dur": 4,
        "args": {"correlation": number},
    }  # fmt: skip


def trace(scenario):
    api = "cudaLaunchCooperativeKernel" if scenario == "cooperative" else "cudaLaunchKernel"
    scale = "void (anonymous namespace)::scale<float, 4>(float const*, float*, long)"
    long = 12.0 if scenario != "long" else 900.0
    events = [
        {"ph": "M", "name": "process_name", "pid": 611, "args": {"name": "python3"}},
        # Written in no order, as the profiler does.
        kernel(9, "reduce_sum", [8, 1, 1], 5.5, 5020.5),
        launch(8, api, 5000.0),
        kernel(8, scale, [132, 1, 1], long, 5006.0),
        launch(9, "cudaLaunchKernel", 5008.0),
        {"ph": "s", "id": 8, "pid": 611, "tid": 611, "ts": 5000.0, "cat": "ac2g", "name": "ac2g"},
        {"ph": "f", "id": 8, "pid": 0, "tid": 7, "ts": 5006.0, "cat": "ac2g", "name": "ac2g",
         "bp": "e"},
    ]  # fmt: skip
    if scenario == "idle":
        events = [event for event in events if event.get("cat") != "kernel"]
    return {"schemaVersion": 1, "traceEvents": events}


def main():
    mode, folder, scenario = sys.argv[1], Path(sys.argv[2]), os.environ.get("FAKE_CHILD", "")
    job = json.loads((folder / "job.json").read_bytes())
    print("loading", job["solution"]["name"])
    if scenario == "dies":
        os.kill(os.getpid(), 9)
    said = {"type": "called", "build": json.loads(os.environ["FAKE_BUILD"])}
    if scenario == "raises" or scenario == f"raises to {mode}":
        said = {"type": "call_failed", "reason": "RuntimeError: no such kernel image", "log": "tb"}
    elif mode == "watch":
        (folder / "trace.json").write_text(json.dumps(trace(scenario)))
    (folder / "answer.json").write_text(json.dumps({"said": said}))
    return 0 if said["type"] == "called" else 1


if __name__ == "__main__":
    sys.exit(main())
